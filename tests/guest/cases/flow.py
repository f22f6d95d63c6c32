"""Flags of send and receive on streams, and the calls that move data besides them."""

import array
import ctypes
import os
import select
import socket
import struct
import sys
import time

from kit import (LIBC, bits, case, closed_port, error, eventually, later, listener, pair, read_all, reset,
                 said, settle, tcp, until)
from streams import (NOTSENT_BYTES, SIOCOUTQ, SIOCOUTQNSD, Messages, Vector, arrived, call, fill, info,
                     patience, request, reset_arrives, unread, with_sigpipe)

PEEK, WAITALL, DONTWAIT = socket.MSG_PEEK, socket.MSG_WAITALL, socket.MSG_DONTWAIT
TRUNC, OOB, NOSIGNAL, MORE = socket.MSG_TRUNC, socket.MSG_OOB, socket.MSG_NOSIGNAL, socket.MSG_MORE
FASTOPEN, ERRQUEUE, ZEROCOPY, CLOEXEC = 0x20000000, socket.MSG_ERRQUEUE, 0x4000000, 0x40000000
SO_PEEK_OFF, SO_ZEROCOPY = 42, 60
FASTOPEN_CONNECT = 30
OPTIONS, SYN_DATA = 4, 0x20  # a word of struct tcp_info, and a bit of its second byte


def waiting(near, far, text=b"abcdef"):
    """A connection, and text at near's end of it."""
    a, b = pair(near, far)
    b.sendall(text)
    arrived(a, len(text))
    return a, b


@case
def peek_repeats(near, far):
    a, _ = waiting(near, far)
    yield "two", said(a.recv, 2, PEEK)
    yield "more than there is", said(a.recv, 9, PEEK)
    yield "by recvmsg", a.recvmsg(9, 0, PEEK)
    yield "by recvfrom", a.recvfrom(3, PEEK)
    yield "recv", said(a.recv, 2)
    yield "behind it", said(a.recv, 9, PEEK)
    yield "left", unread(a)


@case
def peek_at_nothing(near, far):
    a, b = pair(near, far)
    yield "DONTWAIT", said(a.recv, 1, PEEK | DONTWAIT)
    b.close()
    until(a, select.POLLRDHUP)
    yield "the end", said(a.recv, 1, PEEK)
    yield "the end again", said(a.recv, 1, PEEK)


@case
def peek_before_reset(near, far):
    a, b = waiting(near, far)
    reset(b)
    reset_arrives(a)
    yield "peek", said(a.recv, 1, PEEK)
    yield "recv", said(a.recv, 9)
    yield "recv then", said(a.recv, 9)
    yield "and then", said(a.recv, 9)


@case
def peek_offset(near, far):
    a, _ = waiting(near, far)
    yield "initial", said(a.getsockopt, socket.SOL_SOCKET, SO_PEEK_OFF)
    yield "set", said(a.setsockopt, socket.SOL_SOCKET, SO_PEEK_OFF, 2)
    yield "peek", said(a.recv, 2, PEEK)
    yield "moved", said(a.getsockopt, socket.SOL_SOCKET, SO_PEEK_OFF)
    yield "next peek", said(a.recv, 1, PEEK)
    yield "recv", said(a.recv, 1)
    yield "moved back", said(a.getsockopt, socket.SOL_SOCKET, SO_PEEK_OFF)
    yield "the rest", said(a.recv, 9, PEEK)
    yield "unset", said(a.setsockopt, socket.SOL_SOCKET, SO_PEEK_OFF, -1)
    yield "from the front", said(a.recv, 9, PEEK)


def waitall_of(receive):
    def body(near, far):
        a, b = pair(near, far)
        waits = later(receive, a, 6).asleep()
        b.sendall(b"abc")
        arrived(a, 0)
        b.sendall(b"defg")
        yield "whole", waits.wait()
        yield "what is behind", said(a.recv, 9)
    return body


