"""The network process: one at a time, started when it is needed and gone when it is not, whatever
ended the one before."""

import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess

from conftest import COMMAND, PATIENCE, read_some
from live import wait_for_end, wait_until

F_OFD_SETLK = 37


def pid_of(network):
    return network.json("network")["pid"]


def paths(network, name="default"):
    return network.runtime / "reeve" / name


def test_ends_with_its_last_program(network):
    program = network.start("run", "sh", "-c", "echo up; read x; exit 0", stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    assert read_some(program.stdout) == b"up\n"
    pid = pid_of(network)
    program.stdin.close()
    assert program.wait(PATIENCE) == 0
    assert wait_for_end(pid)
    assert not paths(network).exists()


def test_stays_when_configured(network):
    network.run("hosts", "add", "web")
    pid = pid_of(network)
    network.run("run", "true")
    assert pid_of(network) == pid
    network.run("down")
    assert wait_for_end(pid)


def test_ends_when_nobody_comes(network):
    """Whoever started it may have been killed before it was ready."""
    with open(os.devnull, "w") as ready, open(os.devnull) as lock:
        fds = [ready.fileno(), lock.fileno()]
        process = network.start("network-process", "default", *fds, pass_fds=fds)
    assert process.wait(PATIENCE) == 0
    assert not paths(network).exists()


def test_stale_sockets_of_a_killed_one(network):
    network.run("hosts", "add", "web")
    pid = pid_of(network)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert (paths(network) / "control").is_socket()
    shown = network.run("ports", check=False)
    assert b"is not running" in shown.stderr
    network.run("hosts", "add", "web")
    assert pid_of(network) != pid


def test_second_process_is_refused(network):
    network.run("hosts", "add", "web")
    pid = pid_of(network)
    ours, theirs = os.pipe()
    with open(os.devnull) as lock:
        fds = [theirs, lock.fileno()]
        second = network.start("network-process", "default", *fds, pass_fds=fds)
    os.close(theirs)
    assert os.read(ours, 4096) == b"network 'default' runs already"
    os.close(ours)
    assert second.wait(PATIENCE) == 69
    assert pid_of(network) == pid


def test_sigterm_ends_in_order(network):
    program = network.start("run", "sh", "-c", "echo up; exec sleep 1000", stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    assert read_some(program.stdout) == b"up\n"
    pid = pid_of(network)
    os.kill(pid, signal.SIGTERM)
    assert wait_for_end(pid)
    assert program.wait(PATIENCE) != 0
    program.stderr.close()
    assert "ends by signal 15" in (paths(network) / "log").read_text()


PATIENT = """
trap "echo told; sleep 0.1; echo done; exit 3" TERM
sleep 1000 & echo up; wait
"""
STUBBORN = 'trap "" TERM; echo up; while :; do sleep 1000; done'


def start_saying(network, script, says):
    program = network.start("run", "--host", "a", "sh", "-c", script, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    assert read_some(program.stdout) == says
    return program


def test_down_lets_programs_end(network):
    """They are told, and have their network until they have ended as they wish."""
    program = start_saying(network, PATIENT, b"up\n")
    assert network.json("down") == {"programs": 1}
    assert program.stdout.read() == b"told\ndone\n"
    assert program.wait(PATIENCE) == 3
    assert not (paths(network) / "control").exists()


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def test_down_tells_all_of_a_tree(network):
    """Also one that is stopped, and one that has left its parents."""
    program = network.start("run", "sh", "-c", """
setsid sh -c 'trap "echo orphan; exit" TERM; echo $$; sleep 1000 & wait' &
sh -c 'echo $$; kill -STOP $$; echo never' &
wait
""", stdout=subprocess.PIPE)
    said = b""
    while said.count(b"\n") < 2:
        said += read_some(program.stdout)
    pids = [int(pid) for pid in said.split()]
    assert wait_until(lambda: any(is_stopped(pid) for pid in pids))
    network.run("down", "--grace", "60s")
    assert program.stdout.read() == b"orphan\n"
    assert program.wait(PATIENCE) == -signal.SIGTERM


def test_down_ends_who_does_not(network):
    program = start_saying(network, STUBBORN, b"up\n")
    assert network.json("down", "--grace", "10ms") == {"programs": 1}
    assert program.wait(PATIENCE) == -signal.SIGKILL


def test_down_again_shortens_the_grace(network):
    """While it goes down a network can be looked at, and not be changed; who comes to run a
    program finds the next one."""
    program = start_saying(network, STUBBORN, b"up\n")
    pid = pid_of(network)
    slow = network.start("down", "--grace", "60s", stdout=subprocess.PIPE)
    assert wait_until(lambda: not (paths(network) / "guest").exists())
    assert pid_of(network) == pid
    refused = network.run("hosts", "add", "b", check=False)
    assert refused.stderr == b"reeve: refused: the network is going down\n"
    after = network.start("run", "--host", "b", "echo", "next", stdout=subprocess.PIPE)
    network.run("down", "--grace", "0")
    assert program.wait(PATIENCE) == -signal.SIGKILL
    assert slow.communicate(timeout=PATIENCE)[0] == b"network 'default' is down, 1 program ended\n"
    assert after.communicate(timeout=PATIENCE)[0] == b"next\n"


def test_second_sigterm_ends_at_once(network):
    program = start_saying(network, STUBBORN, b"up\n")
    pid = pid_of(network)
    os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: not (paths(network) / "guest").exists())
    os.kill(pid, signal.SIGTERM)
    assert wait_for_end(pid)
    assert program.wait(PATIENCE) == -signal.SIGKILL


def test_started_once_by_many(network):
    """Twenty at once, with no network there: each is served, and there was one process."""
    calls = [network.start("hosts", "add", f"h{i}", stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE) for i in range(20)]
    for call in calls:
        said = call.stderr.read()
        call.stderr.close()
        assert call.wait(PATIENCE) == 0, said
    assert len(network.json("hosts")) == 20
    assert (paths(network) / "log").read_text().count(" begins,") == 1


def test_end_and_start_meet(network):
    """Programs that come while the network is about to end find it, or the next one."""
    for _ in range(10):
        calls = [network.start("run", "--host", f"h{i}", "true") for i in range(4)]
        for call in calls:
            assert call.wait(PATIENCE) == 0


def test_ends_and_starts_leave_nothing(network):
    """The directory goes with each end, under the eyes of many that start the next; each finds
    its network, and nothing is left of the last."""
    script = """
for i in $(seq $2); do
    "$0" run --host "h$1" true || echo "failed: $?"
done
"""
    for workers, runs in ((1, 20), (2, 20), (3, 20), (50, 4), (50, 1), (2, 20)):
        shells = [subprocess.Popen(["bash", "-c", script, COMMAND, str(i), str(runs)],
                                   env=network.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                  for i in range(workers)]
        for shell in shells:
            assert shell.communicate(timeout=PATIENCE)[0] == b""
    assert wait_until(lambda: not paths(network).exists())


def test_lock_that_was_removed(network):
    """Whoever has waited for the lock of a network that is gone begins anew."""
    paths(network).mkdir(mode=0o700, parents=True)
    paths(network).parent.chmod(0o700)
    lock = os.open(paths(network) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 1, 1, 0))
    program = network.start("run", "cat", stdin=subprocess.PIPE)
    inode = os.fstat(lock).st_ino

    def is_waiting():
        with open("/proc/locks") as locks:
            return any(f":{inode} " in line and "->" in line for line in locks)

    assert wait_until(is_waiting)
    os.unlink(paths(network) / "lock")
    os.rmdir(paths(network))
    os.mkdir(paths(network), 0o700)
    second = os.open(paths(network) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(second, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 1, 1, 0))
    os.close(lock)
    inode = os.fstat(second).st_ino
    assert wait_until(is_waiting)
    assert sorted(p.name for p in paths(network).iterdir()) == ["lock"]
    os.close(second)
    program.communicate(b"", timeout=PATIENCE)
    assert program.returncode == 0


def network_processes(network):
    around = f"XDG_RUNTIME_DIR={network.runtime}".encode()
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if (b"network-process" in (process / "cmdline").read_bytes().split(b"\0")
                    and around in (process / "environ").read_bytes().split(b"\0")):
                found.append(process.name)
        except (OSError, ValueError):
            continue
    return found


def test_starters_that_are_killed(network):
    """What they have started goes on alone, and nobody starts another beside it: whoever comes next
    waits until it listens."""
    paths(network).mkdir(mode=0o700, parents=True)
    paths(network).parent.chmod(0o700)
    # One that ends, and takes its time.
    lock = os.open(paths(network) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 1, 0))
    inode = os.fstat(lock).st_ino

    def waiting():
        with open("/proc/locks") as locks:
            return sum(f":{inode} " in line and "->" in line for line in locks)

    def has_come(before):
        """It has started another process, or waits with the one that is there."""
        return len(network_processes(network)) > before or waiting() >= 2

    for i in range(4):
        starter = network.start("hosts", "add", f"killed{i}")
        wait_until(lambda: has_come(i))
        starter.kill()
        starter.wait(PATIENCE)
    last = network.start("hosts", "add", "web", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: has_come(4))
    os.close(lock)
    said = last.communicate(timeout=PATIENCE)[1]
    assert last.returncode == 0, said
    assert [h["name"] for h in network.json("hosts")] == ["web"]
    assert len(network_processes(network)) == 1


def test_nothing_is_inherited(network):
    """A pipe that the first caller held is at its end when that caller has ended."""
    ours, theirs = os.pipe()
    network.run("hosts", "add", "web", pass_fds=[theirs], stdout=theirs)
    os.close(theirs)
    while read_some_fd(ours):
        pass
    os.close(ours)
    pid = pid_of(network)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) == pid
    for number in ("0", "1", "2"):
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        assert target in ("/dev/null", str(paths(network) / "log"))


