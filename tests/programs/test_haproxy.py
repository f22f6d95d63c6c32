"""HAProxy: in front of two servers.

Run: a master with two threads of a worker in front of two servers on other hosts, by HTTP with
checks and by TCP with the PROXY protocol; one server goes away while it is used.
Must come out: requests spread over both servers, a 5 MB page unchanged, the client's address in
the PROXY line, no request lost after the checks have seen the server go.
Limits: none known.
"""

import re

PACKAGES = ["haproxy"]
VERSION = ["haproxy", "-v"]
HOSTS = 5

CONFIGURATION = """
global
    nbthread 2
    maxconn 500
    stats socket {directory}/stats level admin
defaults
    timeout connect 10s
    timeout client 30s
    timeout server 30s
frontend web
    mode http
    bind :80
    default_backend pages
backend pages
    mode http
    balance roundrobin
    option httpchk GET /name
    option redispatch
    # Also the time that a check may take.
    default-server check inter 5s fall 1 rise 1
    server one b1:80
    server two b2:80
listen line
    mode tcp
    bind :81
    server echo b3:81 send-proxy
"""
LINE = """if True:
    import socket
    s = socket.create_server(("0.0.0.0", 81))
    while True:
        c = s.accept()[0]
        f = c.makefile("rwb")
        f.write(f.readline() + f.readline())
        f.close()
        c.close()
"""


def test_haproxy(site, need, data, same):
    need("haproxy", "curl")
    servers = {}
    for name in "b1", "b2":
        where = site.scratch / name
        where.mkdir()
        (where / "name").write_text(f"{name}\n")
        servers[name] = site.serve(name, "/usr/bin/python3", "-m", "http.server", "80", cwd=where,
                                   ports=[80])
    big = site.scratch / "b1" / "big"
    big.write_bytes(data(5_000_000))
    (site.scratch / "b2" / "big").write_bytes(big.read_bytes())
    site.serve("b3", "/usr/bin/python3", "-c", LINE, ports=[81])
    configuration = site.scratch / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(directory=site.scratch))
    site.serve("lb", "haproxy", "-W", "-db", "-f", configuration, ports=[80])

    fetch = ["curl", "-sS", "--fail", "--max-time", "30"]
    got = site.client("c", *fetch, *["http://lb/name"] * 20).split()
    assert got.count("b1") == got.count("b2") == 10
    site.client("c", *fetch, "-o", site.scratch / "out", "http://lb/big")
    same(big, site.scratch / "out")
    own, line = site.client("c", "bash", "-c", "getent ahostsv4 c | head -1; exec 3<>/dev/tcp/lb/81;"
                            " echo hello >&3; cat <&3").split("\n", 1)
    address = own.split()[0]
    assert re.fullmatch(rf"PROXY TCP4 {address} \S+ \d+ 81\r?\nhello\n", line), line

    servers["b1"].terminate()
    servers["b1"].wait(30)
    wait = (f"until echo show stat | socat - UNIX:{site.scratch}/stats | grep -q '^pages,one,.*DOWN';"
            " do :; done")
    site.client("c", "bash", "-c", wait)
    assert site.client("c", *fetch, *["http://lb/name"] * 20).split() == ["b2"] * 20