for how, function in {"recv": lambda s, n: s.recv(n, WAITALL),
                      "recvfrom": lambda s, n: s.recvfrom(n, WAITALL)[0],
                      "recvmsg": lambda s, n: s.recvmsg(n, 0, WAITALL)[0],
                      "recvmsg_into": lambda s, n: s.recvmsg_into([bytearray(2), bytearray(n - 2)], 0,
                                                                  WAITALL)[0]}.items():
    case(waitall_of(function), name=f"waitall_{how}")


@case
def waitall_up_to_the_end(near, far):
    a, b = waiting(near, far, b"abc")
    b.close()
    yield "recv", said(a.recv, 6, WAITALL)
    yield "then", said(a.recv, 6, WAITALL)


@case
def waitall_with_name_up_to_the_end(near, far):
    a, b = waiting(near, far, b"abc")
    b.close()
    yield "recvfrom", a.recvfrom(6, WAITALL)
    yield "then", a.recvfrom(6, WAITALL)


@case(differs={"what was read before": "waitall-reset"})
def waitall_up_to_a_reset(near, far):
    a, b = waiting(near, far, b"abc")
    waits = later(a.recv, 6, WAITALL).asleep()
    reset(b)
    yield "recv", waits.wait()
    yield "what was read before", said(a.recv, 6)


@case
def waitall_with_name_up_to_a_reset(near, far):
    a, b = waiting(near, far, b"abc")
    waits = later(lambda: a.recvfrom(6, WAITALL)[0]).asleep()
    reset(b)
    yield "recvfrom", waits.wait()
    yield "the reset", said(a.recv, 6)
    yield "then", said(a.recv, 6)


@case
def waitall_up_to_a_timeout(near, far):
    a, _ = waiting(near, far, b"abc")
    patience(a, 0.03)
    yield "recv", said(a.recv, 6, WAITALL)
    yield "recv of nothing", said(a.recv, 6, WAITALL)


@case
def waitall_with_name_up_to_a_timeout(near, far):
    a, _ = waiting(near, far, b"abc")
    patience(a, 0.03)
    yield "recvfrom", a.recvfrom(6, WAITALL)
    yield "recvfrom of nothing", said(a.recvfrom, 6, WAITALL)


@case
def waitall_without_waiting(near, far):
    a, _ = waiting(near, far, b"abc")
    yield "recv", said(a.recv, 6, WAITALL | DONTWAIT)
    yield "recv of nothing", said(a.recv, 6, WAITALL | DONTWAIT)


@case
def waitall_of_much(near, far):
    a, b = pair(near, far)
    far(later, b.sendall, bytes(300000) + b"tail")
    yield "recvfrom", len(a.recvfrom(300000, WAITALL)[0])
    yield "behind it", said(a.recv, 4, WAITALL)


@case
def trunc_throws_away(near, far):
    a, b = waiting(near, far)
    buffer = ctypes.create_string_buffer(b"-" * 9)
    yield "recv", LIBC.recv(a.fileno(), buffer, 3, TRUNC)
    yield "buffer", buffer.value
    yield "with PEEK", LIBC.recv(a.fileno(), None, 2, TRUNC | PEEK)
    yield "without a buffer", LIBC.recv(a.fileno(), None, 100, TRUNC | DONTWAIT)
    yield "of nothing", call("recvfrom", a.fileno(), 0, 100, TRUNC | DONTWAIT, 0, 0)
    b.close()
    yield "of the end", call("recvfrom", a.fileno(), 0, 100, TRUNC, 0, 0)


@case
def trunc_by_recvmsg(near, far):
    a, _ = waiting(near, far)
    _, control, flags, name = a.recvmsg(3, 0, TRUNC)
    yield "says", (control, flags, name)
    yield "left", said(a.recv, 9)


@case
def trunc_of_much(near, far):
    a, b = pair(near, far)
    far(later, b.sendall, bytes(300000) + b"tail")
    yield "all of it", call("recvfrom", a.fileno(), 0, 300000, TRUNC | WAITALL, 0, 0)
    yield "behind it", said(a.recv, 4, WAITALL)


