"""Signals that come while a call waits."""

import ctypes
import errno
import os
import signal
import socket
import struct
import threading
import time

from kit import LIBC, WAIT, case, listener, said, tcp, udp, waits


def interrupted(function, wake=None):
    """What a blocked call says to a signal; the handler must run soon. With wake it is restarted."""
    handled = []
    signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
    signal.siginterrupt(signal.SIGUSR1, wake is None)
    main = threading.get_native_id()
    done = threading.Event()

    def send():
        while not waits(main):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGUSR1)
        while not handled and not done.is_set():
            time.sleep(0.001)
        if wake:
            wake()

    t = threading.Thread(target=send)
    t.start()
    value = function()
    code = ctypes.get_errno() if value < 0 else 0
    done.set()
    t.join(WAIT)
    return min(value, 0), errno.errorcode.get(code), len(handled)


@case
def signal_in_accept(near):
    l = listener()
    yield "accept", interrupted(lambda: LIBC.accept(l.fileno(), None, None))


@case
def signal_in_receive(near):
    # With SO_RCVTIMEO set a call is not restarted; without it is.
    s = udp()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))

    def receive():
        name, length = ctypes.create_string_buffer(64), ctypes.c_uint(64)
        return LIBC.recvfrom(s.fileno(), ctypes.create_string_buffer(9), 9, 0, name, ctypes.byref(length))

    yield "recvfrom", interrupted(receive)


@case
def signals_without_end(near, far):
    """A timer every 300 us: with SA_RESTART no call says EINTR."""
    l = far(listener, address=far.address)
    name = l.getsockname()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    wrong = set()
    for _ in range(300):
        s = tcp()
        for r in (said(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), said(s.connect, name),
                  said(s.send, b"x")):
            if isinstance(r, str):
                wrong.add(r)
        b, _ = l.accept()
        if b.recv(1) != b"x":
            wrong.add("data")
        b.close()
        s.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield "what is wrong", sorted(wrong)
