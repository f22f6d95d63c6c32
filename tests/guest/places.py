"""Where the cases are run, and what must be equal: the kernel's own loopback is the yardstick, one
host of Reeve and two are compared with it.
"""

import json
import re
import socket
import subprocess

import worker
from conftest import COMMAND, HERE, PYTHON, WAIT, Reeve

CASES = worker.load()
BOUND = 600  # seconds, of all cases at one place: some thousands
LOOPBACK = ("127.0.0.1", "127.0.0.2")
OUTSIDE = ("198.18.7.1", "198.18.7.2")
DIFFERENCES = HERE.parent.parent / "docs" / "differences.md"


class Place:
    def __init__(self, name, addresses=LOOPBACK, hosts=()):
        self.name, self.addresses, self.hosts = name, addresses, hosts

    def takes(self, case):
        return not (case.alone and self.addresses == OUTSIDE)

    def start(self, reeve, side, channel):
        command = [PYTHON, "-B", str(HERE / "worker.py"), side, str(channel.fileno()), *self.addresses]
        if self.hosts:
            number = side == "far"
            command = [COMMAND, "run", "--host", self.hosts[number], "--ip", OUTSIDE[
                self.hosts.index(self.hosts[number])], "--", *command]
        p = subprocess.Popen(command, env=reeve.env, stdin=subprocess.PIPE, text=True,
                             stdout=subprocess.PIPE, pass_fds=[channel.fileno()])
        reeve.started.append(p)
        return p

    def run(self, names):
        """The rows of each case that this place takes, by name."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with Reeve() as reeve:
            far = self.start(reeve, "far", theirs)
            near = self.start(reeve, "near", ours)
            ours.close()
            theirs.close()
            text, _ = near.communicate(" ".join(n for n in names if self.takes(CASES[n])), BOUND)
            far.communicate(timeout=WAIT)
        return dict(json.loads(line) for line in text.splitlines())


KERNEL = Place("kernel")
PLACES = [Place("host", hosts=("a", "a")), Place("hosts", OUTSIDE, ("a", "b"))]


def differing(kernel, rows):
    """The rows that are not equal: name, the kernel's value, this one."""
    missing = "no such row"
    ours, theirs = dict(rows), dict(kernel)
    names = dict.fromkeys([n for n, _ in kernel] + [n for n, _ in rows])
    return [[n, theirs.get(n, missing), ours.get(n, missing)] for n in names
            if ours.get(n, missing) != theirs.get(n, missing)]


def documented(mark=r"\*?"):
    """The names of the lines of docs/differences.md."""
    if not DIFFERENCES.exists():
        return set()
    return set(re.findall(rf"^\| `([\w-]+)`{mark} \|", DIFFERENCES.read_text(encoding="utf-8"), re.MULTILINE))


def unshown():
    """Those that it says no case shows."""
    return documented(r"\*")
