"""Urgent data: MSG_OOB, SIGURG, EPOLLPRI, SIOCATMARK, SO_OOBINLINE."""

import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import threading

from kit import bits, case, eventually, later, pair, said, until, waits
from streams import Edges, arrived, at_mark, call, fill, unread

OOB, PEEK, DONTWAIT, WAITALL = socket.MSG_OOB, socket.MSG_PEEK, socket.MSG_DONTWAIT, socket.MSG_WAITALL
READABLE = select.POLLIN | select.POLLPRI
F_SETSIG = 10
FIOSETOWN, FIOGETOWN, SIOCSPGRP, SIOCGPGRP = 0x8901, 0x8903, 0x8902, 0x8904


def urgent(near, far, text, behind=b"", inline=False):
    """A connection; at near's end text, the last byte of which is urgent, and what comes behind it."""
    a, b = pair(near, far)
    if inline:
        a.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    b.send(text, OOB)
    until(a, select.POLLPRI)
    if behind:
        b.send(behind)
        b.shutdown(socket.SHUT_WR)
        until(a, select.POLLRDHUP)
    return a, b


@case(differs={"FIONREAD": "urgent-readable"})
def urgent_byte(near, far):
    a, _ = urgent(near, far, b"ab!")
    yield "poll", bits(a, READABLE)
    yield "FIONREAD", unread(a)
    yield "at mark", at_mark(a)
    yield "recv", said(a.recv, 9)
    yield "at mark then", at_mark(a)
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "recv OOB again", said(a.recv, 1, OOB)
    yield "recv then", said(a.recv, 1, DONTWAIT)


@case(differs={"FIONREAD": "urgent-readable", "FIONREAD then": "urgent-readable"})
def urgent_byte_amid_data(near, far):
    a, _ = urgent(near, far, b"ab!", b"cd")
    yield "FIONREAD", unread(a)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "FIONREAD then", unread(a)
    yield "recv behind it", said(a.recv, 9)
    yield "at mark then", at_mark(a)
    yield "recv OOB, too late", said(a.recv, 1, OOB)
    yield "the end", said(a.recv, 9)


@case
def urgent_byte_read_first(near, far):
    a, _ = urgent(near, far, b"ab!", b"cd")
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "poll", bits(a, READABLE)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "recv behind it", said(a.recv, 9)
    yield "at mark then", at_mark(a)


@case
def urgent_byte_peeked(near, far):
    a, _ = urgent(near, far, b"!")
    yield "peek", said(a.recv, 1, OOB | PEEK)
    yield "recv", said(a.recv, 1, OOB)
    yield "peek then", said(a.recv, 1, OOB | PEEK)


@case
def peek_stops_at_the_mark(near, far):
    a, _ = urgent(near, far, b"ab!", b"cd")
    yield "peek", said(a.recv, 9, PEEK)
    yield "recv", said(a.recv, 2)
    yield "at mark", at_mark(a)
    yield "peek behind it", said(a.recv, 9, PEEK)
    yield "still at mark", at_mark(a)
    yield "recv behind it", said(a.recv, 9)


@case
def no_urgent_byte(near, far):
    a, b = pair(near, far)
    yield "recv", said(a.recv, 1, OOB)
    yield "recvfrom", said(a.recvfrom, 1, OOB)
    yield "recvmsg", said(a.recvmsg, 1, 0, OOB)
    yield "at mark", at_mark(a)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    yield "inline", said(a.recv, 1, OOB)
    b.close()
    until(a, select.POLLRDHUP)
    yield "behind the end", said(a.recv, 1, OOB)


@case
def urgent_byte_by_recvmsg(near, far):
    a, _ = urgent(near, far, b"!")
    yield "recvmsg", a.recvmsg(9, 0, OOB)
    a, _ = urgent(near, far, b"!")
    yield "recvfrom", a.recvfrom(9, OOB)


