"""Sockets across threads and processes: who holds them, who waits on them, who passes them on."""

import array
import os
import select
import signal
import socket
import subprocess
import sys
import threading

from kit import (bits, case, eventually, later, listener, pair, read_all, said, settle, tcp, until)
from streams import arrived, call, patience

CLOSE_RANGE_CLOEXEC = 4
CLONE_FILES = 0x400


def child(function, *arguments):
    """A process that does it and ends."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = function(*arguments) or 0
        finally:
            os._exit(status)
    return pid


def asleep(pid):
    """Waits until the process sleeps in the kernel."""
    def state():
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    eventually(state, "S")
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refuses(address):
    with tcp() as s:
        s.connect(address)


# --- what wakes whom ---------------------------------------------------------------------------


@case
def close_wakes_no_recv(near, far):
    """The call goes on with the open socket, which the descriptor was only a name of."""
    a, b = pair(near, far)
    waits = later(socket.socket.recv, a, 9).asleep()
    os.close(a.fileno())
    yield "recv goes on", waits.ended()
    b.send(b"x")
    yield "recv", waits.wait()
    a.detach()


def shutdown_wakes(receive, how):
    def body(near, far):
        a, _ = pair(near, far)
        waits = later(receive, a).asleep()
        a.shutdown(how)
        yield "receive", waits.wait()
    return body


for name_, receive_ in {"recv": lambda s: s.recv(9), "recvfrom": lambda s: s.recvfrom(9),
                        "recvmsg": lambda s: s.recvmsg(9)}.items():
    case(shutdown_wakes(receive_, socket.SHUT_RD), name=f"shutdown_read_wakes_{name_}")
    case(shutdown_wakes(receive_, socket.SHUT_RDWR), name=f"shutdown_both_wakes_{name_}")


@case
def shutdown_wakes_accept(near):
    l = listener()
    waits = [later(l.accept).asleep() for _ in range(3)]
    yield "shutdown", said(l.shutdown, socket.SHUT_RD)
    yield "accepts", [w.wait() for w in waits]
    yield "accept then", said(l.accept)
    yield "poll", bits(l)
    yield "SO_ACCEPTCONN", l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    yield "shutdown again", said(l.shutdown, socket.SHUT_RD)


@case
def shutdown_write_leaves_a_listener(near, far):
    l = near(listener, address=near.address)
    waits = later(lambda: bool(l.accept())).asleep()
    yield "shutdown", said(l.shutdown, socket.SHUT_WR)
    c = far(tcp)
    yield "connect", said(c.connect, l.getsockname())
    yield "accept", waits.wait()


@case
def close_wakes_no_accept(near, far):
    l = near(listener, address=near.address)
    name = l.getsockname()
    waits = later(socket.socket.accept, l).asleep()
    os.close(l.fileno())
    yield "accept goes on", waits.ended()
    c = far(tcp)
    yield "connect", said(c.connect, name)
    yield "accept", isinstance(waits.wait(), tuple)
    l.detach()


@case
def two_accepts(near, far):
    l = near(listener, address=near.address)
    waits = [later(lambda: bool(l.accept())).asleep() for _ in range(2)]
    c, d = far(tcp), far(tcp)
    c.connect(l.getsockname())
    yield "one", eventually(lambda: sum(w.ended() for w in waits), 1)
    d.connect(l.getsockname())
    yield "both", [w.wait() for w in waits]


@case
def two_receivers(near, far):
    a, b = pair(near, far)
    waits = [later(a.recv, 1).asleep() for _ in range(2)]
    b.send(b"x")
    yield "one", eventually(lambda: sum(w.ended() for w in waits), 1)
    b.send(b"y")
    yield "both", sorted(w.wait() for w in waits)


@case
def two_receivers_with_names(near, far):
    a, b = pair(near, far)
    waits = [later(lambda: a.recvfrom(1)[0]).asleep() for _ in range(2)]
    b.send(b"x")
    yield "one", eventually(lambda: sum(w.ended() for w in waits), 1)
    b.send(b"y")
    yield "both", sorted(w.wait() for w in waits)


@case
def two_connects(near, far):
    l = far(listener, address=far.address, backlog=64)
    for _ in range(10):
        s = near(tcp)
        other = later(s.connect, l.getsockname())
        got = sorted([str(said(s.connect, l.getsockname())), str(other.wait())])
        assert got in (["EISCONN", "None"], ["None", "None"]), got
        s.close()
    yield "one at least connects", True


@case
def connect_against_close(near, far):
    """Whatever comes of it, nothing hangs and the listener goes on."""
    l = far(listener, address=far.address, backlog=64)
    name = l.getsockname()
    for _ in range(20):
        s = near(tcp)
        other = later(os.close, s.fileno())
        said(s.connect, name)
        other.wait()
        s.detach()
    c = near(tcp)
    yield "connect", said(c.connect, name)


@case
def many_threads(near, far):
    l = far(listener, address=far.address, backlog=64)
    echoes = far(later, echo_some, l, 40)
    texts = [later(ask, l.getsockname(), i) for i in range(40)]
    yield "answers", [t.wait() for t in texts] == [b"%d" % i for i in range(40)]
    yield "server", echoes.wait()


def ask(name, number):
    with tcp() as s:
        s.connect(name)
        s.sendall(b"%d" % number)
        s.shutdown(socket.SHUT_WR)
        return read_all(s)


def echo_some(l, count):
    def one(s):
        s.sendall(read_all(s))
        s.close()
    waits = [later(one, l.accept()[0]) for _ in range(count)]
    return [w.wait() for w in waits].count(None)


# --- copies ------------------------------------------------------------------------------------


@case
def copy_outlives_its_original(near, far):
    a, b = pair(near, far)
    copy = a.dup()
    a.close()
    yield "send", said(copy.send, b"x")
    yield "peer", said(b.recv, 9)
    copy.close()
    yield "peer then", until(b, select.POLLRDHUP)


@case
def dup2_closes_what_was_there(near, far):
    a, b = pair(near, far)
    other = tcp()
    os.dup2(other.fileno(), a.fileno())
    yield "peer", until(b, select.POLLRDHUP)
    yield "name", said(a.getpeername)
    yield "recv", said(b.recv, 1)


@case
def child_holds_it(near, far):
    a, b = pair(near, far)
    read, write = os.pipe()
    pid = child(lambda: len(os.read(read, 1)) - 1)
    a.close()
    settle(near, far)
    yield "peer", bits(b)
    yield "peer's recv", said(b.recv, 1, socket.MSG_DONTWAIT)
    os.write(write, b"x")
    ended(pid)
    yield "peer when it has ended", until(b, select.POLLRDHUP)
    yield "peer's recv then", said(b.recv, 1)


@case
def exec_closes_it(near, far):
    a, b = pair(near, far)
    pid = child(os.execv, "/bin/true", ["true"])
    a.close()
    yield "child", ended(pid)
    yield "peer", until(b, select.POLLRDHUP)
    yield "peer's recv", said(b.recv, 1)


@case
def exec_keeps_it(near, far):
    a, b = pair(near, far)
    os.set_inheritable(a.fileno(), True)
    n = a.fileno()
    pid = child(os.execv, "/bin/sh", ["sh", "-c", f"echo hello >&{n}; read x <&{n}; echo got $x >&{n}"])
    a.close()
    yield "from the child", said(b.recv, 6, socket.MSG_WAITALL)
    b.send(b"line\n")
    yield "its answer", said(b.recv, 9, socket.MSG_WAITALL)
    yield "child", ended(pid)
    yield "the end", said(b.recv, 9)


@case
def spawned_on_it(near, far):
    a, b = pair(near, far)
    p = subprocess.Popen(["cat"], stdin=a, stdout=a)
    a.close()
    b.send(b"round")
    yield "echo", said(b.recv, 5, socket.MSG_WAITALL)
    b.shutdown(socket.SHUT_WR)
    yield "end", said(b.recv, 9)
    yield "child", p.wait(10)


@case
def posix_spawned_on_it(near, far):
    a, b = pair(near, far)
    actions = [(os.POSIX_SPAWN_DUP2, a.fileno(), 0), (os.POSIX_SPAWN_DUP2, a.fileno(), 1)]
    pid = os.posix_spawn("/bin/cat", ["cat"], os.environ, file_actions=actions)
    a.close()
    b.send(b"round")
    yield "echo", said(b.recv, 5, socket.MSG_WAITALL)
    b.shutdown(socket.SHUT_WR)
    yield "end", said(b.recv, 9)
    yield "child", ended(pid)


@case
def listener_given_to_a_program(near, far):
    l = near(listener, address=near.address)
    code = "import socket, sys; c, _ = socket.socket(fileno=int(sys.argv[1])).accept(); c.sendall(b'child')"
    p = subprocess.Popen([sys.executable, "-c", code, str(l.fileno())], pass_fds=[l.fileno()])
    name = l.getsockname()
    l.close()
    c = far(tcp)
    c.connect(name)
    yield "from the program", said(c.recv, 9)
    yield "program", p.wait(10)


@case
def close_range_closes(near, far):
    a, b = pair(near, far)
    n = a.detach()
    yield "close_range", call("close_range", n, n, 0)
    yield "peer", until(b, select.POLLRDHUP)


@case
def close_range_marks(near, far):
    a, b = pair(near, far)
    os.set_inheritable(a.fileno(), True)
    yield "close_range", call("close_range", a.fileno(), a.fileno(), CLOSE_RANGE_CLOEXEC)
    pid = child(os.execv, "/bin/true", ["true"])
    a.close()
    yield "child", ended(pid)
    yield "peer", until(b, select.POLLRDHUP)


@case
def descriptors_of_its_own(near, far):
    """A thread that has unshared its descriptors closes only its own."""
    a, b = pair(near, far)
    l = far(listener, address=far.address)
    name = l.getsockname()

    def thread():
        call("unshare", CLONE_FILES)
        os.close(a.fileno())
        s = tcp()
        results.append(said(s.connect, name))
        results.append(said(s.send, b"from the thread"))

    results = []
    t = threading.Thread(target=thread)
    t.start()
    t.join(10)
    yield "thread", results
    c, _ = l.accept()
    yield "its peer", said(c.recv, 99)
    yield "send", said(a.send, b"still")
    yield "peer", said(b.recv, 9)


@case
def accept_with_descriptors_of_its_own(near, far):
    def thread():
        call("unshare", CLONE_FILES)
        with listener(address=near.address) as l:
            names.append(l.getsockname())
            ready.set()
            s, _ = l.accept()
            s.send(s.recv(5))

    names, ready = [], threading.Event()
    t = threading.Thread(target=thread)
    t.start()
    ready.wait(10)
    c = far(tcp)
    c.connect(names[0])
    c.send(b"hello")
    yield "echo", said(c.recv, 9)
    t.join(10)


# --- passed on ---------------------------------------------------------------------------------


def passed(s, function):
    """Gives the socket to a child, which calls the function with it, and closes it here."""
    ours, theirs = socket.socketpair()

    def receive():
        ours.close()
        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
        function(socket.socket(fileno=fds[0]))

    n = os.dup(s.fileno())
    s.close()
    pid = child(lambda: (os.close(n), receive())[1])
    socket.send_fds(ours, [b"x"], [n])
    os.close(n)
    ours.close()
    theirs.close()
    return pid


@case
def connection_by_message(near, far):
    a, b = pair(near, far)
    pid = passed(a, lambda s: s.send(b"passed"))
    yield "from the child", said(b.recv, 9)
    yield "child", ended(pid)
    yield "end", until(b, select.POLLRDHUP)


@case
def listener_by_message(near, far):
    l = near(listener, address=near.address)
    name = l.getsockname()
    pid = passed(l, lambda s: s.accept()[0].send(b"hi"))
    c = far(tcp)
    c.connect(name)
    yield "from the child", said(c.recv, 9)
    yield "child", ended(pid)


@case
def fresh_by_message(near, far):
    l = far(listener, address=far.address)
    name = l.getsockname()
    s = near(tcp)

    def use(s):
        s.connect(name)
        s.send(b"fresh")

    pid = passed(s, use)
    c, _ = l.accept()
    yield "from the child", said(c.recv, 9)
    yield "child", ended(pid)


@case
def listener_in_a_message(near, far):
    """Nobody has a descriptor of it, but a message that is under way."""
    l = near(listener, address=near.address)
    name = l.getsockname()
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"x"], [l.fileno()])
    l.close()
    c = far(tcp)
    yield "connect", said(c.connect, name)
    _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
    yield "accept", said(lambda: bool(socket.socket(fileno=fds[0]).accept()))


@case
def taken_from_another_process(near, far):
    a, b = pair(near, far)
    read, write = os.pipe()
    pid = child(lambda: len(os.read(read, 1)) - 1)
    n = a.fileno()
    a.close()
    taken = call("pidfd_getfd", os.pidfd_open(pid), n, 0)
    s = socket.socket(fileno=taken)
    yield "send", said(s.send, b"x")
    yield "peer", said(b.recv, 1)
    os.write(write, b"x")
    ended(pid)
    yield "send when it has ended", said(s.send, b"y")
    yield "peer then", said(b.recv, 1)
    yield "name", len(s.getsockname())


# --- one listener, many processes ----------------------------------------------------------------


def herd(l, count, accept):
    """Children that accept and answer for ever."""
    def serve():
        while True:
            s = accept(l)
            s.send(b"ok")
            s.close()
    return [child(serve) for _ in range(count)]


def end(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        ended(pid)


def answers(far, name, count):
    got = []
    for _ in range(count):
        c = far(tcp)
        c.connect(name)
        got.append(said(c.recv, 9))
        c.close()
    return got.count(b"ok")


def accept_now(l):
    return l.accept()[0]


def accept_when_ready(flags):
    def accept(l):
        e = select.epoll()
        e.register(l, select.EPOLLIN | flags)
        while True:
            e.poll()
            try:
                s, _ = l.accept()
            except BlockingIOError:
                continue
            s.setblocking(True)
            return s
    return accept


def herded(accept, blocks):
    def body(near, far):
        l = near(listener, address=near.address, backlog=64)
        l.setblocking(blocks)
        pids = herd(l, 4, accept)
        yield "answers", answers(far, l.getsockname(), 40)
        end(pids)
    return body


case(herded(accept_now, True), name="herd_in_accept")
case(herded(accept_when_ready(0), False), name="herd_in_epoll")
case(herded(accept_when_ready(select.EPOLLEXCLUSIVE), False), name="herd_in_exclusive_epoll")


@case
def killed_in_accept(near, far):
    """What waits there takes no connection with it."""
    l = near(listener, address=near.address)
    pid = asleep(child(l.accept))
    os.kill(pid, signal.SIGKILL)
    yield "child", ended(pid)
    c = far(tcp)
    c.connect(l.getsockname())
    yield "accept", said(lambda: bool(l.accept()))


@case
def exec_beside_an_accept(near):
    def program():
        later(l.accept).asleep()
        os.execv("/bin/true", ["true"])

    l = listener()
    yield "child", ended(child(program))


@case
def exit_beside_calls_that_wait(near, far):
    def program():
        for f in (l.accept, l.accept, lambda: a.recvfrom(9), lambda: a.recv(9)):
            later(f).asleep()
        return 7

    l = near(listener, address=near.address)
    a, b = pair(near, far)
    pid = child(program)
    yield "child", ended(pid)
    b.send(b"still there")
    arrived(a, 11)
    yield "recv", said(a.recv, 99)


@case
def time_is_up_in_accept(near):
    l = patience(listener(), 0.03)
    yield "accept", said(l.accept)
    l.setblocking(False)
    yield "non-blocking", said(l.accept)


@case
def ancillary_descriptors_stay_out(near, far):
    """Descriptors that are sent with data on TCP go nowhere."""
    a, b = pair(near, far)
    read, write = os.pipe()
    yield "sendmsg", said(a.sendmsg, [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write]))])
    yield "recvmsg", b.recvmsg(9, 100)
    os.close(write)
    p = select.poll()
    p.register(read, select.POLLIN)
    yield "the pipe's other end is closed", len(p.poll(5000))
