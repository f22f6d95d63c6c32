"""`reeve run --loopback=direct`: connections inside a host that no byte leaves the programs for."""

import contextlib
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest
from conftest import COMMAND, PYTHON, WAIT, children, wait_until

SERVER = """
import socket, sys
l = socket.create_server(("0.0.0.0", 7000), backlog=200)
print("ready", flush=True)
while True:
    s, name = l.accept()
    text = s.makefile().readline()
    s.sendall(("same" if text == f"{name[0]} {name[1]}\\n" else f"{name} {text}").encode())
    s.close()
"""

CLIENT = """
import socket
for i in range({count}):
    s = socket.create_connection((\"127.0.0.1\", 7000), 20)
    s.sendall("{{}} {{}}\\n".format(*s.getsockname()).encode())
    got = s.makefile().read()
    assert got == "same", got
    assert s.getpeername() == ("127.0.0.1", 7000)
print("done")
"""

# struct direct_name of src/guest/direct.h.
NAME_LENGTH = 64

DIRECT = ("--loopback", "direct", "--host", "h")


def test_names_belong_to_their_connections(reeve):
    """Several trees connect at once; what each is to its server is what it is to itself."""
    server = reeve.start_python(SERVER, *DIRECT)
    reeve.wait_for_text(server, "ready\n")
    # More than there are ports at first: they are used again.
    clients = [reeve.start_python(CLIENT.format(count=200), *DIRECT) for _ in range(4)]
    for c in clients:
        assert c.communicate(timeout=WAIT)[0] == "done\n"


def test_one_side_alone_is_exact(reeve):
    for at_server, at_client in ((True, False), (False, True)):
        host = ("--host", f"h{int(at_server)}")
        server = reeve.start_python(SERVER, *host, *(DIRECT[:2] if at_server else ()))
        reeve.wait_for_text(server, "ready\n")
        got = reeve.python(CLIENT.format(count=5), *host, *(DIRECT[:2] if at_client else ()))
        assert got.stdout == "done\n", got.stderr


def test_inside_one_tree(reeve):
    """Blocking, non-blocking, refused, a full backlog, the ends: what a program may try."""
    code = """
import errno, select, socket
l = socket.socket()
l.bind(("127.0.0.1", 0))
name = l.getsockname()
c = socket.socket()
try:
    c.connect(name)
except ConnectionRefusedError:
    print("refused")
l.listen(1)
c.connect(name)
s, peer = l.accept()
print(peer == c.getsockname(), s.getpeername() == c.getsockname(), s.getsockname() == name)
c.sendall(b"x" * 100000)
got = s.recv(100000, socket.MSG_WAITALL)
s.shutdown(socket.SHUT_WR)
print(len(got), c.recv(1), c.send(b"y"), s.recv(1))
n = socket.socket()
n.setblocking(False)
print(errno.errorcode[n.connect_ex(name)])
p = select.poll()
p.register(n, select.POLLOUT)
print(p.poll(10000)[0][1] == select.POLLOUT, n.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
full = [socket.socket() for _ in range(2)]
for f in full:
    f.setblocking(False)
    print(errno.errorcode[f.connect_ex(name)])
for i in range(3):
    l.accept()[0].close()
for f in full:
    p = select.poll()
    p.register(f, select.POLLIN)
    p.poll(10000)
    print(f.recv(1))
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout.split("\n")[:-1] == [
        "refused", "True True True", "100000 b'' 1 b'y'", "EINPROGRESS", "True 0", "EINPROGRESS",
        "EINPROGRESS", "b''", "b''"], got.stdout + got.stderr


def test_listed_and_forgotten(reeve):
    code = """
import socket, sys
l = socket.create_server(("127.0.0.1", 7000))
c = socket.create_connection(("127.0.0.1", 7000))
s, _ = l.accept()
print("joined", flush=True)
sys.stdin.readline()
s.close(); c.close()
print("closed", flush=True)
sys.stdin.readline()
"""

    p = reeve.start_python(code, *DIRECT, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "joined\n")

    def states():
        rows = json.loads(reeve.command("ports", "--json").stdout)
        return sorted(row["state"] for row in rows)

    assert states() == ["ESTAB", "ESTAB", "LISTEN"]
    p.stdin.write("\n")
    p.stdin.flush()
    reeve.wait_for_text(p, "closed\n")
    assert states() == ["LISTEN"]
    p.stdin.write("\n")
    p.stdin.close()


def test_two_kinds_of_clients(reeve):
    """A listener whose connections come both ways, and a program that polls it."""
    server = """