def senders(s, name):
    """Each way to send one byte, by name."""
    source = os.open(sys.argv[0], os.O_RDONLY)
    read, write = os.pipe()
    os.write(write, b"x")
    return {
        "send": lambda: s.send(b"x"),
        "send NOSIGNAL": lambda: s.send(b"x", NOSIGNAL),
        "sendmsg": lambda: s.sendmsg([b"x"]),
        "sendmsg NOSIGNAL": lambda: s.sendmsg([b"x"], [], NOSIGNAL),
        "write": lambda: os.write(s.fileno(), b"x"),
        "writev": lambda: os.writev(s.fileno(), [b"x"]),
        "sendfile": lambda: os.sendfile(s.fileno(), source, 0, 1),
        "splice": lambda: call("splice", read, 0, s.fileno(), 0, 1, 0),
        "sendto": lambda: s.sendto(b"x", name),
        "sendto NOSIGNAL": lambda: s.sendto(b"x", NOSIGNAL, name),
        "send of nothing": lambda: s.send(b""),
        "send OOB": lambda: s.send(b"x", OOB),
        "send DONTWAIT": lambda: s.send(b"x", DONTWAIT),
    }


@case
def sigpipe_after_shutdown(near, far):
    a, _ = pair(near, far)
    name = a.getpeername()
    a.shutdown(socket.SHUT_WR)
    for how, send in senders(a, name).items():
        yield how, with_sigpipe(send)


TRAPPED = ("sendto", "sendto NOSIGNAL")
FRESH = {how: "unconnected-send" for how in senders(None, None) if how not in TRAPPED}


@case(differs=FRESH)
def sending_on_fresh(near):
    for how, send in senders(tcp(), ("127.0.0.1", 9)).items():
        yield how, with_sigpipe(send)


@case(differs=FRESH)
def sending_on_a_listener(near):
    for how, send in senders(listener(), ("127.0.0.1", 9)).items():
        yield how, with_sigpipe(send)


def receivers(s):
    return {
        "recv": lambda: s.recv(1),
        "recv PEEK": lambda: s.recv(1, PEEK),
        "recv DONTWAIT": lambda: s.recv(1, DONTWAIT),
        "read": lambda: os.read(s.fileno(), 1),
        "recvfrom": lambda: s.recvfrom(1),
        "recvmsg": lambda: s.recvmsg(1),
        "recv OOB": lambda: s.recv(1, OOB),
        "recv ERRQUEUE": lambda: s.recv(1, ERRQUEUE),
        "FIONREAD": lambda: unread(s),
        "SIOCOUTQ": lambda: request(s, SIOCOUTQ),
        "SIOCATMARK": lambda: request(s, 0x8905),
    }


UNREADABLE = dict.fromkeys(("recv", "recv PEEK", "recv DONTWAIT", "read"), "unconnected-receive")


@case(differs=UNREADABLE)
def receiving_on_fresh(near):
    for how, receive in receivers(tcp()).items():
        yield how, said(receive)


@case(differs=UNREADABLE | {"recv OOB": "unconnected-receive"})
def receiving_on_a_listener(near):
    for how, receive in receivers(listener()).items():
        yield how, said(receive)


@case(differs={"write": "error-of-send", "poll": "error-of-send", "recv": "error-of-send"})
def writing_after_a_reset(near, far):
    a, b = pair(near, far)
    reset(b)
    reset_arrives(a)
    yield "write", with_sigpipe(a.send, b"x")
    yield "write again", with_sigpipe(a.send, b"x")
    yield "poll", bits(a)
    yield "recv", said(a.recv, 1)


@case
def writing_with_a_name_after_a_reset(near, far):
    a, b = pair(near, far)
    name = b.getsockname()
    reset(b)
    reset_arrives(a)
    yield "sendto", with_sigpipe(a.sendto, b"x", name)
    yield "sendto again", with_sigpipe(a.sendto, b"x", name)


