"""ncat: a chat, programs behind it, TLS, a proxy.

Run: --chat with three clients, 2 MB from a program and 2 MB to a file, the same by TLS,
datagrams,
an HTTP proxy that leads to a third host.
Must come out: every line at every other client, the same bytes, the page behind the proxy.
Limits: none known; ncat itself drops what a program still says after the client's end of file.
"""

import subprocess

PACKAGES = ["curl", "ncat"]
VERSION = ["ncat", "--version"]
HOSTS = 4


def test_chat(site, need):
    need("ncat")
    site.serve("s", "ncat", "-l", "--chat", "7000", ports=[7000])
    clients = [site.reeve.start("--host", f"c{i}", "--", "ncat", "s", "7000",
                                stdin=subprocess.PIPE) for i in range(3)]
    for p in clients:
        site.reeve.wait_for_text(p, "is connected as")
    clients[0].stdin.write("hello all\n")
    clients[0].stdin.flush()
    for p in clients[1:]:
        assert "hello all\n" in site.reeve.wait_for_text(p, "hello all\n")
    for p in clients:
        p.stdin.close()


def test_there_and_back(site, need, data, same):
    need("ncat")
    sent, there, back = (site.scratch / name for name in ("sent", "there", "back"))
    sent.write_bytes(data(2_000_000))
    for port, *options in (7001,), (443, "--ssl"):
        site.serve("s", "ncat", "-l", "-k", port, *options, "--sh-exec", f"cat {sent}",
                   ports=[port])
        site.client("c", "sh", "-c", f"ncat {' '.join(options)} --recv-only s {port} >{back}")
        taker = site.serve("s", "sh", "-c", f"exec ncat -v -l {port + 1} {' '.join(options)}"
                           f" --recv-only >{there}")
        site.client("c", "sh", "-c", f"""
            until ncat {' '.join(options)} --send-only s {port + 1} <{sent} 2>/dev/null; do :; done""")
        assert taker.wait(30) == 0
        same(sent, there, back)


def test_datagrams(site, need):
    need("ncat")
    site.serve("s", "ncat", "-v", "-u", "-l", "-k", "7002", "--exec", "/bin/cat")
    site.until_bound("s")
    client = site.reeve.start("--host", "c", "--", "ncat", "-u", "s", "7002", stdin=subprocess.PIPE)
    client.stdin.write("datagram\n")
    client.stdin.flush()
    site.reeve.wait_for_text(client, "datagram\n")
    client.stdin.close()


def test_proxy(site, need):
    need("ncat", "curl")
    where = site.scratch / "www"
    where.mkdir()
    (where / "page").write_text("behind\n")
    site.serve("web", "/usr/bin/python3", "-m", "http.server", "80", cwd=where, ports=[80])
    site.serve("p", "ncat", "-l", "-k", "--proxy-type", "http", "3128", ports=[3128])
    got = site.client("c", "curl", "-sS", "--max-time", "20", "-p", "-x", "http://p:3128",
                      *["http://web/page"] * 3)
    assert got == "behind\n" * 3
    client = site.reeve.start("--host", "c", "--", "ncat", "--proxy", "p:3128", "--proxy-type",
                              "http", "web", "80", stdin=subprocess.PIPE)
    client.stdin.write("GET /page HTTP/1.0\r\n\r\n")
    client.stdin.flush()
    site.reeve.wait_for_text(client, "behind\n")
    client.stdin.close()
