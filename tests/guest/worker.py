"""One side of a place: `worker.py near|far CHANNEL NEAR FAR [CASE...]`, run by places.py.

near runs the cases, each in a process of its own, and prints one JSON list a case: its name and
rows. For each that has two sides it sends one end of a new socket pair over the channel, and far
makes a process that serves it.
"""

import importlib
import json
import os
import pathlib
import signal
import socket
import sys

import kit
from far import Far, Near, Server

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


def run_case(case, channel, addresses, out):
    signal.alarm(4 * kit.WAIT)
    sides = [Near(addresses[0])]
    if not case.alone:
        ours, theirs = socket.socketpair()
        socket.send_fds(channel, [b"serve"], [theirs.fileno()])
        theirs.close()
        sides.append(Far(addresses[1], ours))
    channel.close()
    try:
        for name, value in case.function(*sides):
            out.write(json.dumps([name, plain(value)]) + "\n")
            out.flush()
    except BaseException as e:  # the rows of a case that fails say so
        out.write(json.dumps(["failed", failure(e, case)]) + "\n")
        out.flush()


def rows_of(case, channel, addresses):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        with open(write, "w", encoding="utf-8") as out:
            run_case(case, channel, addresses, out)
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    _, status = os.waitpid(pid, 0)
    return rows + ([["failed", f"killed by signal {status & 127}"]] if status else [])


def near(channel, addresses, names):
    for name in names:
        print(json.dumps([name, rows_of(kit.CASES[name], channel, addresses)]), flush=True)


def far(channel):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        text, fds, _, _ = socket.recv_fds(channel, 16, 1)
        if not text:
            return
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.alarm(4 * kit.WAIT)
            Server(socket.socket(fileno=fds[0])).serve()
            os._exit(0)
        os.close(fds[0])


def main(side, channel, *rest):
    load()
    channel = socket.socket(fileno=int(channel))
    addresses, names = rest[:2], rest[2:]
    kit.NAMES.update(zip(addresses, ("near", "far")))
    if side == "near":
        near(channel, addresses, names)
    else:
        far(channel)


if __name__ == "__main__":
    main(*sys.argv[1:])
