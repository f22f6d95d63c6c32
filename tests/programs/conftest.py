"""Programs that know nothing of Reeve, on hosts of a network that the test makes.

Each file here is about one program, and begins with what docs/programs.md says of it (table.py).
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import pytest

_spec = importlib.util.spec_from_file_location(
    "guest_conftest", pathlib.Path(__file__).parent.parent / "guest" / "conftest.py")
_guest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guest)

import needs  # noqa: E402: the guest's conftest has made it known

reeve = _guest.reeve
IS_ROOT = os.getuid() == 0
NOBODY = 65534
PATIENCE = 120  # seconds, for what must happen even when everything is slow

# What refuses to be root is run by a user without privileges.
UNPRIVILEGED = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] \
    if IS_ROOT else []

OPEN = """
import socket, sys, time
end = time.monotonic() + float(sys.argv[1])
for port in sys.argv[3:]:
    while True:
        try:
            socket.create_connection((sys.argv[2], int(port)), 10).close()
            break
        except OSError as e:
            assert time.monotonic() < end, f"{sys.argv[2]}, port {port}: {e}"
            time.sleep(0.01)
"""


@pytest.fixture
def need():
    """Ends the test where a program is not installed."""
    return needs.need


@pytest.fixture
def until_open(reeve):
    """Waits for ports of a host to be open, as a program of another host sees it."""
    def wait(host, *ports, patience=20):
        r = reeve.run("--host", "watcher", "--", _guest.PYTHON, "-c", OPEN, str(patience), host,
                      *map(str, ports), timeout=patience + 30)
        assert r.returncode == 0, r.stderr
    return wait


@pytest.fixture
def scratch():
    """A directory that any user can reach, and that belongs to whom UNPRIVILEGED makes it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="reeve-programs-", dir="/tmp"))
    path.chmod(0o755)
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Site:
    """Servers and clients on hosts of the test's network; what servers say goes to files."""

    def __init__(self, reeve, scratch, until_open):
        self.reeve = reeve
        self.scratch = scratch
        self.until_open = until_open
        self.logs = []

    def serve(self, host, *command, ports=(), patience=20, **settings):
        """Starts a server; returns when its ports are open."""
        log = self.scratch / f"{host}.{len(self.logs)}.log"
        self.logs.append(log)
        with log.open("w") as out:
            process = self.reeve.start("--host", host, "--", *map(str, command), stdout=out,
                                       stderr=subprocess.STDOUT, **settings)
        process.log = log
        if ports:
            self.until_open(host, *ports, patience=patience)
        return process

    def until_bound(self, host):
        """Waits for a UDP socket there, which no probe could tell."""
        assert _guest.wait_until(lambda: json.loads(
            self.reeve.command("ports", host, "-u", "--json").stdout or "[]"))

    def client(self, host, *command, status=0, **settings):
        """What a program says that runs to its end there, with the status that it must have."""
        settings.setdefault("timeout", PATIENCE)
        if "input" in settings:
            settings["stdin"] = None
        r = self.reeve.run("--host", host, "--", *map(str, command), **settings)
        assert r.returncode == status, f"status {r.returncode}: {r.stderr}{r.stdout}"
        return r.stdout

    def together(self, *clients):
        """Clients that run at the same time: (host, command...); what each has said."""
        started = [self.reeve.start("--host", host, "--", *map(str, command),
                                    stderr=subprocess.PIPE) for host, *command in clients]
        outputs = []
        for process, client in zip(started, clients):
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, f"{client}: status {process.returncode}: {err}{out}"
            outputs.append(out)
        return outputs

    def address(self, host):
        """The address that a host has, as its own programs see it."""
        return self.client(host, _guest.PYTHON, "-c",
                           f"import socket; print(socket.gethostbyname({host!r}))").strip()


@pytest.fixture
def site(reeve, scratch, until_open):
    s = Site(reeve, scratch, until_open)
    yield s
    for log in s.logs:
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture
def data():
    """Bytes that are new in each run."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return random.Random(seed).randbytes


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def same():
    """Whether files hold the same bytes: a difference is no text to look at."""
    def check(first, *others):
        for other in others:
            assert digest(first) == digest(other), \
                f"{other} ({other.stat().st_size} bytes) is not {first} ({first.stat().st_size})"
    return check
