"""What a program can't reach, though it runs as the network's own user: the network's sockets, and the
private ones of other programs. By name, by links of both kinds, by /proc, by a descriptor."""

import os

import pytest
from conftest import PYTHON

TRY = """
import errno, os, socket, sys
def said(name, kind):
    s = socket.socket(socket.AF_UNIX, kind)
    s.settimeout(10)
    try:
        s.connect(name)
        s.sendall(b'{"method": "io.reeve.Network.ListHosts"}\\0')
        return "reached " + repr(s.recv(100))
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
    finally:
        s.close()
def ways(path, scratch):
    directory, name = os.path.split(path)
    yield path
    yield directory + "/./" + name
    yield directory + "/../" + os.path.basename(directory) + "/" + name
    yield "/proc/self/root" + path
    yield "/proc/thread-self/root" + path
    yield f"/proc/{os.getpid()}/root" + path
    os.chdir(directory)
    yield name
    yield "./" + name
    yield "/proc/self/cwd/" + name
    for link in (os.symlink, os.link) if sys.argv[2] == "all" else (os.symlink,):
        there = f"{scratch}/{link.__name__}"
        try:
            link(path, there)
        except OSError:
            continue
        yield there
        os.chdir(scratch)
        yield link.__name__
        os.unlink(there)
    os.symlink(directory, scratch + "/way")
    yield scratch + "/way/" + name
    os.unlink(scratch + "/way")
    fd = os.open(path, os.O_PATH)
    yield f"/proc/self/fd/{fd}"
    yield f"/proc/{os.getpid()}/fd/{fd}"
    os.close(fd)
    fd = os.open(directory, os.O_PATH)
    yield f"/proc/self/fd/{fd}/{name}"
for path in sys.argv[3:]:
    for way in ways(path, sys.argv[1]):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            r = said(way, kind)
            if r != "EACCES":
                print(way, kind.name, r)
print("done")
"""


def attempts(reeve, tmp_path, paths, links="all"):
    assert paths and all(os.path.exists(p) for p in paths)
    return reeve.run("--host", "other", "--", PYTHON, "-c", TRY, str(tmp_path), links, *map(str, paths), timeout=60)


def test_the_networks_sockets(reeve, tmp_path):
    assert reeve.command("hosts", "add", "h").returncode == 0
    paths = [p for p in reeve.runtime.glob("reeve/default/*") if p.is_socket()]
    assert {p.name for p in paths} == {"control", "guest"}
    r = attempts(reeve, tmp_path, paths)
    assert r.stdout == "done\n", r.stderr


def test_other_programs_listeners(reeve, tmp_path):
    server = reeve.start_python("import socket\nl = socket.create_server(('', 7000))\nprint('ready', flush=True)\n"
                                "while True: l.accept()[0].send(b'private')", "--host", "server")
    reeve.wait_for_text(server, "ready")
    paths = [p for p in reeve.runtime.glob("reeve-run-*/*") if p.is_socket()]
    # A hard link is turned away by the listener's supervisor, as it accepts.
    r = attempts(reeve, tmp_path, paths, "symbolic")
    assert r.stdout == "done\n", r.stderr
    # And the server is none the worse.
    r = reeve.python("import socket; print(socket.create_connection(('server', 7000)).recv(9))")
    assert r.stdout == "b'private'\n"


def test_a_descendant_is_inside_too(reeve):
    """Whose parents have ended, in a session of its own."""
    assert reeve.command("hosts", "add", "h").returncode == 0
    path = next(p for p in reeve.runtime.glob("reeve/default/control"))
    code = f"""
import os, socket, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
try:
    socket.socket(socket.AF_UNIX).connect({str(path)!r})
    print("connected", flush=True)
except OSError as e:
    print(e.errno, flush=True)
"""
    assert reeve.python(code).stdout == "13\n"


def test_the_supervisor_is_not_traced(reeve):
    """A program may trace what it has started, and no more than any other program of its user."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    import time
    time.sleep(60)
print("own child", libc.ptrace(16, pid, None, None))
os.waitpid(pid, 0)
libc.ptrace(17, pid, None, None)
os.kill(pid, 9)
"""
    assert reeve.python(code).stdout == "own child 0\n"


@pytest.mark.parametrize("command", ["hosts", "ports", "down", "hosts add x"])
def test_control_from_inside(reeve, command):
    assert reeve.command("hosts", "add", "h").returncode == 0
    r = reeve.run("sh", "-c", f"{os.environ['REEVE_COMMAND']} {command}; echo $?")
    assert r.stdout != "0\n" and r.stderr, r
    assert reeve.command("hosts").returncode == 0
