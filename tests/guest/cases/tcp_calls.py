"""Every call on a TCP socket in every state that it can meet: what it returns, and what both sides
see afterwards.
"""

import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import termios

from cases.tcp_known import KNOWN
from cases.tcp_states import STATES, Situation
from kit import LIBC, bits, case, error, flags, host, raw, said

CALLS = {}
SIOCOUTQ, SIOCATMARK = termios.TIOCOUTQ, 0x8905
PASSING = {3: "SYN_RECV", 4: "FIN_WAIT1", 9: "LAST_ACK", 11: "CLOSING"}
CLOSE = 7
NOT_WAITING = socket.MSG_DONTWAIT


def call(function):
    CALLS[function.__name__] = function
    return function


def named(name):
    return name if isinstance(name, str) else [host(name), "has a port" if name[1] else "no port"]


def made(result):
    """What accept says, without what differs each time."""
    return result if isinstance(result, str) else "accepted"


def disconnect(s):
    return raw("connect", s.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)


def for_a_moment(s):
    """A call that waits gives up soon."""
    s.setblocking(True)
    for option in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
        s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, 20000))
    return LIBC, s.fileno()


def address(name):
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", name[1]) + socket.inet_aton(name[0]) + bytes(8)


def wanted(s, request):
    value = array.array("i", [-1])
    got = said(fcntl.ioctl, s, request, value)
    return got if isinstance(got, str) else value[0]


def tcp_state(s):
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0]


# --- names and states --------------------------------------------------------------------------


@call
def bind(t, s):
    yield "bind", said(s.bind, (t.near.address, 0))


@call
def listen(t, s):
    yield "listen", said(s.listen, 3)
    yield "SO_ACCEPTCONN", s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


@call
def connect(t, s):
    yield "connect", said(s.connect, t.name)
    t.settle()
    yield "connect again", said(s.connect, t.name)
    yield "connect once more", said(s.connect, t.name)


@call
def connect_waiting(t, s):
    for_a_moment(s)
    yield "connect", raw("connect", s.fileno(), address(t.name), 16)
    yield "connect again", raw("connect", s.fileno(), address(t.name), 16)


@call
def connect_unspecified(t, s):
    yield "connect", disconnect(s)
    yield "connect again", disconnect(s)


@call
def accept(t, s):
    got = said(s.accept)
    yield "accept", made(got)
    if made(got) == "accepted":
        yield "address", named(got[1])
        yield "poll of it", bits(got[0])
        yield "its send", said(got[0].send, b"from it")


@call
def accept_waiting(t, s):
    for_a_moment(s)
    got = raw("accept", s.fileno(), None, None)
    yield "accept", made(got)


@call
def shutdown_read(t, s):
    yield "shutdown", said(s.shutdown, socket.SHUT_RD)
    t.settle()
    yield "shutdown again", said(s.shutdown, socket.SHUT_RD)


@call
def shutdown_write(t, s):
    yield "shutdown", said(s.shutdown, socket.SHUT_WR)
    t.settle()
    yield "shutdown again", said(s.shutdown, socket.SHUT_WR)


@call
def shutdown_both(t, s):
    yield "shutdown", said(s.shutdown, socket.SHUT_RDWR)
    t.settle()
    yield "shutdown again", said(s.shutdown, socket.SHUT_RDWR)


@call
def shutdown_nonsense(t, s):
    yield "shutdown", said(s.shutdown, 3)


@call
def names(t, s):
    yield "getsockname", named(s.getsockname())
    yield "getpeername", named(said(s.getpeername))


@call
def so_error(t, s):
    yield "SO_ERROR", error(s)
    yield "SO_ERROR again", error(s)


# --- data --------------------------------------------------------------------------------------


@call
def send(t, s):
    yield "send", said(s.send, b"abc")
    t.settle()
    yield "send again", said(s.send, b"def")


@call
def send_waiting(t, s):
    for_a_moment(s)
    yield "send", raw("send", s.fileno(), b"abc", 3, 0)


@call
def send_quietly(t, s):
    yield "send", said(s.send, b"abc", socket.MSG_NOSIGNAL)


@call
def send_nothing(t, s):
    yield "send", said(s.send, b"")


@call
def send_to(t, s):
    yield "sendto", said(s.sendto, b"abc", t.name)


@call
def send_message(t, s):
    yield "sendmsg", said(s.sendmsg, [b"ab", b"c"])


@call
def send_message_to(t, s):
    yield "sendmsg", said(s.sendmsg, [b"ab", b"c"], [], 0, t.name)


@call
def write(t, s):
    yield "write", said(os.write, s.fileno(), b"abc")
    t.settle()
    yield "writev", said(os.writev, s.fileno(), [b"d", b"ef"])


@call
def send_file(t, s):
    with open("/proc/self/exe", "rb") as f:
        yield "sendfile", said(os.sendfile, s.fileno(), f.fileno(), 0, 4)


@call
def recv(t, s):
    yield "recv", said(s.recv, 2)
    yield "recv again", said(s.recv, 100)
    yield "recv once more", said(s.recv, 100)


@call
def recv_waiting(t, s):
    for_a_moment(s)
    buffer = ctypes.create_string_buffer(100)
    yield "recv", raw("recv", s.fileno(), buffer, 100, 0)
    yield "recv again", raw("recv", s.fileno(), buffer, 100, 0)


@call
def recv_peek(t, s):
    yield "recv", said(s.recv, 100, socket.MSG_PEEK)


@call
def recv_all(t, s):
    yield "recv", said(s.recv, 100, socket.MSG_WAITALL | NOT_WAITING)


