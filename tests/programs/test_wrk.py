"""wrk: many connections for as long as they last.

Run: wrk with 50 connections in two threads for a second against nginx on another host and on its
own, kept alive and closed after each request.
Must come out: hundreds of answers, no error of a socket, no other status than 200.
Limits: none known.
"""

import re

from test_nginx import start

PACKAGES = ["nginx-light", "wrk"]
VERSION = ["wrk", "-v"]
HOSTS = 2


def test_wrk(site, need):
    need("wrk", "nginx")
    start(site, "s")
    for host, name in ("c", "s"), ("s", "127.0.0.1"):
        for header in [], ["-H", "Connection: close"]:
            got = site.client(host, "wrk", "-t", "2", "-c", "50", "-d", "1s", *header,
                              f"http://{name}/name")
            assert int(re.search(r"(\d+) requests in", got)[1]) > 100
            assert "Socket errors" not in got and "Non-2xx" not in got, got