import select, socket
l = socket.create_server(("127.0.0.1", 7000))
l.setblocking(False)
p = select.poll()
p.register(l, select.POLLIN)
print("ready", flush=True)
for i in range(200):
    while True:
        p.poll()
        try:
            s, name = l.accept()
            break
        except BlockingIOError:
            pass
    s.setblocking(True)
    text = s.makefile().readline()
    s.sendall(("same" if text == f"{name[0]} {name[1]}\\n" else f"{name} {text}").encode())
    s.close()
"""
    p = reeve.start_python(server, *DIRECT)
    reeve.wait_for_text(p, "ready\n")
    clients = [reeve.start_python(CLIENT.format(count=50), *options)
               for options in (DIRECT, DIRECT, DIRECT[2:], DIRECT[2:])]
    for c in clients:
        assert c.communicate(timeout=WAIT)[0] == "done\n"
    assert p.wait(WAIT) == 0


def test_addresses(reeve):
    """To each of the host's, and by IPv6; what the sockets are called, and what is known of them."""
    code = """
import errno, fcntl, socket, struct, termios
own = socket.gethostbyname("h")
for family, bound, to, source in (
        (socket.AF_INET, "0.0.0.0", "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", own, own),
        (socket.AF_INET, own, own, own),
        (socket.AF_INET6, "::", "::1", "::1"),
        (socket.AF_INET6, "::", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (socket.AF_INET6, "::", f"::ffff:{own}", f"::ffff:{own}")):
    l = socket.socket(family)
    l.bind((bound, 0))
    l.listen()
    port = l.getsockname()[1]
    for nonblocking in False, True:
        c = socket.socket(family)
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.setblocking(not nonblocking)
        r = c.connect_ex((to, port))
        assert r == (errno.EINPROGRESS if nonblocking else 0), r
        s, name = l.accept()
        assert name[0] == source and name == c.getsockname(), (name, c.getsockname())
        assert c.getpeername() == s.getsockname() and c.getpeername()[:2] == (to, port)
        for e in c, s:
            assert e.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            assert e.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\\x01"
            assert e.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 1000
            assert fcntl.ioctl(e, termios.TIOCOUTQ, b"1234") == bytes(4)
        assert c.connect_ex((to, port)) == (0 if nonblocking else errno.EISCONN)
        s.close()
        c.close()
    l.close()
print("done")
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout == "done\n", got.stderr


def test_held_and_used_again(reeve):
    """Each has a port of its own while it lives; then others have it."""
    code = """
import socket
l = socket.create_server(("127.0.0.1", 7000), backlog=300)
for _ in range(3):
    ends = []
    for i in range(200):
        c = socket.create_connection(("127.0.0.1", 7000))
        s, name = l.accept()
        assert name == c.getsockname()
        ends += [c, s]
    assert len({c.getsockname() for c in ends[::2]}) == 200
    for i, c in enumerate(ends[::2]):
        c.sendall(b"%d" % i)
    assert [int(s.recv(9)) for s in ends[1::2]] == list(range(200))
# Disconnected, and the same socket once more.
before = ends[0].getsockname()
libc = __import__("ctypes").CDLL(None)
assert libc.connect(ends[0].fileno(), bytes(16), 16) == 0
assert ends[1].recv(1) == b""
ends[0].connect(("127.0.0.1", 7000))
s, name = l.accept()
assert name == ends[0].getsockname() != before
ends[0].sendall(b"again")
assert s.recv(9) == b"again"
l.close()
try:
    socket.create_connection(("127.0.0.1", 7000))
except ConnectionRefusedError:
    print("done")
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout == "done\n", got.stderr


