"""What the cases about streams share."""

import array
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios

from kit import LIBC, Kept, eventually, flags, said, until
from far import resident

SIOCATMARK = 0x8905
SIOCOUTQ = termios.TIOCOUTQ
SIOCOUTQNSD = 0x894B
NR = {"x86_64": {"read": 0, "recvfrom": 45, "sendto": 44, "recvmsg": 47, "sendmsg": 46, "splice": 275,
                 "tee": 276, "vmsplice": 278, "recvmmsg": 299, "sendmmsg": 307, "unshare": 272,
                 "close_range": 436, "pidfd_getfd": 438, "accept": 43, "connect": 42, "write": 1},
      "aarch64": {"read": 63, "recvfrom": 207, "sendto": 206, "recvmsg": 212, "sendmsg": 211, "splice": 76,
                  "tee": 77, "vmsplice": 75, "recvmmsg": 243, "sendmmsg": 269, "unshare": 97,
                  "close_range": 436, "pidfd_getfd": 438, "accept": 202, "connect": 203,
                  "write": 64}}[os.uname().machine]
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
SYSCALL = ctypes.CDLL(None, use_errno=True).syscall  # with a restype of its own
SYSCALL.restype = ctypes.c_long


@resident
def request(s, number):
    """An ioctl that gives a number."""
    value = array.array("i", [0])
    fcntl.ioctl(s.fileno(), number, value)
    return value[0]


@resident
def unread(s):
    return request(s, termios.FIONREAD)


@resident
def at_mark(s):
    return request(s, SIOCATMARK)


@resident
def arrived(s, count):
    """Waits until so many bytes can be read."""
    return eventually(lambda: unread(s), count)


@resident
def patience(s, seconds, option=socket.SO_RCVTIMEO):
    s.setsockopt(socket.SOL_SOCKET, option,
                 struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000)))
    return s


def call(name, *arguments):
    """A system call; the value, or the errno's name."""
    value = SYSCALL(NR[name], *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return value if value != -1 else errno.errorcode[ctypes.get_errno()]


def with_sigpipe(function, *arguments):
    """What the call says, and how many SIGPIPE came."""
    caught = []
    old = signal.signal(signal.SIGPIPE, lambda *_: caught.append(1))
    try:
        return said(function, *arguments), len(caught)
    finally:
        signal.signal(signal.SIGPIPE, old)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("vectors", ctypes.c_void_p),
                ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Entry(ctypes.Structure):
    _fields_ = [("header", Header), ("length", ctypes.c_uint)]


class Messages:
    """The argument of sendmmsg() and recvmmsg()."""

    def __init__(self, sizes_or_texts, named=False):
        self.buffers = [ctypes.create_string_buffer(x, len(x) if isinstance(x, bytes) else x)
                        for x in sizes_or_texts]
        self.vectors = [Vector(ctypes.addressof(b), len(b)) for b in self.buffers]
        self.names = [ctypes.create_string_buffer(28) for _ in self.buffers]
        self.entries = (Entry * len(self.buffers))()
        for e, v, n in zip(self.entries, self.vectors, self.names):
            e.header.vectors, e.header.count = ctypes.addressof(v), 1
            if named:
                e.header.name, e.header.name_length = ctypes.addressof(n), 28

    def call(self, name, s, flags_=0, count=None):
        return call(name, s.fileno(), ctypes.byref(self.entries),
                    len(self.entries) if count is None else count, flags_, 0)

    def lengths(self):
        return [e.length for e in self.entries]

    def texts(self):
        return [b.raw[:e.length] for b, e in zip(self.buffers, self.entries)]


class Edges(Kept):
    """Edge-triggered epoll of one socket."""

    def __init__(self, s, events=EDGES):
        self.epoll = select.epoll()
        self.epoll.register(s.fileno(), events)

    def now(self, wait=0):
        return "; ".join(flags(v, "EPOLL") for _, v in self.epoll.poll(wait)) or "none"

    def next(self):
        return self.now(5)


@resident
def fill(s):
    """Sends until nothing more fits, though the other end does not read; how much did. Then the peer's
    window is closed, but for a kernel that says more than it takes: there a longer silence must do."""
    import time
    s.setblocking(False)
    total = quiet = 0
    while quiet < 15:
        try:
            total += s.send(b"x" * 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 5 if info(s, UNACKED) == 0 and info(s, NOTSENT_BYTES) > 0 else 1
            time.sleep(0.02)
    s.setblocking(True)
    return total


UNACKED, NOTSENT_BYTES = 24, 144  # in struct tcp_info


def info(s, member):
    return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), member)[0]


def reset_arrives(s):
    until(s, select.POLLHUP)
