"""One side of a place: `worker.py near|far CHANNEL NEAR FAR`, run by places.py.

near runs the cases that its standard input names, each family in a process of its own, and prints one
JSON list a case: its name and rows. For each process it sends one end of a new socket pair over the
channel, and far makes a process that serves it.
"""

import importlib
import itertools
import json
import os
import pathlib
import signal
import socket
import sys

import kit
from far import Far, Near, Server

BOUND = 4 * kit.WAIT  # seconds, of a case
CASES = pathlib.Path(__file__).parent / "cases"


def load():
    for path in sorted(CASES.glob("*.py")):
        importlib.import_module(f"cases.{path.stem}")
    return kit.CASES


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def failure(e, case):
    """Where in the case, and what."""
    place = e.__traceback__
    lines = []
    while place:
        if place.tb_frame.f_code.co_filename.startswith(str(CASES)):
            lines.append(place.tb_lineno)
        place = place.tb_next
    return f"line {lines[-1] if lines else '?'} of {case.name}: {type(e).__name__}: {e}"


def run_case(case, sides, say):
    signal.alarm(BOUND)
    try:
        if not case.alone:
            sides[1].begin(BOUND)
        for name, value in case.function(*sides[:1 if case.alone else 2]):
            say(case.name, name, plain(value))
    except BaseException as e:  # the rows of a case that fails say so
        say(case.name, "failed", failure(e, case))
    say(case.name)


def run_family(cases, channel, addresses, write):
    sides = [Near(addresses[0])]
    if not all(c.alone for c in cases):
        ours, theirs = socket.socketpair()
        socket.send_fds(channel, [b"serve"], [theirs.fileno()])
        theirs.close()
        sides.append(Far(addresses[1], ours))
    channel.close()
    with open(write, "w", encoding="utf-8") as out:
        for c in cases:
            run_case(c, sides, lambda *row: print(json.dumps(row), file=out, flush=True))


def rows_of(cases, channel, addresses):
    """Each case's name and rows; they run in one process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        run_family(cases, channel, addresses, write)
        os._exit(0)
    os.close(write)
    rows = {c.name: [] for c in cases}
    left = set(rows)
    with open(read, encoding="utf-8") as f:
        for line in f:
            name, *row = json.loads(line)
            if row:
                rows[name].append(row)
            else:
                left.remove(name)
    _, status = os.waitpid(pid, 0)
    for name in left:
        rows[name].append(["failed", f"killed by signal {status & 127}, or behind one that was"])
    return rows


def near(channel, addresses, names):
    cases = [kit.CASES[n] for n in names]
    for _, family in itertools.groupby(cases, lambda c: c.family):
        for item in rows_of(list(family), channel, addresses).items():
            print(json.dumps(item), flush=True)


def far(channel):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        text, fds, _, _ = socket.recv_fds(channel, 16, 1)
        if not text:
            return
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.alarm(BOUND)
            Server(socket.socket(fileno=fds[0])).serve()
            os._exit(0)
        os.close(fds[0])


def main(side, channel, *addresses):
    load()
    channel = socket.socket(fileno=int(channel))
    kit.NAMES.update(zip(addresses, ("near", "far")))
    if side == "near":
        near(channel, addresses, sys.stdin.read().split())
    else:
        far(channel)


if __name__ == "__main__":
    main(*sys.argv[1:])