def test_no_descriptor_left(reeve):
    """accept() fails and the connection stays, with all that belongs to it."""
    code = """
import errno, os, resource, select, socket
l = socket.create_server(("127.0.0.1", 7000))
clients = [socket.create_connection(("127.0.0.1", 7000)) for _ in range(2)]
clients[0].sendall(b"first")
lowest = os.dup(0)
os.close(lowest)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, 4096))
for _ in range(2):
    try:
        l.accept()
    except OSError as e:
        assert e.errno == errno.EMFILE, e
poll = select.poll()
poll.register(l, select.POLLIN)
assert poll.poll(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
for c in clients:
    s, name = l.accept()
    assert name == c.getsockname()
    c.sendall(b"!")
    print(s.recv(9))
assert not poll.poll(0)
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout == "b'first!'\nb'!'\n", got.stdout + got.stderr


def test_strangers(reeve):
    """A process outside that finds the listener's file, and says that it is one of us."""
    p = reeve.start_python("""
import socket
l = socket.create_server(("127.0.0.1", 7000))
print("ready", flush=True)
s, name = l.accept()
print(s.recv(9).decode(), flush=True)
""", *DIRECT)
    reeve.wait_for_text(p, "ready\n")
    file, = [f for f in pathlib.Path(reeve.env["XDG_RUNTIME_DIR"]).glob("reeve-run-*/*") if f.name != "0"]
    strangers = []
    for name in b"", b"\0reeve/d".ljust(NAME_LENGTH, b"\0"):
        s = socket.socket(socket.AF_UNIX)
        if name:
            s.bind(name)
        s.connect(str(file))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be out already
            s.sendall(b"stranger")
        strangers.append(s)
    got = reeve.python("""
import socket
socket.create_connection(("127.0.0.1", 7000)).sendall(b"known")
""", *DIRECT)
    assert got.returncode == 0, got.stderr
    assert p.communicate(timeout=WAIT)[0] == "known\n"
    for s in strangers:
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""


# In front of a program that stops the network process, by the number that it reads, for so long that
# its threads are in calls that wait for it.
STOPPED = """
import os, signal, socket, sys, threading, time
NUMBERS = {"x86_64": {"connect": "42", "accept4": "288"}, "aarch64": {"connect": "203", "accept4": "242"}}
print("begun", flush=True)
network = int(sys.stdin.readline())

def begin(function, call):
    t = threading.Thread(target=function)
    t.start()
    at = f"/proc/self/task/{t.native_id}/syscall"
    while open(at).read().split()[0] != NUMBERS[os.uname().machine][call]:
        time.sleep(0.001)
    probe.getsockname()  # calls are received in their order
    return t

probe = socket.socket()
"""


def start_stopped(reeve, code, *options):
    p = reeve.start_python(STOPPED + code, *options, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "begun\n")
    p.stdin.write(f"{reeve.network()['pid']}\n")
    p.stdin.flush()
    return p


def test_two_threads_connect_one_socket(reeve):
    """While the first is being told where to: both are answered, and nothing is out of order behind."""
    code = """
l = socket.create_server(("127.0.0.1", 7000))
s = socket.socket()
results = []
os.kill(network, signal.SIGSTOP)
threads = [begin(lambda: results.append(s.connect_ex(("127.0.0.1", 7000))), "connect") for _ in range(2)]
os.kill(network, signal.SIGCONT)
for t in threads:
    t.join()
a, name = l.accept()
s.sendall(b"once")
print(sorted(results), name == s.getsockname(), a.recv(9))
l.setblocking(False)
try:
    l.accept()
except BlockingIOError:
    print("done")
"""
    p = start_stopped(reeve, code, *DIRECT)
    assert p.communicate(timeout=WAIT)[0] == "[0, 0] True b'once'\ndone\n"


