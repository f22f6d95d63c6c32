"""Networks from outside: each test has its own, in a runtime directory of its own, and leaves
nothing of it behind."""

import json
import os
import pathlib
import select
import subprocess
import sys
import time

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for what all tests share

COMMAND = os.environ["REEVE_COMMAND"]
PATIENCE = 280  # seconds until what is waited for is taken to be lost; no test measures time


class Network:
    def __init__(self, runtime):
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("REEVE_")}
        self.environment.update(XDG_RUNTIME_DIR=str(runtime), LC_ALL="C.UTF-8")
        self.runtime = runtime
        self.running = []

    def start(self, *words, **settings):
        """A reeve command that goes on."""
        settings.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([COMMAND, *words], env=self.environment, **settings)
        self.running.append(process)
        return process

    def run(self, *words, **settings):
        """A reeve command that ends, and well unless check is False."""
        settings.setdefault("check", True)
        settings.setdefault("stdin", subprocess.DEVNULL)
        settings.setdefault("stdout", subprocess.PIPE)
        settings.setdefault("stderr", subprocess.PIPE)
        result = subprocess.run([COMMAND, *words], env=self.environment, timeout=PATIENCE,
                                **{**settings, "check": False})
        assert not settings["check"] or result.returncode == 0, (words, result)
        return result

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def host(self, name):
        return next(h for h in self.json("hosts") if h["name"] == name)

    def serve(self, host, *words, until, **settings):
        """A program on a host, once it has said `until`."""
        process = self.start("run", "--host", host, *words, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, **settings)
        said = b""
        while until not in said:
            line = read_some(process.stdout)
            assert line, (words, said)
            said += line
        return process

    def serve_files(self, host, directory):
        return self.serve(host, "python3", "-u", "-m", "http.server", "80", cwd=directory,
                          until=b"Serving HTTP")

    def end(self):
        self.run("down", check=False)
        for process in self.running:
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE)
            if process.stdout:
                process.stdout.close()


def read_some(stream, patience=PATIENCE):
    """What is there, b"" at the end; None when nothing has come for so long."""
    if not select.select([stream], [], [], patience)[0]:
        return None
    return os.read(stream.fileno(), 1 << 20)


def wait_for_end(pid):
    """True when the process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], PATIENCE)[0])
    finally:
        os.close(fd)


def sockets(directory):
    """Those that lie there or below; what goes away meanwhile is none."""
    paths = (pathlib.Path(at) / name for at, _, names in os.walk(directory) for name in names)
    return [str(p) for p in paths if p.is_socket()]


@pytest.fixture
def network(tmp_path_factory):
    runtime = tmp_path_factory.mktemp("r")
    runtime.chmod(0o700)
    network = Network(runtime)
    yield network
    network.end()
    # One whose last program has just ended is on its way out, and `down` does not find it any more.
    limit = time.monotonic() + PATIENCE
    while sockets(runtime) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not sockets(runtime)


@pytest.fixture(scope="session")
def big_file(tmp_path_factory):
    """100 MB at random, and what its SHA-256 is."""
    import hashlib
    import random
    seed = int(os.environ.get("REEVE_SEED", "1"))
    print(f"REEVE_SEED={seed}")
    content = random.Random(seed).randbytes(100_000_000)
    path = tmp_path_factory.mktemp("files") / "big"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()
