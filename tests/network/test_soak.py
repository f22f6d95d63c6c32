"""Many connections and datagrams of every kind leave nothing in any process of Reeve: bench/soak at
a size that takes seconds."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import soak as bench  # noqa: E402

CONNECTIONS = 1500
ROUNDS = 4
# Bytes for each connection that was made: a record of a TIME-WAIT and what the allocator rounds up.
# What is left behind would show as a socket, of which none is smaller than this on any side.
NETWORK_GROWTH = 2400
SUPERVISOR_GROWTH = 150


def descriptors(sample):
    return {what: now["descriptors"] for what, now in sample.items()}


def test_nothing_is_left():
    with bench.Soak() as soak:
        soak.work(CONNECTIONS, 2 * CONNECTIONS)  # and waits until no socket of it is left
        first = soak.sample()
        for _ in range(ROUNDS):
            soak.work(CONNECTIONS, 2 * CONNECTIONS)
        last = soak.sample()
        for what, now in last.items():
            most = NETWORK_GROWTH if what == "network process" else SUPERVISOR_GROWTH
            assert now["memory"] - first[what]["memory"] < most * CONNECTIONS * ROUNDS, what
        assert descriptors(last) == descriptors(first)
