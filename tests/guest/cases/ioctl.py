"""ioctl(2) on sockets of each kind: requests about interfaces (netdevice(7)), and about what waits."""

import array
import ctypes
import errno
import os
import select
import socket
import struct

from kit import LIBC, case, listener, pair, udp, until

NOBODY = 65534
BAD = ctypes.c_void_p(8)
REQUESTS = {
    "SIOCGPGRP": 0x8904, "SIOCGSTAMP": 0x8906, "SIOCGSTAMPNS": 0x8907, "SIOCADDRT": 0x890B,
    "SIOCDELRT": 0x890C, "SIOCGIFNAME": 0x8910, "SIOCSIFLINK": 0x8911, "SIOCGIFFLAGS": 0x8913,
    "SIOCSIFFLAGS": 0x8914, "SIOCGIFADDR": 0x8915, "SIOCSIFADDR": 0x8916, "SIOCGIFDSTADDR": 0x8917,
    "SIOCSIFDSTADDR": 0x8918, "SIOCGIFBRDADDR": 0x8919, "SIOCSIFBRDADDR": 0x891A, "SIOCGIFNETMASK": 0x891B,
    "SIOCSIFNETMASK": 0x891C, "SIOCGIFMETRIC": 0x891D, "SIOCSIFMETRIC": 0x891E, "SIOCGIFMEM": 0x891F,
    "SIOCGIFMTU": 0x8921, "SIOCSIFMTU": 0x8922, "SIOCSIFNAME": 0x8923, "SIOCSIFHWADDR": 0x8924,
    "SIOCGIFENCAP": 0x8925, "SIOCGIFHWADDR": 0x8927, "SIOCGIFSLAVE": 0x8929, "SIOCSIFSLAVE": 0x8930,
    "SIOCADDMULTI": 0x8931, "SIOCDELMULTI": 0x8932, "SIOCGIFINDEX": 0x8933, "SIOCDIFADDR": 0x8936,
    "SIOCSIFHWBROADCAST": 0x8937, "SIOCGIFCOUNT": 0x8938, "SIOCGIFTXQLEN": 0x8942, "SIOCSIFTXQLEN": 0x8943,
    "SIOCETHTOOL": 0x8946, "SIOCGMIIPHY": 0x8947, "SIOCGMIIREG": 0x8948, "SIOCSMIIREG": 0x8949,
    "SIOCWANDEV": 0x894A, "SIOCDARP": 0x8953, "SIOCGARP": 0x8954, "SIOCSARP": 0x8955, "SIOCGIFMAP": 0x8970,
    "SIOCSIFMAP": 0x8971, "SIOCDEVPRIVATE": 0x89F0, "SIOCDEVPRIVATE + 15": 0x89FF, "SIOCGIWNAME": 0x8B01}


def ask(s, request, record):
    buffer = ctypes.create_string_buffer(record.ljust(64, b"\0"), 64)
    if LIBC.ioctl(s.fileno(), ctypes.c_ulong(request), buffer) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return buffer.raw[:40].hex()


def refused(s, request, pointer):
    r = LIBC.ioctl(s.fileno(), ctypes.c_ulong(request), pointer)
    return errno.errorcode[ctypes.get_errno()] if r < 0 else r


def every_request(s):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for name, request in REQUESTS.items():
        yield name, [ask(s, request, record) for record in (b"lo", b"nosuch", b"lo:1", b"l" * 16, b"")]
        yield f"{name} badly", refused(s, request, BAD)


def register(kind, make):
    @case(name=f"ioctl_{kind}")
    def run(near):
        s = make()
        yield from every_request(s)


register("tcp", lambda: socket.socket())
register("tcp6", lambda: socket.socket(socket.AF_INET6))
register("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
register("udp6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
register("unix", lambda: socket.socket(socket.AF_UNIX))
register("listener", listener)


@case
def ioctl_interface_by_index(near):
    s = near(udp)
    yield "1", ask(s, 0x8910, struct.pack("=16xi", 1))
    yield "0", ask(s, 0x8910, struct.pack("=16xi", 0))
    yield "999", ask(s, 0x8910, struct.pack("=16xi", 999))
    yield "-1", ask(s, 0x8910, struct.pack("=16xi", -1))


def configuration(s, room, pointer=True):
    """What SIOCGIFCONF writes: the length, and the first record."""
    buffer = ctypes.create_string_buffer(b"\xee" * 4096, 4096)
    conf = ctypes.create_string_buffer(struct.pack("=i4xQ", room, ctypes.addressof(buffer) if pointer else 0), 16)
    if LIBC.ioctl(s.fileno(), 0x8912, conf) < 0:
        return errno.errorcode[ctypes.get_errno()]
    length = struct.unpack("=i", conf.raw[:4])[0]
    return [min(length, 40), buffer.raw[:40].hex()] if pointer else length % 40


@case
def ioctl_configuration(near):
    for name, s in (("udp", udp()), ("tcp6", socket.socket(socket.AF_INET6)), ("unix", socket.socket(socket.AF_UNIX))):
        for room in (0, 39, 40, 79, 4096):
            yield f"{name}, {room} bytes", configuration(s, room)
        yield f"{name}, the length alone", configuration(s, 0, pointer=False)
    yield "bad record", refused(s, 0x8912, BAD)
    yield "bad buffer", refused(s, 0x8912, ctypes.create_string_buffer(struct.pack("=i4xQ", 100, 8), 16))


@case
def ioctl_on_others(near):
    """Requests of sockets on what is none."""
    read, write = os.pipe()
    for name, fd in (("pipe", read), ("closed", 999), ("none", -1)):
        for request in (0x8913, 0x8912, 0x8946, 0x8906):
            yield f"{name} {request:x}", errno.errorcode[ctypes.get_errno()] \
                if LIBC.ioctl(fd, ctypes.c_ulong(request), ctypes.create_string_buffer(64)) < 0 else 0


def waiting(s, request=0x541B):
    a = array.array("i", [-1])
    r = LIBC.ioctl(s.fileno(), ctypes.c_ulong(request), (ctypes.c_int * 1).from_buffer(a))
    return errno.errorcode[ctypes.get_errno()] if r < 0 else a[0]


@case
def ioctl_what_waits(near):
    l = listener()
    fresh = socket.socket()
    a, b = pair(near, near)
    for name, s in (("listener", l), ("fresh", fresh), ("connected", a)):
        yield f"SIOCINQ of a {name}", waiting(s)
        yield f"SIOCOUTQ of a {name}", waiting(s, 0x5411)
        yield f"SIOCOUTQNSD of a {name}", waiting(s, 0x894B)
        yield f"SIOCATMARK of a {name}", waiting(s, 0x8905)
        yield f"SIOCINQ of a {name}, badly", refused(s, 0x541B, BAD)
    b.send(b"four")
    until(a, select.POLLIN)
    yield "with four bytes", waiting(a)
    a.recv(1)
    yield "with three", waiting(a)
    b.close()
    until(a, select.POLLRDHUP)
    yield "behind the end", waiting(a)


@case
def ioctl_dirty_request(near):
    """The kernel looks at 32 bits of the request."""
    s = udp()
    buffer = ctypes.create_string_buffer(b"lo".ljust(64, b"\0"), 64)
    r = LIBC.syscall(ctypes.c_long(16), ctypes.c_long(s.fileno() | 0x5a5a << 32),
                     ctypes.c_long(0x8933 | 0x7 << 32), buffer)
    yield "SIOCGIFINDEX", [r, buffer.raw[:20].hex()]
