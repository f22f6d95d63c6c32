"""MariaDB: a server, its client, mysqlslap.

Run: mariadb-install-db and a server; a table of 20,000 rows loaded from another host and dumped
there; mysqlslap with 20 clients; a query that is killed from another connection.
Must come out: the rows' number and sum, the same dump after it was loaded again, the client's
name by its address, status 1 for the killed query.
Limits: none known.
"""

import pytest
from conftest import UNPRIVILEGED

PACKAGES = ["mariadb-client", "mariadb-server"]
VERSION = ["mariadbd", "--version"]
HOSTS = 2

ROWS = 20_000


@pytest.fixture
def sql(site, need):
    need("mariadbd", "mariadb", "mariadb-install-db", "mysqlslap")
    where = site.scratch / "db"
    site.client("db", *UNPRIVILEGED, "mariadb-install-db", "--no-defaults", f"--datadir={where}",
                "--auth-root-authentication-method=normal", "--skip-test-db")
    (site.scratch / "first.sql").write_text(
        "create user u@'%' identified by 'secret';\ngrant all on *.* to u@'%';\n"
        "create database d;\n")
    site.serve("db", *UNPRIVILEGED, "mariadbd", "--no-defaults", f"--datadir={where}",
               f"--socket={where}/socket", f"--pid-file={where}/pid", "--bind-address=0.0.0.0",
               f"--init-file={site.scratch}/first.sql", "--innodb-buffer-pool-size=16M",
               "--innodb-flush-log-at-trx-commit=0", ports=[3306], patience=60)
    site.login = ["--no-defaults", "-h", "db", "-u", "u", "-psecret"]

    def run(*commands, **settings):
        return site.client("c", "mariadb", *site.login, "-N", "-B", "d",
                           *(w for c in commands for w in ("-e", c)), **settings)
    return run


def test_rows(site, sql):
    assert sql("select user()") == "u@c\n"  # by the reverse name of the client's address
    values = ",".join(f"({i}, repeat('x', {i % 100}))" for i in range(ROWS))
    sql(input=f"create table t (i int primary key, x text); insert into t values {values};\n")
    expected = f"{ROWS}\t{sum(i % 100 for i in range(ROWS))}\n"
    assert sql("select count(*), sum(length(x)) from t") == expected
    dump = ["mariadb-dump", *site.login, "--skip-dump-date", "d", "t"]
    first = site.client("c", *dump)
    sql("drop table t")
    sql(input=first)
    assert sql("select count(*), sum(length(x)) from t") == expected
    assert site.client("c", *dump) == first


def test_many_clients_and_a_kill(site, sql):
    got = site.client("c", "mysqlslap", *site.login, "--concurrency=20", "--iterations=2",
                      "--auto-generate-sql", "--number-of-queries=1000")
    assert "Number of clients running queries: 20" in got
    sleeper = site.reeve.start("--host", "c2", "--", "mariadb", *site.login, "-e",
                               "select sleep(600)", stderr=-2)
    number = ""
    while not number:
        number = sql("select id from information_schema.processlist where info like 'select sl%'")
    sql(f"kill {number}")
    assert "ERROR" in sleeper.communicate(timeout=30)[0] and sleeper.returncode == 1
