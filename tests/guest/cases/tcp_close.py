"""How a connection ends: half, orderly, by a reset; and what is seen of it."""

import select
import socket

from kit import bits, case, error, pair, reset, said, until


@case
def half_close(near, far):
    a, b = pair(near, far)
    a.send(b"question")
    a.shutdown(socket.SHUT_WR)
    read = b""
    while d := b.recv(100):
        read += d
    yield "peer reads", read
    yield "peer's poll", until(b, select.POLLRDHUP)
    yield "poll", bits(a)
    yield "send", said(a.send, b"x")
    b.send(b"answer")
    b.close()
    read = b""
    while d := a.recv(100):
        read += d
    yield "read", read
    yield "poll at the end", until(a, select.POLLHUP)


@case
def orderly_end(near, far):
    a, b = pair(near, far)
    b.send(b"bye")
    b.close()
    yield "poll", until(a, select.POLLRDHUP)
    yield "recv", said(a.recv, 10)
    yield "recv again", said(a.recv, 10)
    yield "send", said(a.send, b"x")


@case
def reset_by_linger(near, far):
    a, b = pair(near, far)
    reset(b)
    yield "poll", until(a, select.POLLERR)
    yield "recv", said(a.recv, 1)
    yield "recv again", said(a.recv, 1)
    yield "send", said(a.send, b"x")
    yield "getpeername", said(a.getpeername)


@case
def reset_by_unread_data(near, far):
    a, b = pair(near, far)
    a.send(b"never read")
    until(b, select.POLLIN)
    b.close()
    yield "poll", until(a, select.POLLERR)
    yield "SO_ERROR", error(a)
    yield "SO_ERROR again", error(a)
    yield "recv", said(a.recv, 1)