def read_some_fd(fd):
    return os.read(fd, 4096)


def test_no_kernel_socket(network):
    """The network process has no socket of the kernel's network, and so no way out."""
    network.run("hosts", "add", "web")
    pid = pid_of(network)
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    with open(f"/proc/{pid}/net/unix") as unix:
        known = {line.split()[6] for line in unix if len(line.split()) > 6}
    assert inodes and inodes <= known


def test_program_cannot_control(network):
    """A program that runs in the network is turned away at its sockets."""
    network.run("hosts", "add", "web")
    script = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
try:
    s.connect(sys.argv[1])
    s.sendall(b'{"method":"io.reeve.Network.Down"}\0')
    answer = s.recv(4096)
except OSError as error:
    answer = b"Refused " + str(error).encode()
print("refused" if b"Refused" in answer else answer)
"""
    said = network.run("run", "python3", "-c", script, str(paths(network) / "control"))
    assert said.stdout == b"refused\n"
    assert network.json("hosts")
    inner = network.run("run", COMMAND, "run", "true", check=False)
    assert inner.returncode != 0 and inner.stderr.count(b"\n") == 1


def test_garbage_at_the_sockets(network):
    network.run("hosts", "add", "web")
    for name, kind in (("control", socket.SOCK_STREAM), ("guest", socket.SOCK_SEQPACKET)):
        with socket.socket(socket.AF_UNIX, kind) as s:
            s.connect(str(paths(network) / name))
            s.send(struct.pack("64B", *range(64)))
            s.settimeout(PATIENCE)
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert [h["name"] for h in network.json("hosts")] == ["web"]


def test_killed_supervisor(network):
    """Its programs are ended, its ports are free, its flows are reset."""
    program = network.serve("web", "sh", "-c", "python3 -u -m http.server 80 & wait",
                            until=b"Serving HTTP")
    pids = {s["pid"] for s in network.json("ports", "web")}
    assert len(pids) == 1
    server = pids.pop()
    supervisor = supervisor_of(server, program.pid)
    os.kill(supervisor, signal.SIGKILL)
    assert wait_for_end(server)
    program.wait(PATIENCE)
    network.serve("web", "python3", "-u", "-m", "http.server", "80", until=b"Serving HTTP")


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


def supervisor_of(pid, front):
    """The ancestor that is `reeve` and not the front."""
    command = os.path.realpath(COMMAND)
    while pid > 1:
        pid = parent_of(pid)
        if pid != front and os.path.realpath(f"/proc/{pid}/exe") == command:
            return pid
    raise AssertionError("no supervisor")
