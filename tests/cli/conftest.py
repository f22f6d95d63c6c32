"""The command from outside: how it is run, what its output is compared with, and a network process
played by the test, which answers what the test says."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for what all tests share

COMMAND = os.environ["REEVE_COMMAND"]
SOURCE = pathlib.Path(os.environ["REEVE_SOURCE"])
GOLDEN = SOURCE / "tests" / "golden"
INTERFACE = "io.reeve.Network."


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\n{self.out}\n{self.err}"


@pytest.fixture(autouse=True)
def no_test_hangs():
    """A test that waits for what never comes fails, and its fixtures clean up."""
    def fail(*_):
        raise TimeoutError("the test has hung for a minute")
    signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture
def runtime(tmp_path_factory):
    """A runtime directory of the test's own, with a path short enough for sockets."""
    path = tmp_path_factory.mktemp("r")
    path.chmod(0o700)
    return path


@pytest.fixture
def reeve(runtime):
    def run(*arguments, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith("REEVE_")}
        env.update(XDG_RUNTIME_DIR=str(runtime), TERM="xterm", TZ="UTC", LC_ALL="C.UTF-8",
                   PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        env.update(settings.pop("env", {}))
        settings.setdefault("stdin", subprocess.DEVNULL)
        settings.setdefault("stdout", subprocess.PIPE)
        return Result(subprocess.run([COMMAND, *arguments], env=env, stderr=subprocess.PIPE,
                                     text=True, timeout=60, **settings))
    return run


def assert_golden(name, text):
    """REEVE_GOLDEN=write makes the file what it is compared with otherwise."""
    path = GOLDEN / name
    if os.environ.get("REEVE_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{path} differs (REEVE_GOLDEN=write makes it anew)"


def interface_methods():
    """Method -> names of its parameters, as the interface file says."""
    text = (SOURCE / "src/network/io.reeve.Network.varlink").read_text()
    text = re.sub(r"#.*", "", text)
    return {method: set(re.findall(r"(\w+)\s*:", parameters))
            for method, parameters in re.findall(r"method (\w+)\((.*?)\)\s*->", text, re.DOTALL)}


class FakeNetwork:
    """A network process: `answers` has, for each method, a reply's parameters, a list of them for
    calls with `more`, an Error, or a function of the parameters (and the descriptors) that gives
    one of these."""

    def __init__(self, directory):
        directory.mkdir(mode=0o700, parents=True)
        directory.parent.chmod(0o700)
        self.answers = {"GetNetwork": {"keep": False}}
        self.calls = []
        self.faults = []
        self.methods = interface_methods()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "control"))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffer, descriptors = b"", []
        with connection:
            while True:
                data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
                if not data:
                    break
                descriptors += fds
                buffer += data
                while b"\0" in buffer:
                    message, buffer = buffer.split(b"\0", 1)
                    self.answer(connection, json.loads(message), descriptors)
                    for fd in descriptors:
                        os.close(fd)
                    descriptors = []

    def answer(self, connection, message, descriptors):
        method = message["method"].removeprefix(INTERFACE)
        parameters = message.get("parameters", {})
        self.calls.append((method, parameters))
        unknown = set(parameters) - self.methods.get(method, set())
        if method not in self.methods or unknown:
            self.faults.append(f"{method}({unknown}) is not in the interface")
        answer = self.answers.get(method, {})
        if callable(answer):
            answer = answer(parameters, descriptors)
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return
        if answer is None:
            connection.shutdown(socket.SHUT_RDWR)
            return
        replies = answer if isinstance(answer, list) else [answer]
        for i, reply in enumerate(replies):
            wrapped = dict(reply) if isinstance(reply, Error) else {"parameters": reply}
            if message.get("more") and i + 1 < len(replies):
                wrapped["continues"] = True
            connection.sendall(json.dumps(wrapped).encode() + b"\0")

    def called(self, method):
        return [parameters for name, parameters in self.calls if name == method]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which else keeps it open
        self.listener.close()


class Error(dict):
    """An error of the interface, as a reply."""

    def __init__(self, error, /, **parameters):
        super().__init__(error=INTERFACE + error, parameters=parameters)


@pytest.fixture
def network(runtime):
    fake = FakeNetwork(runtime / "reeve" / "default")
    yield fake
    fake.close()
    assert not fake.faults
