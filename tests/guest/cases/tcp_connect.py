"""connect: blocking and not, refused, again, what poll and SO_ERROR say meanwhile."""

import select
import socket
import struct
import time

from kit import (WAIT, Kept, bits, case, closed_port, error, flags, host, listener, raw, said, tcp, until)


@case
def connect_refused(near, far):
    s = tcp()
    name = far(closed_port, far.address)
    yield "connect", said(s.connect, name)
    yield "SO_ERROR", error(s)
    yield "connect again", said(s.connect, name)
    l = far(listener, address=far.address)
    yield "connect to a listener", said(s.connect, l.getsockname())
    yield "connect once more", said(s.connect, l.getsockname())
    yield "send", said(s.send, b"x")


@case
def connect_names(near):
    s = tcp()
    l = listener(address="0.0.0.0")
    yield "any address", said(s.connect, ("0.0.0.0", l.getsockname()[1]))
    yield "getpeername", host(s.getpeername())
    t = tcp()
    yield "too short", raw("connect", t.fileno(), b"\2\0\0\0", 4)
    yield "another family", raw("connect", t.fileno(), struct.pack("=H14x", 1), 16)
    yield "no address", raw("connect", t.fileno(), None, 16)


@case
def connect_without_waiting(near, far):
    l = far(listener, address=far.address)
    s = tcp()
    s.setblocking(False)
    yield "connect", said(s.connect, l.getsockname())
    yield "poll", until(s, select.POLLOUT)
    yield "SO_ERROR", error(s)
    yield "connect again", said(s.connect, l.getsockname())
    yield "connect once more", said(s.connect, l.getsockname())
    yield "send", said(s.send, b"hello")
    yield "peer's recv", l.accept()[0].recv(5)


@case
def connect_without_waiting_refused(near, far):
    s = tcp()
    s.setblocking(False)
    name = far(closed_port, far.address)
    yield "connect", said(s.connect, name)
    yield "poll", until(s, select.POLLOUT)
    yield "SO_ERROR", error(s)
    yield "SO_ERROR again", error(s)
    yield "connect again", said(s.connect, name)


@case
def connect_again_after_failure(near, far):
    s = tcp()
    s.setblocking(False)
    said(s.connect, far(closed_port, far.address))
    until(s, select.POLLOUT)
    s.setblocking(True)
    l = far(listener, address=far.address)
    yield "what has become of the last one", said(s.connect, l.getsockname())
    yield "connect", said(s.connect, l.getsockname())
    b, _ = l.accept()
    s.send(b"back")
    yield "peer's recv", b.recv(9)


@case
def connect_from_bound(near, far):
    l = far(listener, address=far.address)
    s = tcp()
    s.bind((near.address, 0))
    name = s.getsockname()
    s.connect(l.getsockname())
    yield "name is kept", s.getsockname() == name
    yield "peer sees it", l.accept()[1] == name


@case
def edge_of_connect(near, far):
    l = far(listener, address=far.address)
    s = tcp()
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    yield "fresh", [flags(v, "EPOLL") for _, v in e.poll(0)]
    yield "connect", said(s.connect, l.getsockname())
    end = time.monotonic() + WAIT
    seen = 0
    while not seen & select.EPOLLOUT or seen & select.EPOLLHUP:
        seen = 0
        for _, v in e.poll(0.05):
            seen |= v
        if time.monotonic() > end:
            break
    yield "connected", flags(seen, "EPOLL")
    b, _ = l.accept()
    b.send(b"x")
    yield "data", [bool(v & select.EPOLLIN) for _, v in e.poll(WAIT)]
    yield "nothing more", e.poll(0)


class Full(Kept):
    """A listener that has no room for one more: what connects is not answered."""

    def __init__(self, address):
        self.listener = listener(address=address, backlog=0)
        self.waiting = [tcp() for _ in range(8)]
        for s in self.waiting:
            s.setblocking(False)
            said(s.connect, self.listener.getsockname())

    def name(self):
        return self.listener.getsockname()


