"""PostgreSQL: psql, pgbench, pg_dump, pg_basebackup.

Run: initdb and a server on one host; psql, pgbench with 8 clients in two threads, pg_dump and
pg_basebackup on a second; a query is cancelled, and a notification is waited for.
Must come out: the client's own address in inet_client_addr(), 100,000 rows copied in and out
unchanged, every transaction of pgbench counted, a dump with every row, a checked base backup.
Limits: none known.
"""

import os
import pathlib

import pytest
from conftest import NOBODY, UNPRIVILEGED
from needs import do_without

PACKAGES = ["postgresql"]
VERSION = ["psql", "--version"]
HOSTS = 2

ROWS = 100_000


@pytest.fixture
def database(site):
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not folders:
        do_without("PostgreSQL is not installed")
    binaries = folders[-1].parent
    where = site.scratch / "db"
    site.client("db", *UNPRIVILEGED, binaries / "initdb", "-D", where, "-U", "owner", "-A", "trust",
                "-N", "--no-instructions", "--locale=C.UTF-8")
    with (where / "pg_hba.conf").open("a") as f:
        f.write("host all all 198.18.0.0/16 trust\nhost replication all 198.18.0.0/16 trust\n")
    site.serve("db", *UNPRIVILEGED, binaries / "postgres", "-D", where, "-k", where, "-c",
               "listen_addresses=*", "-c", "fsync=off", ports=[5432], patience=60)
    site.binaries = binaries
    site.environment = ["env", "PGHOST=db", "PGUSER=owner", "PGDATABASE=postgres",
                        f"HOME={site.scratch}"]
    return site


def sql(site, *commands, **settings):
    options = [word for command in commands for word in ("-c", command)]
    return site.client("c", *site.environment, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *options,
                       **settings)


def test_queries(database):
    own, query = "getent ahostsv4 c db | sed -n 's/ *STREAM.*//p'", \
        "psql -XAtqc 'select inet_client_addr(); select inet_server_addr(), inet_server_port()'"
    client, server, *seen = database.client("c", *database.environment, "sh", "-c",
                                            f"{own}; {query}").split()
    assert seen == [client, f"{server}|5432"]
    rows = "".join(f"{i}\t{'x' * (i % 100)}\n" for i in range(ROWS))
    sql(database, "create table t (i int primary key, x text)")
    sql(database, "copy t from stdin", input=rows)
    assert sql(database, "select count(*), sum(length(x)) from t") == \
        f"{ROWS}|{sum(i % 100 for i in range(ROWS))}\n"
    assert sql(database, "copy (select * from t order by i) to stdout") == rows
    dump = database.client("c", *database.environment, database.binaries / "pg_dump", "-t", "t")
    dumped = dump[dump.index("COPY public.t"):].split("stdin;\n")[1].split("\\.\n")[0]
    # A table has no order: COPY fills gaps of earlier pages.
    assert sorted(dumped.splitlines()) == sorted(rows.splitlines())


def test_cancel_and_notify(database):
    """A cancel is a second connection; a notification comes when nobody has asked."""
    code = """if True:
        import select, subprocess, sys
        p = subprocess.Popen(["psql", "-Xqt", "-c", "select pg_sleep(600)"], stderr=-1)
        q = ["psql", "-XAtq", "-c", "select pid from pg_stat_activity where query like '%600)'"
             " and pid <> pg_backend_pid() and wait_event = 'PgSleep'"]
        while not subprocess.run(q, stdout=-1).stdout.strip():
            pass
        p.send_signal(2)
        print(p.communicate()[1].decode(), p.returncode)"""
    got = database.client("c", *database.environment, "/usr/bin/python3", "-c", code)
    assert "canceling statement due to user request" in got and got.endswith(" 1\n")
    assert 'Asynchronous notification "n" with payload "now"' in sql(
        database, "listen n", "\\! psql -Xqc \"notify n, 'now'\"", "select 1")


def test_pgbench(database):
    pgbench = [*database.environment, database.binaries / "pgbench"]
    database.client("c", *pgbench, "-i", "-q", "-s", "1")
    for options, transactions in ([], 400), (["-S", "-C"], 160), (["-S", "-M", "prepared"], 1600):
        got = database.client("c", *pgbench, "-n", "-c", "8", "-j", "2", "-t",
                              str(transactions // 8), *options)
        assert f"processed: {transactions}/{transactions}" in got, got
    assert sql(database, "select count(*) from pgbench_history") == "400\n"


def test_base_backup(database):
    copy = database.scratch / "copy"
    database.client("c", *UNPRIVILEGED, *database.environment, database.binaries / "pg_basebackup",
                    "-D", copy, "-X", "stream", "-c", "fast")
    got = database.client("c", *UNPRIVILEGED, database.binaries / "pg_verifybackup", copy)
    assert got == "backup successfully verified\n"
    assert os.stat(copy).st_uid in (NOBODY, os.getuid())
