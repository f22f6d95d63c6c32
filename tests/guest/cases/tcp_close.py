"""How a connection ends: half, orderly, by a reset; and what is seen of it."""

import os
import select
import signal
import socket

from cases.tcp_calls import disconnect
from kit import (WAIT, bits, case, error, eventually, later, linger, listener, pair, read_all, reset, said,
                 settle, tcp, until)
from streams import fill


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


@case(differs={"poll": "reset-after-end"})
def reset_by_late_data(near, far):
    a, b = pair(near, far)
    b.close()
    until(a, select.POLLRDHUP)
    yield "send", said(a.send, b"x")
    yield "poll", until(a, select.POLLHUP)
    yield "recv", said(a.recv, 1)
    yield "send after the reset", said(a.send, b"y")
    yield "send once more", said(a.send, b"z")


@case
def shut_both(near, far):
    a, b = pair(near, far)
    yield "shutdown", said(a.shutdown, socket.SHUT_RDWR)
    yield "recv", said(a.recv, 1)
    yield "send", said(a.send, b"x")
    yield "peer's recv", said(b.recv, 1)
    yield "peer's poll", until(b, select.POLLRDHUP)
    yield "peer's shutdown", said(b.shutdown, socket.SHUT_RDWR)
    yield "poll", until(a, select.POLLHUP)


@case
def sent_then_exited(near, far):
    l = far(listener, address=far.address)
    name = l.getsockname()
    pid = os.fork()
    if pid == 0:
        s = tcp()
        s.connect(name)
        s.sendall(b"z" * 300000)
        os._exit(0)
    b, _ = l.accept()
    os.waitpid(pid, 0)
    yield "peer reads", len(read_all(b))


@case
def closed_with_linger_0_at_once(near, far):
    """No time lies between the option and the close; the peer has nothing but a reset."""
    l = far(listener, address=far.address)
    name = l.getsockname()
    seen = set()
    for _ in range(100):
        a = tcp()
        a.connect(name)
        b, _ = l.accept()
        a.send(b"x")
        b.recv(1)
        reset(b)
        seen.add(said(a.recv, 1))
        a.close()
    yield "recv", sorted(seen)


@case
def written_before_a_close_with_data_unread(near, far):
    """What was written comes before the reset."""
    l = far(listener, address=far.address)
    name = l.getsockname()
    seen = set()
    for _ in range(100):
        a = tcp()
        a.connect(name)
        a.send(b"unread")
        b, _ = l.accept()
        b.recv(1, socket.MSG_PEEK)
        b.send(b"refused")
        b.close()
        seen.add((said(a.recv, 100), said(a.recv, 100)))
        a.close()
    yield "recv twice", sorted(seen)


@case
def user_timeout_of_a_closed_window(near, far):
    """The peer lives and does not read (RFC 5482; the kernel counts its probes too)."""
    a, _ = pair(near, far)
    fill(a)
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    yield "poll", until(a, select.POLLERR)
    yield "SO_ERROR", error(a)
    yield "recv", said(a.recv, 1)
    yield "send", said(a.send, b"x")
    yield "getpeername", said(a.getpeername)


@case(differs={"close waits": "linger-wait"})
def linger_until_it_is_read(near, far):
    """close() waits for the data; the number of seconds is but its limit."""
    a, b = pair(near, far)
    total = fill(a)
    a.setblocking(True)
    linger(a, 2 * WAIT)
    closing = later(a.close)
    settle(near, far)
    yield "close waits", not closing.ended()
    yield "peer reads all", len(read_all(b)) == total
    yield "close", closing.wait()


@case
def reset_of_a_half_closed(near, far):
    """Never a clean end: what was to come is missing."""
    for how in ("at once", "after data", "when all was full"):
        a, b = pair(near, far)
        if how == "when all was full":
            fill(a)
            a.setblocking(True)
        a.shutdown(socket.SHUT_WR)
        if how == "after data":
            b.send(b"part")
            until(a, select.POLLIN)
        reset(b)
        until(a, select.POLLERR)
        yield how + ", poll", until(a, select.POLLOUT)  # what lay there is freed behind the error
        if how == "after data":
            yield how + ", recv", said(a.recv, 9)
        yield how + ", recv then", said(a.recv, 9)
        yield how + ", SO_ERROR", error(a)


@case
def shutdown_behind_urgent_data(near, far):
    a, b = pair(near, far)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    a.send(b"ab!", socket.MSG_OOB)
    a.shutdown(socket.SHUT_WR)
    yield "peer reads all", read_all(b)
    b.send(b"answer")
    b.close()
    yield "reads all", read_all(a)
    yield "poll", until(a, select.POLLHUP)


