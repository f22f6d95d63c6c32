"""rsync: its daemon.

Run: a daemon with a module that can be written; a tree of 200 files sent to it, fetched back by
another host, changed in one place and sent again.
Must come out: the same tree on both sides, a second transfer of far fewer bytes than the file, and
a wrong password refused.
Limits: none known.
"""

import getpass
import os
import random
import re

PACKAGES = ["rsync"]
VERSION = ["rsync", "--version"]
HOSTS = 3


def start(site, *more):
    (site.scratch / "module").mkdir()
    (site.scratch / "secrets").write_text("someone:secret\n")
    (site.scratch / "secrets").chmod(0o600)
    lines = [f"pid file = {site.scratch}/pid", "use chroot = no", "[m]",
             f"path = {site.scratch}/module", "read only = no", *more]
    if os.getuid() == 0:
        lines += [f"uid = {getpass.getuser()}", "gid = root"]
    (site.scratch / "rsyncd.conf").write_text("\n".join(lines) + "\n")
    site.serve("s", "rsync", "--daemon", "--no-detach", f"--config={site.scratch}/rsyncd.conf",
               "--log-file=/dev/stdout", ports=[873])


def tree(path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_there_and_back(site, need, data):
    need("rsync")
    start(site)
    source = site.scratch / "source"
    for i in range(200):
        path = source / f"d{i % 10}" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data(random.randrange(50_000)))
    big = source / "big"
    big.write_bytes(data(8_000_000))
    site.client("c", "rsync", "-a", f"{source}/", "rsync://s/m/")
    site.client("c2", "rsync", "-a", "rsync://s/m/", f"{site.scratch}/back/")
    assert tree(source) == tree(site.scratch / "module") == tree(site.scratch / "back")
    before = big.stat().st_mtime
    with big.open("r+b") as f:
        f.seek(4_000_000)
        f.write(b"changed")
    os.utime(big, (before + 1, before + 1))  # rsync takes files of one size and second to be equal
    got = site.client("c", "rsync", "-a", "--no-whole-file", "--stats", f"{source}/", "rsync://s/m/")
    sent = int(re.search(r"Total bytes sent: ([\d,]+)", got)[1].replace(",", ""))
    assert sent < 200_000
    assert tree(source) == tree(site.scratch / "module")


def test_password(site, need):
    need("rsync")
    start(site, "auth users = someone", f"secrets file = {site.scratch}/secrets")
    (site.scratch / "module" / "file").write_text("x")
    ask = ["rsync", "--list-only", "rsync://someone@s/m/"]
    assert "file" in site.client("c", "env", "RSYNC_PASSWORD=secret", *ask)
    site.client("c", "env", "RSYNC_PASSWORD=wrong", *ask, status=5)
