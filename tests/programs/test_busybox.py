"""busybox: a static program with servers and clients of its own.

Run: httpd, wget, nc, a shell behind nc, telnetd with telnet, nslookup, ip, ifconfig.
Must come out: the same file, a session of telnet, the host's own address from ip and ifconfig, a
name's address by its own resolver.
Limits: its ping and traceroute need raw sockets; its wget -T crashes everywhere.
"""

import subprocess

PACKAGES = ["busybox-static", "curl"]
VERSION = ["busybox"]
HOSTS = 2


def test_web(site, need, data, same):
    need("busybox")
    (site.scratch / "file").write_bytes(data(3_000_000))
    site.serve("s", "busybox", "httpd", "-f", "-vv", "-p", "80", "-h", site.scratch, ports=[80])
    out = site.scratch / "out"
    site.client("c", "busybox", "wget", "-q", "-O", out, "http://s/file")
    same(site.scratch / "file", out)
    got = site.client("c", "busybox", "sh", "-c",
                      "printf 'GET /none HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 20 s 80")
    assert "404 Not Found" in got


def test_telnet(site, need):
    need("busybox")
    shell = site.scratch / "shell"
    shell.write_text("#!/bin/sh\nread -r line\necho \"got $line\"\ntty\n")
    shell.chmod(0o755)
    site.serve("s", "busybox", "telnetd", "-F", "-p", "23", "-l", shell, ports=[23])
    telnet = site.reeve.start("--host", "c", "--", "busybox", "telnet", "s", "23",
                              stdin=subprocess.PIPE)
    telnet.stdin.write("word\n")
    telnet.stdin.flush()
    got = site.reeve.wait_for_text(telnet, "/dev/pts/")
    assert "got word" in got
    telnet.stdin.close()


def test_what_it_sees(site, need):
    need("busybox")
    got = site.client("c", "busybox", "sh", "-c", """
        getent ahostsv4 c | head -1
        busybox ip -4 -o addr show eth0
        busybox ifconfig eth0
        busybox ip route
        busybox nslookup c""").split("\n", 1)
    address, rest = got[0].split()[0], got[1]
    assert address.startswith("198.18.")
    assert f"inet {address}/16" in rest and f"inet addr:{address} " in rest
    assert "default via 198.18.0.1 dev eth0" in rest
    assert f"Address: {address}\n" in rest
