"""Nothing of a program's network is the kernel's."""

import json
import os
import re
import socket
import subprocess

import pytest
from conftest import PYTHON, WAIT, wait_until

SERVER = """
import socket
l = socket.create_server(("", 7000))
print("ready", flush=True)
c, _ = l.accept()
while d := c.recv(65536):
    c.sendall(d)
"""

CLIENT = """
import socket, sys
c = socket.create_connection(("server", 7000))
print("connected", flush=True)
for i in range(50):
    c.sendall(b"x" * 10000)
    n = 0
    while n < 10000:
        n += len(c.recv(65536))
print("half", flush=True)
sys.stdin.readline()
"""


def tree(pid):
    pids = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                pids += tree(int(child))
    return pids


def inodes_of(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            m = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
        if m:
            found.add(m.group(1))
    return found


def kernel_sockets():
    """The inodes of all the kernel's own internet sockets that this process can see."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp",
                 "icmp6", "packet", "netlink"):
        path = f"/proc/net/{name}"
        if not os.path.exists(path):
            continue
        with open(path) as f:
            columns = f.readline().split()
            for line in f:
                fields = line.split()
                found.add(fields[-1] if name in ("packet", "netlink") else fields[9])
    return found


def test_the_check_itself():
    with socket.create_server(("127.0.0.1", 0)):
        assert inodes_of(os.getpid()) & kernel_sockets()


def test_no_kernel_socket_while_data_flows(reeve):
    server = reeve.start_python(SERVER, "--host", "server")
    reeve.wait_for_text(server, "ready")
    client = reeve.start_python(CLIENT, "--host", "client", stdin=subprocess.PIPE)
    said = reeve.wait_for_text(client, "connected")
    looked = 0
    kernel = kernel_sockets()
    for p in server, client:
        for pid in tree(p.pid):
            mine = inodes_of(pid)
            looked += len(mine)
            assert not mine & kernel
    assert looked > 4
    if "half" not in said:
        reeve.wait_for_text(client, "half")
    client.stdin.close()
    assert client.wait(WAIT) == 0


def test_kernel_listener_is_out_of_reach(reeve):
    with socket.create_server(("127.0.0.1", 0)) as l:
        r = reeve.python(f"import socket; socket.create_connection(('127.0.0.1', {l.getsockname()[1]}))")
        assert "ConnectionRefusedError" in r.stderr


def test_other_families(reeve):
    code = """
import socket, errno
for family in range(0, 64):
    if family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        continue
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind)
            print("made", family, kind)
        except OSError as e:
            if e.errno != errno.EAFNOSUPPORT:
                print(family, kind, e)
for protocol in range(1, 30):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        print("netlink", protocol)
    except OSError as e:
        pass
for kind in (socket.SOCK_RAW, socket.SOCK_PACKET if hasattr(socket, "SOCK_PACKET") else 10):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, kind, 1)
            print("raw", family)
        except PermissionError:
            print("refused")
        except OSError as e:
            print("refused")
print("done")
"""
    lines = reeve.python(code).stdout.splitlines()
    # The audit's and the device manager's reach no network.
    allowed = {"netlink 7", "netlink 9", "netlink 15"}
    assert lines[-1] == "done"
    assert set(lines[:-1]) <= allowed | {"refused"}


def test_io_uring_and_foreign_calls(reeve):
    code = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(n, *a):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(n), *map(ctypes.c_long, a))
    return errno.errorcode.get(ctypes.get_errno(), r)
print(call(425, 8, 0), call(426, 0), call(427, 0), call(0x40000000 | 41, 2, 1, 0))
"""
    assert reeve.python(code).stdout.split() == ["ENOSYS"] * 4


def test_control_socket_is_closed_to_programs(reeve):
    code = f"""
import socket, os, glob
for path in glob.glob({str(reeve.runtime)!r} + "/**", recursive=True):
    if path.endswith((".lock", ".log")) or os.path.isdir(path):
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        for name in (path, os.path.relpath(path)):
            s = socket.socket(socket.AF_UNIX, kind)
            try:
                s.connect(name)
                print("connected to", name)
            except OSError as e:
                print(e.errno)
"""
    r = reeve.python(code)
    assert set(r.stdout.split()) == {"13"}, r.stdout + r.stderr


def test_name_services_are_refused(reeve):
    code = """
import socket
for path in ("/run/nscd/socket", "/var/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except OSError as e:
        print(e.errno)
"""
    assert reeve.python(code).stdout.split() == ["2", "2", "2"]


def test_unix_sockets_of_programs_work(reeve, tmp_path):
    code = f"""
import socket
l = socket.socket(socket.AF_UNIX)
l.bind({str(tmp_path)!r} + "/s")
l.listen(1)
c = socket.socket(socket.AF_UNIX)
c.connect({str(tmp_path)!r} + "/s")
c.send(b"native")
print(l.accept()[0].recv(9))
"""
    assert reeve.python(code).stdout == "b'native'\n"


