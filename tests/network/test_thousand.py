"""A thousand programs on a thousand hosts of one network, each at the same port, and their end."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "bench"), str(HERE.parent)]

import scale as bench  # noqa: E402
from harness import output  # noqa: E402
from live import wait_for_end  # noqa: E402

import pytest  # noqa: E402

COUNT = 1000
NOBODY = 65534

ASK = """
import socket, sys
for i in range(int(sys.argv[1])):
    with socket.create_connection((f"h{i}", 80)) as s:
        said = b""
        while piece := s.recv(99):
            said += piece
    assert said == b"h%d" % i, (i, said)
print("all have answered")
"""


def answer_and_end():
    with bench.Many(0) as many:
        pid = many.network()["pid"]
        before = len(os.listdir(f"/proc/{pid}/fd"))
        many.start(COUNT)
        assert len(os.listdir(f"/proc/{pid}/fd")) - before == 2 * COUNT
        said = output([*many.run, "--host", "client", "/usr/bin/python3", "-c", ASK, COUNT])
        assert said == "all have answered\n"
        supervisors = [p.processes()["supervisor"] for p in many.programs]
        many.down()
        # A front ends with its program, the supervisor a moment later.
        for left in (pid, *supervisors):
            assert wait_for_end(left)


def test_as_we_are():
    answer_and_end()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_as_an_ordinary_user():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    subprocess.run([sys.executable, "-B", __file__], user=NOBODY, group=NOBODY, extra_groups=[],
                   env=environment, cwd="/", check=True)


if __name__ == "__main__":
    answer_and_end()
