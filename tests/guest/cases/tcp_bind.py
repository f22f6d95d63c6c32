"""bind and listen of TCP sockets: names, conflicts, what a listener says."""

import ctypes
import select
import socket
import struct

from kit import bits, case, host, later, listener, pair, raw, said, tcp, udp, until


@case
def bind_names(near):
    s, v6 = tcp(), tcp(socket.AF_INET6)
    yield "too short", raw("bind", s.fileno(), b"\2\0\0\0", 4)
    yield "an address of nobody's", said(s.bind, ("192.0.2.1", 0))
    yield "an IPv6 address of nobody's", said(v6.bind, ("2001:db8::1", 0))
    yield "bind", said(s.bind, ("127.0.0.1", 0))
    yield "bind again", said(s.bind, ("127.0.0.1", 0))
    yield "address", host(s.getsockname())
    yield "has a port", s.getsockname()[1] > 0
    yield "another family", raw("bind", v6.fileno(), struct.pack("=HH4s8x", 2, 0, bytes(4)), 16)


@case
def bind_conflicts(near):
    for first, second, reuse in (("127.0.0.1", "127.0.0.1", 0), ("0.0.0.0", "127.0.0.1", 0),
                                 ("127.0.0.1", "0.0.0.0", 0), ("127.0.0.1", "127.0.0.2", 0),
                                 ("127.0.0.1", "127.0.0.1", 1)):
        a, b = tcp(), tcp()
        for s in a, b:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        a.bind((first, 0))
        bound = said(b.bind, (second, a.getsockname()[1]))
        which = f"{first}, then {second}, reuse {reuse}"
        yield f"bind: {which}", bound
        yield f"listen: {which}", said(a.listen, 1)
        if bound is None:
            yield f"listen of the second: {which}", said(b.listen, 1)
        a.close()
        b.close()


@case
def reuse_port(near):
    a, b, c = tcp(), tcp(), tcp()
    for s in a, b:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    a.bind(("127.0.0.1", 0))
    yield "bind with", said(b.bind, a.getsockname())
    yield "bind without", said(c.bind, a.getsockname())
    yield "listen", said(a.listen, 1)
    yield "listen of the other", said(b.listen, 1)
    yield "SO_REUSEPORT", a.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)


@case
def listen_behind_a_closed_listener(near):
    a, b = tcp(), tcp()
    for s in a, b:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    a.bind(("127.0.0.1", 0))
    b.bind(a.getsockname())
    a.listen()
    yield "listen beside it", said(b.listen)
    a.close()
    yield "listen", said(b.listen)


@case
def bind_again_after_close(near):
    name = ("127.0.0.1", 0)
    for i in range(5):
        s = tcp()
        yield f"time {i}", said(s.bind, name)
        s.listen(1)
        name = s.getsockname()
        s.close()


@case
def listen_states(near):
    s = tcp()
    yield "listen, never bound", said(s.listen, 1)
    yield "address", s.getsockname()[0]
    yield "has a port", s.getsockname()[1] > 0
    yield "listen again", said(s.listen, 5)
    yield "listen for -1", said(s.listen, -1)
    yield "poll", bits(s)
    yield "SO_ACCEPTCONN", s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    yield "getpeername", said(s.getpeername)
    yield "connect", said(s.connect, s.getsockname())


@case
def listen_connected(near, far):
    a, b = pair(near, far)
    for name, s in ("the one that connected", a), ("the accepted one", b):
        yield f"listen of {name}", said(s.listen, 1)
        yield f"bind of {name}", said(s.bind, ("0.0.0.0", 0))


@case
def listener_becomes_readable(near, far):
    l = far(listener, address=far.address)
    yield "poll", bits(l)
    a = tcp()
    a.connect(l.getsockname())
    yield "poll with one", until(l, select.POLLIN)
    b, name = l.accept()
    yield "poll after accept", bits(l)
    yield "accept's address", name == a.getsockname()
    yield "getpeername", b.getpeername() == a.getsockname()
    yield "getsockname", b.getsockname() == a.getpeername() == l.getsockname()


@case
def shut_listener(near):
    l = listener()
    waiting = later(l.accept).asleep()
    l.shutdown(socket.SHUT_RD)
    yield "accept that waited", waiting.wait()
    yield "accept", said(l.accept)
    yield "connect", said(tcp().connect, ("127.0.0.1", 1))


@case
def only_ipv6(near):
    for only in (0, 1):
        l = tcp(socket.AF_INET6)
        l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        l.bind(("::", 0))
        l.listen(4)
        port = l.getsockname()[1]
        got = said(tcp().connect, ("127.0.0.1", port))
        yield f"{only}: connect by IPv4", got
        yield f"{only}: address", l.getsockname()[0]
        if got is None:
            s, name = l.accept()
            yield f"{only}: accept's address", name[0]
            yield f"{only}: own address", s.getsockname()[0]
        c = tcp(socket.AF_INET6)
        yield f"{only}: connect by IPv6", said(c.connect, ("::1", port))
        yield f"{only}: accept's address by IPv6", l.accept()[1][0]
        yield f"{only}: IPV6_V6ONLY, too late", said(l.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


@case
def bad_pointers(near):
    s = tcp()
    l = listener()
    a = tcp()
    a.connect(l.getsockname())
    nowhere, good = ctypes.c_void_p(8), ctypes.create_string_buffer(64)
    yield "bind", raw("bind", s.fileno(), nowhere, 16)
    yield "connect", raw("connect", s.fileno(), nowhere, 16)
    yield "getsockname", raw("getsockname", a.fileno(), nowhere, ctypes.byref(ctypes.c_uint(16)))
    yield "getsockname's length", raw("getsockname", a.fileno(), good, nowhere)
    yield "setsockopt", raw("setsockopt", a.fileno(), 6, 1, nowhere, 4)
    yield "getsockopt", raw("getsockopt", a.fileno(), 6, 1, nowhere, ctypes.byref(ctypes.c_uint(4)))
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    yield "sendmsg", raw("sendmsg", u.fileno(), nowhere, 0)
    yield "accept's length", raw("accept", l.fileno(), good, nowhere)


NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT


@case
def bind_without_a_port(near, far):
    """The port is chosen by connect(), when the peer is known."""
    l = far(listener, address=far.address)
    a = near(tcp)
    a.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
    yield "bind", said(a.bind, (near.address, 0))
    yield "port", a.getsockname()[1]
    yield "connect", said(a.connect, l.getsockname())
    yield "has a port", a.getsockname()[1] > 0
    yield "peer sees it", l.accept()[1] == a.getsockname()
    c = near(tcp)
    c.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
    yield "listener's bind", said(c.bind, (near.address, 0))
    yield "listen", said(c.listen, 1)
    yield "listener has a port", c.getsockname()[1] > 0
    d = near(udp, bind=False)
    d.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
    yield "UDP's bind", said(d.bind, (near.address, 0))
    yield "UDP's port", d.getsockname()[1]
    yield "UDP sends", said(d.sendto, b"x", (far.address, l.getsockname()[1]))
    yield "UDP has a port", d.getsockname()[1] > 0
