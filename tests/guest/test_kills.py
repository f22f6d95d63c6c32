"""SIGKILL at any moment, of any process that carries a connection: the others see it, nothing hangs,
nothing is left."""

import os
import random
import subprocess

import pytest
from conftest import PYTHON, RECEIVER, SENDER, WAIT, children, kill, wait_until


def tree(pid):
    """The process and all below it."""
    try:
        return [pid] + [d for c in children(pid) for d in tree(c)]
    except FileNotFoundError:
        return []


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def victims(front):
    """By what they are: the front, its supervisor, the program."""
    pids = tree(front)
    programs = [p for p in pids if os.readlink(f"/proc/{p}/exe") != os.readlink(f"/proc/{front}/exe")]
    supervisors = [p for p in pids if p != front and p not in programs]
    return {"front": front, "supervisor": supervisors[-1], "program": programs[0]}


# What the one that lives on must see. A program that is killed ends its connections in order, as on
# Linux; else a stream that was cut must not look whole.
RESET = {"ConnectionResetError"}
BROKEN = RESET | {"BrokenPipeError"}
SEEN = {
    ("sender", "front"): RESET | {"a clean end"},
    ("sender", "program"): RESET | {"a clean end"},
    ("sender", "supervisor"): RESET,
    ("receiver", "front"): BROKEN,
    ("receiver", "program"): BROKEN,
    ("receiver", "supervisor"): BROKEN,
    ("sender", "network"): RESET,
    ("receiver", "network"): BROKEN,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side,victim", SEEN)
def test_killed_at_any_moment(reeve, side, victim, seed):
    chance = random.Random(f"{seed} {side} {victim}")
    sender = reeve.start_python(SENDER, "--host", "sender", stderr=subprocess.DEVNULL)
    reeve.wait_for_text(sender, "ready\n")
    receiver = reeve.start("--host", "receiver", "--", PYTHON, "-c", RECEIVER,
                           str(chance.randrange(1, 3_000_000)), stderr=subprocess.DEVNULL)
    reeve.wait_for_text(receiver, "receiving\n")
    network = reeve.network()["pid"]
    killed, other = (sender, receiver) if side == "sender" else (receiver, sender)
    processes = [p for front in (sender, receiver) for p in tree(front.pid)]
    kill((victims(killed.pid) | {"network": network})[victim])
    out, _ = other.communicate(timeout=WAIT)
    assert out.strip() in SEEN[side, victim]
    killed.wait(WAIT)
    assert wait_until(lambda: all(is_gone(p) for p in [*processes, network])), "a process was left"
