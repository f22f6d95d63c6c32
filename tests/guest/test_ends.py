"""Ends that nobody chose, and what many connections leave behind."""

import json
import os
import signal
import socket
import subprocess

from conftest import PYTHON, RECEIVER, SENDER, WAIT, children, kill, wait_until

AFTERWARDS = """
l.setblocking(False)
try:
    l.accept()
except OSError as e:
    print("listener", e.errno, flush=True)
try:
    socket.socket()
except OSError as e:
    print("socket", e.errno, flush=True)
"""

# Of programs that must be found waiting.
RECEIVED = """
import os, socket, threading, time
CALLS = {"x86_64": {"accept": "43", "accept4": "288", "bind": "49", "recvfrom": "45",
                    "setsockopt": "54"},
         "aarch64": {"accept": "202", "accept4": "242", "bind": "200", "recvfrom": "207",
                     "setsockopt": "208"}}
other = socket.socket()

def is_in(tid, name):
    call = open(f"/proc/self/task/{tid}/syscall").read().split()[0]
    return call == CALLS[os.uname().machine][name]

def await_call(tid, name):
    while not is_in(tid, name):
        time.sleep(0.001)
    other.getsockname()  # calls are received in their order: that one has been
"""


def kill_network(reeve):
    kill(reeve.network()["pid"])


def test_killed_network_process_is_a_reset(reeve):
    sender = reeve.start_python(SENDER + AFTERWARDS, "--host", "sender", stderr=subprocess.PIPE)
    reeve.wait_for_text(sender, "ready\n")
    receiver = reeve.start("--host", "receiver", "--", PYTHON, "-c", RECEIVER, "1",
                           stderr=subprocess.PIPE)
    reeve.wait_for_text(receiver, "receiving\n")
    kill_network(reeve)
    out, err = receiver.communicate(timeout=WAIT)
    assert out == "ConnectionResetError\n"
    assert "network has ended" in err
    out, err = sender.communicate(timeout=WAIT)
    assert out.splitlines()[0] in ("ConnectionResetError", "BrokenPipeError")
    assert out.splitlines()[1:] == ["listener 11", "socket 100"], out + err


def test_killed_network_process_ends_waiting_calls(reeve):
    code = RECEIVED + """
l = socket.create_server(("", 7000))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("", 7000))
def call(f):
    try:
        f()
    except OSError as e:
        os.write(1, b"%d\\n" % e.errno)  # whole: the other thread writes at the same time
threads = [threading.Thread(target=call, args=[f]) for f in (l.accept, lambda: u.recvfrom(9))]
for t, name in zip(threads, ("accept4", "recvfrom")):
    t.start()
    await_call(t.native_id, name)
print("waiting", flush=True)
for t in threads:
    t.join()
"""
    p = reeve.start_python(code, stderr=subprocess.PIPE)
    reeve.wait_for_text(p, "waiting\n")
    kill_network(reeve)
    out, err = p.communicate(timeout=WAIT)
    assert out.split() == ["100", "100"], err


