"""Scenarios of TCP sockets, from fresh ones to what a stream carries, and of options."""

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

from kit import (LIBC, WAIT, bits, closed_port, eventually, host, listener, pair, said, scenario,
                 tcp, until, waits)

# --- fresh sockets ---------------------------------------------------------------------------


@scenario
def fresh_tcp():
    s = tcp()
    return [bits(s), said(s.getpeername), said(s.getsockname), said(s.shutdown, socket.SHUT_RD),
            said(s.shutdown, socket.SHUT_WR), said(s.shutdown, 7), s.type, s.family, s.proto,
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), said(s.accept)]


@scenario
def fresh_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return [bits(s), said(s.getpeername), said(s.getsockname), said(s.shutdown, socket.SHUT_RD),
            s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
            s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), said(s.listen, 1),
            said(s.accept), said(s.sendmsg, [b"x"])]


@scenario
def fresh_ipv6():
    s = tcp(socket.AF_INET6)
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    return [s.getsockname(), u.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)]


@scenario
def socket_arguments():
    def make(*a):
        socket.socket(*a).close()
        return "made"

    return [said(make, socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP),
            said(make, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_TCP),
            said(make, socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP),
            said(make, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP),
            said(make, socket.AF_INET, socket.SOCK_SEQPACKET),
            said(make, socket.AF_INET, 77), said(make, 777, 1)]


@scenario
def descriptor_flags():
    kind = socket.SOCK_STREAM
    result = []
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
        fd = LIBC.socket(socket.AF_INET, kind | flags, 0)
        result.append([fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD)])
        os.close(fd)
    return result


@scenario
def lowest_free_descriptor():
    first = os.dup(0)
    os.close(first)
    s = tcp()
    return s.fileno() == first


# --- bind and listen -------------------------------------------------------------------------


@scenario
def bind_names():
    s = tcp()
    v6 = tcp(socket.AF_INET6)
    short = LIBC.bind(s.fileno(), b"\2\0\0\0", 4), ctypes.get_errno()
    other = [said(s.bind, ("192.0.2.1", 0)), said(v6.bind, ("2001:db8::1", 0))]
    good = [said(s.bind, ("127.0.0.1", 0)), said(s.bind, ("127.0.0.1", 0)),
            host(s.getsockname()), s.getsockname()[1] > 0]
    wrong = LIBC.bind(v6.fileno(), struct.pack("=HH4s8x", 2, 0, bytes(4)), 16)
    return [short, other, good, wrong, errno.errorcode[ctypes.get_errno()]]


@scenario
def bind_conflicts():
    result = []
    for first, second, reuse in (("127.0.0.1", "127.0.0.1", 0), ("0.0.0.0", "127.0.0.1", 0),
                                 ("127.0.0.1", "0.0.0.0", 0), ("127.0.0.1", "127.0.0.2", 0),
                                 ("127.0.0.1", "127.0.0.1", 1)):
        a, b = tcp(), tcp()
        for s in a, b:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        a.bind((first, 0))
        port = a.getsockname()[1]
        bound = said(b.bind, (second, port))
        result.append([bound, said(a.listen, 1), said(b.listen, 1) if bound is None else ""])
        a.close()
        b.close()
    return result


@scenario
def reuse_port():
    a, b, c = tcp(), tcp(), tcp()
    for s in a, b:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    a.bind(("127.0.0.1", 0))
    name = a.getsockname()
    result = [said(b.bind, name), said(c.bind, name), said(a.listen, 1), said(b.listen, 1),
              a.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)]
    return result


@scenario
def bind_again_after_close():
    result = []
    name = ("127.0.0.1", 0)
    for i in range(5):
        s = tcp()
        result.append(said(s.bind, name))
        s.listen(1)
        name = s.getsockname()
        s.close()
    return result


