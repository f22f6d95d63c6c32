"""Sockets as descriptors: copied, passed, inherited, watched."""

import os
import select
import socket
import sys

from kit import WAIT, case, listener, pair, said, tcp


@case
def copies_of_a_socket(near, far):
    a, b = pair(near, far)
    c = a.dup()
    a.close()
    b.send(b"still")
    yield "recv", said(c.recv, 9)
    yield "getpeername", c.getpeername() == b.getsockname()
    pid = os.fork()
    if pid == 0:
        c.send(b"from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    c.close()
    yield "peer's recv", said(b.recv, 99)
    yield "peer's recv again", said(b.recv, 99)


@case
def socket_by_message(near, far):
    left, right = socket.socketpair()
    a, b = pair(near, far)
    l = listener(address=near.address)
    pid = os.fork()
    if pid == 0:
        left.close()
        _, fds, _, _ = socket.recv_fds(right, 1, 2)
        s, own = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
        s.send(b"passed")
        own.accept()[0].send(b"accepted elsewhere")
        os._exit(0)
    name = l.getsockname()
    socket.send_fds(left, [b"x"], [a.fileno(), l.fileno()])
    a.close()
    l.close()
    c = far(tcp)
    c.connect(name)
    yield "connected one", said(b.recv, 99)
    yield "accepted one", said(c.recv, 99)
    os.waitpid(pid, 0)
    yield "at the end", said(b.recv, 1)


@case
def socket_across_exec(near, far):
    l = listener(address=near.address)
    os.set_inheritable(l.fileno(), True)
    pid = os.fork()
    if pid == 0:
        code = f"import socket; s = socket.socket(fileno={l.fileno()}); s.accept()[0].send(b'exec')"
        os.execv(sys.executable, [sys.executable, "-S", "-c", code])
    c = far(tcp)
    c.connect(l.getsockname())
    yield "peer's recv", said(c.recv, 9)
    yield "status", os.waitpid(pid, 0)[1]


@case
def many_in_epoll(near, far):
    l = listener(address=near.address, backlog=64)
    e = select.epoll()
    kept = []
    for _ in range(50):
        c = far(tcp)
        c.connect(l.getsockname())
        s, _ = l.accept()
        e.register(s, select.EPOLLIN | select.EPOLLET)
        kept.append((c, s))
    for c, _ in kept[::5]:
        c.send(b"x")
    ready = set()
    while len(ready) < 10:
        got = e.poll(WAIT)
        if not got:
            break
        ready |= {fd for fd, _ in got}
    yield "those that were sent to", ready == {s.fileno() for _, s in kept[::5]}