def test_interfaces_are_the_hosts(reeve):
    # A host that was added stays, and keeps its address.
    assert reeve.command("hosts", "add", "shown").returncode == 0
    r = reeve.run("--host", "shown", "ip", "-o", "addr")
    assert re.findall(r"^\d+: (\w+)", r.stdout, re.MULTILINE) == ["lo", "lo", "eth0"], r.stdout
    address = re.search(r"inet (198\.18\.\d+\.\d+)/16", r.stdout).group(1)
    assert "default via" in reeve.run("ip", "route").stdout
    r = reeve.run("ip", "route", "get", "198.18.0.77")
    assert "198.18.0.77 dev eth0" in r.stdout, r.stderr
    code = """
import socket, fcntl, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(socket.if_nameindex())
print(socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", b"eth0"))[20:24]))
u = socket.socket(socket.AF_UNIX)
print(struct.unpack("=i", fcntl.ioctl(u, 0x8933, struct.pack("256s", b"eth0"))[16:20])[0])
for c, request in ((u, 0x8915), (s, 0x8916)):
    try:
        fcntl.ioctl(c, request, struct.pack("256s", b"eth0"))
    except OSError as e:
        print(e.errno)
"""
    lines = reeve.python(code, "--host", "shown").stdout.splitlines()
    assert lines == ["[(1, 'lo'), (2, 'eth0')]", address, "2", "25", "1"]


def test_changes_of_the_network_are_refused(reeve):
    r = reeve.run("ip", "link", "set", "eth0", "down")
    assert r.returncode != 0
    assert "not permitted" in r.stderr


def test_names_of_hosts(reeve):
    server = reeve.start_python(SERVER, "--host", "server")
    reeve.wait_for_text(server, "ready")
    r = reeve.python("import socket; print(socket.gethostbyname('server'))", "--host", "c")
    assert r.stdout.startswith("198.18."), r.stderr
    r = reeve.python("import socket; socket.gethostbyname('no-such-host')", "--host", "c")
    assert "gaierror" in r.stderr


def test_ipv6_elsewhere_is_unreachable(reeve):
    code = """
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        socket.socket(socket.AF_INET6, kind).connect(("2001:db8::1", 9))
    except OSError as e:
        print(e.errno)
"""
    assert reeve.python(code).stdout.split() == ["101", "101"]


def test_well_known_ports_without_privilege(reeve):
    code = "import socket; socket.create_server(('', 80)); print('bound')"
    assert reeve.python(code, "--host", "w").stdout == "bound\n"


def test_same_port_on_two_hosts(reeve):
    servers = [reeve.start_python(SERVER, "--host", name) for name in ("server", "other")]
    for s in servers:
        reeve.wait_for_text(s, "ready")


def test_setuid_does_not_gain_privilege(reeve):
    if os.geteuid() == 0:
        return  # root's programs keep what they are
    r = reeve.run("grep", "NoNewPrivs", "/proc/self/status")
    assert r.stdout.split() == ["NoNewPrivs:", "1"]

FLIPS = """
import ctypes, errno, socket, struct, sys, threading
LIBC = ctypes.CDLL(None, use_errno=True)
REFUSED, MOST = 80, 20000
ports, other = range(*map(int, sys.argv[1].split("-"))), int(sys.argv[2])
flipped = ctypes.create_string_buffer(16), ()

def flip():
    while now := flipped:
        address, names = now
        for name in names:
            ctypes.memmove(address, name, 8)

def attempt(kind):
    s = socket.socket(socket.AF_INET, kind)
    r = LIBC.bind(s.fileno(), flipped[0], 16)
    return s, (errno.errorcode[ctypes.get_errno()] if r else "bound", s.getsockname()[1])

def settle(kind, port):
    global flipped
    names = [struct.pack("=H", family) + struct.pack("!H4x", number)
             for family, number in ((socket.AF_INET, port), (other, REFUSED))]
    flipped = ctypes.create_string_buffer(names[0], 16), names
    seen = set()
    for _ in range(MOST):
        s, outcome = attempt(kind)
        seen.add(outcome)
        if len(seen) > 1 and outcome[0] == "bound":
            return s, seen
        s.close()
    return None, seen

sys.setswitchinterval(1e-5)
threading.Thread(target=flip, daemon=True).start()
kept = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for port in ports:
        s, seen = settle(kind, port)
        kept.append(s)
        if seen != {("bound", port), ("EACCES", 0)}:
            print(kind.name, port, seen, flush=True)
        elif kind == socket.SOCK_STREAM:
            s.listen()
flipped = None
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("other", [socket.AF_INET, socket.AF_UNSPEC])
def test_a_name_that_changes_while_it_is_looked_at(reeve, other):
    """A thread makes the name of a call to bind() now one of a port that is granted, now of one that is not:
    what was looked at is what is bound, and what is told."""
    assert reeve.command("hosts", "add", "h", "--well-known", "granted").returncode == 0
    p = reeve.start("--host", "h", "--allow-port", "500-509", "--", PYTHON, "-c", FLIPS, "500-510", str(int(other)),
                    stdin=subprocess.PIPE)
    assert reeve.wait_for_text(p, "done\n") == "done\n"
    wanted = {f"{protocol} 0.0.0.0:{port}" for protocol in ("tcp", "udp") for port in range(500, 510)}

    def listed():
        return {f"{x['protocol']} {x['local']}" for x in json.loads(reeve.command("ports", "--json", "h").stdout)}

    assert not any(x.endswith(":80") for x in listed())
    assert wait_until(lambda: listed() == wanted), listed()  # when those that were closed have been missed
    p.stdin.close()
    assert p.wait(WAIT) == 0
