"""What the scenarios are written with."""

import ctypes
import errno
import select
import socket
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
SCENARIOS = {}
WAIT = 10  # seconds, for what must happen; what must not is not waited for


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def said(function, *arguments):
    """The value, or the errno's name."""
    try:
        value = function(*arguments)
    except OSError as e:
        return "timeout" if isinstance(e, TimeoutError) and e.errno is None \
            else errno.errorcode.get(e.errno, str(e))
    return value.decode("latin-1") if isinstance(value, bytes) else value


def bits(fd, want=select.POLLIN | select.POLLOUT | select.POLLRDHUP, wait=0):
    """What poll() says, as text."""
    p = select.poll()
    p.register(fd, want)
    got = p.poll(wait * 1000)
    value = got[0][1] if got else 0
    names = ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
    return "|".join(n for n in names if value & getattr(select, "POLL" + n))


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


def tcp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.setblocking(True)
    return s


def listener(family=socket.AF_INET, address=None, backlog=8):
    s = tcp(family)
    s.bind((address or ("127.0.0.1" if family == socket.AF_INET else "::1"), 0))
    s.listen(backlog)
    return s


def pair():
    with listener() as l:
        a = tcp()
        a.connect(l.getsockname())
        b, _ = l.accept()
    return a, b


def closed_port():
    with tcp() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()


def host(name):
    return name[0]


def udp(family=socket.AF_INET, bind=True):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if bind:
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", WAIT, 0))
    return s


def waits(tid):
    """The thread sleeps in the kernel."""
    with open(f"/proc/self/task/{tid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "S"
