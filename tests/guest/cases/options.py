"""Every option of every level, on each kind of socket in each of its states: what getsockopt() says
with more and less room for it, and what setsockopt() says to values of all sizes.

A program without privileges asks, as programs do: so the cases give theirs up.
"""

import ctypes
import errno
import os
import socket
import struct

from kit import LIBC, case

NOBODY = 65534
BAD = ctypes.c_void_p(8)
ROOMS = (64, 0, 1, 2, 3, 4, 8, 16, 300, -1)
INTS = (0, 1, 2, 16, 100, 255, 256, 1000, 40000, 2**30, 2**31 - 1, -1, -2, -2**31)
BYTES = (b"", b"\1", b"\0", b"\xff", b"\1\0\0", struct.pack("ii", 1, 1), struct.pack("ii", 0, 5),
         struct.pack("qq", 1, 500000), bytes(range(32)), struct.pack("qq", -1, 0), struct.pack("iii", 1, 2, 3),
         b"nosuch0\0", b"reno", b"nosuch", bytes(200), b"\1" * 100)
VALUES = [struct.pack("i", i) for i in INTS] + list(BYTES)

LEVELS = {"SOL_SOCKET": socket.SOL_SOCKET, "IPPROTO_IP": socket.IPPROTO_IP,
          "IPPROTO_TCP": socket.IPPROTO_TCP, "IPPROTO_UDP": socket.IPPROTO_UDP,
          "IPPROTO_IPV6": socket.IPPROTO_IPV6, "IPPROTO_UDPLITE": 136, "SOL_RAW": 255, "no level": 77}
KINDS = {"tcp4": (socket.AF_INET, socket.SOCK_STREAM), "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
         "udp4": (socket.AF_INET, socket.SOCK_DGRAM), "udp6": (socket.AF_INET6, socket.SOCK_DGRAM)}
NAMES = {socket.SOL_SOCKET: range(90), socket.IPPROTO_IP: range(60), socket.IPPROTO_TCP: range(50),
         socket.IPPROTO_UDP: (0, 1, 2, 10, 11, *range(99, 106)), socket.IPPROTO_IPV6: range(82)}
STATES = ("fresh", "bound", "listening", "connected")

# What no two runs say alike: cookies, clocks, the names of peers, the state of a processor; and what
# depends on the kernel's congestion control, or on numbers of descriptors.
RESTLESS = {"SOL_SOCKET": {7, 18, 28, 49, 50, 52, 55, 57, 80}, "IPPROTO_IP": {52},
            "IPPROTO_TCP": {2, 11, 13, 24, 26}}
# Membership of groups (cases/udp*.py); what modules of netfilter have.
ELSEWHERE = {"IPPROTO_IP": {32, *range(35, 50), *range(64, 100)},
             "IPPROTO_IPV6": {6, 17, 20, 21, 32, *range(42, 49), *range(64, 66), 68, 69, 80}}
DIFFERS = {"IPPROTO_IP": {"set 4": "ip-options"}, "SOL_SOCKET": {"set 60": "zerocopy"},
           "IPPROTO_UDP": {"set 100": "udp-encapsulation", "get 103": "segment-offload",
                           "set 103": "segment-offload", "set 103 badly": "segment-offload"}}


def ask(s, level, name, room):
    buffer = ctypes.create_string_buffer(b"\xee" * 400, 400)
    length = ctypes.c_int(room)
    if LIBC.getsockopt(s.fileno(), level, name, buffer, ctypes.byref(length)) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return [length.value, buffer.raw[:max(length.value, 0)].rstrip(b"\xee").hex()]


def tell(s, level, name, value, length=None):
    length = len(value) if length is None else length
    return errno.errorcode[ctypes.get_errno()] if LIBC.setsockopt(s.fileno(), level, name, value, length) < 0 else 0


class Sockets:
    """Makes them, and their peers."""

    def __init__(self, kind, state):
        self.family, self.type = KINDS[kind]
        self.address = "127.0.0.1" if self.family == socket.AF_INET else "::1"
        self.state, self.peer = state, None

    def connect(self, s):
        if not self.peer:
            self.peer = socket.socket(self.family, self.type)
            self.peer.bind((self.address, 0))
            if self.type == socket.SOCK_STREAM:
                self.peer.listen(64)
        s.connect(self.peer.getsockname())
        return self.peer.accept()[0] if self.type == socket.SOCK_STREAM else None

    def one(self):
        """It, and what has to stay while it is looked at."""
        s = socket.socket(self.family, self.type)
        if self.state == "connected":
            return s, self.connect(s)
        if self.state != "fresh":
            s.bind((self.address, 0))
        if self.state == "listening":
            s.listen(4)
        return s, None


def look(kind, state, level):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    number = LEVELS[level]
    sockets = Sockets(kind, state)
    length = ctypes.c_int(4)
    left_out = RESTLESS.get(level, set()) | ELSEWHERE.get(level, set())
    for name in [n for n in (*NAMES.get(number, range(4)), 127, 200, 1000, -1) if n not in left_out]:
        s, other = sockets.one()
        got = [ask(s, number, name, room) for room in ROOMS]
        got.append(tell(s, number, name, BAD, 4))
        got.append(LIBC.getsockopt(s.fileno(), number, name, BAD, ctypes.byref(length)))
        got.append(LIBC.getsockopt(s.fileno(), number, name, ctypes.byref(length), BAD))
        yield f"get {name}", got
        yield f"set {name}", [x for value in VALUES
                              for x in (tell(s, number, name, value), ask(s, number, name, 64))]
        yield f"set {name} badly", [tell(s, number, name, b"\1\0\0\0", -1), tell(s, number, name, None, 0),
                                    tell(s, number, name, None, 4), tell(s, number, name, BAD, 400)]
        s.close()
        if other:
            other.close()


def known(kind, level):
    """The rows of a case that differ."""
    if kind.startswith("udp") == (level == "IPPROTO_TCP") and level in ("IPPROTO_TCP", "IPPROTO_UDP"):
        return {}
    return DIFFERS.get(level, {})


def register(kind, state, level):
    @case(name=f"options_{kind}_{state}_{level.split('_')[-1].lower().replace(' ', '_')}",
          differs=known(kind, level))
    def run(near):
        yield from look(kind, state, level)


for KIND in KINDS:
    for STATE in STATES:
        for LEVEL in LEVELS:
            if not (STATE == "listening" and KIND.startswith("udp")):
                register(KIND, STATE, LEVEL)
