"""What calls that wait cost while nothing happens."""

import os
import pathlib
import subprocess
import time

from harness import BUILD, Unavailable
from places import Reeve

NAME = "pended"
SUMMARY = "how much of a processor the supervisor takes for threads that wait in accept()"

SETTLE_S = 1
SECONDS = 4
TICKS = os.sysconf("SC_CLK_TCK")


def children_of(pid):
    return [int(x) for x in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def supervisors_of(front):
    """The processes between what was started and the program."""
    below = children_of(front)
    return below + [c for pid in below for c in children_of(pid)
                    if os.readlink(f"/proc/{c}/exe") == os.readlink(f"/proc/{front}/exe")]


def processor_time(pid):
    """Seconds that the process and its threads have run."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(results, run):
    try:
        with Reeve(1) as place:
            for threads in (10, 100, 1000):
                p = subprocess.Popen([*place.server, BUILD / "bench/pended", str(threads)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                p.stdout.readline()
                time.sleep(SETTLE_S)  # the threads begin to wait
                pids = supervisors_of(p.pid)
                before, begin = sum(map(processor_time, pids)), time.monotonic()
                time.sleep(SECONDS)
                used = sum(map(processor_time, pids)) - before
                results.add(f"{threads} waiting", place.subject, "of a core",
                            100 * used / (time.monotonic() - begin), "%")
                p.stdin.close()
                p.wait()
    except Unavailable as reason:
        results.note(str(reason))