@scenario
def listen_states():
    s = tcp()
    result = [said(s.listen, 1), s.getsockname()[0], s.getsockname()[1] > 0, said(s.listen, 5),
              said(s.listen, -1), bits(s), said(s.recv, 1), said(s.send, b"x"),
              s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), said(s.getpeername),
              said(s.connect, s.getsockname())]
    a, b = pair()
    result += [said(a.listen, 1), said(a.bind, ("127.0.0.1", 0))]
    return result[:6] + result[8:]


@scenario
def listener_becomes_readable():
    l = listener()
    before = bits(l)
    a = tcp()
    a.connect(l.getsockname())
    during = until(l, select.POLLIN)
    b, name = l.accept()
    return [before, during, bits(l), name == a.getsockname(), b.getpeername() == a.getsockname(),
            b.getsockname() == a.getpeername() == l.getsockname()]


@scenario
def shut_listener():
    l = listener()
    got = []
    t = threading.Thread(target=lambda: got.append(said(l.accept)))
    t.start()
    while not waits(t.native_id):
        time.sleep(0.001)
    l.shutdown(socket.SHUT_RD)
    t.join(WAIT)
    c = tcp()
    return [got, said(l.accept), said(c.connect, ("127.0.0.1", 1))]


# --- accept ----------------------------------------------------------------------------------


@scenario
def accept_nothing():
    l = listener()
    l.setblocking(False)
    first = said(l.accept)
    l.setblocking(True)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    return [first, said(l._accept)]


@scenario
def accept_flags():
    l = listener()
    result = []
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
        c = tcp()
        c.connect(l.getsockname())
        fd = LIBC.accept4(l.fileno(), None, None, flags)
        result.append([fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD)])
    bad = LIBC.accept4(l.fileno(), None, None, 0x1000000)
    return result + [bad, ctypes.get_errno()]


@scenario
def accept_short_name():
    l = listener()
    c = tcp()
    c.connect(l.getsockname())
    name, length = ctypes.create_string_buffer(b"zzzzzzzzzzzzzzzzzzzz"), ctypes.c_uint(4)
    fd = LIBC.accept(l.fileno(), name, ctypes.byref(length))
    return [fd >= 0, length.value, name.raw[:2].hex(), name.raw[4:8].decode()]


@scenario
def accept_order():
    l = listener(backlog=16)
    clients = []
    for i in range(10):
        c = tcp()
        c.connect(l.getsockname())
        clients.append(c)
    return [l.accept()[1] == c.getsockname() for c in clients]


@scenario
def accept_reset_one():
    l = listener()
    c = tcp()
    c.connect(l.getsockname())
    until(l, select.POLLIN)
    c.send(b"last words")
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    s, _ = l.accept()
    until(s, select.POLLERR)
    return [said(s.getpeername), said(lambda: s.recv(100)) in ("last words", "ECONNRESET")]


@scenario
def accept_in_threads():
    l = listener()
    got = []
    threads = [threading.Thread(target=lambda: got.append(l.accept()[0])) for i in range(4)]
    for t in threads:
        t.start()
    clients = [tcp() for i in range(4)]
    for c in clients:
        c.connect(l.getsockname())
    for t in threads:
        t.join(WAIT)
    return len(got)


@scenario
def accept_in_children():
    l = listener()
    children = []
    for i in range(3):
        pid = os.fork()
        if pid == 0:
            s, _ = l.accept()
            s.send(b"child")
            os._exit(0)
        children.append(pid)
    words = []
    for i in range(3):
        c = tcp()
        c.connect(l.getsockname())
        words.append(said(c.recv, 100))
    return words + [os.waitpid(pid, 0)[1] for pid in children]


@scenario
def close_listener_with_queue():
    l = listener()
    c = tcp()
    c.connect(l.getsockname())
    until(l, select.POLLIN)
    name = l.getsockname()
    l.close()
    first = said(c.recv, 1)
    return [first, said(tcp().connect, name)]


# --- connect ---------------------------------------------------------------------------------