@case
def urgent_byte_inline(near, far):
    a, _ = urgent(near, far, b"ab!", b"cd", inline=True)
    yield "poll", bits(a, READABLE)
    yield "FIONREAD", unread(a)
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "poll at the mark", bits(a, READABLE)
    yield "recv of it", said(a.recv, 9)
    yield "at mark then", at_mark(a)
    yield "poll then", bits(a, READABLE)


@case
def urgent_byte_made_inline_late(near, far):
    a, _ = urgent(near, far, b"ab!", b"cd")
    a.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "recv behind it", said(a.recv, 9)


@case
def second_urgent_byte(near, far):
    """Only one is urgent at a time: the first becomes data."""
    a, b = urgent(near, far, b"a1")
    b.send(b"b2", OOB)
    b.shutdown(socket.SHUT_WR)
    until(a, select.POLLRDHUP)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "recv then", said(a.recv, 9)


@case
def second_urgent_byte_after_the_first_is_read(near, far):
    a, b = urgent(near, far, b"1")
    yield "first", said(a.recv, 1, OOB)
    b.send(b"2", OOB)
    yield "second comes", eventually(lambda: bits(a, select.POLLPRI), "PRI")
    yield "second", said(a.recv, 1, OOB)
    yield "recv", said(a.recv, 9, DONTWAIT)


@case
def three_urgent_bytes_inline(near, far):
    a, b = pair(near, far)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    for count, text in enumerate((b"a1", b"b2", b"c3"), 1):
        b.send(text, OOB)
        arrived(a, 2 * count)
    b.send(b"d")
    arrived(a, 7)
    yield "up to the last mark", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "recv", said(a.recv, 9)
    yield "at mark then", at_mark(a)


@case
def urgent_byte_is_the_last(near, far):
    a, b = urgent(near, far, b"ab!")
    b.close()
    until(a, select.POLLRDHUP)
    yield "poll", bits(a, READABLE | select.POLLRDHUP)
    yield "recv", said(a.recv, 9)
    yield "at mark", at_mark(a)
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "the end", said(a.recv, 9)


@case
def urgent_byte_is_passed_by(near, far):
    a, b = urgent(near, far, b"ab!")
    b.close()
    until(a, select.POLLRDHUP)
    yield "recv", said(a.recv, 9)
    yield "the end", said(a.recv, 9)
    yield "recv OOB", said(a.recv, 1, OOB)


@case
def closed_with_an_urgent_byte_unread(near, far):
    a, b = urgent(near, far, b"!")
    a.close()
    yield "peer's poll", until(b, select.POLLRDHUP)
    yield "peer's recv", said(b.recv, 9)


def handled(number, own):
    """Whether the signal comes when urgent data do."""
    def body(near, far):
        a, b = pair(near, far)
        caught = []
        signal.signal(number, lambda *_: caught.append("caught"))
        own(a)
        b.send(b"!", OOB)
        yield "poll", bits(a) if not until(a, select.POLLPRI) else "urgent"
        yield "signal", eventually(lambda: caught[:1], ["caught"])
    return body


def own_group(s):
    os.setpgid(0, 0)
    fcntl.fcntl(s, fcntl.F_SETOWN, -os.getpid())


def own_and_say(s):
    fcntl.ioctl(s, FIOSETOWN, array.array("i", [os.getpid()]))
    for get in FIOGETOWN, SIOCGPGRP:
        value = array.array("i", [0])
        fcntl.ioctl(s, get, value)
        assert value[0] == os.getpid()


def own_with_signal(s):
    fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(s, F_SETSIG, signal.SIGUSR2)


for how, function in {"a_process": lambda s: fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid()),
                      "a_group": own_group, "fiosetown": own_and_say,
                      "siocspgrp": lambda s: fcntl.ioctl(s, SIOCSPGRP,
                                                         array.array("i", [os.getpid()]))}.items():
    case(handled(signal.SIGURG, function), name=f"sigurg_for_{how}")


