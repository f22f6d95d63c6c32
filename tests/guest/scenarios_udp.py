"""Scenarios of UDP sockets."""

import ctypes
import errno
import os
import select
import socket
import struct

from kit import LIBC, WAIT, bits, eventually, host, said, scenario, udp, until


@scenario
def udp_round():
    a, b = udp(), udp(bind=False)
    result = [said(b.sendto, b"one", a.getsockname()), host(b.getsockname()),
              b.getsockname()[1] > 0]
    data, name = a.recvfrom(100)
    result += [data.decode(), name[1] == b.getsockname()[1], host(name)]
    a.sendto(b"two", name)
    data, name = b.recvfrom(100)
    return result + [data.decode(), name == a.getsockname(), bits(a), said(a.recv, 1, socket.MSG_DONTWAIT)]


@scenario
def udp_connected():
    a, b, other = udp(), udp(), udp()
    result = [said(a.connect, b.getsockname()), a.getpeername() == b.getsockname(), said(a.send, b"hi"),
              said(b.recv, 9)]
    other.sendto(b"stranger", a.getsockname())
    b.sendto(b"friend", a.getsockname())
    result += [said(a.recv, 99), said(a.recv, 99, socket.MSG_DONTWAIT)]
    os.write(a.fileno(), b"written")
    result.append(said(b.recv, 99))
    LIBC.connect(a.fileno(), struct.pack("=H14x", 0), 16)
    return result + [said(a.getpeername)]


@scenario
def udp_mixed_reads():
    a, b, c = udp(), udp(), udp()
    result = []
    for i in range(12):
        (b if i % 3 else c).sendto(b"%d" % i * (i + 1), a.getsockname())
    until(a, select.POLLIN)
    names = {b.getsockname(): "b", c.getsockname(): "c"}
    for i in range(4):
        os.read(a.fileno(), 100)
        data, name = a.recvfrom(100)
        result.append([data.decode(), names.get(name)])
        data, name = a.recvfrom(2, socket.MSG_PEEK)
        again, same = a.recvfrom(100)
        result.append([again.decode(), data.decode(), name == same])
    return result


@scenario
def udp_sizes():
    a, b = udp(), udp()
    result = [said(b.sendto, bytes(65508), a.getsockname()), said(b.sendto, bytes(65507), a.getsockname()),
              said(b.sendto, b"", a.getsockname())]
    result += [len(a.recv(70000)), len(a.recvfrom(70000)[0])]
    b.sendto(b"0123456789", a.getsockname())
    buffer = ctypes.create_string_buffer(4)
    result.append(LIBC.recv(a.fileno(), buffer, 4, socket.MSG_TRUNC))
    b.sendto(b"0123456789", a.getsockname())
    data, _, flags, _ = a.recvmsg(4)
    return result + [data.decode(), flags]


@scenario
def udp_errors():
    a = udp()
    gone = udp()
    name = gone.getsockname()
    gone.close()
    result = [said(a.sendto, b"x", ("127.0.0.1", 0)), said(a.sendto, b"x", ("255.255.255.255", 9)),
              said(a.sendmsg, [b"x"])]
    a.connect(name)
    a.send(b"x")
    result.append(eventually(lambda: a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or None,
                             errno.ECONNREFUSED))
    return result


@scenario
def udp_packet_information():
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.bind(("0.0.0.0", 0))
    for name in (8, 12, 13):  # IP_PKTINFO, IP_RECVTTL, IP_RECVTOS
        a.setsockopt(socket.IPPROTO_IP, name, 1)
    b = udp()
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 17)
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 8)
    b.sendto(b"x", ("127.0.0.3", a.getsockname()[1]))
    data, control, flags, name = a.recvmsg(10, 200)
    control = sorted((l, t, d.hex()) for l, t, d in control)
    a.sendmsg([b"from"], [(socket.IPPROTO_IP, 8, struct.pack("=i4s4s", 0, bytes([127, 0, 0, 5]), bytes(4)))],
              0, b.getsockname())
    return [control, flags, host(b.recvfrom(9)[1])]


@scenario
def udp_many_at_once():
    class Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                    ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                    ("controllen", ctypes.c_size_t), ("flags", ctypes.c_long), ("length", ctypes.c_uint)]

    a, b = udp(), udp()
    name = ctypes.create_string_buffer(
        struct.pack("=H", 2) + struct.pack(">H", a.getsockname()[1]) + bytes([127, 0, 0, 1]) + bytes(8), 16)
    buffers = [ctypes.create_string_buffer(b"message %d" % i) for i in range(5)]
    vectors = [(ctypes.c_size_t * 2)(ctypes.addressof(x), len(x.value)) for x in buffers]
    messages = (Message * 5)(*[Message(ctypes.addressof(name), 16, ctypes.addressof(v), 1) for v in vectors])
    sent = LIBC.sendmmsg(b.fileno(), messages, 5, 0)
    lengths = [m.length for m in messages]
    until(a, select.POLLIN)
    got = []
    while len(got) < 5:
        for x in buffers:
            ctypes.memset(x, 0, len(x))
        into = (Message * 5)(*[Message(None, 0, ctypes.addressof(v), 1) for v in vectors])
        n = LIBC.recvmmsg(a.fileno(), into, 5, 0x10000, None)
        if n <= 0:
            break
        got += [buffers[i].raw[:into[i].length].decode() for i in range(n)]
    return [sent, lengths, got]


@scenario
def udp_ipv6_socket():
    a = udp(socket.AF_INET6)
    b = udp(socket.AF_INET6, bind=False)
    b.sendto(b"six", a.getsockname())
    result = [a.recvfrom(9)[0].decode(), a.getsockname()[0]]
    d = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    d.bind(("::", 0))
    four = udp()
    four.sendto(b"four", ("127.0.0.1", d.getsockname()[1]))
    data, name = d.recvfrom(9)
    d.sendto(b"back", name)
    return result + [data.decode(), name[0], four.recvfrom(9)[0].decode()]


@scenario
def udp_close_frees_the_port():
    result = []
    s = udp()
    name = s.getsockname()
    for i in range(3):
        s.close()
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        result.append(eventually(lambda: s.bind(name), None))
    return result


@scenario
def udp_wakes_poll():
    a, b = udp(), udp()
    e = select.epoll()
    e.register(a, select.EPOLLIN | select.EPOLLET)
    quiet = e.poll(0)
    result = []
    for i in range(3):
        b.sendto(b"x", a.getsockname())
        result.append([v for _, v in e.poll(WAIT)])
        a.recv(9)
    return [quiet, result]


@scenario
def udp_empty_and_sources():
    """An empty datagram that was read without asking for its source leaves the next one its own."""
    a, b, c = udp(), udp(), udp()
    b.sendto(b"", a.getsockname())
    result = [until(a, select.POLLIN), said(a.recv, 9)]
    c.sendto(b"x", a.getsockname())
    data, name = a.recvfrom(9)
    result += [data.decode(), name == c.getsockname()]
    for _ in range(100):
        b.sendto(b"", a.getsockname())
        data, name = a.recvfrom(9)
        result.append((data.decode(), name == b.getsockname()))
    return result
