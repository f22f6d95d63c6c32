"""UDP sockets."""

import ctypes
import os
import select
import socket
import struct

from kit import LIBC, WAIT, bits, case, error, eventually, flags, host, said, udp, until


def unused(address):
    with udp(address=address) as s:
        return s.getsockname()


@case
def udp_round(near, far):
    a, b = far(udp, address=far.address), udp(bind=False)
    yield "sendto", said(b.sendto, b"one", a.getsockname())
    yield "address", host(b.getsockname())
    yield "has a port", b.getsockname()[1] > 0
    data, name = a.recvfrom(100)
    yield "data", data
    yield "port", name[1] == b.getsockname()[1]
    yield "from", host(name)
    a.sendto(b"two", name)
    data, name = b.recvfrom(100)
    yield "answer", data
    yield "its sender", name == a.getsockname()
    yield "poll", bits(a)
    yield "recv", said(a.recv, 1, socket.MSG_DONTWAIT)


@case
def udp_connected(near, far):
    a, b, other = udp(address=near.address), far(udp, address=far.address), far(udp, address=far.address)
    yield "connect", said(a.connect, b.getsockname())
    yield "getpeername", a.getpeername() == b.getsockname()
    yield "send", said(a.send, b"hi")
    yield "peer's recv", said(b.recv, 9)
    other.sendto(b"stranger", a.getsockname())
    b.sendto(b"friend", a.getsockname())
    yield "recv", said(a.recv, 99)
    yield "recv again", said(a.recv, 99, socket.MSG_DONTWAIT)
    os.write(a.fileno(), b"written")
    yield "peer's recv of a write", said(b.recv, 99)
    LIBC.connect(a.fileno(), struct.pack("=H14x", 0), 16)
    yield "getpeername, disconnected", said(a.getpeername)


@case
def udp_mixed_reads(near, far):
    a = udp(address=near.address)
    b, c = far(udp, address=far.address), far(udp, address=far.address)
    for i in range(12):
        (b if i % 3 else c).sendto(b"%d" % i * (i + 1), a.getsockname())
    until(a, select.POLLIN)
    names = {b.getsockname(): "b", c.getsockname(): "c"}
    for i in range(4):
        os.read(a.fileno(), 100)
        data, name = a.recvfrom(100)
        yield f"round {i}: recvfrom", [data, names.get(name)]
        data, name = a.recvfrom(2, socket.MSG_PEEK)
        again, same = a.recvfrom(100)
        yield f"round {i}: PEEK", [again, data, name == same]


def truncated(s, size):
    return LIBC.recv(s.fileno(), ctypes.create_string_buffer(size), size, socket.MSG_TRUNC)


@case
def udp_sizes(near, far):
    a = far(udp, address=far.address)
    b = udp(address=near.address)
    name = a.getsockname()
    yield "too much", said(b.sendto, bytes(65508), name)
    yield "the most", said(b.sendto, bytes(65507), name)
    yield "nothing", said(b.sendto, b"", name)
    yield "recv of the most", len(a.recv(70000))
    yield "recv of nothing", a.recvfrom(70000)[0]
    b.sendto(b"0123456789", name)
    yield "TRUNC", far(truncated, a, 4)
    b.sendto(b"0123456789", name)
    data, _, seen, _ = a.recvmsg(4)
    yield "cut", [data, seen]


@case
def udp_errors(near, far):
    a = udp(address=near.address)
    yield "port 0", said(a.sendto, b"x", (far.address, 0))
    yield "broadcast", said(a.sendto, b"x", ("255.255.255.255", 9))
    yield "no address", said(a.sendmsg, [b"x"])
    a.connect(far(unused, far.address))
    a.send(b"x")
    yield "SO_ERROR", eventually(lambda: error(a), "ECONNREFUSED")


