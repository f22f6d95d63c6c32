"""redis: many clients at once, and pipelines."""


def test_benchmark(reeve, need, until_open, tmp_path):
    need("redis-server", "redis-benchmark", "redis-cli")
    reeve.start("--host", "db", "redis-server", "--save", "", "--dir", str(tmp_path), "--bind", "*",
                "--protected-mode", "no")
    until_open("db", 6379)
    assert reeve.run("--host", "c", "redis-cli", "-h", "db", "set", "k", "v").stdout == "OK\n"
    for options in ["-n", "2000"], ["-n", "5000", "-P", "16"]:
        r = reeve.run("--host", "c", "redis-benchmark", "-h", "db", "-q", "-t", "set,get", *options)
        assert r.returncode == 0 and "requests per second" in r.stdout, r.stderr
