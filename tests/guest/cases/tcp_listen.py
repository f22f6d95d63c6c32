"""listen: who waits before accept."""

import select
import socket

from kit import bits, case, listener, said, settle, tcp, until

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


@case(differs={"poll": "defer-accept"})
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
