"""socat: a forking TCP server, and UDP."""

import subprocess


def test_forking_server(reeve, need, until_open):
    need("socat")
    reeve.start("--host", "echo", "socat", "TCP-LISTEN:7,fork,reuseaddr", "EXEC:cat")
    until_open("echo", 7)
    for word in "one", "two", "three":
        r = reeve.run("--host", "c", "socat", "-t", "10", "-", "TCP:echo:7", stdin=None, input=word)
        assert r.stdout == word, r.stderr


def test_udp(reeve, need):
    need("socat")
    server = reeve.start("--host", "echo", "socat", "-d", "-d", "UDP-LISTEN:7,reuseaddr", "SYSTEM:cat",
                         stderr=subprocess.STDOUT)
    reeve.wait_for_text(server, "listening on")
    r = reeve.run("--host", "c", "timeout", "20", "socat", "-T", "5", "-t", "0.5", "-", "UDP:echo:7",
                  stdin=None, input="datagram")
    assert r.stdout == "datagram", r.stderr
