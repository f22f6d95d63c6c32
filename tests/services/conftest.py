"""Networks with services of a file: each test has its own, in a directory of its own."""

import json
import os
import pathlib
import signal
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for what all tests share

import live  # noqa: E402
from live import wait_until  # noqa: E402

COMMAND = str(pathlib.Path(os.environ["REEVE_BUILD"]) / "src/cli/reeve")
PATIENCE = 100  # seconds until what is waited for is taken to be lost; no test measures time


class Network(live.Network):
    def __init__(self, directory):
        self.directory = directory
        (directory / "r").mkdir(mode=0o700)
        super().__init__(COMMAND, directory / "r")
        self.settings.update(cwd=directory, text=True)

    def run(self, *words, **settings):
        """A command that ends; its result is the caller's to look at."""
        if words[0] == "up":
            words += ("--wait", f"{PATIENCE - 10}s")
        return super().run(*words, **{"check": False, "timeout": PATIENCE, **settings})

    def good(self, *words, **settings):
        return self.run(*words, check=True, **settings).stdout

    def write(self, text, name="reeve.yaml"):
        (self.directory / name).write_text(text)

    def up(self, text, *words):
        """The services of this text, all as they should be."""
        self.write(text)
        return {s["name"]: s for s in self.json("up", *words)}

    def status(self, name):
        return self.json("status", name)

    def state(self, name):
        return self.status(name)["state"]

    def log(self, name):
        path = pathlib.Path(self.status(name)["log"])
        return path.read_text() if path.exists() else ""

    def client(self, code, *arguments, **settings):
        """A program of another host; what it prints."""
        return self.good("run", "--host", "client", "python3", "-c", code, *arguments, **settings)

    def ask(self, port, text, host="server"):
        return self.client(ASK, host, port, text)

    def manager(self, host="server"):
        """The pid of a host's manager."""
        return next(p for p in self.programs() if p["command"] == f"services of {host}")["pid"]

    def programs(self):
        varlink = ('{"method":"io.reeve.Network.ListPrograms"}\0')
        import socket
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.directory / "r/reeve/default/control"))
            s.sendall(varlink.encode())
            answer = b""
            while not answer.endswith(b"\0"):
                answer += s.recv(65536)
        return json.loads(answer[:-1])["parameters"]["programs"]

    def processes(self):
        """Those that work in this directory or below, by pid."""
        found = {}
        for process in pathlib.Path("/proc").iterdir():
            try:
                where = os.readlink(process / "cwd") if process.name.isdigit() else ""
            except OSError:
                continue
            if pathlib.Path(where).is_relative_to(self.directory):
                found[int(process.name)] = (process / "cmdline").read_bytes()
        return found

    def end(self):
        super().end("--grace", "2s", by=signal.SIGKILL)
        wait_until(lambda: not self.processes(), "the end of all services")


ASK = """
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
c.sendall(sys.argv[3].encode())
c.shutdown(socket.SHUT_WR)
while data := c.recv(65536):
    print(data.decode(), end="")
"""


@pytest.fixture(autouse=True)
def no_test_hangs():
    def fail(*_):
        raise TimeoutError("the test has hung")
    signal.signal(signal.SIGALRM, fail)
    signal.alarm(2 * PATIENCE)
    yield
    signal.alarm(0)


@pytest.fixture
def network(tmp_path_factory):
    directory = tmp_path_factory.mktemp("s")
    directory.chmod(0o700)
    network = Network(directory)
    yield network
    network.end()
    left = directory / "r/reeve/default"
    wait_until(lambda: not left.exists(), f"an end that leaves nothing in {left}")
