"""How long it takes to run a program that does nothing."""

import os
import statistics
import subprocess
import time

from harness import Unavailable, output
from places import Floor, Reeve

NAME = "startup"
SUMMARY = "how long it takes to run a program that does nothing"

TIMES = 20


def nanoseconds(command):
    begin = time.perf_counter_ns()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter_ns() - begin


def in_turns(results, commands):
    """One after the other, so that a busy moment hits all alike; each beside the plain one."""
    times = {subject: [] for subject in commands}
    for _ in range(TIMES):
        for subject, command in commands.items():
            times[subject].append(nanoseconds(command))
    for subject, taken in times.items():
        results.add("true", subject, "median", statistics.median(taken), "ns")
        if subject != "plain":
            more = [mine - plain for mine, plain in zip(taken, times["plain"])]
            results.add("true", subject, "more than plain", statistics.median(more), "ns")


def with_its_network(results, command):
    name = f"bench-{os.getpid()}-start"
    begin = time.perf_counter_ns()
    output([command, "run", "--network", name, "true"])
    results.add("true, and its network", "reeve", "median", time.perf_counter_ns() - begin, "ns")
    subprocess.run([command, "down", "--network", name], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(results, run):
    commands = {"plain": ["true"], "unshare -Urn": ["unshare", "-Urn", "true"],
                "floor": [*Floor.server, "true"]}
    try:
        nanoseconds(commands["unshare -Urn"])
    except subprocess.CalledProcessError:
        del commands["unshare -Urn"]
        results.note("unshare: user namespaces are not allowed here")
    try:
        with Reeve(1) as place:
            commands["reeve"] = [*place.server, "true"]
            nanoseconds(commands["reeve"])  # the host is there from now on
            in_turns(results, commands)
            command = place.command
    except Unavailable as reason:
        results.note(str(reason))
        return
    with_its_network(results, command)
