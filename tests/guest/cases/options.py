"""Options of sockets: what they are, what they become, what they refuse."""

import socket
import struct

from kit import case, listener, pair, said, tcp

TCP, IP, SOCKET = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.SOL_SOCKET


@case
def stream_options(near):
    s = tcp()
    for level, name, value in ((TCP, "TCP_NODELAY", 1), (TCP, "TCP_CORK", 1), (TCP, "TCP_KEEPIDLE", 33),
                               (TCP, "TCP_KEEPINTVL", 7), (TCP, "TCP_KEEPCNT", 3),
                               (TCP, "TCP_USER_TIMEOUT", 999), (TCP, "TCP_SYNCNT", 2),
                               (SOCKET, "SO_KEEPALIVE", 1), (SOCKET, "SO_REUSEADDR", 1),
                               (SOCKET, "SO_REUSEPORT", 5), (IP, "IP_TTL", 9), (IP, "IP_TOS", 16)):
        number = getattr(socket, name)
        yield name, said(s.getsockopt, level, number)
        yield f"set {name}", said(s.setsockopt, level, number, value)
        yield f"{name} then", said(s.getsockopt, level, number)
    for level, name, value in ((TCP, "TCP_KEEPIDLE", 0), (TCP, "TCP_KEEPCNT", 128), (IP, "IP_TTL", 256)):
        yield f"{name} of {value}", said(s.setsockopt, level, getattr(socket, name), value)
    yield "what is none", said(s.setsockopt, TCP, 200, 1)
    yield "IPv6's", said(s.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    yield "one byte", said(s.setsockopt, TCP, socket.TCP_NODELAY, b"\1")
    yield "no such algorithm", said(s.setsockopt, TCP, socket.TCP_CONGESTION, b"nosuch")


@case
def options_of_accepted(near, far):
    l = far(listener, address=far.address)
    l.setsockopt(TCP, socket.TCP_NODELAY, 1)
    l.setsockopt(SOCKET, socket.SO_KEEPALIVE, 1)
    c = tcp()
    c.connect(l.getsockname())
    s, _ = l.accept()
    yield "TCP_NODELAY", s.getsockopt(TCP, socket.TCP_NODELAY)
    yield "SO_KEEPALIVE", s.getsockopt(SOCKET, socket.SO_KEEPALIVE)


@case
def linger_is_kept(near):
    s = tcp()
    s.setsockopt(SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    yield "value", struct.unpack("ii", s.getsockopt(SOCKET, socket.SO_LINGER, 8))
    yield "half of it", said(s.setsockopt, SOCKET, socket.SO_LINGER, b"\1\0\0\0")


@case
def tcp_info_state(near, far):
    a, b = pair(near, far)
    for name, s in ("fresh", tcp()), ("connected", a), ("accepted", b), ("listening", listener()):
        yield name, s.getsockopt(TCP, socket.TCP_INFO, 104)[0]


@case
def time_outs(near, far):
    a, b = pair(near, far)
    a.setsockopt(SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    yield "recv", said(a.recv, 1)
