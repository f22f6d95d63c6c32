"""A thousand programs on a thousand hosts of one network, each at the same port, and their end."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "bench"), str(HERE.parent)]

import scale as bench  # noqa: E402
from harness import output  # noqa: E402
from live import wait_for_end  # noqa: E402

COUNT = 1000

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


def test_answers_and_ends():
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
