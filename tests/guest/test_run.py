"""`reeve run` as a command: statuses, signals, the terminal, what outlives it."""

import os
import pty
import re
import signal
import subprocess
import termios

import pytest
from conftest import COMMAND, PYTHON, WAIT, children, wait_until


def test_status_is_the_programs(reeve):
    assert reeve.run("sh", "-c", "exit 0").returncode == 0
    assert reeve.run("sh", "-c", "exit 7").returncode == 7
    assert reeve.run("sh", "-c", "exit 255").returncode == 255


def test_program_that_is_not_there(reeve):
    r = reeve.run("no-such-program-anywhere")
    assert r.returncode == 127
    assert "no-such-program-anywhere" in r.stderr and len(r.stderr.splitlines()) == 1


def test_program_that_cannot_be_run(reeve, tmp_path):
    f = tmp_path / "plain"
    f.write_text("no program")
    f.chmod(0o644)
    r = reeve.run(str(f))
    assert r.returncode == 126
    assert len(r.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT"])
def test_killed_by_a_signal(reeve, name):
    number = getattr(signal, name)
    r = reeve.run("sh", "-c", f"kill -{name[3:]} $$")
    assert r.returncode == -number


def test_signals_are_passed_on(reeve):
    p = reeve.start("sh", "-c", "trap 'echo got it; exit 3' USR1; echo ready; "
                    "while :; do sleep 0.01; done")
    reeve.wait_for_text(p, "ready")
    p.send_signal(signal.SIGUSR1)
    assert "got it" in reeve.wait_for_text(p, "got it")
    assert p.wait(WAIT) == 3


def test_ignored_signals_stay_ignored(reeve):
    p = subprocess.run(["sh", "-c", 'trap "" HUP; exec "$0" run sh -c \'kill -HUP $$; echo lives\'',
                        COMMAND], env=reeve.env, capture_output=True, text=True, timeout=WAIT)
    assert p.stdout == "lives\n"


def test_signal_mask_is_the_callers(reeve):
    r = reeve.run("grep", "SigBlk", "/proc/self/status")
    assert int(r.stdout.split()[1], 16) == 0


def test_killed_front_ends_the_program(reeve):
    p = reeve.start("sh", "-c", "echo $$; exec sleep 1000")
    pid = int(reeve.wait_for_text(p, "\n"))
    p.kill()
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_substitution_returns_at_once(reeve):
    code = 'x=$("$0" run sh -c \'sleep 1000 >/dev/null 2>&1 & echo $!\'); echo "$x"'
    r = subprocess.run(["sh", "-c", code, COMMAND], env=reeve.env, capture_output=True, text=True,
                       timeout=WAIT)
    pid = int(r.stdout)
    assert os.path.exists(f"/proc/{pid}")
    assert reeve.command("down").returncode == 0
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_daemon_keeps_its_network(reeve, tmp_path):
    """One that forks, leaves the session and serves on after its starter has ended."""
    code = """
import os, socket
l = socket.create_server(("", 8080))
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
null = os.open("/dev/null", os.O_RDWR)
for fd in range(3):
    os.dup2(null, fd)
c, _ = l.accept()
c.sendall(b"from the daemon")
"""
    assert reeve.python(code, "--host", "d").returncode == 0
    r = reeve.python('import socket; c = socket.create_connection(("d", 8080)); print(c.recv(99))',
                     "--host", "c")
    assert r.stdout == "b'from the daemon'\n", r.stderr


def test_descriptors_and_directory_are_the_callers(reeve, tmp_path):
    r, w = os.pipe()
    out = reeve.python(f"import os; os.write({w}, b'through\\n'); print(os.getcwd())",
                       cwd=tmp_path, pass_fds=[w])
    os.close(w)
    with open(r) as f:
        assert f.read() == "through\n"
    assert out.stdout.strip() == str(tmp_path)


def test_program_has_no_descriptor_of_ours(reeve):
    r = reeve.run("ls", "-l", "/proc/self/fd")
    numbers = re.findall(r" (\d+) -> ", r.stdout)
    assert numbers == ["0", "1", "2", "3"]  # the last is ls's own


def test_limits_are_the_callers(reeve):
    import resource
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert reeve.run("sh", "-c", "ulimit -n").stdout.strip() == str(soft)


def test_nested_is_refused(reeve):
    r = reeve.run(COMMAND, "run", "true")
    assert r.returncode == 125
    assert "nested" in r.stderr and len(r.stderr.splitlines()) == 1


def test_network_that_does_not_answer(reeve):
    """Whoever waits for it can be interrupted, and is told in the end."""
    assert reeve.command("network", "--keep").returncode == 0
    network = reeve.network()["pid"]

    def start(*arguments, **settings):
        p = reeve.start("sh", "-c", "echo started", stderr=subprocess.PIPE, **settings)
        # The front has what it waits with.
        assert wait_until(lambda: p.poll() is not None or children(p.pid))
        return p

    os.kill(network, signal.SIGSTOP)
    try:
        patient = start()
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGUSR1:
            p = start()
            keeper = children(p.pid)[0]
            p.send_signal(signal.SIGCONT)
            p.send_signal(signal.SIGWINCH)
            p.send_signal(number)
            assert p.wait(WAIT) == -number
            assert wait_until(lambda: not os.path.exists(f"/proc/{keeper}"))
            assert p.communicate() == ("", "")

        def handlers():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it

        p = start(preexec_fn=handlers)
        p.send_signal(signal.SIGTERM)
        p.send_signal(signal.SIGHUP)
        assert p.wait(WAIT) == -signal.SIGHUP
        p.stderr.close()
        out, err = patient.communicate(timeout=2 * WAIT)
        assert (patient.returncode, out) == (125, "")
        assert "does not answer" in err and len(err.splitlines()) == 1
    finally:
        os.kill(network, signal.SIGCONT)


def test_unreadable_program(reeve, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    f = tmp_path / "secret"
    f.write_bytes(open("/bin/true", "rb").read())
    f.chmod(0o111)
    r = reeve.run(str(f))
    assert r.returncode == 126
    assert "may not be read" in r.stderr


def test_killed_supervisor_leaves_nothing(reeve):
    p = reeve.start_python("import socket, os, time; l = socket.create_server(('', 81)); "
                           "print(os.getpid(), os.getppid(), flush=True); time.sleep(1000)",
                           "--host", "h", stderr=subprocess.PIPE)
    pid, supervisor = map(int, reeve.wait_for_text(p, "\n").split())
    os.kill(supervisor, signal.SIGKILL)
    assert p.wait(WAIT) == 125
    p.stderr.close()
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    r = reeve.python("import socket; socket.create_server(('', 81)); print('free')", "--host", "h")
    assert r.stdout == "free\n", r.stderr


class Terminal:
    """A shell with job control on a terminal of its own."""

    def __init__(self, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ.update(env, PS1="> ", TERM="dumb")
            os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "-i"])
        settings = termios.tcgetattr(self.fd)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def write(self, text):
        os.write(self.fd, text.encode())

    def expect(self, text):
        import select
        got = ""
        while text not in got:
            ready, _, _ = select.select([self.fd], [], [], WAIT)
            assert ready, f"no {text!r} in {got!r}"
            got += os.read(self.fd, 4096).decode()
        return got

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(reeve):
    t = Terminal(reeve.env)
    yield t
    t.end()


def test_interrupt_from_the_terminal(terminal):
    terminal.write(f"{COMMAND} run sh -c 'echo rea''dy; exec sleep 1000'\n")
    terminal.expect("ready")
    terminal.write("\x03")
    terminal.write("echo status $?\n")
    assert "status 130" in terminal.expect("status 130")


def test_one_interrupt_is_one_signal(terminal):
    code = ("import signal, time; n = []; signal.signal(signal.SIGINT, lambda *_: n.append(1)); "
            "print('rea' + 'dy', flush=True); time.sleep(0.5)\n"
            "while not n: time.sleep(0.01)\n"
            "time.sleep(0.3); print('times', len(n))")
    terminal.write(f'{COMMAND} run {PYTHON} -c "{code}"\n')
    terminal.expect("ready")
    terminal.write("\x03")
    assert "times 1" in terminal.expect("times 1")


def test_stop_and_continue(terminal):
    terminal.write(f"{COMMAND} run sh -c 'echo rea''dy; read x; echo got $x'\n")
    terminal.expect("ready")
    terminal.write("\x1a")
    terminal.expect("Stopped")
    terminal.write("jobs; echo lis''ted\n")
    assert "Stopped" in terminal.expect("listed")
    terminal.write("fg\n")
    terminal.expect("run")
    terminal.write("word\n")
    assert "got word" in terminal.expect("got word")


def test_stopped_and_continued_by_others(terminal):
    """The front, stopped along with the program, learns of that stop only when both go on."""
    terminal.write(f"{COMMAND} run sleep 1000 &\n")
    terminal.write("echo star''ted\n")
    terminal.expect("started")
    for _ in range(20):
        terminal.write("until [ $(pgrep -cx sleep -g $(jobs -p)) = 1 ]; do :; done\n")
        terminal.write("kill -STOP %1; until jobs | grep -q Stopped; do :; done; echo stop''ped\n")
        terminal.expect("stopped")
        terminal.write("kill -CONT %1; sleep 0.05; jobs; echo lis''ted\n")
        assert "Running" in terminal.expect("listed")
    terminal.write("kill %1; wait; echo wai''ted\n")
    terminal.expect("waited")


def test_program_is_in_the_foreground(terminal):
    terminal.write(f"{COMMAND} run {PYTHON} -c 'import os; "
                   "print(\"same\", os.tcgetpgrp(0) == os.getpgrp(), os.isatty(0))'\n")
    assert "same True True" in terminal.expect("same True True")


def test_stopped_by_itself(terminal):
    """As vim does: it catches SIGTSTP and stops itself later."""
    terminal.write(f"{COMMAND} run sh -c 'echo rea''dy; kill -STOP $$; echo aw''ake'\n")
    terminal.expect("Stopped")
    terminal.write("fg\n")
    assert "awake" in terminal.expect("awake")


def test_a_listener_is_ready_before_what_was_said_behind_it(reeve):
    """The peer's connect() has returned before it writes to another connection (active FTP)."""
    server = """
import socket
l = socket.create_server(("", 2121))
print("ready", flush=True)
c, peer = l.accept()
for line in c.makefile():
    d = socket.create_connection((peer[0], int(line)))
    c.sendall(b"!")
    d.close()
"""
    client = """
import select, socket
c = socket.create_connection(("server", 2121))
late = 0
for _ in range(300):
    l = socket.create_server((c.getsockname()[0], 0), backlog=1)
    c.sendall(b"%d\\n" % l.getsockname()[1])
    c.recv(1)
    late += not select.select([l], [], [], 0)[0]
    l.accept()[0].close()
    l.close()
print(late, "late")
"""
    p = reeve.start_python(server, "--host", "server")
    reeve.wait_for_text(p, "ready\n")
    r = reeve.python(client, "--host", "client")
    assert r.stdout == "0 late\n", r.stderr


def test_hostname_by_choice(reeve):
    ours = os.uname()
    assert reeve.run("--host", "web", "uname", "-n").stdout == f"{ours.nodename}\n"
    r = reeve.python("import ctypes, os, socket\n"
                     "print(socket.gethostname(), socket.gethostbyname(socket.gethostname()))\n"
                     "print(os.uname().sysname, os.uname().release, os.uname().machine)\n"
                     "libc = ctypes.CDLL(None, use_errno=True)\n"
                     "print(libc.uname(ctypes.c_void_p(1)), os.strerror(ctypes.get_errno()))",
                     "--host", "web", "--hostname")
    lines = r.stdout.splitlines()
    name, address = lines[0].split()
    assert name == "web" and address.startswith("198.18.")
    assert lines[1] == f"{ours.sysname} {ours.release} {ours.machine}"
    assert lines[2] == "-1 Bad address"
