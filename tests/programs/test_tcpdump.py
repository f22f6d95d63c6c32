"""tcpdump: on a host, and on a file of reeve capture.

Run: tcpdump on eth0 of a host; reeve capture while a page is fetched, and tcpdump -r on its file.
Must come out: one clear line and status 1, at once; in the file the handshake between the two
hosts' addresses.
Limits: packet sockets are refused, as are raw ones; reeve capture sees the packets instead.
"""

import os
import re
import signal
import subprocess

from conftest import PATIENCE

PACKAGES = ["curl", "tcpdump"]
VERSION = ["tcpdump", "--version"]
HOSTS = 2

COMMAND = os.environ["REEVE_COMMAND"]


def test_refused(site, need):
    need("tcpdump")
    r = site.reeve.run("--host", "c", "--", "tcpdump", "-i", "eth0", "-c", "1")
    assert r.returncode == 1 and re.search("not supported|permi", r.stderr), r.stderr


def test_capture(site, need):
    need("tcpdump", "curl")
    (site.scratch / "page").write_text("page")
    site.serve("s", "/usr/bin/python3", "-m", "http.server", "80", cwd=site.scratch, ports=[80])
    path = site.scratch / "packets"
    capture = subprocess.Popen([COMMAND, "capture", "s", "-w", path], env=site.reeve.env)
    try:
        # The capture has begun when something is in its file: its head.
        while not path.exists() or not path.stat().st_size:
            assert capture.poll() is None
        site.client("c", "curl", "-sS", "--max-time", "60", "http://s/page")
        # Not by a count: the end of an earlier connection may be among them.
        capture.send_signal(signal.SIGINT)
        assert capture.wait(PATIENCE) == 0
    finally:
        capture.kill()
        capture.wait()
    r = subprocess.run(["tcpdump", "-n", "-r", path, "tcp"], capture_output=True, text=True,
                       check=True)
    assert re.search(rf"IP (198\.18\.\S+) > {site.address('s')}\.80: Flags \[S\].*\n"
                     rf".*IP {site.address('s')}\.80 > \1: Flags \[S\.\]", r.stdout), r.stdout