def test_two_listeners_wait_for_one_answer(reeve):
    """Whether a process may join is asked once, and both calls that wait for it go on."""
    server = """
names = []
listeners = [socket.create_server(("127.0.0.1", p)) for p in (7000, 7001)]
print("ready", flush=True)
sys.stdin.readline()
os.kill(network, signal.SIGSTOP)
threads = [begin(lambda l=l: names.append(l.accept()[0].recv(9)), "accept4") for l in listeners]
os.kill(network, signal.SIGCONT)
for t in threads:
    t.join()
print(sorted(names))
"""
    p = start_stopped(reeve, server, *DIRECT)
    reeve.wait_for_text(p, "ready\n")
    got = reeve.python("""
import socket
for port in 7000, 7001:
    socket.create_connection(("127.0.0.1", port)).sendall(str(port).encode())
""", *DIRECT)
    assert got.returncode == 0, got.stderr
    p.stdin.write("\n")
    p.stdin.flush()
    assert p.communicate(timeout=WAIT)[0] == "[b'7000', b'7001']\n"


def count_sets(pid):
    """How many sets of epoll it has open."""
    count = 0
    for file in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += "eventpoll" in os.readlink(file)
    return count


def test_many_close_without_a_network(reeve):
    """Nobody is left to be told, and the supervisor keeps nothing for it."""
    code = """
import os, resource, signal, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 4096))
l = socket.create_server(("127.0.0.1", 7000), backlog=400)
ends = []
for _ in range(300):
    ends += [socket.create_connection(("127.0.0.1", 7000)), l.accept()[0]]
print("joined", flush=True)
sys.stdin.readline()
kept = ends[:2]
for e in ends[2:]:
    e.close()
print("closed", flush=True)
sys.stdin.readline()
kept[0].sendall(b"still")
print(kept[1].recv(9))
"""
    p = reeve.start_python(code, *DIRECT, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "joined\n")
    assert len(json.loads(reeve.command("ports", "--json").stdout)) == 601
    os.kill(reeve.network()["pid"], signal.SIGKILL)
    p.stdin.write("\n")
    p.stdin.flush()
    reeve.wait_for_text(p, "closed\n")
    keeper, = children(p.pid)
    supervisor, = children(keeper)
    # Its own, and what watches those that are left.
    assert wait_until(lambda: count_sets(supervisor) <= 4)
    p.stdin.write("\n")
    p.stdin.close()
    reeve.wait_for_text(p, "b'still'\n")
    assert p.wait(WAIT) == 0


def test_options(reeve):
    """Of what only TCP has, a direct one keeps what it is told, and is none the worse for it."""
    code = """
import socket, struct, time
l = socket.create_server(("127.0.0.1", 7000))
for moment in 0, 0.1:  # before it is listed, and when it is
    c = socket.create_connection(("127.0.0.1", 7000))
    a = l.accept()[0]
    time.sleep(moment)
    for e in c, a:
        e.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
        e.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        e.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
        assert e.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 5) == b"reno\\0"
        assert e.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\\x01"
        assert e.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 1000
print("done")
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout == "done\n", got.stderr


def test_ports_rest(reeve):
    """A port whose connection the other program still holds is not used again soon; and one tree that
    had many does not keep them."""
    code = """
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
l = socket.create_server(("127.0.0.1", 7000), backlog=1000)
last = []
for i in range(1000):
    c = socket.create_connection(("127.0.0.1", 7000))
    assert c.getsockname() not in last[-200:]
    last.append(c.getsockname())
    c.close()
    l.accept()[0].close()
held = [socket.create_connection(("127.0.0.1", 7000)) for _ in range(900)]
assert len({h.getsockname() for h in held}) == 900
print("done")
"""
    got = reeve.python(code, *DIRECT)
    assert got.stdout == "done\n", got.stderr


def test_reset_while_held(reeve):
    """An exact connection that waits because direct ones fill the queue, and is reset meanwhile."""
    server = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
l = socket.socket()
l.bind(("", 7000))
l.listen(4096)
clients = []
full = False
while not full:  # up to what the kernel lets wait; then the ordinary way is taken
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(("127.0.0.1", 7000))
    clients.append(c)
    full = len(clients) > int(open("/proc/sys/net/core/somaxconn").read())
print("full", flush=True)
sys.stdin.readline()
for _ in clients + [None]:
    s, name = l.accept()
    if name[0] != "127.0.0.1":
        s.settimeout(20)
        try:
            print(s.recv(1))
        except OSError as e:
            print(e.errno)
        break
"""
    if int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text()) > 8192:
        pytest.skip("the kernel's queues are too long to be filled")
    p = reeve.start_python(server, *DIRECT, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "full\n")
    got = reeve.python("""
import socket, struct
c = socket.create_connection(("h", 7000))
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
""", "--host", "other")
    assert got.returncode == 0, got.stderr
    p.stdin.write("\n")
    p.stdin.flush()
    assert p.communicate(timeout=WAIT)[0] == f"{errno.ECONNRESET}\n"


