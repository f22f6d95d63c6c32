"""Signals and calls that wait: EINTR and restarts, stops, and who takes a signal."""

import ctypes
import os
import select
import signal
import socket
import struct
import threading
import time

from kit import case, eventually, later, listener, pair, said, settle, tcp, udp, until, waits
from streams import Header, Vector, call, fill, patience
from cases.threads import asleep, child, ended

BUFFER = ctypes.create_string_buffer(64)


def receive_plainly(s):
    return call("recvfrom", s.fileno(), ctypes.byref(BUFFER), 9, 0, 0, 0)


def receive_with_name(s):
    name, length = ctypes.create_string_buffer(28), ctypes.c_uint(28)
    return call("recvfrom", s.fileno(), ctypes.byref(BUFFER), 9, 0, ctypes.byref(name), ctypes.byref(length))


def receive_message(s):
    vector, name = Vector(ctypes.addressof(BUFFER), 9), ctypes.create_string_buffer(28)
    header = Header(ctypes.addressof(name), 28, ctypes.addressof(vector), 1)
    return call("recvmsg", s.fileno(), ctypes.byref(header), 0)


def read(s):
    return call("read", s.fileno(), ctypes.byref(BUFFER), 9)


def wait_all(s):
    return call("recvfrom", s.fileno(), ctypes.byref(BUFFER), 9, socket.MSG_WAITALL, 0, 0)


def wait_all_with_name(s):
    name, length = ctypes.create_string_buffer(28), ctypes.c_uint(28)
    return call("recvfrom", s.fileno(), ctypes.byref(BUFFER), 9, socket.MSG_WAITALL, ctypes.byref(name),
                ctypes.byref(length))


RECEIVERS = {"recv": receive_plainly, "recvfrom": receive_with_name, "recvmsg": receive_message, "read": read}


def accept(s):
    value = call("accept", s.fileno(), 0, 0)
    return value if isinstance(value, str) else "a connection"


def is_pending():
    with open("/proc/self/status", encoding="ascii") as f:
        masks = dict(line.split(":\t") for line in f if "Pnd" in line)
    return any(int(m, 16) & 1 << signal.SIGALRM - 1 for m in masks.values())


def alarmed(function, argument, restart, wake=None):
    """What the call says when SIGALRM comes while it waits; with wake, that is done behind it, else
    the signal comes again: to one that comes a moment early Linux gives no EINTR either."""
    handled, done = [], threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    signal.siginterrupt(signal.SIGALRM, not restart)
    tid = threading.get_native_id()

    def interrupt():
        while not waits(tid):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGALRM)
        # The handler runs when the call is over; one that is restarted has to be woken for that.
        eventually(is_pending, False)
        if wake:
            wake()
        while not done.wait(0.2) and not wake:
            os.kill(os.getpid(), signal.SIGALRM)

    t = threading.Thread(target=interrupt)
    t.start()
    value = function(argument)
    done.set()
    t.join(10)
    return value, bool(handled)


def restartable(receive):
    def body(near, far):
        a, b = pair(near, far)
        yield "interrupted", alarmed(receive, a, False)
        yield "with a time-out", alarmed(receive, patience(a, 5), True)
        patience(a, 0)
        yield "restarted", alarmed(receive, a, True, lambda: b.send(b"xyz"))
    return body


for name_, receive_ in RECEIVERS.items():
    case(restartable(receive_), name=f"signal_in_{name_}_of_a_stream")


def interrupted_amid(receive):
    def body(near, far):
        a, b = pair(near, far)
        b.send(b"abc")
        until(a, select.POLLIN)
        yield "interrupted", alarmed(receive, a, False)
        b.send(b"defg")
        until(a, select.POLLIN)
        yield "would be restarted", alarmed(receive, a, True)
    return body


case(interrupted_amid(wait_all), name="signal_amid_waitall")
case(interrupted_amid(wait_all_with_name), name="signal_amid_waitall_with_name")