def test_killed_network_process_leaves_sockets_quiet(reeve):
    """A listener and UDP sockets are not ready, so no server turns in circles; what was queued can
    be accepted, and is reset; what is sent goes nowhere and blocks nobody."""
    code = """
import select, socket, sys
l = socket.create_server(("", 7000))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("", 7000))
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.connect(("192.0.2.1", 9))
fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
queued = socket.create_connection(("127.0.0.1", 7000))
select.select([l], [], [])
print("ready", flush=True)
sys.stdin.readline()
p = select.poll()
p.register(queued, 0)
p.poll()  # until it is reset: then everything is
p.unregister(queued)
a, _ = l.accept()
try:
    print(a.recv(1))
except ConnectionResetError:
    print("queued: reset")
for s in l, u, c, fresh:
    p.register(s, select.POLLIN | select.POLLRDHUP)
print("ready:", p.poll(0))
for i in range(2000):
    c.send(bytes(i % 2 * 1000))
print("sent")
for f in (lambda: u.sendto(b"x", ("192.0.2.1", 9)), lambda: fresh.connect(("192.0.2.1", 9)),
          lambda: l.listen(9)):
    try:
        print(f())
    except OSError as e:
        print(e.errno)
print("ready:", p.poll(0))
print("state", l.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0])
"""
    p = reeve.start_python(code, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    reeve.wait_for_text(p, "ready\n")
    kill_network(reeve)
    out, err = p.communicate("go\n", timeout=WAIT)
    assert out.splitlines() == ["queued: reset", "ready: []", "sent", "100", "100", "100",
                                "ready: []", "state 10"], out + err


def test_killed_network_process_blocks_no_server(reeve):
    """Its accept() that waits fails once and then waits again."""
    code = RECEIVED + """
l = socket.create_server(("", 7000))
def watch():
    await_call(os.getpid(), "accept4")
    print("waiting", flush=True)
threading.Thread(target=watch).start()
while True:
    try:
        l.accept()
    except OSError as e:
        print("failed", e.errno, flush=True)
"""
    p = reeve.start_python(code, stderr=subprocess.PIPE)
    reeve.wait_for_text(p, "waiting\n")
    kill_network(reeve)
    assert reeve.wait_for_text(p, "\n") == "failed 100\n"
    pid = children(children(children(p.pid)[0])[0])[0]
    assert wait_until(lambda: state(pid) == "S")
    p.kill()
    out, _ = p.communicate(timeout=WAIT)
    assert out == ""


def test_connections_nobody_announces(reeve):
    """They are with the listener when the network process is killed; what it said of them is not."""
    server = """
import socket, sys
l = socket.create_server(("", 7000), backlog=1000)
print("ready", flush=True)
sys.stdin.readline()
l.setblocking(False)
accepted = 0
try:
    while True:
        l.accept()
        accepted += 1
except OSError as e:
    print(0 < accepted < 700, e.errno, flush=True)
"""
    client = """
import socket, sys
c = [socket.create_connection(("server", 7000)) for _ in range(700)]
print("connected", flush=True)
sys.stdin.readline()
"""
    p = reeve.start_python(server, "--host", "server", stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "ready\n")
    supervisor = children(children(p.pid)[0])[0]
    os.kill(supervisor, signal.SIGSTOP)
    clients = reeve.start_python(client, "--host", "client", stdin=subprocess.PIPE)
    reeve.wait_for_text(clients, "connected\n")
    kill_network(reeve)
    os.kill(supervisor, signal.SIGCONT)
    assert p.communicate("\n", timeout=WAIT)[0] == "True 11\n"


def test_signals_while_the_network_process_stalls(reeve):
    """Calls that the kernel would answer at once are not interrupted, nor begun anew."""
    code = RECEIVED + """
import ctypes, signal, sys
LIBC = ctypes.CDLL(None, use_errno=True)
process = int(sys.stdin.readline())
signal.signal(signal.SIGUSR1, lambda *_: None)
l = socket.create_server(("127.0.0.1", 7000))
s = socket.socket()
said = []

def bind():
    said.append(LIBC.bind(s.fileno(), b"\\2\\0\\x1b\\x59\\x7f\\0\\0\\1" + bytes(8), 16))

def interrupt(target, name):
    t = threading.Thread(target=target)
    t.start()
    await_call(t.native_id, name)
    signal.pthread_kill(t.ident, signal.SIGUSR1)
    return t

os.kill(process, signal.SIGSTOP)
try:
    t = interrupt(bind, "bind")
    # Each of these ends when calls are looked at for signals.
    for _ in range(10):
        interrupt(lambda: LIBC.accept(l.fileno(), None, None), "accept").join()
finally:
    os.kill(process, signal.SIGCONT)
t.join()
print(said, s.getsockname())
"""
    assert reeve.command("network", "--keep").returncode == 0
    p = reeve.start_python(code, stdin=subprocess.PIPE)
    out, _ = p.communicate(f"{reeve.network()['pid']}\n", timeout=WAIT)
    assert out == "[0] ('127.0.0.1', 7001)\n"


def test_option_while_the_network_process_stalls(reeve):
    """What is written behind it is sent with it: this datagram's fate is told (IP_RECVERR)."""
    code = RECEIVED + """
import ctypes, select, signal, sys
LIBC = ctypes.CDLL(None)
IP_RECVERR, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 11, 10, 3
process = int(sys.stdin.readline())
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
s.connect(("198.18.0.1", 9))

def send():
    # Python's own holds all other threads.
    LIBC.setsockopt(s.fileno(), socket.IPPROTO_IP, IP_RECVERR, ctypes.byref(ctypes.c_int(1)), 4)
    s.send(bytes(30000))

os.kill(process, signal.SIGSTOP)
try:
    t = threading.Thread(target=send)
    t.start()
    while t.is_alive() and not is_in(t.native_id, "setsockopt"):
        time.sleep(0.001)
finally:
    os.kill(process, signal.SIGCONT)
t.join()
p = select.poll()
p.register(s, 0)
print(p.poll(20000) == [(s.fileno(), select.POLLERR)])
print(len(s.recvmsg(1, 999, socket.MSG_ERRQUEUE)[1]))
"""
    assert reeve.command("network", "--keep").returncode == 0
    p = reeve.start_python(code, stdin=subprocess.PIPE)
    out, _ = p.communicate(f"{reeve.network()['pid']}\n", timeout=WAIT)
    assert out == "True\n1\n"


def test_log_of_a_killed_network_process(reeve):
    """Whoever writes of its end does so in the network's own log."""
    p = reeve.start("cat", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write("begun\n")
    p.stdin.flush()
    reeve.wait_for_text(p, "begun\n")
    directory = reeve.runtime / "reeve" / "default"
    kill_network(reeve)
    p.communicate("", timeout=WAIT)
    assert "the network process is gone" in (directory / "log").read_text()
    assert sorted(f.name for f in directory.iterdir()) == ["control", "guest", "lock", "log"]


def test_down_ends_the_program(reeve):
    """It sees nothing of the end, not even in a call that waits, and the front ends as it did."""
    code = RECEIVED + """
def watch():
    await_call(os.getpid(), "accept4")
    print("waiting", flush=True)
threading.Thread(target=watch).start()
try:
    socket.create_server(("", 7000)).accept()
except OSError as e:
    print(e.errno, flush=True)
"""
    programs = [reeve.start_python(code, "--host", f"h{i}", stderr=subprocess.PIPE)
                for i in range(8)]
    for p in programs:
        reeve.wait_for_text(p, "waiting\n")
    assert reeve.command("down").returncode == 0
    for p in programs:
        out, err = p.communicate(timeout=WAIT)
        assert (p.returncode, out) == (-signal.SIGTERM, "")
        assert err in ("", "reeve: the network has ended\n")


def test_killed_keeper_leaves_nothing(reeve):
    p = reeve.start("cat", stdin=subprocess.PIPE)
    p.stdin.write("begun\n")
    p.stdin.flush()
    reeve.wait_for_text(p, "begun\n")
    keeper = children(p.pid)[0]
    os.kill(keeper, signal.SIGKILL)
    assert wait_until(lambda: not os.path.exists(f"/proc/{keeper}") or state(keeper) == "Z")
    out, _ = p.communicate("through", timeout=WAIT)
    assert (p.returncode, out) == (0, "through")


def test_network_begins_again_after_its_end(reeve):
    assert reeve.run("true").returncode == 0
    assert reeve.command("network", "--keep").returncode == 0
    kill_network(reeve)
    r = reeve.python("import socket; socket.create_server(('', 80)); print('again')")
    assert r.stdout == "again\n", r.stderr


def test_many_closed_at_once(reeve):
    """Ends that nobody tells of, among them listeners with what they have not accepted."""
    code = """
import socket
for _ in range(3):
    sockets, clients = [], []
    for port in range(7000, 7020):
        sockets += [socket.socket() for _ in range(20)]
        sockets.append(socket.create_server(("", port)))
        clients += [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    for s in sockets:
        s.close()
    again = [socket.create_server(("", port)) for port in range(7000, 7020)]
    resets = 0
    for c in clients:
        try:
            c.recv(1)
        except ConnectionResetError:
            resets += 1
    print(resets, flush=True)
    for s in again + clients:
        s.close()
"""
    r = reeve.python(code)
    assert r.stdout == "60\n" * 3, r.stderr


COUNT = 20000

SERVER = f"""
import socket
l = socket.create_server(("", 7000), backlog=512)
print("ready", flush=True)
while True:
    c, _ = l.accept()
    c.send(c.recv(9))
    c.close()
"""

CLIENTS = """
import socket, sys
for i in range(int(sys.argv[1])):
    c = socket.socket()
    c.connect(("198.18.0.2", 7000) if sys.argv[2] == "far" else ("127.0.0.1", 7000))
    c.send(b"x")
    assert c.recv(9) == b"x"
    c.close()
"""


def usage(pid):
    with open(f"/proc/{pid}/status") as f:
        memory = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return len(os.listdir(f"/proc/{pid}/fd")), memory


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def test_many_connections_leave_nothing(reeve):
    """20,000 connections on one host and as many between two; nothing has grown but what a table
    that has once been large keeps."""
    server = reeve.start_python(SERVER, "--host", "server", "--ip", "198.18.0.2")
    reeve.wait_for_text(server, "ready")
    supervisor = children(children(server.pid)[0])[0]
    process = reeve.network()["pid"]

    def clients(count, where):
        host = "clients" if where == "far" else "server"
        r = reeve.run("--host", host, PYTHON, "-c", CLIENTS, str(count), where, timeout=120)
        assert r.returncode == 0, r.stderr

    assert reeve.command("hosts", "add", "clients").returncode == 0
    for where in "near", "far":
        clients(1000, where)
    before = usage(supervisor), usage(process)
    for where in "near", "far":
        clients(COUNT // 2, where)
    assert wait_until(lambda: usage(supervisor)[0] <= before[0][0])
    assert wait_until(lambda: usage(process)[0] <= before[1][0])
    assert usage(supervisor)[1] < before[0][1] + 1024
    # 20,000 TIME-WAITs of 64 bytes and their index.
    assert usage(process)[1] < before[1][1] + 16384


SHUT = """
import os, socket, sys
l = socket.create_server(("", 7000))
def pair():
    a = socket.create_connection(("127.0.0.1", 7000))
    return a, l.accept()[0]
"""


def sockets(reeve):
    """The states of connections that are not over."""
    listed = json.loads(reeve.command("ports", "-t", "--json").stdout or "[]")
    return [s["state"] for s in listed if s["state"] not in ("LISTEN", "TIME-WAIT")]


def test_shut_down_and_closed_leaves_nothing(reeve):
    """Whoever is first, and with the descriptor held by another for a while."""
    code = SHUT + """
for i in range(1000):
    a, b = pair()
    copy = a.dup() if i % 4 == 3 else None
    a.shutdown(socket.SHUT_RDWR)
    if i % 2:
        a.close()
        b.close()
    else:
        b.close()
        a.close()
    if copy:
        copy.close()
print("closed", flush=True)
sys.stdin.read()
"""
    p = reeve.start_python(code, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "closed\n")
    assert wait_until(lambda: sockets(reeve) == []), sockets(reeve)
    assert p.communicate("", timeout=WAIT) == ("", None)


def test_shut_down_with_a_full_queue(reeve):
    """What was not read stays where it is, and the window closed: nothing comes that would be refused. (A
    kernel that has let its peer send more than it takes resets.)"""
    code = SHUT + """
import select, struct
def info(s, member):
    return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), member)[0]
def turn(c, d):
    c.send(b"?")
    d.send(d.recv(1))
    c.recv(1)
a, b = pair()
other = pair()
b.setblocking(False)
# All that the peer's window takes has been acknowledged, more waits, and that does not change.
quiet = 0
while quiet < 20:
    turn(*other)
    quiet = quiet + 1 if info(b, 24) == 0 and info(b, 144) > 0 else 0
    try:
        b.send(b"x" * 65536)
        quiet = 0
    except BlockingIOError:
        pass
a.shutdown(socket.SHUT_RDWR)
p = select.poll()
p.register(b, select.POLLRDHUP)
p.poll()
for _ in range(20):
    turn(*other)
state = b.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
print(b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), state,
      b.getpeername() == a.getsockname(), len(a.recv(10)), flush=True)
"""
    p = reeve.start_python(code)
    assert p.communicate(timeout=WAIT) == ("0 8 True 10\n", None)


def test_shut_down_and_killed_leaves_nothing(reeve):
    """Whoever holds it last."""
    code = SHUT + """
import signal
held = [pair() for _ in range(100)]
for a, _ in held:
    a.shutdown(socket.SHUT_RDWR)
if (child := os.fork()) == 0:
    signal.pause()
print(child, os.getpid(), flush=True)
signal.pause()
"""
    p = reeve.start("--", "/bin/sh", "-c", '"$@"; read line', "sh", PYTHON, "-c", code,
                    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    child, parent = map(int, reeve.wait_for_text(p, "\n").split())
    assert wait_until(lambda: sockets(reeve).count("FIN-WAIT-2") == 100), sockets(reeve)
    kill(parent)
    assert sockets(reeve).count("FIN-WAIT-2") == 100
    kill(child)
    assert wait_until(lambda: sockets(reeve) == []), sockets(reeve)
    p.communicate("\n", timeout=WAIT)


def test_shut_down_when_the_tree_ends(reeve):
    """What was written comes, though nobody has closed before."""
    receiver = reeve.start_python("""
import socket, time
l = socket.create_server(("", 7000))
print("ready", flush=True)
c, _ = l.accept()
c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
total = 0
while d := c.recv(1 << 16):
    total += len(d)
print(total, flush=True)
""", "--host", "far")
    reeve.wait_for_text(receiver, "ready\n")
    r = reeve.python("""
import socket
c = socket.create_connection(("far", 7000))
c.sendall(bytes(1000000))
c.shutdown(socket.SHUT_RDWR)
""")
    assert r.returncode == 0, r.stderr
    assert receiver.communicate(timeout=WAIT)[0] == "1000000\n"


def test_shut_down_when_the_network_is_killed(reeve):
    code = SHUT + """
import select
a, b = pair()
a.shutdown(socket.SHUT_RDWR)
b.recv(1)
print("shut", flush=True)
p = select.poll()
p.register(b, 0)
p.poll()
print(a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
try:
    a.getpeername()
except OSError as e:
    print(e.errno)
a.close()
"""
    p = reeve.start_python(code, stderr=subprocess.PIPE)
    reeve.wait_for_text(p, "shut\n")
    kill_network(reeve)
    out, err = p.communicate(timeout=WAIT)
    assert out.split() == ["104", "107"], err


def test_shut_down_when_the_supervisor_is_killed(reeve):
    """Its connections are reset, and nothing is left."""
    p = reeve.start_python(SHUT + """
a, b = pair()
a.shutdown(socket.SHUT_RDWR)
print(os.getppid(), flush=True)
sys.stdin.read()
""", stdin=subprocess.PIPE)
    supervisor = int(reeve.wait_for_text(p, "\n"))
    assert wait_until(lambda: "FIN-WAIT-2" in sockets(reeve)), sockets(reeve)
    kill(supervisor)
    assert wait_until(lambda: sockets(reeve) == []), sockets(reeve)
    p.communicate(timeout=WAIT)


def test_closed_is_not_listed(reeve):
    """At once, and not when the next sweep has come: sockets whose closing nobody tells."""
    p = reeve.start_python("""
import socket, sys
bound = socket.socket(type=socket.SOCK_DGRAM)
bound.bind(("", 5000))
l = socket.create_server(("", 5001))
print("open", flush=True)
sys.stdin.readline()
for s in bound, l:
    s.close()
print("closed", flush=True)
sys.stdin.readline()
""", "--host", "h", stdin=subprocess.PIPE)

    def ports():
        rows = json.loads(reeve.command("ports", "--json").stdout)
        return sorted(row["local"].rpartition(":")[2] for row in rows)

    reeve.wait_for_text(p, "open\n")
    assert ports() == ["5000", "5001"]
    p.stdin.write("\n")
    p.stdin.flush()
    reeve.wait_for_text(p, "closed\n")
    assert ports() == []
    p.stdin.write("\n")
    p.stdin.close()


def test_listing_outlives_its_host(reeve):
    """A supervisor that does not answer, and is killed while a listing of its host waits for it: the
    host goes with it, and nothing else does."""
    other = reeve.start_python("import sys; print('there', flush=True); sys.stdin.readline()", "--host", "other",
                               stdin=subprocess.PIPE)
    reeve.wait_for_text(other, "there\n")
    control = reeve.runtime / "reeve" / "default" / "control"

    def call(s, method, **parameters):
        s.sendall(json.dumps({"method": f"io.reeve.Network.{method}", "parameters": parameters}).encode() + b"\0")

    for _ in range(5):
        p = reeve.start_python("import sys; print('there', flush=True); sys.stdin.readline()", "--host", "h",
                               stdin=subprocess.PIPE)
        reeve.wait_for_text(p, "there\n")
        supervisor, = children(children(p.pid)[0])
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT)
            s.connect(str(control))
            call(s, "ListPrograms")  # it knows us from here on
            s.recv(65536)
            os.kill(supervisor, signal.SIGSTOP)
            call(s, "ListSockets", host="h")
            os.kill(supervisor, signal.SIGKILL)
            assert json.loads(s.recv(65536).rstrip(b"\0"))["parameters"]["sockets"] == []
        p.wait(WAIT)
    other.stdin.write("\n")
    other.stdin.close()
    assert other.wait(WAIT) == 0
