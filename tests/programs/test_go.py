"""Go: net and net/http, a static program.

Run: a static program (CGO_ENABLED=0) that serves HTTP, echoes and answers datagrams on one host,
and on another fetches with and without keep-alive, holds 200 connections, dials what refuses and
what never answers, looks up names with its own resolver and lists interfaces.
Must come out: every answer, ECONNREFUSED, a timeout where it was set, no such host, lo and eth0.
Limits: none known.
"""

import os
import pathlib
import subprocess

PACKAGES = ["golang-go"]
VERSION = ["go", "version"]
HOSTS = 2


def test_go(site, need):
    need("go")
    program = site.scratch / "program"
    source = pathlib.Path(__file__).parent / "program.go"
    subprocess.run(["go", "build", "-o", program, source], check=True, timeout=300,
                   env={**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(site.scratch / "cache"),
                        "GOPATH": str(site.scratch / "path"), "GOFLAGS": "-mod=mod"})
    site.serve("s", program, "serve", ports=[80, 7])
    assert site.client("c", program, "try", "s") == """\
50 with keep-alive
50 without
200 connections
datagram
connection refused
timed out
no such host
lo eth0
"""