@case(differs={"peer's poll": "reset-after-end"})
def close_of_a_half_closed_with_data_unread(near, far):
    a, b = pair(near, far)
    a.shutdown(socket.SHUT_WR)
    until(b, select.POLLRDHUP)
    b.send(b"never read")
    until(a, select.POLLIN)
    a.close()
    yield "peer's poll", until(b, select.POLLERR)
    yield "peer's SO_ERROR", error(b)


@case
def both_shut_and_nothing_lost(near, far):
    """Each side ends its sending and reads the other's to the end, whoever is first."""
    for i in range(8):
        a, b = pair(near, far)
        a.send(b"q" * 50000)
        a.shutdown(socket.SHUT_WR)
        asked = far(later, read_all, b)
        asked = len(asked.wait())
        b.send(b"a" * 50000)
        b.shutdown(socket.SHUT_WR)
        got = read_all(a)
        a.close()
        b.close()
        yield f"connection {i}", (asked, len(got))


@case(differs={"poll": "reset-after-end"})
def end_and_reset_of_a_half_closed(near, far):
    """They come together; what was read before them ends in order."""
    a, b = pair(near, far)
    a.send(b"never read")
    until(b, select.POLLIN)
    a.shutdown(socket.SHUT_WR)
    b.send(b"hi")
    b.shutdown(socket.SHUT_WR)
    b.close()
    until(a, select.POLLHUP)
    yield "poll", bits(a)
    yield "recv", said(a.recv, 9)
    yield "recv then", said(a.recv, 9)
    yield "recv at last", said(a.recv, 9)


@case
def half_closed_copy_elsewhere(near, far):
    """Whoever holds the socket last reads the peer's end as an end."""
    a, b = pair(near, far)
    said_, says = os.pipe()
    go, goes = os.pipe()
    a.shutdown(socket.SHUT_WR)
    pid = os.fork()
    if pid == 0:
        try:
            os.read(go, 1)
            os.write(says, repr((read_all(a), said(a.recv, 1))).encode())
        finally:
            os._exit(0)
    a.close()
    b.send(b"reply")
    b.close()
    os.write(goes, b"x")
    yield "copy reads", os.read(said_, 99)
    yield "and ends", os.waitpid(pid, 0)[1]


# --- both directions shut down, and not closed -----------------------------------------------------


FIN_WAIT_2, CLOSE, LAST_ACK = 5, 7, 9


def state(s):
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def shut(a, b, how):
    """Both of a, in one call or two; the peer has acknowledged it."""
    for h in how:
        a.shutdown(h)
    until(b, select.POLLRDHUP)
    return eventually(lambda: state(a), FIN_WAIT_2)


def failed(s):
    """What poll() says at last: it has said HUP since the shutdown."""
    return eventually(lambda: bits(s), "IN|OUT|ERR|HUP|RDHUP")


SHUTS = {"at once": (socket.SHUT_RDWR,), "read first": (socket.SHUT_RD, socket.SHUT_WR),
         "write first": (socket.SHUT_WR, socket.SHUT_RD)}


@case
def shut_both_is_a_connection(near, far):
    """Until the peer ends, too."""
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        there = a.getpeername()
        yield f"{name}, state", shut(a, b, how)
        yield f"{name}, getpeername", a.getpeername() == there
        yield f"{name}, shutdown", said(a.shutdown, socket.SHUT_RDWR)
        yield f"{name}, connect", said(a.connect, there)
        b.shutdown(socket.SHUT_WR)
        yield f"{name}, state then", eventually(lambda s=a: state(s), CLOSE)
        yield f"{name}, getpeername then", eventually(a.getpeername, "ENOTCONN")
        yield f"{name}, poll", bits(a)
        yield f"{name}, SO_ERROR", error(a)


@case
def data_after_shut_both(near, far):
    """They are lost, and both sides hear of it."""
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        shut(a, b, how)
        yield f"{name}, peer's send", said(b.send, b"too late")
        yield f"{name}, poll", failed(a)
        yield f"{name}, SO_ERROR", error(a)
        yield f"{name}, recv", said(a.recv, 1)
        yield f"{name}, state", eventually(lambda s=a: state(s), CLOSE)
        yield f"{name}, peer's send again", eventually(lambda s=b: s.send(b"x"), "EPIPE")


@case
def reset_after_shut_both(near, far):
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        shut(a, b, how)
        reset(b)
        yield f"{name}, poll", failed(a)
        yield f"{name}, getpeername", said(a.getpeername)
        yield f"{name}, SO_ERROR", error(a)
        yield f"{name}, SO_ERROR again", error(a)
        yield f"{name}, poll then", bits(a)


@case
def close_after_shut_both(near, far):
    """In order: the peer may still send, and is refused then."""
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        shut(a, b, how)
        a.close()
        settle(near, far)
        yield f"{name}, peer's poll", bits(b)
        yield f"{name}, peer's send", said(b.send, b"x")
        yield f"{name}, peer's send then", eventually(lambda s=b: s.send(b"x"), "EPIPE")