@case
def error_of_a_reset_is_said_once(near, far):
    for first in ("recv", "SO_ERROR"):
        a, b = pair(near, far)
        reset(b)
        reset_arrives(a)
        steps = {"recv": lambda: said(a.recv, 1), "SO_ERROR": lambda: error(a)}
        yield f"{first} at first", steps.pop(first)()
        yield f"then, after {first}", next(iter(steps.values()))()
        yield f"poll, after {first}", bits(a)


@case
def flags_of_send(near, far):
    a, b = pair(near, far)
    for name in ("MSG_MORE", "MSG_EOR", "MSG_DONTROUTE", "MSG_CONFIRM", "MSG_DONTWAIT", "MSG_NOSIGNAL",
                 "MSG_CMSG_CLOEXEC", "MSG_PEEK", "MSG_TRUNC", "MSG_CTRUNC", "MSG_ERRQUEUE", "MSG_WAITALL"):
        yield name, said(a.send, b"x", getattr(socket, name))
        yield f"{name} by sendmsg", said(a.sendmsg, [b"x"], [], getattr(socket, name))
    for flag in (ZEROCOPY, 0x80000, 0x1000000, 0x2000000, 0x8000000):
        yield hex(flag), said(a.send, b"x", flag)
    a.close()
    yield "peer reads", len(read_all(b))


@case
def flags_of_receive(near, far):
    a, _ = waiting(near, far, b"x" * 40)
    for name in ("MSG_MORE", "MSG_EOR", "MSG_DONTROUTE", "MSG_CONFIRM", "MSG_DONTWAIT", "MSG_NOSIGNAL",
                 "MSG_CMSG_CLOEXEC", "MSG_CTRUNC", "MSG_ERRQUEUE"):
        yield name, said(a.recv, 1, getattr(socket, name))
        yield f"{name} by recvmsg", said(a.recvmsg, 1, 100, getattr(socket, name))
    yield "left", unread(a)


@case
def control_data_mean_nothing(near, far):
    a, b = pair(near, far)
    for level, kind, data in ((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0])),
                              (socket.SOL_SOCKET, 2, struct.pack("iii", os.getpid(), 0, 0)),
                              (socket.SOL_SOCKET, 37, struct.pack("I", 1)),
                              (socket.SOL_SOCKET, 99, struct.pack("I", 1)),
                              (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 3)),
                              (77, 1, b"abcd")):
        yield f"level {level}, type {kind}", said(a.sendmsg, [b"x"], [(level, kind, data)])
    a.close()
    yield "peer's control data", b.recvmsg(1, 200)
    yield "peer reads", len(read_all(b))


@case
def nothing_to_send(near, far):
    a, b = pair(near, far)
    yield "send", said(a.send, b"")
    yield "write", said(os.write, a.fileno(), b"")
    yield "sendmsg", said(a.sendmsg, [])
    yield "sendmsg of empty vectors", said(a.sendmsg, [b"", b""])
    yield "sendto", said(a.sendto, b"", ("127.0.0.1", 9))
    yield "OOB", said(a.send, b"", OOB)
    yield "peer's poll", bits(b)


@case
def nothing_to_receive_into(near, far):
    a, b = pair(near, far)
    a.setblocking(False)
    yield "recvfrom", said(a.recvfrom, 0)
    yield "recvmsg", said(a.recvmsg, 0)
    yield "read", said(os.read, a.fileno(), 0)
    yield "raw recv", call("recvfrom", a.fileno(), 0, 0, 0, 0, 0)
    b.send(b"x")
    arrived(a, 1)
    yield "recvfrom of one", said(a.recvfrom, 0)
    yield "left", unread(a)
    a.recv(1)
    b.close()
    until(a, select.POLLRDHUP)
    yield "recvfrom of the end", said(a.recvfrom, 0)


