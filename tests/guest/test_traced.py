"""Tracers and debuggers inside: they see of a program what it sees; and what becomes of Reeve's own
processes when one is set on them."""

import re
import subprocess

import pytest
from conftest import PYTHON, WAIT
from needs import need

PAIR = """
import os, socket, sys
l = socket.create_server(("127.0.0.1", 7000))
c = socket.create_connection(("127.0.0.1", 7000))
a, _ = l.accept()
a.send(b"there")
print(c.recv(9).decode(), flush=True)
"""


def calls(text):
    """What strace says of each call: the name, the first argument, the result."""
    return re.findall(r"^(?:\[pid +\d+\] )?(\w+)\((\w+).*\) += (\S+)", text, re.MULTILINE)


def test_strace(reeve, tmp_path):
    need("strace")
    code = PAIR + "child = os.fork()\nc.sendall(bytes(child == 0))\nsys.exit(child and 7)"
    log = tmp_path / "log"
    r = reeve.run("--", "strace", "-f", "-e", "trace=network", "-o", log, PYTHON, "-c", code)
    assert (r.returncode, r.stdout, r.stderr) == (7, "there\n", "")
    text = re.sub(r"^\d+ +", "", log.read_text(), flags=re.MULTILINE)
    seen = calls(text)
    listener, client, accepted = (result for name, first, result in seen
                                  if first == "AF_INET" or name == "accept4")
    assert ("bind", listener, "0") in seen and ("listen", listener, "0") in seen
    assert ("connect", client, "0") in seen
    assert ("sendto", accepted, "5") in seen and ("recvfrom", client, "5") in seen
    assert 'sin_port=htons(7000), sin_addr=inet_addr("127.0.0.1")' in text
    assert text.count("exited with 7") == 1 and text.count("exited with 0") == 1


def test_strace_of_curl(reeve, tmp_path):
    need("strace", "curl")
    (tmp_path / "page").write_text("page")
    server = reeve.start("--host", "web", "--", PYTHON, "-m", "http.server", "80", cwd=tmp_path,
                         stderr=subprocess.DEVNULL)
    reeve.wait_for_text(server, "Serving HTTP")
    for path, status, out in ("page", 0, "page"), ("nothing", 22, ""):
        r = reeve.run("--host", "c", "strace", "-f", "-e", "trace=network", "curl", "-sf",
                      f"http://web/{path}")
        assert (r.returncode, r.stdout) == (status, out), r.stderr
        assert re.search(r"connect\(\d+, {sa_family=AF_INET, sin_port=htons\(80\), "
                         r'sin_addr=inet_addr\("198.18', r.stderr), r.stderr
        assert f"+++ exited with {status} +++" in r.stderr


def test_gdb(reeve, tmp_path):
    """A break behind what goes over sockets, what has come, and on to the end."""
    need("gdb", "gcc")
    source = tmp_path / "talk.c"
    source.write_text("""
#include <arpa/inet.h>
#include <unistd.h>
static void heard(const char *text)
{
	write(1, text, 5);
}
static void talk(int from, int to)
{
	char text[6] = "";
	write(from, "there", 5);
	read(to, text, 5);
	heard(text);
}
int main(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(7000),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&name, sizeof(name)) || listen(l, 1) ||
	    connect(c, (void *)&name, sizeof(name)))
		return 1;
	talk(accept(l, 0, 0), c);
	return 7;
}
""")
    program = tmp_path / "talk"
    subprocess.run(["gcc", "-g", "-O0", "-o", program, source], check=True, timeout=WAIT)
    r = reeve.run("--", "gdb", "-nx", "-batch", "-ex", "break heard", "-ex", "run", "-ex", "bt", "-ex",
                  "print text", "-ex", "continue", program, timeout=2 * WAIT)
    assert re.search(r"#0 +heard .*\n#1 .* talk .*\n#2 .* main ", r.stdout), r.stdout + r.stderr
    assert re.search(r'\$1 = 0x\w+ "there"', r.stdout)
    assert "exited with code 07" in r.stdout and r.returncode == 0


def test_gdb_on_what_waits(reeve):
    """It finds a program in its accept(), which then goes on."""
    need("gdb")
    code = """
import ctypes, os, socket, subprocess, sys
LIBC = ctypes.CDLL(None)
l = socket.create_server(("127.0.0.1", 7000))
child = os.fork()
if child == 0:
    LIBC.prctl(0x59616d61, ctypes.c_ulong(-1))  # PR_SET_PTRACER, of Yama: anybody
    os.write(1, b"waiting\\n")
    a, _ = l.accept()
    os._exit(a.recv(1)[0])
sys.stdin.readline()
seen = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt", "-p", str(child)], capture_output=True, text=True)
print("in accept" if "accept" in seen.stdout else seen, flush=True)
with socket.create_connection(("127.0.0.1", 7000)) as c:
    c.send(bytes([7]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    p = reeve.start_python(code, stdin=subprocess.PIPE)
    reeve.wait_for_text(p, "waiting\n")
    assert p.communicate("go\n", timeout=2 * WAIT)[0] == "in accept\n7\n"


@pytest.mark.parametrize("whose", ["supervisor", "keeper", "front", "network"])
def test_ptrace_of_our_own(reeve, whose):
    """Who may stop a process of Reeve at all, which Yama and the user decide, harms it no more than
    SIGSTOP does: a tracer that is gone has left nothing behind."""
    code = PAIR + """
import ctypes, errno, signal
SEIZE, INTERRUPT = 0x4206, 0x4207
LIBC = ctypes.CDLL(None, use_errno=True)

def ptrace(request, pid):
    if LIBC.ptrace(request, pid, None, None) < 0:
        print(errno.errorcode[ctypes.get_errno()], flush=True)
        os._exit(0)

def parent(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])

whose, target = sys.argv[1], int(sys.argv[2])
if whose != "network":
    target = os.getppid()
    for _ in range(["supervisor", "keeper", "front"].index(whose)):
        target = parent(target)
tracer = os.fork()
if tracer == 0:
    ptrace(SEIZE, target)
    ptrace(INTERRUPT, target)
    print("stopped", os.WIFSTOPPED(os.waitpid(target, 0x40000000)[1]), flush=True)
    os._exit(0)
os.waitpid(tracer, 0)
with socket.create_connection(("127.0.0.1", 7000)) as d:
    b, name = l.accept()
    print(name == d.getsockname())
    b.sendall(bytes(4096))
    print(len(d.recv(4096, socket.MSG_WAITALL)))
sys.exit(7)
"""
    assert reeve.command("network", "--keep").returncode == 0
    network = reeve.network()["pid"]
    r = reeve.run("--", PYTHON, "-c", code, whose, str(network))
    there, seen, *after = r.stdout.splitlines()
    assert (there, after, r.returncode) == ("there", ["True", "4096"], 7), r.stdout + r.stderr
    assert seen in ("EPERM", "stopped True")
    assert reeve.network()["pid"] == network
