"""Scenarios of system calls as such: signals, and what only the filter sees."""

import array
import ctypes
import errno
import os
import signal
import socket
import struct
import threading
import time

from kit import LIBC, WAIT, bits, host, listener, pair, said, scenario, tcp, udp, waits

# --- signals ---------------------------------------------------------------------------------


def interrupted(function, restart):
    """What a blocked call says to a signal; the handler must run soon."""
    handled = []
    signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
    signal.siginterrupt(signal.SIGUSR1, not restart)
    main = threading.get_native_id()
    done = threading.Event()

    def send():
        while not waits(main):
            time.sleep(0.001)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)
        while not handled and not done.is_set():
            time.sleep(0.001)
        if restart:
            function.wake()

    t = threading.Thread(target=send)
    t.start()
    value = function()
    code = ctypes.get_errno() if value < 0 else 0
    done.set()
    t.join(WAIT)
    return [min(value, 0), errno.errorcode.get(code), len(handled)]


class Accept:
    def __init__(self):
        self.listener = listener()

    def __call__(self):
        return LIBC.accept(self.listener.fileno(), None, None)

    def wake(self):
        self.client = tcp()
        self.client.connect(self.listener.getsockname())


class Receive:
    def __init__(self):
        self.socket, self.other = udp(), udp()

    def __call__(self):
        name, length = ctypes.create_string_buffer(64), ctypes.c_uint(64)
        return LIBC.recvfrom(self.socket.fileno(), ctypes.create_string_buffer(9), 9, 0, name,
                             ctypes.byref(length))

    def wake(self):
        self.other.sendto(b"x", self.socket.getsockname())


@scenario
def signal_in_accept():
    return interrupted(Accept(), False)


@scenario
def signal_in_receive():
    # With SO_RCVTIMEO set a call is not restarted; without it is.
    r = Receive()
    r.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
    return interrupted(r, False)


@scenario
def signals_without_end():
    """A timer every 300 us: with SA_RESTART no call says EINTR."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    wrong = set()
    l = listener()
    for i in range(300):
        s = tcp()
        for r in (said(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                  said(s.connect, l.getsockname()), said(s.send, b"x")):
            if isinstance(r, str):
                wrong.add(r)
        b, _ = l.accept()
        if b.recv(1) != b"x":
            wrong.add("data")
        b.close()
        s.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return sorted(wrong)


@scenario
def close_while_accepting():
    """The call keeps the file: a close in another thread does not wake it."""
    l = listener()
    name = l.getsockname()
    got = []
    t = threading.Thread(target=lambda: got.append(LIBC.accept(l.fileno(), None, None) >= 0))
    t.start()
    while not waits(t.native_id):
        time.sleep(0.001)
    os.close(os.dup(l.fileno()))
    c = tcp()
    c.connect(name)
    t.join(WAIT)
    return got


# --- the filter ------------------------------------------------------------------------------

DIRTY = 0x5a5a5a5a << 32


def syscall(number, *arguments):
    ctypes.set_errno(0)
    value = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    return value if value >= 0 else errno.errorcode[ctypes.get_errno()]


def kind_of(fd):
    return os.readlink(f"/proc/self/fd/{fd}").split(":")[0] if isinstance(fd, int) else fd


@scenario
def dirty_high_bits():
    """The kernel looks at 32 bits of an int: so must the filter. None of these may differ."""
    fd = syscall(41, DIRTY | socket.AF_INET, DIRTY | socket.SOCK_STREAM, DIRTY)
    s = socket.socket(fileno=fd)
    one = ctypes.c_int(1)
    value, length = ctypes.c_int(9), ctypes.c_uint(4)
    result = [kind_of(fd),
              syscall(54, DIRTY | fd, DIRTY | socket.IPPROTO_TCP, DIRTY | socket.TCP_NODELAY,
                      ctypes.addressof(one), DIRTY | 4),
              syscall(54, DIRTY | fd, DIRTY | socket.SOL_SOCKET, DIRTY | socket.SO_REUSEPORT,
                      ctypes.addressof(one), DIRTY | 4),
              syscall(55, DIRTY | fd, DIRTY | socket.SOL_SOCKET, DIRTY | socket.SO_TYPE,
                      ctypes.addressof(value), ctypes.addressof(length)), value.value,
              syscall(55, DIRTY | fd, DIRTY | socket.SOL_SOCKET, DIRTY | socket.SO_REUSEPORT,
                      ctypes.addressof(value), ctypes.addressof(length)), value.value]
    name = struct.pack("=H", 2) + struct.pack(">H", 0) + bytes([127, 0, 0, 1]) + bytes(8)
    result += [syscall(49, DIRTY | fd, ctypes.addressof(ctypes.create_string_buffer(name)), DIRTY | 16),
               syscall(50, DIRTY | fd, DIRTY | 3), host(s.getsockname())]
    u = udp()
    buffer = ctypes.create_string_buffer(9)
    result.append(syscall(45, DIRTY | u.fileno(), ctypes.addressof(buffer), 9,
                          DIRTY | socket.MSG_DONTWAIT | socket.MSG_ERRQUEUE, 0, 0))
    unix = syscall(41, DIRTY | socket.AF_UNIX, DIRTY | socket.SOCK_STREAM, DIRTY)
    two = (ctypes.c_int * 2)()
    result += [kind_of(unix), syscall(53, DIRTY | socket.AF_UNIX, DIRTY | socket.SOCK_STREAM, DIRTY,
                                      ctypes.addressof(two)),
               syscall(53, DIRTY | socket.AF_INET, DIRTY | socket.SOCK_STREAM, DIRTY, ctypes.addressof(two))]
    return result


@scenario
def unix_sockets_are_native():
    a, b = socket.socketpair()
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
    data, control, _, _ = b.recvmsg(9, 100)
    return [data.decode(), len(control), a.getsockname(),
            struct.unpack("iii", b.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0] == os.getpid(),
            said(a.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)]


@scenario
def bad_descriptors():
    with open("/dev/null") as f:
        n = f.fileno()
        buffer = ctypes.create_string_buffer(64)
        results = []
        for fd in (n, 999):
            for r in (LIBC.bind(fd, buffer, 16), LIBC.listen(fd, 1), LIBC.accept(fd, None, None),
                      LIBC.getsockname(fd, buffer, ctypes.byref(ctypes.c_uint(16))),
                      LIBC.shutdown(fd, 1), LIBC.recvmsg(fd, buffer, 0)):
                results.append([r, errno.errorcode.get(ctypes.get_errno())])
        return results


@scenario
def bad_pointers():
    s = tcp()
    a, b = pair()
    results = []
    for r in (LIBC.bind(s.fileno(), ctypes.c_void_p(8), 16),
              LIBC.getsockname(a.fileno(), ctypes.c_void_p(8), ctypes.byref(ctypes.c_uint(16))),
              LIBC.getsockname(a.fileno(), ctypes.create_string_buffer(64), ctypes.c_void_p(8)),
              LIBC.setsockopt(a.fileno(), 6, 1, ctypes.c_void_p(8), 4),
              LIBC.getsockopt(a.fileno(), 6, 1, ctypes.c_void_p(8), ctypes.byref(ctypes.c_uint(4))),
              LIBC.sendmsg(udp().fileno(), ctypes.c_void_p(8), 0)):
        results.append([r, errno.errorcode.get(ctypes.get_errno())])
    return results