@case
def udp_packet_information(near):
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.bind(("0.0.0.0", 0))
    for name in (8, 12, 13):  # IP_PKTINFO, IP_RECVTTL, IP_RECVTOS
        a.setsockopt(socket.IPPROTO_IP, name, 1)
    b = udp()
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 17)
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 8)
    b.sendto(b"x", ("127.0.0.3", a.getsockname()[1]))
    _, control, seen, _ = a.recvmsg(10, 200)
    for level, kind, data in sorted(control):
        yield f"message {level}, {kind}", data.hex()
    yield "flags", seen
    a.sendmsg([b"from"], [(socket.IPPROTO_IP, 8, struct.pack("=i4s4s", 0, bytes([127, 0, 0, 5]), bytes(4)))],
              0, b.getsockname())
    yield "sender", b.recvfrom(9)[1][0]


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                ("controllen", ctypes.c_size_t), ("flags", ctypes.c_long), ("length", ctypes.c_uint)]


@case
def udp_many_at_once(near):
    a, b = udp(), udp()
    name = ctypes.create_string_buffer(
        struct.pack("=H", 2) + struct.pack(">H", a.getsockname()[1]) + bytes([127, 0, 0, 1]) + bytes(8), 16)
    buffers = [ctypes.create_string_buffer(b"message %d" % i) for i in range(5)]
    vectors = [(ctypes.c_size_t * 2)(ctypes.addressof(x), len(x.value)) for x in buffers]
    messages = (Message * 5)(*[Message(ctypes.addressof(name), 16, ctypes.addressof(v), 1) for v in vectors])
    yield "sendmmsg", LIBC.sendmmsg(b.fileno(), messages, 5, 0)
    yield "lengths", [m.length for m in messages]
    until(a, select.POLLIN)
    got = []
    while len(got) < 5:
        for x in buffers:
            ctypes.memset(x, 0, len(x))
        into = (Message * 5)(*[Message(None, 0, ctypes.addressof(v), 1) for v in vectors])
        n = LIBC.recvmmsg(a.fileno(), into, 5, 0x10000, None)
        if n <= 0:
            break
        got += [buffers[i].raw[:into[i].length] for i in range(n)]
    yield "recvmmsg", got


@case
def udp_ipv6_socket(near):
    a = udp(socket.AF_INET6)
    b = udp(socket.AF_INET6, bind=False)
    b.sendto(b"six", a.getsockname())
    yield "data", a.recvfrom(9)[0]
    yield "address", a.getsockname()[0]
    d = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    d.bind(("::", 0))
    four = udp()
    four.sendto(b"four", ("127.0.0.1", d.getsockname()[1]))
    data, name = d.recvfrom(9)
    d.sendto(b"back", name)
    yield "data by IPv4", data
    yield "its sender", name[0]
    yield "answer", four.recvfrom(9)[0]


@case
def udp_close_frees_the_port(near):
    s = udp()
    name = s.getsockname()
    for i in range(3):
        s.close()
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        yield f"time {i}", said(s.bind, name)


@case
def udp_wakes_poll(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    e = select.epoll()
    e.register(a, select.EPOLLIN | select.EPOLLET)
    yield "quiet", e.poll(0)
    for i in range(3):
        b.sendto(b"x", a.getsockname())
        yield f"time {i}", [flags(v, "EPOLL") for _, v in e.poll(WAIT)]
        a.recv(9)


@case
def udp_empty_and_sources(near, far):
    """An empty datagram that was read without asking for its source leaves the next one its own."""
    a = udp(address=near.address)
    b, c = far(udp, address=far.address), far(udp, address=far.address)
    b.sendto(b"", a.getsockname())
    yield "poll", until(a, select.POLLIN)
    yield "recv", said(a.recv, 9)
    c.sendto(b"x", a.getsockname())
    data, name = a.recvfrom(9)
    yield "data", data
    yield "its sender", name == c.getsockname()
    seen = set()
    for _ in range(100):
        b.sendto(b"", a.getsockname())
        data, name = a.recvfrom(9)
        seen.add((data, name == b.getsockname()))
    yield "empty ones", sorted(seen)