@case
def sigurg_has_its_number(near, far):
    """F_SETSIG is for SIGIO only."""
    a, b = pair(near, far)
    caught = []
    for number in signal.SIGURG, signal.SIGUSR2:
        signal.signal(number, lambda n, _: caught.append(signal.Signals(n).name))
    own_with_signal(a)
    b.send(b"!", OOB)
    yield "signal", eventually(lambda: caught[:1], ["SIGURG"])


@case
def sigurg_interrupts(near, far):
    a, b = pair(near, far)
    fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid())
    signal.signal(signal.SIGURG, lambda *_: None)
    signal.siginterrupt(signal.SIGURG, True)
    later(send_when_asleep, threading.get_native_id(), b)
    yield "recv", call("recvfrom", a.fileno(), ctypes.create_string_buffer(9), 9, 0, 0, 0)


def send_when_asleep(thread, s):
    eventually(lambda: waits(thread), True)
    s.send(b"!", OOB)


@case
def urgent_sends(near, far):
    a, b = pair(near, far)
    yield "sendmsg of vectors", said(b.sendmsg, [b"a", b"b"], [], OOB)
    yield "poll", "PRI" in bits(a, READABLE) or until(a, select.POLLPRI) != "never"
    yield "recv", said(a.recv, 9)
    yield "recv OOB", said(a.recv, 1, OOB)
    yield "sendto", said(b.sendto, b"c", OOB, ("127.0.0.1", 9))
    yield "of the sendto", eventually(lambda: bits(a, select.POLLPRI), "PRI")
    yield "recv OOB then", said(a.recv, 1, OOB)


@case
def urgent_edges(near, far):
    a, b = pair(near, far)
    e = Edges(a)
    yield "at first", e.now()
    b.send(b"x")
    yield "data", e.next()
    b.send(b"!", OOB)
    until(a, select.POLLPRI)
    yield "urgent", e.next()
    a.recv(1, OOB)
    yield "when it is read", e.now()
    b.send(b"y")
    yield "data behind it", e.next()


@case(differs={"readable": "urgent-readable", "readable when it is read": "urgent-readable"})
def urgent_by_select(near, far):
    a, _ = urgent(near, far, b"!")
    yield "readable", len(select.select([a], [], [], 0)[0])
    yield "exceptional", len(select.select([], [], [a], 0)[2])
    a.recv(1, OOB)
    yield "readable when it is read", len(select.select([a], [], [], 0)[0])
    yield "exceptional when it is read", len(select.select([], [], [a], 0)[2])


@case
def waitall_stops_at_the_mark(near, far):
    for how, receive in {"recv": lambda s: s.recv(4, WAITALL), "recvfrom": lambda s: s.recvfrom(4, WAITALL)[0]
                         }.items():
        a, _ = urgent(near, far, b"ab!", b"cd")
        yield how, receive(a)
        yield f"{how} behind it", receive(a)


@case
def urgent_byte_far_behind(near, far):
    a, b = pair(near, far)
    b.sendall(bytes(1000))
    b.send(bytes(500) + b"!", OOB)
    b.sendall(bytes(100))
    b.shutdown(socket.SHUT_WR)
    until(a, select.POLLPRI)
    until(a, select.POLLRDHUP)
    yield "before", len(a.recv(9999))
    yield "at mark", at_mark(a)
    yield "it", said(a.recv, 1, OOB)
    yield "behind", len(a.recv(9999))
    yield "at mark then", at_mark(a)


@case
def urgent_both_ways(near, far):
    a, b = pair(near, far)
    a.send(b"to!", OOB)
    b.send(b"fro?", OOB)
    until(a, select.POLLPRI)
    until(b, select.POLLPRI)
    yield "near's byte", said(a.recv, 1, OOB)
    yield "far's byte", said(b.recv, 1, OOB)
    yield "near's data", said(a.recv, 9)
    yield "far's data", said(b.recv, 9)