@case
def vectors_and_positions(near, far):
    a, b = pair(near, far)
    yield "writev", os.writev(a.fileno(), [b"ab", b"", b"cde"])
    far(until, b, select.POLLIN)
    yield "peer", said(b.recv, 5, WAITALL)
    b.sendall(b"fghij")
    arrived(a, 5)
    x, y = bytearray(2), bytearray(9)
    yield "readv", os.readv(a.fileno(), [x, y])
    yield "vectors", (bytes(x), bytes(y).rstrip(b"\0"))
    yield "preadv", said(os.preadv, a.fileno(), [x], 0)
    yield "pwritev", said(os.pwritev, a.fileno(), [b"x"], 0)
    yield "pread", said(os.pread, a.fileno(), 1, 0)
    yield "pwrite", said(os.pwrite, a.fileno(), b"x", 0)
    yield "lseek", said(os.lseek, a.fileno(), 0, 0)


@case
def memory_that_is_not_there(near, far):
    a, _ = waiting(near, far, b"abc")
    yield "recv", call("recvfrom", a.fileno(), 1, 3, DONTWAIT, 0, 0)
    yield "recv PEEK", call("recvfrom", a.fileno(), 1, 3, DONTWAIT | PEEK, 0, 0)
    yield "send", call("sendto", a.fileno(), 1, 3, 0, 0, 0)
    yield "send of nothing", call("sendto", a.fileno(), 1, 0, 0, 0, 0)
    yield "sendmsg", call("sendmsg", a.fileno(), 1, 0)
    yield "recvmsg", call("recvmsg", a.fileno(), 1, 0)
    yield "read", call("read", a.fileno(), 1, 1)
    yield "write", call("write", a.fileno(), 1, 1)


@case
def many_sent_at_once(near, far):
    a, b = pair(near, far)
    m = Messages([b"ab", b"cde", b"f"])
    yield "sendmmsg", m.call("sendmmsg", a)
    yield "lengths", m.lengths()
    yield "peer", said(b.recv, 6, WAITALL)
    yield "of none", m.call("sendmmsg", a, count=0)
    yield "with names", Messages([b"ab", b"c"], named=True).call("sendmmsg", a)
    yield "peer of those", said(b.recv, 3, WAITALL)
    a.shutdown(socket.SHUT_WR)
    yield "after shutdown", with_sigpipe(m.call, "sendmmsg", a)


@case
def many_received_at_once(near, far):
    a, b = waiting(near, far)
    m = Messages([4, 4, 4], named=True)
    yield "recvmmsg", m.call("recvmmsg", a, DONTWAIT)
    yield "texts", m.texts()
    yield "names", [e.header.name_length for e in m.entries]
    b.sendall(b"ghi")
    arrived(a, 3)
    yield "WAITFORONE", m.call("recvmmsg", a, 0x10000)
    b.sendall(b"jkl")
    b.close()
    yield "up to the end", m.call("recvmmsg", a)
    yield "lengths", m.lengths()


@case
def many_received_after_a_reset(near, far):
    a, b = waiting(near, far)
    reset(b)
    reset_arrives(a)
    m = Messages([4, 4, 4])
    yield "recvmmsg", m.call("recvmmsg", a, DONTWAIT)
    yield "again", m.call("recvmmsg", a, DONTWAIT)
    yield "lengths", m.lengths()


@case
def spliced(near, far):
    a, b = waiting(near, far)
    read, write = os.pipe()
    read2, write2 = os.pipe()
    yield "from", call("splice", a.fileno(), 0, write, 0, 4, 0)
    yield "pipe", os.read(read, 9)
    yield "the rest", call("splice", a.fileno(), 0, write, 0, 9, 2)
    yield "tee", call("tee", read, write2, 9, 0)
    yield "to", call("splice", read, 0, a.fileno(), 0, 9, 0)
    yield "to, with MORE", call("splice", read2, 0, a.fileno(), 0, 9, 4)
    a.send(b".")
    yield "peer", said(b.recv, 5, WAITALL)
    yield "vmsplice", call("vmsplice", a.fileno(), ctypes.byref(Vector(0, 0)), 1, 0)
    b.close()
    until(a, select.POLLRDHUP)
    yield "of the end", call("splice", a.fileno(), 0, write, 0, 9, 0)


