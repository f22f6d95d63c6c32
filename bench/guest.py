"""Servers and their own benchmarks, in all places."""

import functools

import places
import workloads
from harness import Unavailable

NAME = "guest"
SUMMARY = "redis, nginx and PostgreSQL, asked by their own benchmarks; connections; UDP"
RATIOS = places.RATIOS


@functools.cache
def all_workloads():
    """What can be measured here, and why the rest cannot."""
    found = [workloads.Redis("SET", 20000, "-t", "set"),
             workloads.Redis("GET, 16 at once", 200000, "-t", "get", "-P", 16),
             workloads.Web("keepalive"),
             workloads.Web("connection: close", "-H", "Connection: close")]
    reasons = []
    try:
        found.append(workloads.Postgres())
    except Unavailable as reason:
        reasons.append(str(reason))
    return [*found, workloads.Pair(), workloads.UdpPair()], reasons


def measure(results, run):
    found, reasons = all_workloads()
    results.note(places.congestion_control())
    results.note("floor: the traps alone, answered with the least that works; relayed: with a process between, "
                 "which only carries the bytes; UDP is the kernel's")
    for reason in reasons:
        results.note(reason)
    for case, where in (("one host", places.ONE_HOST), ("two hosts", places.TWO_HOSTS)):
        for workload in found:
            places.each(results, where, functools.partial(
                workloads.measure, results, case, workload=workload))
