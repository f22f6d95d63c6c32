"""What calls that wait cost while nothing happens."""

import subprocess
import time

from harness import BUILD, Unavailable
from places import Reeve
from processes import below, executable, used

NAME = "pended"
SUMMARY = "how much of a processor the supervisor takes for threads that wait in accept()"

SETTLE_S = 1
SECONDS = 4


def supervisors_of(front):
    """The processes between what was started and the program."""
    return [pid for pid in below(front)[1:] if executable(pid) == executable(front)]


def processor_time(pid):
    """Seconds."""
    return used(pid)[0] / 1e9


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
