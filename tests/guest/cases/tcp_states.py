"""The states of a TCP socket that a program can meet, each brought about anew for each case."""

import select
import socket

from kit import bits, closed_port, error, eventually, linger, listener, reset, said, tcp, until

STATES = {}


def state(function):
    STATES[function.__name__] = function
    return function


class Situation:
    """The socket in its state; its peer at the other side, if it has one; what must stay open."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        self.socket = self.peer = None
        self.kept = []
        l = far(listener, address=far.address)
        self.name = l.getsockname()  # somebody who listens
        self.kept.append(l)
        self.mark, self.far_mark = self.connection()

    def connection(self):
        """One's own end and the peer's."""
        a = tcp()
        a.connect(self.name)
        b, _ = self.kept[0].accept()
        return a, b

    def incoming(self):
        """The same, with one's own end accepted."""
        with listener(address=self.near.address) as l:
            b = self.far(tcp)
            b.bind((self.far.address, 0))
            b.connect(l.getsockname())
            a, _ = l.accept()
        return a, b

    def settle(self):
        """What was done before has come to the other side, and what that led to has come back: a
        byte goes the same way, and the answer to a question that the stack must be asked. That of a
        close behind a shutdown of both the supervisor says, which is asked first."""
        self.mark.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        for a, b in (self.mark, self.far_mark), (self.far_mark, self.mark):
            a.send(b".")
            b.recv(1)
            b.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)

    def connect(self):
        self.socket, self.peer = self.connection()


FIN_WAIT_1 = 4


def end_is_acknowledged(s):
    """The kernel may take 40 ms for it; then comes an edge."""
    eventually(lambda: s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != FIN_WAIT_1, True)


@state
def fresh(t):
    t.socket = tcp()


@state
def bound(t):
    t.socket = tcp()
    t.socket.bind((t.near.address, 0))
    t.socket.getsockname()


@state
def bound_to_any(t):
    t.socket = tcp()
    t.socket.bind(("", 0))


@state
def listening(t):
    t.socket = listener(address=t.near.address)


@state
def listening_queued(t):
    listening(t)
    t.peer = t.far(tcp)
    t.peer.bind((t.far.address, 0))
    t.peer.connect(t.socket.getsockname())
    until(t.socket, select.POLLIN)


@state
def listener_shut(t):
    listening(t)
    t.socket.shutdown(socket.SHUT_RD)


@state
def listener_shut_queued(t):
    listening_queued(t)
    t.socket.shutdown(socket.SHUT_RD)


@state
def connecting(t):
    """The peer's backlog is full, so that no answer comes."""
    l = t.far(listener, address=t.far.address, backlog=0)
    t.kept.append(l)
    while not t.socket or bits(t.socket):
        t.socket = tcp()
        t.kept.append(t.socket)
        t.socket.setblocking(False)
        said(t.socket.connect, l.getsockname())
        t.settle()


@state
def connected_unsaid(t):
    """Connected, but no call has said so."""
    t.socket = tcp()
    t.socket.setblocking(False)
    said(t.socket.connect, t.name)
    t.peer, _ = t.kept[0].accept()
    until(t.socket, select.POLLOUT)


@state
def refused_unsaid(t):
    t.socket = tcp()
    t.socket.setblocking(False)
    said(t.socket.connect, t.far(closed_port, t.far.address))
    until(t.socket, select.POLLOUT)


@state
def refused(t):
    """By a connect() that waited."""
    t.socket = tcp()
    said(t.socket.connect, t.far(closed_port, t.far.address))


@state
def refused_said(t):
    """By one that did not, and SO_ERROR has said so."""
    refused_unsaid(t)
    error(t.socket)


@state
def connected(t):
    t.connect()


@state
def accepted(t):
    t.socket, t.peer = t.incoming()


@state
def data_waits(t):
    t.connect()
    t.peer.send(b"data")
    until(t.socket, select.POLLIN)


@state
def peer_shut_write(t):
    t.connect()
    t.peer.shutdown(socket.SHUT_WR)
    until(t.socket, select.POLLRDHUP)


@state
def data_and_end(t):
    t.connect()
    t.peer.send(b"data")
    t.peer.shutdown(socket.SHUT_WR)
    until(t.socket, select.POLLRDHUP)


@state
def peer_closed(t):
    t.connect()
    t.peer.close()
    t.peer = None
    until(t.socket, select.POLLRDHUP)


@state
def shut_write(t):
    t.connect()
    t.socket.shutdown(socket.SHUT_WR)
    until(t.peer, select.POLLRDHUP)
    end_is_acknowledged(t.socket)


@state
def shut_read(t):
    t.connect()
    t.socket.shutdown(socket.SHUT_RD)


@state
def shut_both(t):
    t.connect()
    t.socket.shutdown(socket.SHUT_RDWR)
    until(t.peer, select.POLLRDHUP)
    end_is_acknowledged(t.socket)


@state
def ended(t):
    """Both sides have said that they write no more."""
    shut_write(t)
    t.peer.shutdown(socket.SHUT_WR)
    until(t.socket, select.POLLHUP)
    t.settle()


@state
def reset_by_peer(t):
    t.connect()
    reset(t.peer)
    t.peer = None
    until(t.socket, select.POLLERR)


@state
def data_and_reset(t):
    t.connect()
    t.peer.send(b"data")
    until(t.socket, select.POLLIN)
    reset(t.peer)
    t.peer = None
    until(t.socket, select.POLLERR)


@state
def reset_after_end(t):
    """The peer has closed, data came to it all the same."""
    peer_closed(t)
    t.socket.send(b"x")
    until(t.socket, select.POLLERR)


@state
def reset_by_unread(t):
    """The peer has closed with data of ours unread."""
    t.connect()
    t.socket.send(b"never read")
    until(t.peer, select.POLLIN)
    t.peer.close()
    t.peer = None
    until(t.socket, select.POLLERR)


@state
def reset_said(t):
    reset_by_peer(t)
    said(t.socket.recv, 1)


@state
def reset_while_queued(t):
    listening_queued(t)
    l = t.socket
    reset(t.peer)
    t.peer = None
    t.settle()
    t.socket, _ = l.accept()
    t.kept.append(l)


@state
def disconnected(t):
    """By connect() to AF_UNSPEC."""
    from cases.tcp_calls import disconnect
    t.connect()
    disconnect(t.socket)
    until(t.peer, select.POLLERR)
    error(t.socket)


@state
def lingering(t):
    """Connected, and a close is to reset it."""
    t.connect()
    linger(t.socket, 0)
