"""socket() itself: its arguments, what it makes, descriptors."""

import ctypes
import fcntl
import os
import socket

from kit import LIBC, bits, case, said, tcp


@case
def fresh_tcp(near):
    s = tcp()
    yield "poll", bits(s)
    yield "getpeername", said(s.getpeername)
    yield "getsockname", said(s.getsockname)
    yield "shutdown to read", said(s.shutdown, socket.SHUT_RD)
    yield "shutdown to write", said(s.shutdown, socket.SHUT_WR)
    yield "shutdown of nonsense", said(s.shutdown, 7)
    yield "kind", [s.type, s.family, s.proto]
    yield "SO_ACCEPTCONN", s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    yield "accept", said(s.accept)


@case
def fresh_udp(near):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    yield "poll", bits(s)
    yield "getpeername", said(s.getpeername)
    yield "getsockname", said(s.getsockname)
    yield "shutdown to read", said(s.shutdown, socket.SHUT_RD)
    yield "SO_TYPE", s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    yield "SO_PROTOCOL", s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    yield "listen", said(s.listen, 1)
    yield "accept", said(s.accept)
    yield "sendmsg", said(s.sendmsg, [b"x"])


@case
def fresh_ipv6(near):
    s = tcp(socket.AF_INET6)
    yield "name", s.getsockname()
    yield "name of UDP", socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).getsockname()
    yield "SO_DOMAIN", s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)


@case
def socket_arguments(near):
    def make(*a):
        socket.socket(*a).close()
        return "made"

    yield "a stream of UDP", said(make, socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP)
    yield "a datagram of TCP", said(make, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_TCP)
    yield "a stream of TCP", said(make, socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    yield "a datagram of UDP", said(make, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
    yield "packets in sequence", said(make, socket.AF_INET, socket.SOCK_SEQPACKET)
    yield "a type that is none", said(make, socket.AF_INET, 77)
    yield "a family that is none", said(make, 777, 1)


@case
def descriptor_flags(near):
    for name, flags in ("none", 0), ("NONBLOCK", socket.SOCK_NONBLOCK), ("CLOEXEC", socket.SOCK_CLOEXEC):
        fd = LIBC.socket(socket.AF_INET, socket.SOCK_STREAM | flags, 0)
        yield f"F_GETFL of {name}", fcntl.fcntl(fd, fcntl.F_GETFL)
        yield f"F_GETFD of {name}", fcntl.fcntl(fd, fcntl.F_GETFD)
        os.close(fd)


@case
def lowest_free_descriptor(near):
    first = os.dup(0)
    os.close(first)
    s = tcp()
    yield "is it", s.fileno() == first


@case
def bad_descriptors(near):
    calls = {
        "bind": lambda fd, b: LIBC.bind(fd, b, 16),
        "listen": lambda fd, b: LIBC.listen(fd, 1),
        "accept": lambda fd, b: LIBC.accept(fd, None, None),
        "connect": lambda fd, b: LIBC.connect(fd, b, 16),
        "getsockname": lambda fd, b: LIBC.getsockname(fd, b, ctypes.byref(ctypes.c_uint(16))),
        "getpeername": lambda fd, b: LIBC.getpeername(fd, b, ctypes.byref(ctypes.c_uint(16))),
        "shutdown": lambda fd, b: LIBC.shutdown(fd, 1),
        "sendto": lambda fd, b: LIBC.sendto(fd, b, 1, 0, b, 16),
        "recvmsg": lambda fd, b: LIBC.recvmsg(fd, b, 0),
    }
    with open("/dev/null", "rb") as f:
        for kind, fd in ("a file", f.fileno()), ("closed", 999):
            for name, call in calls.items():
                ctypes.set_errno(0)
                yield f"{name} of {kind}", [call(fd, ctypes.create_string_buffer(64)), ctypes.get_errno()]
