"""accept: flags, names, order, what has happened to a connection meanwhile."""

import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
import struct

from cases.threads import asleep, child
from kit import LIBC, WAIT, bits, case, error, later, listener, raw, reset, said, settle, tcp, until


@case
def accept_nothing(near):
    l = listener()
    l.setblocking(False)
    yield "not blocking", said(l.accept)
    l.setblocking(True)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    yield "SO_RCVTIMEO", said(l._accept)


@case
def accept_flags(near):
    l = listener()
    for name, flags in ("none", 0), ("NONBLOCK", socket.SOCK_NONBLOCK), ("CLOEXEC", socket.SOCK_CLOEXEC):
        c = tcp()
        c.connect(l.getsockname())
        fd = LIBC.accept4(l.fileno(), None, None, flags)
        yield f"F_GETFL of {name}", fcntl.fcntl(fd, fcntl.F_GETFL)
        yield f"F_GETFD of {name}", fcntl.fcntl(fd, fcntl.F_GETFD)
    yield "nonsense", raw("accept4", l.fileno(), None, None, 0x1000000)


@case
def accept_short_name(near):
    l = listener()
    c = tcp()
    c.connect(l.getsockname())
    name, length = ctypes.create_string_buffer(b"zzzzzzzzzzzzzzzzzzzz"), ctypes.c_uint(4)
    yield "accept", LIBC.accept(l.fileno(), name, ctypes.byref(length)) >= 0
    yield "length", length.value
    yield "what is written", name.raw[:2]
    yield "what is not", name.raw[4:8]


@case
def accept_order(near, far):
    l = far(listener, address=far.address, backlog=16)
    clients = []
    for _ in range(10):
        c = tcp()
        c.connect(l.getsockname())
        clients.append(c)
    for i, c in enumerate(clients):
        yield f"number {i}", l.accept()[1] == c.getsockname()


@case
def accept_reset_one(near, far):
    l = far(listener, address=far.address)
    c = tcp()
    c.connect(l.getsockname())
    until(l, select.POLLIN)
    c.send(b"last words")
    reset(c)
    s, name = l.accept()
    yield "accept's address", name[0] == near.address
    yield "poll", until(s, select.POLLERR)
    yield "getpeername", said(s.getpeername)
    yield "recv", said(s.recv, 100)
    yield "recv again", said(s.recv, 100)


@case
def accept_in_threads(near, far):
    l = far(listener, address=far.address)
    waiting = [later(l.accept).asleep() for _ in range(4)]
    clients = [tcp() for _ in waiting]
    for c in clients:
        c.connect(l.getsockname())
    for i, w in enumerate(waiting):
        yield f"thread {i}", isinstance(w.wait(), list | tuple)


@case
def accept_in_children(near):
    l = listener()
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            s, _ = l.accept()
            s.send(b"child")
            os._exit(0)
        children.append(pid)
    for i, pid in enumerate(children):
        c = tcp()
        c.connect(l.getsockname())
        yield f"client {i}", said(c.recv, 100)
    for i, pid in enumerate(children):
        yield f"child {i}", os.waitpid(pid, 0)[1]


@case
def close_listener_with_queue(near, far):
    l = far(listener, address=far.address)
    c = tcp()
    c.connect(l.getsockname())
    until(l, select.POLLIN)
    name = l.getsockname()
    l.close()
    yield "recv", said(c.recv, 1)
    yield "connect", said(tcp().connect, name)


def just_closed(far, family=socket.AF_INET, address=None):
    """The name at which far has listened until now."""
    l = far(listener, family, address or far.address)
    port = l.getsockname()[1]
    l.close()
    return far.address, port


@case
def connect_to_a_closed_listener(near, far):
    """Each the first to meet it."""
    yield "blocking", said(tcp().connect, just_closed(far))
    yield "at the wildcard", said(tcp().connect, just_closed(far, address="0.0.0.0"))
    yield "at the wildcard of IPv6", said(tcp().connect, just_closed(far, socket.AF_INET6, "::"))
    yield "sendto with MSG_FASTOPEN", said(tcp().sendto, b"x", socket.MSG_FASTOPEN, just_closed(far))
    c = tcp()
    c.setblocking(False)
    yield "not blocking", said(c.connect, just_closed(far))
    yield "poll", until(c, select.POLLIN)
    yield "SO_ERROR", error(c)


