"""What only a filter of system calls can get wrong."""

import array
import ctypes
import errno
import os
import socket
import struct

from kit import LIBC, case, host, said, udp

DIRTY = 0x5a5a5a5a << 32
SOCKET, RECVFROM, BIND, LISTEN, SOCKETPAIR, SETSOCKOPT, GETSOCKOPT = 41, 45, 49, 50, 53, 54, 55


def call(number, *arguments):
    ctypes.set_errno(0)
    value = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    return value if value >= 0 else errno.errorcode[ctypes.get_errno()]


def kind_of(fd):
    return os.readlink(f"/proc/self/fd/{fd}").split(":")[0] if isinstance(fd, int) else fd


@case
def dirty_high_bits(near):
    """The kernel looks at 32 bits of an int: so must the filter."""
    fd = call(SOCKET, DIRTY | socket.AF_INET, DIRTY | socket.SOCK_STREAM, DIRTY)
    s = socket.socket(fileno=fd)
    one, value, length = ctypes.c_int(1), ctypes.c_int(9), ctypes.c_uint(4)
    there, size = ctypes.addressof(value), ctypes.addressof(length)
    yield "socket", kind_of(fd)
    yield "TCP_NODELAY", call(SETSOCKOPT, DIRTY | fd, DIRTY | socket.IPPROTO_TCP, DIRTY | socket.TCP_NODELAY,
                              ctypes.addressof(one), DIRTY | 4)
    yield "SO_REUSEPORT", call(SETSOCKOPT, DIRTY | fd, DIRTY | socket.SOL_SOCKET,
                               DIRTY | socket.SO_REUSEPORT, ctypes.addressof(one), DIRTY | 4)
    for name in "SO_TYPE", "SO_REUSEPORT":
        yield f"get {name}", call(GETSOCKOPT, DIRTY | fd, DIRTY | socket.SOL_SOCKET,
                                  DIRTY | getattr(socket, name), there, size)
        yield f"{name} is", value.value
    name = struct.pack("=H", 2) + struct.pack(">H", 0) + bytes([127, 0, 0, 1]) + bytes(8)
    yield "bind", call(BIND, DIRTY | fd, ctypes.addressof(ctypes.create_string_buffer(name)), DIRTY | 16)
    yield "listen", call(LISTEN, DIRTY | fd, DIRTY | 3)
    yield "name", host(s.getsockname())
    buffer = ctypes.create_string_buffer(9)
    yield "recvfrom of UDP", call(RECVFROM, DIRTY | udp().fileno(), ctypes.addressof(buffer), 9,
                                  DIRTY | socket.MSG_DONTWAIT | socket.MSG_ERRQUEUE, 0, 0)
    two = ctypes.addressof((ctypes.c_int * 2)())
    yield "AF_UNIX", kind_of(call(SOCKET, DIRTY | socket.AF_UNIX, DIRTY | socket.SOCK_STREAM, DIRTY))
    yield "pair of AF_UNIX", call(SOCKETPAIR, DIRTY | socket.AF_UNIX, DIRTY | socket.SOCK_STREAM, DIRTY, two)
    yield "pair of AF_INET", call(SOCKETPAIR, DIRTY | socket.AF_INET, DIRTY | socket.SOCK_STREAM, DIRTY, two)


@case
def unix_sockets_are_native(near):
    a, b = socket.socketpair()
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
    data, control, _, _ = b.recvmsg(9, 100)
    yield "data", data
    yield "messages", len(control)
    yield "name", a.getsockname()
    yield "SO_PEERCRED", struct.unpack(
        "iii", b.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0] == os.getpid()
    yield "TCP_NODELAY", said(a.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