@scenario
def connect_refused():
    s = tcp()
    name = closed_port()
    result = [said(s.connect, name), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
              said(s.connect, name)]
    with listener() as l:
        return result + [said(s.connect, l.getsockname()), said(s.connect, l.getsockname()),
                         said(s.send, b"x")]


@scenario
def connect_names():
    s = tcp()
    with listener(address="0.0.0.0") as l:
        any_address = said(s.connect, ("0.0.0.0", l.getsockname()[1]))
        peer = host(s.getpeername())
    t = tcp()
    short = LIBC.connect(t.fileno(), b"\2\0\0\0", 4), ctypes.get_errno()
    wrong = LIBC.connect(t.fileno(), struct.pack("=H14x", 1), 16), ctypes.get_errno()
    null = LIBC.connect(t.fileno(), None, 16), ctypes.get_errno()
    return [any_address, peer, short, wrong, null]


@scenario
def connect_without_waiting():
    l = listener()
    s = tcp()
    s.setblocking(False)
    first = said(s.connect, l.getsockname())
    ready = until(s, select.POLLOUT)
    return [first, ready, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
            said(s.connect, l.getsockname()), said(s.connect, l.getsockname()),
            said(s.send, b"hello"), l.accept()[0].recv(5).decode()]


@scenario
def connect_without_waiting_refused():
    s = tcp()
    s.setblocking(False)
    name = closed_port()
    first = said(s.connect, name)
    ready = until(s, select.POLLOUT)
    result = [first, ready, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
              s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
    return result + [said(s.connect, name)]


@scenario
def connect_again_after_failure():
    s = tcp()
    s.setblocking(False)
    said(s.connect, closed_port())
    until(s, select.POLLOUT)
    s.setblocking(True)
    with listener() as l:
        # The first says what has become of the last one.
        first = said(s.connect, l.getsockname())
        second = said(s.connect, l.getsockname())
        b, _ = l.accept()
        s.send(b"back")
        return [first, second, b.recv(9).decode()]


@scenario
def connect_from_bound():
    l = listener()
    s = tcp()
    s.bind(("127.0.0.1", 0))
    name = s.getsockname()
    s.connect(l.getsockname())
    return [s.getsockname() == name, l.accept()[1] == name]


@scenario
def edge_of_connect():
    l = listener()
    s = tcp()
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    fresh = [v for _, v in e.poll(0)]
    first = said(s.connect, l.getsockname())
    seen = 0
    end = time.monotonic() + WAIT
    while not seen & select.EPOLLOUT or seen & select.EPOLLHUP:
        seen = 0
        for _, v in e.poll(0.05):
            seen |= v
        if time.monotonic() > end:
            break
    b, _ = l.accept()
    b.send(b"x")
    again = [bool(v & select.EPOLLIN) for _, v in e.poll(WAIT)]
    return [fresh, first, seen, again, e.poll(0)]


@scenario
def own_names():
    l = listener(address="0.0.0.0")
    s = tcp()
    s.connect(("127.0.0.1", l.getsockname()[1]))
    b, name = l.accept()
    return [host(s.getsockname()), host(s.getpeername()), host(b.getsockname()), host(name)]


# --- data and ends ---------------------------------------------------------------------------


@scenario
def reset_by_late_data():
    a, b = pair()
    b.close()
    until(a, select.POLLRDHUP)
    said(a.send, b"x")
    state = until(a, select.POLLERR)
    return [state, said(a.send, b"y") in ("ECONNRESET", "EPIPE")]


@scenario
def shut_both():
    a, b = pair()
    a.shutdown(socket.SHUT_RDWR)
    return [said(a.recv, 1), said(a.send, b"x"), said(b.recv, 1), until(b, select.POLLRDHUP),
            said(b.shutdown, socket.SHUT_RDWR), until(a, select.POLLHUP)]


@scenario
def sent_then_exited():
    l = listener()
    pid = os.fork()
    if pid == 0:
        s = tcp()
        s.connect(l.getsockname())
        s.sendall(b"z" * 300000)
        os._exit(0)
    b, _ = l.accept()
    os.waitpid(pid, 0)
    total = 0
    while d := b.recv(65536):
        total += len(d)
    return total


@scenario
def much_both_ways():
    a, b = pair()
    size = 3_000_000

    def echo():
        while d := b.recv(65536):
            b.sendall(d)
        b.shutdown(socket.SHUT_WR)

    def send():
        a.sendall(bytes(i % 251 for i in range(1000)) * (size // 1000))
        a.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=echo), threading.Thread(target=send)]
    for t in threads:
        t.start()
    got = bytearray()
    while d := a.recv(65536):
        got += d
    for t in threads:
        t.join(WAIT)
    return [len(got), bytes(got[:1000]) == bytes(i % 251 for i in range(1000)),
            got == got[:1000] * (size // 1000)]


@scenario
def full_send_queue():
    a, b = pair()
    a.setblocking(False)
    total = 0
    quiet = 0
    while quiet < 3:
        try:
            total += a.send(b"x" * 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)
    full = [bits(a), total > 100000]
    got = 0
    while got < total:
        got += len(b.recv(1 << 20))
    return full + [until(a, select.POLLOUT), got == total]


@scenario
def peek_and_waitall():
    a, b = pair()
    a.sendall(b"0123456789")
    until(b, select.POLLIN)
    return [said(b.recv, 4, socket.MSG_PEEK), said(b.recv, 10, socket.MSG_WAITALL),
            said(b.recv, 1, socket.MSG_DONTWAIT)]


@scenario
def stream_names_and_flags():
    a, b = pair()
    a.sendall(b"0123456789")
    until(b, select.POLLIN)
    first = b.recvfrom(2)
    dropped = LIBC.recv(b.fileno(), None, 3, socket.MSG_TRUNC)
    rest = b.recvmsg(100, 100)
    name = ctypes.create_string_buffer(64)
    length = ctypes.c_uint(64)
    b.send(b"ab")
    until(a, select.POLLIN)
    got = LIBC.recvfrom(a.fileno(), ctypes.create_string_buffer(8), 8, 0, name, ctypes.byref(length))
    errors = said(lambda: b.recv(1, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT))
    to_name = said(a.sendto, b"xy", ("127.0.0.1", 1))
    return [first[0].decode(), dropped, rest[0].decode(), rest[1], got, length.value, errors, to_name,
            said(b.recv, 9)]


@scenario
def urgent_data():
    a, b = pair()
    caught = []
    signal.signal(signal.SIGURG, lambda *_: caught.append("SIGURG"))
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"abc")
    a.send(b"!", socket.MSG_OOB)
    until(b, select.POLLPRI)
    urgent = said(b.recv, 1, socket.MSG_OOB)
    return [urgent, said(b.recv, 10), eventually(lambda: caught[:1], ["SIGURG"])]


# --- descriptors -----------------------------------------------------------------------------


@scenario
def copies_of_a_socket():
    a, b = pair()
    c = a.dup()
    a.close()
    b.send(b"still")
    result = [said(c.recv, 9), c.getpeername() == b.getsockname()]
    pid = os.fork()
    if pid == 0:
        c.send(b"from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    c.close()
    return result + [said(b.recv, 99), said(b.recv, 99)]


@scenario
def socket_by_message():
    left, right = socket.socketpair()
    a, b = pair()
    l = listener()
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
    c = tcp()
    c.connect(name)
    result = [said(b.recv, 99), said(c.recv, 99)]
    os.waitpid(pid, 0)
    return result + [said(b.recv, 1)]


@scenario
def socket_across_exec():
    l = listener()
    os.set_inheritable(l.fileno(), True)
    pid = os.fork()
    if pid == 0:
        code = f"import socket; s = socket.socket(fileno={l.fileno()}); s.accept()[0].send(b'exec')"
        os.execv(sys.executable, [sys.executable, "-S", "-c", code])
    c = tcp()
    c.connect(l.getsockname())
    got = said(c.recv, 9)
    return [got, os.waitpid(pid, 0)[1]]


@scenario
def send_a_file():
    a, b = pair()
    with open(sys.argv[0], "rb") as f:
        size = os.fstat(f.fileno()).st_size
        sent = 0
        while sent < size:
            sent += os.sendfile(a.fileno(), f.fileno(), sent, size - sent)
    a.close()
    got = 0
    while d := b.recv(65536):
        got += len(d)
    return got == size


@scenario
def many_in_epoll():
    l = listener(backlog=64)
    e = select.epoll()
    kept = []
    for i in range(50):
        c = tcp()
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
    return [ready == {s.fileno() for _, s in kept[::5]}]


# --- options ---------------------------------------------------------------------------------


@scenario
def stream_options():
    s = tcp()
    result = []
    for level, name, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.IPPROTO_TCP, socket.TCP_CORK, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 33), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 7),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3), (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 999),
            (socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), (socket.SOL_SOCKET, socket.SO_REUSEPORT, 5),
            (socket.IPPROTO_IP, socket.IP_TTL, 9), (socket.IPPROTO_IP, socket.IP_TOS, 16)):
        before = said(s.getsockopt, level, name)
        result.append([before, said(s.setsockopt, level, name, value), said(s.getsockopt, level, name)])
    for level, name, value in (
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 128),
            (socket.IPPROTO_IP, socket.IP_TTL, 256), (socket.IPPROTO_TCP, 200, 1),
            (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)):
        result.append(said(s.setsockopt, level, name, value))
    result.append(said(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, b"\1"))
    result.append(said(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"nosuch"))
    return result


