"""socat: a forking server, UDP, a relay.

Run: TCP-LISTEN,fork with EXEC; UDP-LISTEN; a relay from a UNIX socket to a port of another host and
on to a third, with 5 MB; OPENSSL.
Must come out: each word, the datagram, the same bytes.
Limits: none known.
"""

import subprocess

from test_openssl import certificate

PACKAGES = ["openssl", "socat"]
VERSION = ["socat", "-V"]
HOSTS = 3


def test_forking_server(site, need):
    need("socat")
    site.serve("echo", "socat", "TCP-LISTEN:7,fork,reuseaddr", "EXEC:cat", ports=[7])
    for word in "one", "two", "three":
        assert site.client("c", "socat", "-t", "10", "-", "TCP:echo:7", input=word) == word


def test_udp(site, need):
    need("socat")
    server = site.reeve.start("--host", "echo", "--", "socat", "-d", "-d", "UDP-LISTEN:7,reuseaddr",
                              "SYSTEM:cat", stderr=subprocess.STDOUT)
    site.reeve.wait_for_text(server, "listening on")
    got = site.client("c", "timeout", "20", "socat", "-T", "5", "-t", "0.5", "-", "UDP:echo:7",
                      input="datagram")
    assert got == "datagram"


def test_relay(site, need, data, same):
    need("socat", "openssl")
    sent, back = site.scratch / "sent", site.scratch / "back"
    sent.write_bytes(data(5_000_000))
    key = ",".join(f"{name[1:]}={path}" for name, path in zip(*[iter(certificate(site))] * 2))
    site.serve("end", "socat", f"OPENSSL-LISTEN:443,fork,reuseaddr,verify=0,{key}",
               f"OPEN:{sent},rdonly", ports=[443])
    site.serve("middle", "socat", "TCP-LISTEN:80,fork,reuseaddr", "OPENSSL:end:443,verify=0",
               ports=[80])
    relay = site.serve("c", "socat", f"UNIX-LISTEN:{site.scratch}/socket,fork", "TCP:middle:80")
    site.client("c", "sh", "-c", f"until [ -S {site.scratch}/socket ]; do :; done;"
                f" socat -u UNIX-CONNECT:{site.scratch}/socket OPEN:{back},creat")
    assert relay.poll() is None
    same(sent, back)
