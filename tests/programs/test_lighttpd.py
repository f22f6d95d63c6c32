"""lighttpd: files, and CGI programs.

Run: two of lighttpd's workers; a page of 5 MB, 4 MB sent to a CGI program that sends them back,
20 requests at once, ranges, keep-alive.
Must come out: the same bytes both ways, the client's address in REMOTE_ADDR, status 206 and 404.
Limits: none known.
"""

PACKAGES = ["curl", "lighttpd"]
VERSION = ["lighttpd", "-v"]
HOSTS = 3

CONFIGURATION = """
server.modules = ( "mod_cgi" )
server.document-root = "{directory}/www"
server.port = 80
server.bind = "0.0.0.0"
server.max-worker = 2
server.upload-dirs = ( "{directory}" )
server.errorlog = "{directory}/errors"
cgi.assign = ( ".cgi" => "" )
"""


def test_pages_and_programs(site, need, data, same):
    need("lighttpd", "curl")
    www = site.scratch / "www"
    www.mkdir()
    (www / "big").write_bytes(data(5_000_000))
    for name, body in ("echo", "cat"), ("who", 'echo "$REMOTE_ADDR $SERVER_PORT"'):
        path = www / f"{name}.cgi"
        path.write_text(f"#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n{body}\n")
        path.chmod(0o755)
    (site.scratch / "conf").write_text(CONFIGURATION.format(directory=site.scratch))
    site.serve("s", "lighttpd", "-D", "-f", site.scratch / "conf", ports=[80])

    fetch, out = ["curl", "-sS", "--fail", "--max-time", "60"], site.scratch / "out"
    site.client("c", *fetch, "-o", out, "http://s/big")
    same(www / "big", out)
    site.client("c2", *fetch, "-o", out, "--data-binary", f"@{www}/big", "http://s/echo.cgi")
    same(www / "big", out)
    got = site.client("c", "sh", "-c", "getent ahostsv4 c | head -1; curl -sS http://s/who.cgi")
    address, _, _, *seen = got.split()
    assert seen == [address, "80"]
    assert site.client("c", *fetch, "-r", "100-199", "-w", "%{http_code} %{size_download}", "-o",
                       out, "http://s/big") == "206 100"
    assert out.read_bytes() == (www / "big").read_bytes()[100:200]
    site.client("c", *fetch, "http://s/none", status=22)
    got = site.client("c", *fetch, "-Z", "--parallel-max", "20",
                      *["http://s/who.cgi"] * 20).splitlines()
    assert len(got) == 20