@case
def signal_in_accept_with_a_time_out(near, far):
    l = patience(near(listener, address=near.address), 5)
    yield "restartable", alarmed(accept, l, True)
    yield "not", alarmed(accept, l, False)


@case
def signal_in_accept_restarts(near, far):
    l = near(listener, address=near.address)
    c = far(tcp)
    yield "accept", alarmed(accept, l, True, lambda: c.connect(l.getsockname()))


def full_listener(address):
    """One that answers no more SYN, and its name."""
    l = listener(address=address, backlog=0)
    fillers = []
    while True:
        s = tcp()
        s.setblocking(False)
        s.connect_ex(l.getsockname())
        fillers.append(s)
        if not select.select([], [s], [], 0.2)[1]:
            return l, fillers


def connect_to(name):
    packed = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", name[1], socket.inet_aton(name[0]))

    def connect(s):
        return call("connect", s.fileno(), ctypes.c_char_p(packed), 16)
    return connect


@case
def signal_in_connect(near):
    l, fillers = full_listener(near.address)
    connect = connect_to(l.getsockname())
    s = tcp()
    yield "interrupted", alarmed(connect, s, False)
    yield "again", alarmed(connect, s, False)
    s.setblocking(False)
    yield "without waiting", connect(s)
    s = patience(tcp(), 5, socket.SO_SNDTIMEO)
    yield "with a time-out, restartable", alarmed(connect, s, True)
    s = patience(tcp(), 0.03, socket.SO_SNDTIMEO)
    yield "time is up", connect(s)
    del fillers


@case
def signal_in_send(near, far):
    a, _ = pair(near, far)
    fill(a)
    block = ctypes.create_string_buffer(1 << 20)
    while isinstance(said(a.send, block, socket.MSG_DONTWAIT), int):
        pass
    name = ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + bytes(14), 16)
    for how, to in ("send", (0, 0)), ("sendto", (ctypes.byref(name), 16)):
        got, handled = alarmed(lambda s, to=to: call("sendto", s.fileno(), ctypes.byref(block), 1 << 20, 0,
                                                     *to), a, False)
        # What has found room before is said, if anything has.
        yield how, (handled, got == "EINTR" or 0 < got < 1 << 20)


def stopped(near, far, function, wake):
    """A child that waits is stopped, woken and continued: what it says then."""
    said_, says = os.pipe()
    pid = child(lambda: os.write(says, b"%r" % function()) and 0)
    asleep(pid)
    os.kill(pid, signal.SIGSTOP)
    yield "stopped", os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    wake()
    settle(near, far)
    yield "says while it is stopped", len(select.select([said_], [], [], 0)[0])
    os.kill(pid, signal.SIGCONT)
    yield "says then", os.read(said_, 99)
    yield "ends", ended(pid)


@case
def stopped_in_accept(near, far):
    l = near(listener, address=near.address)
    c = far(tcp)
    yield from stopped(near, far, lambda: accept(l), lambda: c.connect(l.getsockname()))


@case
def stopped_in_recv(near, far):
    a, b = pair(near, far)
    yield from stopped(near, far, lambda: receive_plainly(a), lambda: b.send(b"abc"))


@case
def stopped_in_recvfrom(near, far):
    a, b = pair(near, far)
    yield from stopped(near, far, lambda: receive_with_name(a), lambda: b.send(b"abc"))


@case
def killed_in_each_call(near, far):
    l = near(listener, address=near.address)
    a, _ = pair(near, far)
    for name, function in {"accept": lambda: accept(l), "recvfrom": lambda: receive_with_name(a)}.items():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGUSR1):
            pid = child(fatal, number, function)
            asleep(pid)
            os.kill(pid, number)
            yield f"{name}, {number.name}", ended(pid)


def fatal(number, function):
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    function()


