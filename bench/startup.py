"""How long it takes to run a program that does nothing."""

import os
import subprocess
import time

from harness import Unavailable, output
from places import Reeve

NAME = "startup"
SUMMARY = "how long it takes to run a program that does nothing"

TIMES = 20


def milliseconds(command, **options):
    best = []
    for _ in range(TIMES):
        begin = time.perf_counter_ns()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
        best.append(time.perf_counter_ns() - begin)
    return sorted(best)[TIMES // 2]


def measure(results, run):
    results.add("true", "plain", "median", milliseconds(["true"]), "ns")
    try:
        results.add("true", "unshare -Urn", "median",
                    milliseconds(["unshare", "-Urn", "true"], stderr=subprocess.DEVNULL), "ns")
    except subprocess.CalledProcessError:
        results.note("unshare: user namespaces are not allowed here")
    try:
        with Reeve(1) as place:
            results.add("true", "reeve", "median", milliseconds([*place.server, "true"]), "ns")
        command = Reeve(1).command
    except Unavailable as reason:
        results.note(str(reason))
        return
    name = f"bench-{os.getpid()}-start"
    begin = time.perf_counter_ns()
    output([command, "run", "--network", name, "true"])
    results.add("true, and its network", "reeve", "median", time.perf_counter_ns() - begin, "ns")
    subprocess.run([command, "down", "--network", name], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
