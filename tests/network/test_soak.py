"""Many connections and datagrams of every kind leave nothing in any process of Reeve: bench/soak at
a size that takes seconds."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "bench"), str(HERE.parent)]

import soak as bench  # noqa: E402
from live import wait_until  # noqa: E402

CONNECTIONS = 1500
ROUNDS = 4
# Bytes for each connection that was made: a record of a TIME-WAIT and what the allocator rounds up.
# What is left behind would show as a socket, of which none is smaller than this on any side.
NETWORK_GROWTH = 500
SUPERVISOR_GROWTH = 150


def test_nothing_is_left():
    with bench.Soak() as soak:
        soak.work(CONNECTIONS, 2 * CONNECTIONS)  # and waits until no socket of it is left
        first = soak.sample()
        for _ in range(ROUNDS):
            soak.work(CONNECTIONS, 2 * CONNECTIONS)
        for what, now in soak.sample().items():
            most = NETWORK_GROWTH if what == "network process" else SUPERVISOR_GROWTH
            assert now["memory"] - first[what]["memory"] < most * CONNECTIONS * ROUNDS, what
        # A supervisor holds processes that have ended until it looks after them.
        wait_until(lambda: all(now["descriptors"] <= first[what]["descriptors"]
                               for what, now in soak.sample().items()), "an end without descriptors")
