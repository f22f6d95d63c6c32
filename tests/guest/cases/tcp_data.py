"""What a stream carries, and how."""

import ctypes
import fcntl
import os
import select
import signal
import socket
import sys

from kit import LIBC, bits, case, eventually, later, pair, read_all, said, until
from streams import fill


def pattern(size):
    return bytes(i % 251 for i in range(1000)) * (size // 1000)


def echo(s):
    while d := s.recv(65536):
        s.sendall(d)
    s.shutdown(socket.SHUT_WR)


def send_all(s, size):
    s.sendall(pattern(size))
    s.shutdown(socket.SHUT_WR)


@case
def much_both_ways(near, far):
    a, b = pair(near, far)
    size = 3_000_000
    answers = far(later, echo, b)
    sends = later(send_all, a, size)
    got = read_all(a)
    yield "length", len(got)
    yield "is what was sent", got == pattern(size)
    yield "sender", sends.wait()
    yield "peer", answers.wait()


def drain(s, size):
    while size:
        size -= len(s.recv(min(size, 1 << 20)))
    return "all"


@case
def full_send_queue(near, far):
    a, b = pair(near, far)
    total = fill(a)
    yield "poll", bits(a)
    yield "is much", total > 100000
    yield "peer has", far(drain, b, total)
    yield "poll when it is read", until(a, select.POLLOUT)


@case
def peek_and_waitall(near, far):
    a, b = pair(near, far)
    a.sendall(b"0123456789")
    until(b, select.POLLIN)
    yield "PEEK", said(b.recv, 4, socket.MSG_PEEK)
    yield "WAITALL", said(b.recv, 10, socket.MSG_WAITALL)
    yield "DONTWAIT", said(b.recv, 1, socket.MSG_DONTWAIT)


def discard(s, size):
    return LIBC.recv(s.fileno(), None, size, socket.MSG_TRUNC)


@case
def stream_names_and_flags(near, far):
    a, b = pair(near, far)
    a.sendall(b"0123456789")
    until(b, select.POLLIN)
    yield "recvfrom", b.recvfrom(2)
    yield "TRUNC", far(discard, b, 3)
    yield "recvmsg", b.recvmsg(100, 100)
    b.send(b"ab")
    until(a, select.POLLIN)
    name, length = ctypes.create_string_buffer(64), ctypes.c_uint(64)
    yield "recvfrom with a name", LIBC.recvfrom(a.fileno(), ctypes.create_string_buffer(8), 8, 0, name,
                                                ctypes.byref(length))
    yield "its length", length.value
    yield "ERRQUEUE", said(b.recv, 1, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    yield "sendto", said(a.sendto, b"xy", ("127.0.0.1", 1))
    yield "peer's recv", said(b.recv, 9)


@case
def urgent_data(near, far):
    a, b = pair(far, near)
    caught = []
    signal.signal(signal.SIGURG, lambda *_: caught.append("SIGURG"))
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"abc")
    a.send(b"!", socket.MSG_OOB)
    yield "poll", until(b, select.POLLPRI)
    yield "recv OOB", said(b.recv, 1, socket.MSG_OOB)
    yield "recv", said(b.recv, 10)
    yield "signal", eventually(lambda: caught[:1], ["SIGURG"])


@case
def send_a_file(near, far):
    a, b = pair(near, far)
    with open(sys.argv[0], "rb") as f:
        whole = f.read()
        sent = 0
        while sent < len(whole):
            sent += os.sendfile(a.fileno(), f.fileno(), sent, len(whole) - sent)
    a.close()
    yield "peer reads", read_all(b) == whole