@case
def connect_times_out(near, far):
    full = far(Full, far.address)
    s = tcp()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 200)
    yield "connect", said(s.connect, full.name())
    yield "SO_ERROR", error(s)
    yield "poll", bits(s)
    yield "connect again", said(s.connect, full.name())
    yield "getpeername", said(s.getpeername)


@case
def connect_times_out_unseen(near, far):
    full = far(Full, far.address)
    s = tcp()
    s.setblocking(False)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 200)
    yield "connect", said(s.connect, full.name())
    yield "connect again", said(s.connect, full.name())
    yield "poll", until(s, select.POLLERR)
    yield "SO_ERROR", error(s)
    yield "SO_ERROR again", error(s)


@case
def connect_gives_up_after_attempts(near, far):
    full = far(Full, far.address)
    s = tcp()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    yield "connect", said(s.connect, full.name())


@case
def own_names(near, far):
    l = far(listener, address="0.0.0.0")
    s = tcp()
    s.connect((far.address, l.getsockname()[1]))
    b, name = l.accept()
    yield "getsockname", host(s.getsockname())
    yield "getpeername", host(s.getpeername())
    yield "peer's getsockname", host(b.getsockname())
    yield "accept's address", host(name)


@case
def mapped_addresses(near):
    l = listener()
    s = tcp(socket.AF_INET6)
    yield "connect", said(s.connect, ("::ffff:127.0.0.1", l.getsockname()[1]))
    yield "getpeername", s.getpeername()[0]
    yield "getsockname", s.getsockname()[0]
    yield "accept's address", host(l.accept()[1])


@case
def connect_again_in_epoll(near, far):
    """Copies of the socket, and the sets that watch it, follow it to a new connection."""
    s = tcp()
    s.setblocking(False)
    copy = s.dup()
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLET)
    said(s.connect, far(closed_port, far.address))
    until(s, select.POLLOUT)
    yield "SO_ERROR", error(s)
    l = far(listener, address=far.address)
    yield "the last one", said(s.connect, l.getsockname())
    yield "connect", said(s.connect, l.getsockname())
    yield "connected", until(copy, select.POLLOUT)
    b, _ = l.accept()
    e.poll(0)
    b.send(b"news")
    yield "epoll", [(fd == s.fileno(), bool(v & select.EPOLLIN)) for fd, v in e.poll(WAIT)]
    yield "recv by the copy", said(copy.recv, 9)
    e.modify(s, select.EPOLLOUT)
    yield "changed", [flags(v, "EPOLL") for _, v in e.poll(WAIT)]
    e.unregister(s)
    yield "nothing more", e.poll(0)


@case
def disconnect_and_use_again(near, far):
    l = far(listener, address=far.address)
    s = tcp()
    name = closed_port(near.address)
    s.bind(name)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect(l.getsockname())
    l.accept()
    yield "disconnect", raw("connect", s.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)
    yield "SO_ERROR", error(s)
    yield "keeps its name", s.getsockname() == name
    yield "getpeername", said(s.getpeername)
    yield "TCP_NODELAY", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    m = far(listener, address=far.address)
    yield "connect", said(s.connect, m.getsockname())
    b, peer = m.accept()
    yield "from the same name", peer == name
    s.send(b"again")
    yield "peer's recv", b.recv(9)


@case
def shut_listener_and_use_again(near, far):
    l = listener(address=near.address)
    l.shutdown(socket.SHUT_RD)
    yield "listen", said(l.listen, 2)
    c = far(tcp)
    yield "peer's connect", said(c.connect, (near.address, l.getsockname()[1]))
    yield "accept", host(l.accept()[1]) is not None


@case
def bound_address_outlives_a_disconnect(near, far):
    """The port, which the system had chosen, does not."""
    l = far(listener, address="0.0.0.0")
    s = tcp()
    s.bind((near.address, 0))
    s.connect((far.address, l.getsockname()[1]))
    l.accept()
    yield "disconnect", raw("connect", s.fileno(), bytes(16), 16)
    yield "connect", said(s.connect, (far.address, l.getsockname()[1]))
    yield "from", l.accept()[1][0] == near.address
    yield "disconnect again", raw("connect", s.fileno(), bytes(16), 16)
    yield "listen", said(s.listen, 1)
    yield "at", s.getsockname()[0] == near.address