def deaf(prepare):
    """A signal that means nothing to the process leaves its call waiting."""
    def body(near, far):
        def program():
            prepare()
            return 5 if accept(l) == "a connection" else 6

        l = near(listener, address=near.address)
        pid = child(program)
        asleep(pid)
        os.kill(pid, signal.SIGUSR1)
        settle(near, far)
        yield "waits on", os.waitpid(pid, os.WNOHANG) == (0, 0)
        c = far(tcp)
        c.connect(l.getsockname())
        yield "child", ended(pid)
    return body


def block():
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(9))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


case(deaf(lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)), name="ignored_signal_in_accept")
case(deaf(block), name="blocked_signal_in_accept")


@case
def signal_for_a_thread(near):
    l = listener()
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, True)
    thread = later(accept, l).asleep()
    signal.pthread_kill(thread.thread.ident, signal.SIGUSR1)
    yield "accept", thread.wait()


@case
def signal_for_another_thread(near, far):
    """One for the process is taken by the thread that does not block it; the call goes on."""
    l = near(listener, address=near.address)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    waiting = later(accept, l).asleep()
    os.kill(os.getpid(), signal.SIGUSR1)
    yield "sigwait", signal.sigwait([signal.SIGUSR1])
    settle(near, far)
    yield "accept goes on", waiting.ended()
    c = far(tcp)
    c.connect(l.getsockname())
    yield "accept", waiting.wait()


@case
def keyboard_interrupt(near):
    def program():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            l.accept()
        except KeyboardInterrupt:
            return 3

    l = listener()
    pid = child(program)
    asleep(pid)
    os.kill(pid, signal.SIGINT)
    yield "child", ended(pid)


@case
def handler_that_does_not_return(near, far):
    """It leaves the call by an exception, as siglongjmp() would; the next call is whole."""
    class Left(Exception):
        pass

    def leave(*_):
        raise Left

    l = near(listener, address=near.address)
    signal.signal(signal.SIGALRM, leave)
    left = 0
    for _ in range(5):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        try:
            l.accept()
        except Left:
            left += 1
    yield "left", left
    c = far(tcp)
    c.connect(l.getsockname())
    yield "accept", said(lambda: bool(l.accept()))


@case
def storm_of_signals(near, far):
    """A timer every 200 us, restarting: no answer is lost and none comes twice."""
    l = near(listener, address=near.address, backlog=64)
    name = l.getsockname()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    peers = far(later, connect_often, name, 200)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    good = 0
    for _ in range(200):
        s = socket.socket(fileno=call("accept", l.fileno(), 0, 0))
        good += s.recv(1) == b"x"
        s.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield "accepted", good
    yield "connected", peers.wait()
    l.setblocking(False)
    yield "nothing is left", said(l.accept)


def connect_often(name, count):
    done = 0
    for _ in range(count):
        with tcp() as s:
            s.connect(name)
            s.send(b"x")
            done += s.recv(1) == b""
    return done


@case
def storm_without_restarts(near, far):
    """The same where the handler wants EINTR: which call says it is the race's; none says anything else."""
    l = near(listener, address=near.address, backlog=64)
    name = l.getsockname()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    peers = far(later, connect_often, name, 100)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    good, wrong = 0, set()
    while good < 100:
        n = call("accept", l.fileno(), 0, 0)
        if n == "EINTR":
            continue
        if isinstance(n, str):
            wrong.add(n)
            break
        while (got := call("recvfrom", n, ctypes.byref(BUFFER), 1, 0, 0, 0)) == "EINTR":
            pass
        good += got == 1
        os.close(n)
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield "accepted", good
    yield "wrong", sorted(wrong)
    yield "connected", peers.wait()


@case
def datagrams_in_a_storm(near, far):
    a, b = near(udp, address=near.address), far(udp, address=far.address)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    patience(a, 0)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    good = 0
    for i in range(100):
        b.sendto(b"%d" % i, a.getsockname())
        good += receive_with_name(a) == len(b"%d" % i)
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield "received", good