@case
def close_with_data_unread_after_shut_both(near, far):
    """A reset, of which the peer's sends say that nobody is there."""
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        b.send(b"never read")
        until(a, select.POLLIN)
        shut(a, b, how)
        yield f"{name}, peer's poll", bits(b)
        a.close()
        yield f"{name}, peer's recv", said(b.recv, 9)
        until(b, select.POLLHUP)
        yield f"{name}, peer's send", said(b.send, b"x")


@case
def linger_0_after_shut_both(near, far):
    for name, how in SHUTS.items():
        a, b = pair(near, far)
        shut(a, b, how)
        linger(a, 0)
        yield f"{name}, peer's poll", bits(b)
        a.close()
        until(b, select.POLLHUP)
        yield f"{name}, peer's recv", said(b.recv, 9)
        yield f"{name}, peer's send", said(b.send, b"x")


@case
def copy_after_shut_both(near, far):
    """The connection is there as long as anybody holds it."""
    a, b = pair(near, far)
    go, goes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(go, 1)
        os._exit(0)
    shut(a, b, (socket.SHUT_RDWR,))
    copy = a.dup()
    a.close()
    settle(near, far)
    yield "of a copy, state", state(copy)
    linger(copy, 0)
    copy.close()
    settle(near, far)
    yield "of a child, peer's poll", bits(b)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    until(b, select.POLLHUP)
    yield "of nobody, peer's send", said(b.send, b"x")
    os.close(go)
    os.close(goes)


@case
def passed_on_after_shut_both(near, far):
    """It is held by nobody, and still on its way."""
    a, b = pair(near, far)
    left, right = socket.socketpair(socket.AF_UNIX)
    shut(a, b, (socket.SHUT_RDWR,))
    socket.send_fds(left, [b"x"], [a.fileno()])
    a.close()
    settle(near, far)
    yield "peer's poll", bits(b)
    fd = socket.recv_fds(right, 1, 1)[1][0]
    with socket.socket(fileno=fd) as again:
        yield "state", state(again)
        b.shutdown(socket.SHUT_WR)
        yield "poll", eventually(lambda: state(again), CLOSE)


@case
def shut_both_of_what_is_not_yet_sent(near, far):
    """It comes to the peer all the same, before the end."""
    a, b = pair(near, far)
    total = fill(a)
    a.setblocking(True)
    a.shutdown(socket.SHUT_RDWR)
    yield "getpeername", a.getpeername() == b.getsockname()
    yield "peer reads all", len(read_all(b)) == total
    yield "state", eventually(lambda: state(a), FIN_WAIT_2)
    b.close()
    yield "state then", eventually(lambda: state(a), CLOSE)


@case
def closed_after_shut_both_and_not_yet_sent(near, far):
    a, b = pair(near, far)
    total = fill(a)
    a.setblocking(True)
    a.shutdown(socket.SHUT_RDWR)
    a.close()
    settle(near, far)
    yield "peer reads all", len(read_all(b)) == total


@case
def shut_both_behind_the_peers_end(near, far):
    a, b = pair(near, far)
    b.send(b"last")
    b.shutdown(socket.SHUT_WR)
    until(a, select.POLLRDHUP)
    yield "shutdown", said(a.shutdown, socket.SHUT_RDWR)
    yield "peer's poll", until(b, select.POLLHUP)
    yield "state", eventually(lambda: state(a), CLOSE)
    yield "recv", said(a.recv, 9)
    yield "recv then", said(a.recv, 9)
    yield "SO_ERROR", error(a)


@case
def disconnected_after_shut_both(near, far):
    a, b = pair(near, far)
    with far(listener, address=far.address) as l:
        shut(a, b, (socket.SHUT_RDWR,))
        disconnect(a)
        yield "connect", said(a.connect, l.getsockname())
        c, _ = l.accept()
    yield "send", said(a.send, b"again")
    yield "peer's recv", said(c.recv, 9)
    c.close()
    yield "poll", until(a, select.POLLRDHUP)


@case
def shut_both_wakes(near, far):
    """Calls that wait in other threads."""
    for name, call in ("recv", lambda s: s.recv(1)), ("recvmsg", lambda s: s.recvmsg(1, 100)), (
            "poll", lambda s: until(s, select.POLLHUP)):
        a, b = pair(near, far)
        waiting = later(call, a).asleep()
        a.shutdown(socket.SHUT_RDWR)
        got = waiting.wait()
        yield name, got if isinstance(got, (str, bytes)) else got[0]
        yield f"{name}, getpeername", a.getpeername() == b.getsockname()
    a, b = pair(near, far)
    fill(a)
    a.setblocking(True)
    waiting = later(a.sendall, b"x" * 1000000).asleep()
    a.shutdown(socket.SHUT_RDWR)
    yield "send", waiting.wait()
