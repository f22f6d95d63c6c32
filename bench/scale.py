"""Many programs on as many hosts of one network, and connect() with many sockets open.

REEVE_SCALE=1000 starts so many programs; without it, a hundred.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import time

from harness import BUILD, output
from places import Loopback, Reeve
from soak import Program, memory

NAME = "scale"
SUMMARY = "many programs at once, and connect() with many sockets open"

PORT = 80
HOLDER = 9000
PROGRAMS = int(os.environ.get("REEVE_SCALE", "100"))
AT_ONCE = 16
OPEN = [10, 1000, 20000]  # less where there are not two descriptors for each, and some
COUNT = 500


class Many:
    """A server that knows its name on each of many hosts, all on the same port."""

    def __init__(self, count):
        self.count = count
        self.place = Reeve(2)
        self.run = [self.place.command, "run", "--network", self.place.network]
        self.programs = []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.place)
            stack.callback(self.end)
            output([self.place.command, "network", "--network", self.place.network, "--keep"])
            self.start(self.count)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *failure):
        return self.stack.__exit__(*failure)

    def start(self, count):
        """A few of them are starting at a time."""
        while count > 0:
            first = len(self.programs)
            for i in range(first, first + min(count, AT_ONCE)):
                self.programs.append(Program(self, f"h{i}", BUILD / "bench/scale_server", PORT,
                                             f"h{i}", stderr=subprocess.DEVNULL))
            for program in self.programs[first:]:
                program.hear("ready")
            count -= len(self.programs) - first

    def network(self):
        return json.loads(output([self.place.command, "network", "--network", self.place.network,
                                  "--json"]))

    def down(self):
        output([self.place.command, "down", "--network", self.place.network])
        for program in self.programs:
            program.process.wait()

    def end(self):
        for program in self.programs:
            program.end()


def programs(results):
    begin = time.monotonic_ns()
    with Many(PROGRAMS) as many:
        results.add(f"{PROGRAMS} programs", "reeve", "start of each",
                    (time.monotonic_ns() - begin) / PROGRAMS, "ns")
        by_kind = {}
        for program in many.programs:
            for what, pid in program.processes().items():
                by_kind.setdefault(what, []).append(memory(pid))
        for what, values in by_kind.items():
            results.add(f"{PROGRAMS} programs", "reeve", f"memory of a {what}",
                        statistics.mean(values), "bytes")
        pid = many.network()["pid"]
        results.add(f"{PROGRAMS} programs", "reeve", "memory of the network process",
                    memory(pid), "bytes")
        results.add(f"{PROGRAMS} programs", "reeve", "its descriptors",
                    len(os.listdir(f"/proc/{pid}/fd")), "")
        begin = time.monotonic_ns()
        many.down()
        results.add(f"{PROGRAMS} programs", "reeve", "down", time.monotonic_ns() - begin, "ns")


def descriptors():
    """The limit, raised if that is allowed."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError):
        most = max(most, 2 * OPEN[-1] + 2000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def connects(results, place):
    most = descriptors() // 2 - 1000
    with place.serving([BUILD / "bench/soak_server", HOLDER], HOLDER):
        for count in (min(count, most) for count in OPEN):
            for listeners in (0, 10):
                took = place.run([BUILD / "bench/scale_client", place.address, HOLDER, count,
                                  listeners, COUNT])
                results.add(f"{count} open, {listeners} listeners", place.subject, "connect()",
                            float(took), "ns")


def measure(results, run):
    programs(results)
    with Loopback() as place:
        connects(results, place)
    with Reeve(1) as place:
        connects(results, place)