@call
def recv_discard(t, s):
    yield "recv", raw("recv", s.fileno(), None, 3, socket.MSG_TRUNC | NOT_WAITING)


@call
def recv_urgent(t, s):
    yield "recv", said(s.recv, 1, socket.MSG_OOB)


@call
def recv_errors(t, s):
    yield "recv", said(s.recv, 1, socket.MSG_ERRQUEUE)


@call
def recv_nothing(t, s):
    yield "recv", said(s.recv, 0)


@call
def recv_from(t, s):
    yield "recvfrom", said(s.recvfrom, 100)


@call
def recv_message(t, s):
    yield "recvmsg", said(s.recvmsg, 100, 100)


@call
def read(t, s):
    yield "read", said(os.read, s.fileno(), 2)
    yield "read again", said(os.read, s.fileno(), 100)


# --- readiness -----------------------------------------------------------------------------------


@call
def poll_for_all(t, s):
    everything = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP
    yield "poll", bits(s, everything)
    yield "poll for nothing", bits(s, 0)


@call
def select_it(t, s):
    yield "select", [bool(x) for x in select.select([s], [s], [s], 0)]


@call
def epoll(t, s):
    wants = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI
    with select.epoll() as level, select.epoll() as edge:
        level.register(s, wants)
        edge.register(s, wants | select.EPOLLET)
        for time in "first", "second":
            yield f"level, {time}", [flags(v, "EPOLL") for _, v in level.poll(0)]
            yield f"edge, {time}", [flags(v, "EPOLL") for _, v in edge.poll(0)]


@call
def ioctls(t, s):
    yield "FIONREAD", wanted(s, termios.FIONREAD)
    # A FIN counts until it is acknowledged.
    while wanted(s, SIOCOUTQ) == 1 and tcp_state(s) in PASSING:
        t.settle()
    if tcp_state(s) != CLOSE:  # then it is what was left over
        yield "SIOCOUTQ", wanted(s, SIOCOUTQ)
    yield "SIOCATMARK", wanted(s, SIOCATMARK)


@call
def tcp_info(t, s):
    # Those that an acknowledgement ends, which may be delayed.
    while (state := tcp_state(s)) in PASSING:
        t.settle()
    yield "state", state


@call
def options(t, s):
    for level, name in ((socket.SOL_SOCKET, "SO_TYPE"), (socket.SOL_SOCKET, "SO_ACCEPTCONN"),
                        (socket.SOL_SOCKET, "SO_KEEPALIVE"), (socket.IPPROTO_TCP, "TCP_NODELAY"),
                        (socket.IPPROTO_TCP, "TCP_KEEPIDLE"), (socket.IPPROTO_TCP, "TCP_DEFER_ACCEPT"),
                        (socket.IPPROTO_IP, "IP_TTL"), (socket.IPPROTO_IP, "IP_TOS")):
        yield name, said(s.getsockopt, level, getattr(socket, name))
    for level, name in ((socket.SOL_SOCKET, "SO_KEEPALIVE"), (socket.IPPROTO_TCP, "TCP_NODELAY"),
                        (socket.IPPROTO_TCP, "TCP_KEEPIDLE"), (socket.IPPROTO_IP, "IP_TTL")):
        yield f"set {name}", said(s.setsockopt, level, getattr(socket, name), 7)
        yield f"{name} then", said(s.getsockopt, level, getattr(socket, name))


# --- ends ----------------------------------------------------------------------------------------


@call
def close(t, s):
    yield "close", said(s.close)


@call
def close_of_a_copy(t, s):
    copy = s.dup()
    yield "close", said(copy.close)


@call
def abort(t, s):
    yield "SO_LINGER", said(s.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    yield "close", said(s.close)


def received(s):
    got = said(s.recvmsg, 100)
    return got if isinstance(got, str) else got[0]


def rest(t, s):
    """What is seen afterwards, by both sides."""
    t.settle()
    if s.fileno() >= 0:
        yield "poll then", bits(s)
        yield "getpeername then", named(said(s.getpeername))
        yield "recvmsg then", received(s)
        yield "SO_ERROR then", error(s)
        yield "sendmsg then", said(s.sendmsg, [b"z"])
        t.settle()
        yield "poll at last", bits(s)
    if t.peer:
        yield "peer's poll", bits(t.peer)
        yield "peer's recv", said(t.peer.recv, 100, NOT_WAITING)
        yield "peer's send", said(t.peer.send, b"p", NOT_WAITING)
        t.settle()
        yield "peer's poll then", bits(t.peer)
        yield "peer's recv then", said(t.peer.recv, 100, NOT_WAITING)


def meet(make, call):
    def run(near, far):
        signals = []
        signal.signal(signal.SIGPIPE, lambda *_: signals.append("SIGPIPE"))
        t = Situation(near, far)
        make(t)
        t.socket.setblocking(False)
        yield from call(t, t.socket)
        yield "signals", "".join(signals)
        yield from rest(t, t.socket)
        yield "signals then", "".join(signals)

    return run


def known(state, call):
    """The rows that differ, each with the line of docs/differences.md that says why."""
    return {row: line for line, states, calls, rows in KNOWN
            if state in states.split() and (call in calls.split() or calls == "*") for row in rows.split("|")}


for state_name, make in STATES.items():
    for call_name, function in CALLS.items():
        case(meet(make, function), name=f"tcp_{state_name}_{call_name}",
             family=f"tcp_{state_name}", differs=known(state_name, call_name))
