"""Networks from outside: each test has its own, in a runtime directory of its own, and leaves
nothing of it behind."""

import os
import pathlib
import select
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for what all tests share

import live  # noqa: E402
from live import PATIENCE, wait_until  # noqa: E402

COMMAND = os.environ["REEVE_COMMAND"]


class Network(live.Network):
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


def read_some(stream, patience=PATIENCE):
    """What is there, b"" at the end; None when nothing has come for so long."""
    if not select.select([stream], [], [], patience)[0]:
        return None
    return os.read(stream.fileno(), 1 << 20)


def sockets(directory):
    """Those that lie there or below; what goes away meanwhile is none."""
    paths = (pathlib.Path(at) / name for at, _, names in os.walk(directory) for name in names)
    return [str(p) for p in paths if p.is_socket()]


@pytest.fixture
def network(tmp_path_factory):
    runtime = tmp_path_factory.mktemp("r")
    runtime.chmod(0o700)
    network = Network(COMMAND, runtime)
    yield network
    network.end()
    # One whose last program has just ended is on its way out, and `down` does not find it any more.
    wait_until(lambda: not sockets(runtime), "an end that leaves no socket")


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
