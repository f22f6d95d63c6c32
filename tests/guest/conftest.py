"""Programs under `reeve run`, from outside: each test has a network of its own."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for what all tests share

COMMAND = os.environ["REEVE_COMMAND"]
HERE = pathlib.Path(__file__).parent
PYTHON = "/usr/bin/python3"
WAIT = 30  # seconds, for what must happen

# What runs in the background of a script, or under nohup, ignores these, and so would all that it
# starts: no interrupt would end a program.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


class Reeve:
    def __init__(self):
        # Short: sockets' names have 108 bytes.
        self.runtime = pathlib.Path(tempfile.mkdtemp(prefix="reeve-test-", dir="/tmp"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("REEVE_")}
        self.env.update(XDG_RUNTIME_DIR=str(self.runtime), LC_ALL="C.UTF-8",
                        PATH="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
                        PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
        self.started = []

    def command(self, *arguments, **settings):
        settings.setdefault("stdin", subprocess.DEVNULL)
        settings.setdefault("timeout", WAIT)
        return subprocess.run([COMMAND, *arguments], env=self.env, capture_output=True, text=True,
                              **settings)

    def run(self, *arguments, **settings):
        return self.command("run", *arguments, **settings)

    def python(self, code, *options, **settings):
        return self.run(*options, "--", PYTHON, "-c", code, **settings)

    def network(self):
        """What is known of the network process."""
        return json.loads(self.command("network", "--json").stdout)

    def start(self, *arguments, **settings):
        settings.setdefault("stdin", subprocess.DEVNULL)
        settings.setdefault("stdout", subprocess.PIPE)
        p = subprocess.Popen([COMMAND, "run", *arguments], env=self.env, text=True, **settings)
        self.started.append(p)
        return p

    def start_python(self, code, *options, **settings):
        return self.start(*options, "--", PYTHON, "-c", code, **settings)

    def wait_for_text(self, process, text):
        """The program's output up to the text."""
        got = ""
        while text not in got:
            ready, _, _ = select.select([process.stdout], [], [], WAIT)
            assert ready, f"no {text!r} in {got!r}"
            piece = os.read(process.stdout.fileno(), 4096).decode()
            assert piece, f"ended without {text!r}: {got!r}"
            got += piece
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Whether nothing is left behind."""
        for p in self.started:
            if p.poll() is None:
                p.kill()
            p.wait(WAIT)
            if p.stdout:
                p.stdout.close()
        self.command("down")
        clean = wait_until(lambda: not list(self.runtime.glob("reeve-run-*")))
        shutil.rmtree(self.runtime, ignore_errors=True)
        return clean


# Two programs on the hosts sender and another: bytes go for as long as they can. The first says
# "ready", the second "receiving" when it has read as many as its argument says; both how it ended.
SENDER = """
import socket
l = socket.create_server(("", 7000))
print("ready", flush=True)
c, _ = l.accept()
try:
    while True:
        c.sendall(bytes(4096))
except OSError as e:
    print(type(e).__name__, flush=True)
"""

RECEIVER = """
import socket, sys
c = socket.create_connection(("sender", 7000))
left = int(sys.argv[1])
try:
    while d := c.recv(4096):
        left -= len(d)
        if left <= 0 < left + len(d):
            print("receiving", flush=True)
    print("a clean end", flush=True)
except OSError as e:
    print(type(e).__name__, flush=True)
"""


@pytest.fixture
def reeve():
    r = Reeve()
    yield r
    assert r.end(), "a rendezvous directory was left behind"


def wait_until(condition):
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def kill(pid):
    """Any process, and waits for its end."""
    handle = os.pidfd_open(pid)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    select.select([handle], [], [], WAIT)
    os.close(handle)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]