@case
def connect_to_a_closed_listener_of_the_same_process(near):
    yield "blocking", said(tcp().connect, just_closed(near))
    l = listener()
    l.setblocking(False)
    said(l.accept)
    name = l.getsockname()
    l.close()
    yield "after its accept()", said(tcp().connect, name)


@case
def listener_ends_with_its_last_holder(near, far):
    l = near(listener, address=near.address)
    name = l.getsockname()
    pid = child(signal.pause)
    l.close()
    yield "connect while a child holds it", said(far(tcp).connect, name)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    yield "connect", said(far(tcp).connect, name)


@case
def listener_ends_in_accept(near):
    """Of its holder's call nothing is left either."""
    l = listener()
    pid = asleep(child(l.accept))
    name = l.getsockname()
    l.close()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    yield "connect", said(tcp().connect, name)


def sharing(name):
    l = tcp()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    l.bind(name)
    l.listen()
    l.settimeout(WAIT)
    return l


@case
def one_of_two_listeners_is_closed(near, far):
    a = far(sharing, (far.address, 0))
    name = a.getsockname()
    b = far(sharing, name)
    a.close()
    for i in range(8):
        c = tcp()
        yield f"connect {i}", said(c.connect, name)
        yield f"accept {i}", b.accept()[1] == c.getsockname()
    b.close()
    yield "connect to none", said(tcp().connect, name)


@case
def accept_after_a_close_of_a_copy(near):
    """The call keeps the file: a close elsewhere does not wake it."""
    l = listener()
    waiting = later(raw, "accept", l.fileno(), None, None).asleep()
    os.close(os.dup(l.fileno()))
    c = tcp()
    c.connect(l.getsockname())
    yield "accept", isinstance(waiting.wait(), int)


class Limited:
    """No descriptor is left, for as long as it is entered."""

    def __enter__(self):
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        first_free = os.dup(0)
        os.close(first_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, self.limits[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)


def greeted(far, name, text):
    """A client that has said something."""
    c = far(tcp)
    c.connect(name)
    c.send(text)
    return c


@case(differs={"with nothing waiting": "accept-at-limit"})
def accept_without_a_descriptor(near, far):
    """The connections wait until there is one, in their order; the listener stays ready."""
    l = near(listener, address=near.address)
    l.setblocking(False)
    clients = []
    with Limited():
        yield "with nothing waiting", said(l.accept)
        for i in range(3):
            clients.append(greeted(far, l.getsockname(), b"%d" % i))
            yield f"poll {i}", until(l, select.POLLIN)
            yield f"accept {i}", said(l.accept)
    for i in range(len(clients)):
        yield f"poll with room, {i}", bits(l)
        yield f"accept with room, {i}", l.accept()[0].recv(9)
    yield "poll at last", bits(l)
    yield "accept at last", said(l.accept)


@case
def ready_for_each_after_the_limit(near, far):
    l = near(listener, address=near.address)
    l.setblocking(False)
    clients = [greeted(far, l.getsockname(), b"1")]
    with Limited():
        until(l, select.POLLIN)
        yield "accept", said(l.accept)
    clients.append(greeted(far, l.getsockname(), b"2"))
    settle(near, far)
    for i in range(2):
        yield f"poll {i}", until(l, select.POLLIN)
        yield f"accept {i}", l.accept()[0].recv(9)
    yield "poll", bits(l)
    del clients


@case
def listen_again_after_the_limit(near, far):
    """Who waited is gone, and nobody is taken for another."""
    l = near(listener, address=near.address)
    l.setblocking(False)
    clients = [greeted(far, l.getsockname(), b"1")]
    with Limited():
        until(l, select.POLLIN)
        yield "accept", said(l.accept)
    yield "shutdown", said(l.shutdown, socket.SHUT_RD)
    yield "listen", said(l.listen, 8)
    for text in b"2", b"3":
        clients.append(greeted(far, l.getsockname(), text))
        until(l, select.POLLIN)
        yield f"accept {text}", l.accept()[0].recv(9)
    yield "accept then", said(l.accept)
    del clients
