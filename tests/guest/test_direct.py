"""`reeve run --loopback=direct`: connections inside a host that no byte leaves the programs for."""

import json
import os
import signal
import subprocess

import pytest
from conftest import COMMAND, PYTHON, WAIT, wait_until

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

DIRECT = ("--loopback", "direct", "--host", "h")


def test_names_belong_to_their_connections(reeve):
    """Several trees connect at once; what each is to its server is what it is to itself."""
    server = reeve.start_python(SERVER, *DIRECT)
    reeve.wait_for_text(server, "ready\n")
    clients = [reeve.start_python(CLIENT.format(count=50), *DIRECT) for _ in range(4)]
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
    assert wait_until(lambda: states() == ["LISTEN"])
    p.stdin.write("\n")
    p.stdin.close()


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