@case
def splice_waits(near, far):
    a, b = pair(near, far)
    read, write = os.pipe()
    waits = later(call, "splice", a.fileno(), 0, write, 0, 9, 0).asleep()
    b.send(b"hey")
    yield "splice", waits.wait()
    yield "pipe", os.read(read, 9)
    patience(a, 0.03)
    yield "time is up", call("splice", a.fileno(), 0, write, 0, 9, 0)
    a.setblocking(False)
    yield "non-blocking", call("splice", a.fileno(), 0, write, 0, 9, 0)


@case
def sendfile_of_parts(near, far):
    a, b = pair(near, far)
    source = os.memfd_create("source")
    os.write(source, b"0123456789")
    yield "middle", said(os.sendfile, a.fileno(), source, 2, 5)
    yield "past the end", said(os.sendfile, a.fileno(), source, 8, 50)
    yield "at the end", said(os.sendfile, a.fileno(), source, 10, 5)
    yield "none", said(os.sendfile, a.fileno(), source, 0, 0)
    yield "from a socket", said(os.sendfile, a.fileno(), a.fileno(), 0, 5)
    yield "peer", said(b.recv, 7, WAITALL)


@case
def receiving_times_out(near, far):
    a, _ = pair(near, far)
    patience(a, 0.02)
    for how in ("recv", "recv PEEK", "read", "recvfrom", "recvmsg"):
        yield how, said(receivers(a)[how])
    yield "readv", said(os.readv, a.fileno(), [bytearray(1)])


@case
def sending_times_out(near, far):
    a, _ = pair(near, far)
    fill(a)
    patience(a, 0.02, socket.SO_SNDTIMEO)
    block = bytes(1 << 20)
    for how, send in {"send": lambda: a.send(block), "write": lambda: os.write(a.fileno(), block),
                      "sendmsg": lambda: a.sendmsg([block]),
                      "sendto": lambda: a.sendto(block, ("127.0.0.1", 9))}.items():
        while isinstance(got := said(send), int):
            pass
        yield how, got
    yield "poll", bits(a)


@case
def much_sent_with_a_name(near, far):
    """A blocking sendto() of more than fits returns when all of it is on its way."""
    a, b = pair(near, far)
    reads = far(later, drained, b)
    yield "sendto", a.sendto(bytes(5_000_000), ("127.0.0.1", 9))
    a.close()
    yield "peer", reads.wait()


def drained(s):
    return len(read_all(s))


@case
def error_queue_is_empty(near, far):
    a, _ = waiting(near, far)
    yield "recv", said(a.recv, 9, ERRQUEUE)
    yield "recvmsg", said(a.recvmsg, 9, 9, ERRQUEUE)
    yield "recvfrom PEEK", said(a.recvfrom, 9, ERRQUEUE | PEEK)
    yield "the data", said(a.recv, 9)


