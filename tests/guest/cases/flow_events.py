"""What poll, select and epoll say in every transition of a stream, and SIGIO."""

import array
import fcntl
import os
import select
import signal
import socket
import termios

from kit import bits, case, closed_port, error, eventually, later, listener, pair, reset, said, settle, tcp, until
from streams import EDGES, Edges, arrived, fill, with_sigpipe
from cases.flow import drain

F_SETSIG = 10


@case
def edges_of_data(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    yield "at first", e.now()
    yield "then", e.now()
    b.send(b"1")
    yield "data", e.next()
    yield "no more", e.now()
    b.send(b"2")
    yield "more data", e.next()
    arrived(a, 2)
    a.recv(1)
    yield "a part is read", e.now()
    b.send(b"3")
    yield "data behind it", e.next()


@case(differs={"closed": "second-edge"})
def edges_of_half_closes(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    b.shutdown(socket.SHUT_WR)
    yield "peer's end", e.next()
    yield "no more", e.now()
    a.shutdown(socket.SHUT_WR)
    yield "own end", e.now()
    until(b, select.POLLHUP)
    b.close()
    yield "peer's name", eventually(a.getpeername, "ENOTCONN")
    yield "closed", e.now()
    yield "poll", bits(a)


@case
def edges_of_a_close(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    b.close()
    yield "closed", e.next()
    yield "no more", e.now()


@case
def edges_of_data_and_close(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    b.send(b"x")
    b.close()
    until(a, select.POLLRDHUP)
    yield "both", e.next()
    yield "no more", e.now()


@case
def edges_of_a_reset(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    reset(b)
    until(a, select.POLLHUP)
    yield "reset", e.next()
    yield "no more", e.now()
    error(a)
    yield "when SO_ERROR is read", e.now()
    yield "poll", bits(a)


@case(differs={"reset": "reset-after-end", "poll": "reset-after-end"})
def edges_of_a_reset_behind_the_end(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    b.shutdown(socket.SHUT_WR)
    yield "end", e.next()
    reset(b)
    until(a, select.POLLHUP)
    yield "reset", e.next()
    yield "recv", said(a.recv, 1)
    yield "recv again", said(a.recv, 1)
    yield "poll", bits(a)
    yield "error", error(a)


@case(differs={"reset": "reset-after-end"})
def edges_of_a_send_to_nobody(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    b.close()
    yield "end", e.next()
    yield "send", said(a.send, b"x")
    until(a, select.POLLHUP)
    yield "reset", e.next()
    yield "send again", with_sigpipe(a.send, b"y")
    yield "poll", bits(a)
    yield "recv", said(a.recv, 9)


@case
def edges_of_room(near, far):
    a, b = pair(near, far)
    total = fill(a)
    yield "poll, full", bits(a)
    e = Edges(a)
    yield "full", e.now()
    far(drain, b, total)
    yield "room", e.next()
    yield "poll", bits(a)


@case
def one_shot(near, far):
    a, b = pair(near, far)
    e = select.epoll()
    e.register(a, select.EPOLLIN | select.EPOLLONESHOT)
    b.send(b"x")
    arrived(a, 1)
    yield "first", len(e.poll(0))
    yield "second", len(e.poll(0))
    e.modify(a, select.EPOLLIN | select.EPOLLONESHOT)
    yield "armed again", len(e.poll(0))
    e.modify(a, select.EPOLLIN)
    yield "level", (len(e.poll(0)), len(e.poll(0)))


@case(differs={"recv of what came then": "shutdown-read"})
def edges_of_shutdown_read(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    a.shutdown(socket.SHUT_RD)
    yield "shutdown", e.now()
    yield "poll", bits(a)
    yield "recv", said(a.recv, 1)
    yield "peer's send", said(b.send, b"x")
    settle(near, far)
    yield "recv of what came then", said(a.recv, 1)
    yield "and then", said(a.recv, 1)


@case
def edges_of_shutdown_write(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    a.shutdown(socket.SHUT_WR)
    yield "shutdown", e.now()
    yield "poll", bits(a)
    b.send(b"x")
    yield "data", e.next()
    b.close()
    until(a, select.POLLHUP)
    yield "end", e.next()


@case
def edges_of_shutdown_both(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    e.now()
    a.shutdown(socket.SHUT_RDWR)
    yield "shutdown", e.now()
    yield "poll", bits(a)
    yield "peer's poll", until(b, select.POLLRDHUP)
    yield "peer's recv", said(b.recv, 1)


@case
def shutdown_of_what_is_shut(near, far):
    a, b = pair(near, far)
    yield "write", said(a.shutdown, socket.SHUT_WR)
    yield "write again", said(a.shutdown, socket.SHUT_WR)
    yield "read", said(a.shutdown, socket.SHUT_RD)
    yield "both", said(a.shutdown, socket.SHUT_RDWR)
    until(b, select.POLLRDHUP)
    b.close()
    yield "write, when both have ended", eventually(lambda: a.shutdown(socket.SHUT_WR), "ENOTCONN")
    yield "wrong", said(a.shutdown, 3)
    yield "read, when both have ended", said(a.shutdown, socket.SHUT_RD)
    yield "own name", len(a.getsockname())
    yield "peer's name", said(a.getpeername)
    yield "type", a.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)


@case
def shutdown_after_a_reset(near, far):
    a, b = pair(near, far)
    reset(b)
    until(a, select.POLLHUP)
    for how in (socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR):
        yield str(how), said(a.shutdown, how)


@case
def edges_of_a_listener(near, far):
    l = far(listener, address=far.address)
    e = far(Edges, l)
    yield "at first", e.now()
    c = near(tcp)
    c.connect(l.getsockname())
    yield "connection", e.next()
    yield "no more", e.now()
    d = near(tcp)
    d.connect(l.getsockname())
    yield "another", e.next()
    one = l.accept()
    yield "when one is accepted", e.now()
    yield "poll", bits(l)
    two = l.accept()
    yield "poll then", bits(l)
    del one, two


@case
def edges_of_what_is_accepted(near, far):
    l = far(listener, address=far.address)
    c = near(tcp)
    c.connect(l.getsockname())
    c.send(b"x")
    a, _ = l.accept()
    arrived(a, 1)
    e = far(Edges, a)
    yield "at first", e.now()
    yield "no more", e.now()


@case(differs={"connected": "connect-edge"})
def edges_of_connect(near, far):
    l = far(listener, address=far.address)
    c = near(tcp)
    e = Edges(c)
    yield "fresh", e.now()
    yield "no more", e.now()
    c.connect(l.getsockname())
    yield "connected", e.now()
    yield "poll", bits(c)


@case
def edges_of_connect_without_waiting(near, far):
    l = far(listener, address=far.address)
    c = near(tcp)
    c.setblocking(False)
    e = Edges(c)
    yield "fresh", e.now()
    yield "connect", said(c.connect, l.getsockname())
    until(c, select.POLLOUT)
    yield "connected", e.next()
    yield "no more", e.now()


@case
def edges_of_a_refusal(near, far):
    c = near(tcp)
    c.setblocking(False)
    e = Edges(c)
    e.now()
    yield "connect", said(c.connect, far(closed_port, far.address))
    until(c, select.POLLHUP)
    yield "refused", e.next()
    yield "no more", e.now()
    yield "error", error(c)
    yield "poll", bits(c)


@case
def exclusive_waiters(near, far):
    l = far(listener, address=far.address)
    epolls = far(exclusive, l, 3)
    c = near(tcp)
    c.connect(l.getsockname())
    yield "somebody is woken", epolls.wait() in (1, 2, 3)


def exclusive(l, count):
    def poll():
        e = select.epoll()
        e.register(l, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        woken.append(len(e.poll(2)))

    def all_of_them():
        waiters = [later(poll) for _ in range(count)]
        for w in waiters:
            w.wait()
        return sum(woken)

    woken = []
    return later(all_of_them)


@case
def events_that_nobody_asked_for(near, far):
    a, b = pair(near, far)
    e = Edges(a, 0)
    yield "at first", e.now()
    reset(b)
    yield "reset", e.next()


def selected(s):
    return [len(x) for x in select.select([s], [s], [s], 0)]


@case
def select_in_each_state(near, far):
    a, b = pair(near, far)
    yield "fresh", selected(tcp())
    yield "connected", selected(a)
    b.send(b"x")
    arrived(a, 1)
    yield "data", selected(a)
    a.recv(1)
    b.shutdown(socket.SHUT_WR)
    until(a, select.POLLRDHUP)
    yield "end", selected(a)
    reset(b)
    until(a, select.POLLHUP)
    yield "reset", selected(a)
    yield "listener", selected(listener())


@case
def poll_waits_its_time(near, far):
    a, b = pair(near, far)
    p = select.poll()
    p.register(a, select.POLLIN)
    yield "no data", len(p.poll(20))
    waits = later(p.poll, 10000).asleep()
    b.send(b"x")
    yield "data", len(waits.wait())


def async_io(s, number=signal.SIGIO):
    caught = []
    signal.signal(number, lambda *_: caught.append("caught"))
    fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(s, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    caught.clear()
    return caught


@case
def sigio_of_data_and_end(near, far):
    a, b = pair(near, far)
    caught = async_io(a)
    b.send(b"x")
    yield "data", eventually(lambda: caught[:1], ["caught"])
    caught.clear()
    b.close()
    yield "end", eventually(lambda: caught[:1], ["caught"])


@case
def sigio_of_a_listener(near, far):
    l = near(listener, address=near.address)
    caught = async_io(l)
    c = far(tcp)
    c.connect(l.getsockname())
    yield "connection", eventually(lambda: caught[:1], ["caught"])
    yield "accept", said(lambda: bool(l.accept()))


@case
def sigio_of_a_reset(near, far):
    a, b = pair(near, far)
    caught = async_io(a)
    reset(b)
    yield "reset", eventually(lambda: caught[:1], ["caught"])


@case
def sigio_with_information(near, far):
    a, b = pair(near, far)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(a, F_SETSIG, signal.SIGRTMIN)
    fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    b.send(b"x")
    information = signal.sigtimedwait([signal.SIGRTMIN], 5)
    yield "band", information.si_band
    yield "code", information.si_code


@case
def flags_by_ioctl(near, far):
    a, _ = pair(near, far)
    on = array.array("i", [1])
    fcntl.ioctl(a, termios.FIOASYNC, on)
    fcntl.ioctl(a, termios.FIONBIO, on)
    yield "O_ASYNC", bool(fcntl.fcntl(a, fcntl.F_GETFL) & os.O_ASYNC)
    yield "recv", said(a.recv, 1)
    yield "recvfrom", said(a.recvfrom, 1)


@case
def epoll_of_a_copy(near, far):
    """A registration belongs to the descriptor and its open socket, whichever is closed."""
    a, b = pair(near, far)
    copy = a.dup()
    e = Edges(copy, EDGES)
    e.now()
    a.close()
    b.send(b"x")
    yield "data", e.next()
    copy.recv(1)
    copy.close()
    yield "peer", until(b, select.POLLRDHUP)
    yield "closed", e.now()


@case(differs={"three": "poll-lowat"})
def low_water_holds_poll(near, far):
    a, b = pair(near, far)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
    b.send(b"abc")
    arrived(a, 3)
    yield "three", bits(a)
    b.send(b"d")
    yield "four", until(a, select.POLLIN)
    yield "recv", said(a.recv, 9)
    b.send(b"ef")
    b.close()
    yield "the end", until(a, select.POLLRDHUP)
    yield "recv then", said(a.recv, 9)
    yield "and then", said(a.recv, 9)