@scenario
def options_of_accepted():
    l = listener()
    l.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c = tcp()
    c.connect(l.getsockname())
    s, _ = l.accept()
    return [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]


@scenario
def linger_is_kept():
    s = tcp()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    return [struct.unpack("ii", s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
            said(s.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0")]


@scenario
def tcp_info_state():
    a, b = pair()
    l = listener()
    return [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0] for s in (tcp(), a, l)]


@scenario
def time_outs():
    a, b = pair()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    return said(a.recv, 1)


@scenario
def only_ipv6():
    result = []
    for only in (0, 1):
        l = tcp(socket.AF_INET6)
        l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        l.bind(("::", 0))
        l.listen(4)
        port = l.getsockname()[1]
        c = tcp()
        got = said(c.connect, ("127.0.0.1", port))
        result.append([got, l.getsockname()[0]])
        if got is None:
            s, name = l.accept()
            result.append([name[0], s.getsockname()[0]])
        c6 = tcp(socket.AF_INET6)
        result.append(said(c6.connect, ("::1", port)))
        result.append(l.accept()[1][0])
        result.append(said(l.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
    return result


@scenario
def mapped_addresses():
    l = listener()
    s = tcp(socket.AF_INET6)
    got = said(s.connect, ("::ffff:127.0.0.1", l.getsockname()[1]))
    return [got, s.getpeername()[0], s.getsockname()[0], l.accept()[1][0]]


@scenario
def closed_with_linger_0_at_once():
    """No time lies between the option and the close; the peer has nothing but a reset."""
    said_by_peer = set()
    with listener() as l:
        for _ in range(300):
            a = tcp()
            a.connect(l.getsockname())
            b, _ = l.accept()
            a.send(b"x")
            b.recv(1)
            b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            b.close()
            said_by_peer.add(said(a.recv, 1))
            a.close()
    return sorted(said_by_peer)


@scenario
def written_before_a_close_with_data_unread():
    """What was written comes before the reset."""
    said_by_peer = set()
    with listener() as l:
        for _ in range(300):
            a = tcp()
            a.connect(l.getsockname())
            a.send(b"unread")
            b, _ = l.accept()
            b.recv(1, socket.MSG_PEEK)
            b.send(b"refused")
            b.close()
            said_by_peer.add((said(a.recv, 100), said(a.recv, 100)))
            a.close()
    return sorted(said_by_peer)