@case(differs={"set": "zerocopy", "get": "zerocopy", "poll": "zerocopy"})
def zero_copy(near, far):
    a, b = pair(near, far)
    yield "initial", a.getsockopt(socket.SOL_SOCKET, SO_ZEROCOPY)
    yield "send without it", said(a.send, b"plain", ZEROCOPY)
    yield "set", said(a.setsockopt, socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    yield "get", a.getsockopt(socket.SOL_SOCKET, SO_ZEROCOPY)
    yield "send", said(a.send, b"zero", ZEROCOPY)
    yield "peer", said(b.recv, 9, WAITALL)
    yield "poll", until(a, select.POLLOUT)


def fast_open_failure(s):
    return info(s, OPTIONS) >> 25 & 3


@case
def fast_open(near, far):
    l = far(listener, address=far.address)
    name = l.getsockname()
    a = near(tcp)
    yield "without a name", said(a.send, b"x", FASTOPEN)
    a = near(tcp)
    yield "sendto", said(a.sendto, b"hello", FASTOPEN, name)
    yield "no cookie", fast_open_failure(a)
    c, _ = l.accept()
    yield "peer", said(c.recv, 9)
    yield "the peer asked for none", fast_open_failure(c)
    yield "again", said(a.sendto, b"again", FASTOPEN, name)
    yield "connected, without a name", said(a.send, b"x", FASTOPEN)
    yield "by sendmsg", said(near(tcp).sendmsg, [b"he", b"llo"], [], FASTOPEN, name)
    c, _ = l.accept()
    yield "peer of sendmsg", said(c.recv, 5, WAITALL)
    yield "no port", said(near(tcp).sendto, b"x", FASTOPEN, (far.address, 0))


@case
def fast_open_without_waiting(near, far):
    l = far(listener, address=far.address)
    a = near(tcp)
    a.setblocking(False)
    yield "sendto", said(a.sendto, b"hello", FASTOPEN, l.getsockname())
    yield "poll", until(a, select.POLLOUT)
    yield "error", error(a)
    yield "send", said(a.send, b"x")
    c, _ = l.accept()
    yield "peer", said(c.recv, 9)


@case
def fast_open_by_connect(near, far):
    """As a host whose net.ipv4.tcp_fastopen is 1, where listeners grant no cookies."""
    l = far(listener, address=far.address)
    yield "of a listener", said(l.setsockopt, socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    for n in (1, 2):
        a = near(tcp)
        yield f"{n}: set", said(a.setsockopt, socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
        yield f"{n}: connect", said(a.connect, l.getsockname())
        c, _ = l.accept()
        yield f"{n}: no cookie", fast_open_failure(a)
        yield f"{n}: the peer", fast_open_failure(c)
        yield f"{n}: send", said(a.send, b"hello")
        yield f"{n}: recv", said(c.recv, 9)
        yield f"{n}: what the SYN brought", info(c, OPTIONS) >> 8 & SYN_DATA


@case
def fast_open_refused(near, far):
    yield "sendto", said(near(tcp).sendto, b"hello", FASTOPEN, far(closed_port, far.address))


@case
def send_queue_length(near, far):
    a, b = pair(near, far)
    yield "at first", (request(a, SIOCOUTQ), request(a, SIOCOUTQNSD))
    a.send(b"hello")
    arrived(b, 5)
    yield "acknowledged", eventually(lambda: request(a, SIOCOUTQ), 0)
    total = fill(a)
    unsent = request(a, SIOCOUTQ)
    yield "is much", unsent > 10000
    yield "is not all", unsent < total
    not_sent = request(a, SIOCOUTQNSD)
    yield "not yet sent is less", not_sent <= unsent
    yield "TCP_INFO says the same", info(a, NOTSENT_BYTES) - not_sent
    far(drain, b, total)
    yield "when it is read", eventually(lambda: request(a, SIOCOUTQ), 0)


def drain(s, size):
    while size:
        size -= len(s.recv(min(size, 1 << 20)))


@case
def low_water_holds_recv(near, far):
    a, b = pair(near, far)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
    for how, receive in {"recv": a.recv, "recvfrom": lambda n: a.recvfrom(n)[0]}.items():
        waits = later(receive, 9).asleep()
        b.send(b"abc")
        arrived(a, 3)
        settle(near, far)
        yield f"{how} goes on", waits.ended()
        b.send(b"d")
        yield how, waits.wait()


@case
def more_ends_with_the_end(near, far):
    a, b = pair(near, far)
    yield "send", said(a.send, b"held", MORE)
    a.close()
    yield "peer", read_all(b)


@case
def cork_holds_nothing_for_ever(near, far):
    a, b = pair(near, far)
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    a.send(b"held")
    yield "peer, after the kernel's 200 ms", said(b.recv, 9)
    a.send(b"more")
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    yield "uncorked", said(b.recv, 9)
