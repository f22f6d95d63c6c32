"""listen: who waits before accept."""

import select
import socket

from kit import bits, case, listener, reset, said, settle, tcp, until

BACKLOG = 4


@case(differs={"one more": "two-queues"})
def backlog(near, far):
    """Linux takes one more than the backlog says."""
    l = far(listener, address=far.address, backlog=BACKLOG)
    clients = [tcp() for _ in range(BACKLOG + 1)]
    for i, c in enumerate(clients):
        yield f"number {i}", said(c.connect, l.getsockname())
    more = tcp()
    more.setblocking(False)
    said(more.connect, l.getsockname())
    settle(near, far)
    yield "one more", bits(more)
    for i, c in enumerate(clients):
        yield f"accept {i}", l.accept()[1] == c.getsockname()


@case
def accept_is_deferred(near, far):
    l = far(listener, address=far.address)
    l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    yield "TCP_DEFER_ACCEPT", l.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    c = tcp()
    yield "connect", said(c.connect, l.getsockname())
    settle(near, far)
    yield "poll", bits(l)
    c.send(b"data")
    yield "poll with data", until(l, select.POLLIN)
    yield "accept", l.accept()[1] == c.getsockname()


@case
def deferred_accept_ends(near, far):
    """With the time, when the handshake's answer is sent again; with the peer's end."""
    l = far(listener, address=far.address)
    l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    c = tcp()
    c.connect(l.getsockname())
    yield "in time", until(l, select.POLLIN)
    yield "accept", l.accept()[1] == c.getsockname()
    ended = tcp()
    ended.connect(l.getsockname())
    name = ended.getsockname()
    ended.close()
    yield "at the end", until(l, select.POLLIN)
    a, address = l.accept()
    yield "accept the ended", address == name
    yield "recv", said(a.recv, 1)


@case
def deferred_accept_reset(near, far):
    """Whoever resets before has never been there."""
    l = far(listener, address=far.address)
    l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    c = tcp()
    c.connect(l.getsockname())
    reset(c)
    settle(near, far)
    yield "poll", bits(l)
    c = tcp()
    c.connect(l.getsockname())
    c.send(b"data")
    yield "the next", until(l, select.POLLIN)
    yield "accept", l.accept()[1] == c.getsockname()
