"""SO_MAX_PACING_RATE: its two sizes, and who inherits it."""

import socket
import struct

from kit import case, listener, pair, tcp

SO_MAX_PACING_RATE = 47
PACING_RATE = 104  # in struct tcp_info
LONG, NONE = 2**33 + 5, 2**64 - 1


def as_long(s):
    return struct.unpack("Q", s.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 8))[0]


def as_int(s):
    return struct.unpack("I", s.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 4))[0]


def told(s):
    """The ceiling by TCP_INFO, and whether the rate keeps to it."""
    rate, most = struct.unpack("QQ", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 120)[PACING_RATE:])
    return [most, rate <= most]


def set_to(s, value, size="Q"):
    s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack(size, value))
    return [as_long(s), as_int(s), told(s)]


@case
def pacing_ceiling(near, far):
    s = near(tcp)
    yield "fresh", [as_long(s), as_int(s), told(s)]
    yield "int", set_to(s, 100000, "I")
    yield "int, none", set_to(s, 2**32 - 1, "I")
    yield "long", set_to(s, LONG)
    yield "long, none", set_to(s, NONE)
    a, b = pair(near, far)
    yield "connected", set_to(a, 100000)
    yield "peer", told(b)
    yield "none again", set_to(a, NONE)


@case
def pacing_ceiling_inherited(near):
    server = near(listener)
    yield "listener", set_to(server, LONG)
    client = near(tcp)
    yield "before connect()", set_to(client, 2 * LONG)
    client.connect(server.getsockname())
    accepted, _ = server.accept()
    yield "accepted", [as_long(accepted), as_int(accepted), told(accepted)]
    yield "connected", [as_long(client), as_int(client), told(client)]
