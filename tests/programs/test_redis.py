"""redis: pipelines, subscriptions, a replica.

Run: a server and its replica on a second host; redis-benchmark with 50 connections and with
pipelines; 1 MB values, MULTI, a blocked list, a subscriber; the client list.
Must come out: every answer, the same data in the replica, the client's own address.
Limits: none known.
"""

PACKAGES = ["redis-server", "redis-tools"]
VERSION = ["redis-server", "--version"]
HOSTS = 3


def start(site, host, *options):
    directory = site.scratch / host
    directory.mkdir()
    site.serve(host, "redis-server", "--save", "", "--dir", directory, "--bind", "*",
               "--protected-mode", "no", "--repl-diskless-sync-delay", "0", *options, ports=[6379])


def cli(site, *command, host="db", **settings):
    return site.client("c", "redis-cli", "-h", host, *command, **settings)


def test_benchmark(site, need):
    need("redis-server", "redis-benchmark", "redis-cli")
    start(site, "db")
    assert cli(site, "set", "k", "v") == "OK\n"
    for options in ["-n", "2000"], ["-n", "5000", "-P", "16"]:
        got = site.client("c", "redis-benchmark", "-h", "db", "-q", "-t", "set,get", *options)
        assert got.count("requests per second") == 2, got
    own, listed = site.client("c", "sh", "-c", "getent ahostsv4 c | head -1;"
                              " redis-cli -h db client list").split("\n", 1)
    assert f"addr={own.split()[0]}:" in listed and f"laddr={site.address('db')}:6379" in listed


def test_data_and_replica(site, need, data):
    need("redis-server", "redis-cli")
    start(site, "db")
    value = data(1_000_000).hex()
    assert cli(site, "-x", "set", "big", input=value) == "OK\n"
    assert cli(site, "get", "big") == value + "\n"
    start(site, "copy", "--replicaof", "db", "6379")
    assert cli(site, input="multi\nincr n\nincr n\nexec\n") == "OK\nQUEUED\nQUEUED\n1\n2\n"
    assert cli(site, "wait", "1", "20000") == "1\n"
    assert cli(site, "get", "n", host="copy") == "2\n"
    assert cli(site, "get", "big", host="copy") == value + "\n"


def test_waiting_clients(site, need):
    """Who waits for a list and who has subscribed are answered when they have not asked."""
    need("redis-server", "redis-cli")
    start(site, "db")
    popper = site.reeve.start("--host", "c2", "--", "redis-cli", "-h", "db", "blpop", "l", "60")
    hearer = site.reeve.start("--host", "c3", "--", "redis-cli", "-h", "db", "subscribe", "news")
    site.reeve.wait_for_text(hearer, "subscribe\nnews\n1\n")
    until = "until redis-cli -h db info clients | grep -q blocked_clients:1; do :; done"
    site.client("c", "sh", "-c", until)
    cli(site, "rpush", "l", "item")
    assert popper.communicate(timeout=60)[0] == "l\nitem\n"
    assert cli(site, "publish", "news", "now") == "1\n"
    site.reeve.wait_for_text(hearer, "message\nnews\nnow\n")