def test_one_port_to_two_listeners(reeve):
    """Both connect at once, and only one of the listeners may be joined directly: each reaches its own."""
    server = """
import socket
l = socket.create_server(("127.0.0.1", {port}))
print("ready", flush=True)
l.accept()[0].sendall(b"{name}")
"""
    client = """
import os, signal, socket, sys, threading, time
process = int(sys.stdin.readline())
sockets = []
for _ in range(2):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 6000))
    sockets.append(s)
os.kill(process, signal.SIGSTOP)
threads = []
for s, port in zip(sockets, (7000, 7001)):
    t = threading.Thread(target=s.connect, args=(("127.0.0.1", port),))
    threads.append(t)
    t.start()
    call = f"/proc/self/task/{t.native_id}/syscall"
    while open(call).read().split()[0] != {"x86_64": "42", "aarch64": "203"}[os.uname().machine]:
        time.sleep(0.001)
os.kill(process, signal.SIGCONT)
for t, s in zip(threads, sockets):
    t.join()
    print(s.recv(9).decode(), flush=True)
"""
    exact = reeve.start_python(server.format(port=7000, name="exact"), "--host", "h")
    direct = reeve.start_python(server.format(port=7001, name="direct"), *DIRECT)
    for p in exact, direct:
        reeve.wait_for_text(p, "ready\n")
    p = reeve.start_python(client, *DIRECT, stdin=subprocess.PIPE)
    assert p.communicate(f"{reeve.network()['pid']}\n", timeout=WAIT)[0] == "exact\ndirect\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="the limit belongs to root")
@pytest.mark.parametrize("options", [(), DIRECT])
def test_kernel_with_short_queues(reeve, options):
    """Where net.core.somaxconn is small a longer backlog is cut, as the kernel does; nobody waits
    but who connects."""
    code = """
import os, socket, threading, time
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen(100)
clients = [socket.create_connection(l.getsockname()) for _ in range(5)]
more = [socket.socket() for _ in range(5)]
def connect():
    for s in more:
        s.connect(l.getsockname())
t = threading.Thread(target=connect)
t.start()
def call():
    try:
        return open(f"/proc/self/task/{t.native_id}/syscall").read().split()[0]
    except OSError:
        return "ended"
while call() not in ("42", "203", "ended"):
    time.sleep(0.001)
accepted = [l.accept()[0] for _ in range(10)]
t.join()
for s in accepted:
    s.sendall(b"x")
print([s.recv(1) for s in clients + more] == [b"x"] * 10)
"""
    p = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", 'echo 4 >/proc/sys/net/core/somaxconn; exec "$0" "$@"', COMMAND,
         "run", *options, "--", PYTHON, "-c", code], env=reeve.env, stdout=subprocess.PIPE, text=True)
    reeve.started.append(p)
    assert p.communicate(timeout=WAIT)[0] == "True\n"


def test_outlives_the_network_process(reeve):
    """The two programs have each other; nothing new comes."""
    code = """
import socket, sys
l = socket.create_server(("127.0.0.1", 7000))
c = socket.create_connection(("127.0.0.1", 7000))
s, _ = l.accept()
print("joined", flush=True)
sys.stdin.readline()
c.sendall(b"still")
print(s.recv(10), flush=True)
try:
    socket.create_connection(("127.0.0.1", 7000))
except OSError as e:
    print(e.errno)
"""

    p = reeve.start_python(code, *DIRECT, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "joined\n")
    os.kill(reeve.network()["pid"], signal.SIGKILL)
    p.stdin.write("\n")
    p.stdin.close()
    reeve.wait_for_text(p, "b'still'\n")
    p.wait(WAIT)
