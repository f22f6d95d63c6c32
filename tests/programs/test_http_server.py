"""python3 -m http.server, fetched from its own host and from another."""


def test_both_ways(reeve, until_open, tmp_path):
    (tmp_path / "page").write_text("hello")
    reeve.start("--host", "web", "/usr/bin/python3", "-m", "http.server", "80", cwd=tmp_path,
                stderr=-3)
    until_open("web", 80)
    code = "import urllib.request as r, sys; print(r.urlopen(sys.argv[1]).read())"
    for host, name in ("web", "127.0.0.1"), ("web", "web"), ("c", "web"):
        got = reeve.run("--host", host, "/usr/bin/python3", "-c", code, f"http://{name}/page")
        assert got.stdout == "b'hello'\n", got.stderr
