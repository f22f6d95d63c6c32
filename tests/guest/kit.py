"""What the cases are written with.

A case is a generator in cases/*.py. It does something with sockets and yields one row an
observable: (what is looked at, what was seen). Rows hold what one kernel always says: results,
names of errnos, poll bits, bytes; no port, no time, nothing that a race decides.

    @case
    def half_close(near, far):
        a, b = pair(near, far)               # a lives at near, b at far: both are used alike
        a.shutdown(socket.SHUT_WR)
        yield "peer's poll", until(b, select.POLLRDHUP)
        yield "peer's recv", said(b.recv, 9)

    @case
    def fresh(near):                         # one side: is not run between two hosts
        yield "poll", bits(near(tcp))

Each is run on the kernel's own loopback (near is 127.0.0.1, far 127.0.0.2), under `reeve run` on one
host, and, if it has two sides, with each on a host of its own; in processes of its own (cases of one
`family` share theirs: they leave nothing behind), bounded by 4 * WAIT seconds. The rows must be
equal. A row that can't be is named with the line of docs/differences.md that says why; a line that no
row shows any more must go:

    @case(differs={"peer's poll": "name-of-the-line"})

A case that the kernel's side lets only root do is marked so, and skipped for everybody else:

    @case(root=True)

far(function, ...) calls a function of any module by its name; see far.py. A far call ends before
the next begins: what blocks there goes into later(). A child that a case forks leaves far alone.
tests/guest/run NAME shows the rows of one case at every place.
"""

import ctypes
import errno
import inspect
import os
import select
import socket
import struct
import threading
import time

from far import Kept, resident

LIBC = ctypes.CDLL(None, use_errno=True)
WAIT = 10  # seconds, for what must happen; what must not is not waited for
CASES = {}


class Case:
    def __init__(self, function, name, differs, family, root):
        self.function, self.name, self.family = function, name, family or name
        self.differs = differs or {}
        self.root = root
        self.alone = len(inspect.signature(function).parameters) == 1


def case(function=None, *, name=None, differs=None, family=None, root=False):
    def register(function):
        c = Case(function, name or function.__name__, differs, family, root)
        assert c.name not in CASES, f"two cases are called {c.name}"
        CASES[c.name] = c
        return function

    return register(function) if function else register


# --- what is seen ----------------------------------------------------------------------------


def said(function, *arguments):
    """The value, or the errno's name."""
    try:
        return function(*arguments)
    except OSError as e:
        return "timeout" if isinstance(e, TimeoutError) and e.errno is None \
            else errno.errorcode.get(e.errno, str(e))


def raw(function, *arguments):
    """The same of a function of libc."""
    value = getattr(LIBC, function)(*arguments)
    return value if value != -1 else errno.errorcode[ctypes.get_errno()]


def flags(value, prefix="POLL"):
    names = ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
    return "|".join(n for n in names if value & getattr(select, prefix + n))


@resident
def bits(fd, want=select.POLLIN | select.POLLOUT | select.POLLRDHUP, wait=0):
    """What poll() says, as text."""
    p = select.poll()
    p.register(fd, want)
    got = p.poll(wait * 1000)
    return flags(got[0][1] if got else 0)


@resident
def until(fd, event):
    """Waits for the event; everything that is said then."""
    p = select.poll()
    p.register(fd, event)
    if not p.poll(WAIT * 1000):
        return "never"
    return bits(fd)


def eventually(function, value):
    """Polls for what no event tells."""
    end = time.monotonic() + WAIT
    while (got := said(function)) != value and time.monotonic() < end:
        time.sleep(0.002)
    return got


def error(s):
    """SO_ERROR, as a name; reading it clears it."""
    value = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.errorcode[value] if value else 0


NAMES = {}  # addresses of the sides


def host(name):
    """Whose address it is."""
    return NAMES.get(name[0], name[0])


# --- sockets ---------------------------------------------------------------------------------


def tcp(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_STREAM)


def listener(family=socket.AF_INET, address=None, backlog=8):
    s = tcp(family)
    s.bind((address or ("127.0.0.1" if family == socket.AF_INET else "::1"), 0))
    s.listen(backlog)
    return s


def pair(near, far):
    """A connection: near's end, which has connected, and far's."""
    with far(listener, address=far.address) as l:
        a = near(tcp)
        a.connect(l.getsockname())
        b, _ = l.accept()
    return a, b


def settle(near, far):
    """What was done before has had its effect at both sides, or has none: for what must not happen. A
    connection that is made after it is through, and bytes went both ways on it."""
    a, b = pair(near, far)
    with a, b:
        b.send(b"?")
        a.send(a.recv(1))
        b.recv(1)


def closed_port(address="127.0.0.1"):
    with tcp() as s:
        s.bind((address, 0))
        return s.getsockname()


def udp(family=socket.AF_INET, bind=True, address=None):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if bind:
        s.bind((address or ("127.0.0.1" if family == socket.AF_INET else "::1"), 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", WAIT, 0))
    return s


@resident
def linger(s, seconds):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))


@resident
def reset(s):
    """Closes it so that the other end sees a reset."""
    linger(s, 0)
    s.close()


@resident
def read_all(s):
    """Everything up to the end."""
    got = bytearray()
    while d := s.recv(1 << 16):
        got += d
    return bytes(got)


# --- what goes on at the same time -------------------------------------------------------------


class Later(Kept):
    """A call in a thread of the side where it was begun."""

    def __init__(self, function, *arguments):
        self.value = None
        self.thread = threading.Thread(target=self.run, args=(function, *arguments), daemon=True)
        self.thread.start()

    def run(self, function, *arguments):
        self.value = said(function, *arguments)

    def wait(self):
        """What it says, at last."""
        self.thread.join(WAIT)
        return "never" if self.thread.is_alive() else self.value

    def ended(self):
        return not self.thread.is_alive()

    def asleep(self):
        """Waits until it sleeps in the kernel; the call, so that it can stand where it begins."""
        while not waits(self.thread.native_id) and self.thread.is_alive():
            time.sleep(0.001)
        return self


@resident
def later(function, *arguments):
    return Later(function, *arguments)


def waits(tid):
    """The thread sleeps in a call of the kernel, and not for another thread of Python; under Reeve the
    call has been received."""
    task = f"/proc/self/task/{tid}/"
    try:
        with open(task + "stat") as f:
            asleep = f.read().rsplit(")", 1)[1].split()[0] == "S"
        with open(task + "syscall") as f:
            call = f.read().split()[0]
    except FileNotFoundError:
        return False
    if not asleep or call in ("running", str(FUTEX)):
        return False
    LIBC.getsockname(-1, None, None)  # is trapped, and received behind it
    return True


FUTEX = {"x86_64": 202, "aarch64": 98}[os.uname().machine]
