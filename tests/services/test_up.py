"""`reeve up`: services linked to ports by a file, with real programs, from outside."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import PATIENCE
from live import wait_for_end, wait_until
from needs import need

FINGER = """
services:
  finger:
    host: server
    start: nowait
    ports: finger
    run: [sh, -c, 'read who; echo "$who is not here, $REMOTE_ADDR"']
"""

# A program with listening descriptors, as systemd's are: each connection gets its pid.
LISTENER = '''
import os, socket, sys, signal
assert os.environ["LISTEN_PID"] == str(os.getpid())
sockets = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
print(os.environ["LISTEN_FDNAMES"], flush=True)
while True:
    c, _ = sockets[0].accept()
    c.sendall(f"{os.getpid()} {c.recv(99).decode()}".encode())
    c.close()
'''

# One datagram is answered, and then it ends.
DATAGRAM = '''
import socket
s = socket.socket(fileno=0)
data, peer = s.recvfrom(999)
s.sendto(data.upper(), peer)
'''

ASK_DATAGRAM = '''
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("server", int(sys.argv[1])))
for word in sys.argv[2:]:
    s.send(word.encode())
    print(s.recv(999).decode())
'''


def test_at_once(network):
    """It has opened its ports when `up` returns."""
    services = network.up("""
hosts:
  server: {ip: 198.18.0.77}
services:
  web: {host: server, run: python3 -u -m http.server 80, ports: http}
""")
    web = services["web"]
    assert (web["state"], web["instances"], web["starts"]) == ("running", 1, 1)
    assert web["ports"] == [{"address": "", "port": 80, "protocol": "tcp", "service": "http",
                             "open": True}]
    assert network.json("ports", "server")[0]["pid"] == web["pid"]
    page = network.good("run", "--host", "client", "curl", "-sS", "http://198.18.0.77/")
    assert "Directory listing" in page
    wait_until(lambda: "GET /" in network.log("web"), "the log")


def test_nowait(network):
    assert network.up(FINGER)["finger"]["state"] == "listening"
    address = network.json("hosts")
    assert network.ask(79, "somebody\n").startswith("somebody is not here, 198.18.0.")
    assert len(address) == 1  # the client's came with it
    assert wait_until(lambda: network.status("finger")["instances"] == 0)
    assert network.status("finger")["starts"] == 1


def test_nowait_has_the_connection_as_all_streams(network):
    network.up("""
services:
  all: {host: server, start: nowait, ports: 7, run: [sh, -c, 'cat; echo out; echo err >&2']}
""")
    assert network.ask(7, "in\n") == "in\nout\nerr\n"


def test_listening_descriptors(network):
    network.write(LISTENER, "listener.py")
    service = network.up("""
services:
  two: {host: server, start: listening, ports: [http, 8080], run: python3 -u listener.py}
""")["two"]
    assert network.ask(80, "hello") == f"{service['pid']} hello"
    assert wait_until(lambda: network.log("two")) == "http:8080\n"


def test_on_demand(network):
    network.write(LISTENER, "listener.py")
    service = network.up("""
services:
  lazy: {host: server, start: on-demand, ports: 8000, run: python3 listener.py}
""")["lazy"]
    assert (service["state"], service["starts"]) == ("listening", 0)
    pid = network.ask(8000, "one").split()[0]
    assert network.ask(8000, "two") == f"{pid} two"
    assert network.status("lazy")["starts"] == 1
    # Ended by hand it has failed; the next one who comes still gets an answer.
    os.kill(int(pid), signal.SIGKILL)
    assert network.ask(8000, "three").split()[0] != pid


def test_wait_datagrams(network):
    """The socket is fd 0; while the program runs it alone reads, and then the next is started."""
    network.write(DATAGRAM, "datagram.py")
    network.up("""
services:
  upper: {host: server, start: wait, ports: discard/udp, run: python3 datagram.py}
""")
    assert network.client(ASK_DATAGRAM, 9, "one", "two") == "ONE\nTWO\n"
    wait_until(lambda: network.state("upper") == "listening")
    assert network.status("upper")["starts"] == 2


def test_wait_stream(network):
    network.write(LISTENER.replace("3 + i", "0").replace('int(os.environ["LISTEN_FDS"])', "1")
                  .replace('assert os.environ["LISTEN_PID"] == str(os.getpid())', "")
                  .replace('print(os.environ["LISTEN_FDNAMES"], flush=True)', ""), "w.py")
    network.up("services: {w: {host: server, start: wait, ports: 7, run: python3 w.py}}")
    assert network.ask(7, "a").endswith(" a")
    assert network.ask(7, "b").endswith(" b")
    assert network.status("w")["starts"] == 1


def test_what_a_program_gets(network):
    """Its environment, its directory, standard streams; no descriptors of anybody else."""
    (network.directory / "sub").mkdir()
    network.write("FROM_FILE=yes\nBOTH=file\n", "vars")
    network.up("""
services:
  look:
    run: [sh, -c, 'pwd; env; ls /proc/self/fd; readlink /proc/self/fd/0; cat /proc/self/status']
    directory: sub
    environment: {BOTH: own, EMPTY: ''}
    environment-file: vars
""")
    wait_until(lambda: network.state("look") == "ended")
    wait_until(lambda: "nonvoluntary_ctxt_switches" in network.log("look"), "the end of what it says")
    log = network.log("look").splitlines()
    assert log[0] == str(network.directory / "sub")
    assert {"FROM_FILE=yes", "BOTH=own", "EMPTY="} <= set(log)
    assert not [line for line in log if line.startswith("LISTEN_")]
    assert "/dev/null" in log
    assert {line for line in log if line.isdigit()} == {"0", "1", "2", "3"}  # 3 is ls' own
    assert "SigBlk:\t0000000000000000" in log
    assert "SigIgn:\t0000000000000000" in log


def test_daemon_that_leaves_its_parent(network):
    """It is still the service's: it ends with it, and what it does not notice is made to end."""
    network.up("""
services:
  d:
    host: server
    run: [sh, -c, 'setsid sh -c "trap : TERM; while :; do sleep 1000 & wait; done" & echo $!']
    grace: 10ms
""")
    daemon = int(wait_until(lambda: network.log("d")))
    assert network.state("d") == "running"
    assert daemon in network.processes()
    network.up("services: {}")
    assert wait_for_end(daemon)


# What goes wrong.

def test_ends_at_once_forever(network):
    """It is started again, later each time, and given up at last; one clear line says so."""
    network.write("""
services:
  bad: {run: sh -c 'echo trying; exit 3', restart-delay: 10ms, restart-limit: 3}
""")
    result = network.run("up")
    assert result.returncode == 69
    assert "reeve.yaml:3:3: service 'bad' " in result.stderr
    assert "ended with status 3" in result.stderr
    wait_until(lambda: network.state("bad") == "failed")
    status = network.status("bad")
    assert (status["starts"], status["failures"]) == (4, 4)
    assert status["reason"] == "ended with status 3, 4 times in a row"
    assert [line.split(" ", 1)[-1] for line in network.log("bad").splitlines()] == [
        "trying", "reeve: ended with status 3; starts again in 10 ms",
        "trying", "reeve: ended with status 3; starts again in 20 ms",
        "trying", "reeve: ended with status 3; starts again in 40 ms",
        "trying", "reeve: given up: ended with status 3, 4 times in a row"]
    again = network.run("restart", "bad")
    assert again.returncode == 69


@pytest.mark.parametrize("restart, code, starts, state", [
    ("no", 0, 1, "ended"), ("no", 1, 1, "failed"), ("on-failure", 0, 1, "ended"),
    ("on-failure", 1, 3, "failed"), ("always", 0, 3, "failed")])
def test_restart_policy(network, restart, code, starts, state):
    network.write(f"""
services:
  x: {{run: sh -c 'exit {code}', restart: '{restart}', restart-delay: 10ms, restart-limit: 2}}
""")
    network.run("up")
    wait_until(lambda: network.state("x") == state)
    assert network.status("x")["starts"] == starts


@pytest.mark.parametrize("run, directory, says", [
    ("nothing-like-it", ".", "cannot run 'nothing-like-it': No such file or directory"),
    ("true", "nowhere", "cannot go to the directory of 'true': No such file or directory"),
    ("./reeve.yaml", ".", "cannot run './reeve.yaml': Permission denied")])
def test_cannot_be_run(network, run, directory, says):
    network.write(f"services: {{x: {{run: {run}, directory: {directory}, restart: 'no'}}}}")
    result = network.run("up")
    assert result.returncode == 69 and says in result.stderr


def test_failing_on_demand_refuses_at_last(network):
    """Who waits there is not left waiting for ever."""
    network.up("""
services:
  bad: {start: on-demand, host: server, ports: 80, run: 'false', restart-delay: 10ms,
        restart-limit: 3}
""")
    code = """
import socket
c = socket.create_connection(("server", 80))
try:
    print(c.recv(1))
except ConnectionResetError:
    print("reset")
while True:
    try:
        socket.create_connection(("server", 80)).close()
    except ConnectionRefusedError:
        break
print("refused")
"""
    assert network.client(code) == "reset\nrefused\n"
    assert network.state("bad") == "failed"
    other = network.start("run", "--host", "server", "python3", "-c", """
import socket
s = socket.create_server(("", 80))
print("up", flush=True)
input()
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == "up\n"
    assert network.run("restart", "bad").returncode == 69
    assert network.status("bad")["reason"] == "port 80: Address already in use"
    other.communicate("\n", timeout=PATIENCE)
    assert network.run("restart", "bad").returncode == 0
    assert network.state("bad") == "listening"


def test_rate(network):
    """More starts than there may be within a minute: the rest wait."""
    network.up(FINGER + "    rate: 2\n")
    for _ in range(2):
        network.ask(79, "x\n")
    late = network.start("run", "--host", "client", "python3", "-c", """
import socket
c = socket.create_connection(("server", 79))
c.sendall(b"late\\n")
print(c.recv(99).split()[0])
""", stdout=subprocess.PIPE)
    wait_until(lambda: network.state("finger") == "paused")
    status = network.status("finger")
    assert status["starts"] == 2 and status["next_ms"] > 0
    assert status["reason"] == "2 starts within a minute; goes on in 10 seconds"
    assert network.json("restart", "finger")["state"] == "listening"
    assert late.communicate(timeout=PATIENCE)[0] == "b'late'\n"


def test_rate_of_a_program_that_takes_nothing(network):
    """It ends well and leaves the datagram where it is: that is no spin either."""
    network.up("""
services:
  idle: {start: wait, host: server, ports: 9/udp, run: 'true', rate: 5}
""")
    network.client("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                   "s.sendto(b'x', ('server', 9))")
    wait_until(lambda: network.state("idle") == "paused")
    assert network.status("idle")["starts"] == 5


def test_instances(network):
    """No more programs at one time than there may be; the next has its turn when one ends."""
    network.up("""
services:
  echo: {start: nowait, host: server, ports: echo, run: cat, instances: 2}
""")
    client = network.start("run", "--host", "client", "python3", "-uc", """
import socket, sys
c = [socket.create_connection(("server", 7)) for _ in range(3)]
for s in c[:2]:
    s.sendall(b"x")
    print(s.recv(1))
c[2].sendall(b"y")
input()
c[0].close()
print(c[2].recv(1))
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == client.stdout.readline() == "b'x'\n"
    status = network.status("echo")
    assert (status["instances"], status["starts"]) == (2, 2)
    client.stdin.write("\n")
    client.stdin.flush()
    assert client.stdout.readline() == "b'y'\n"
    assert client.wait(PATIENCE) == 0


def test_port_in_use(network):
    """Nothing is changed by a file that cannot be taken; the line says which port, where."""
    network.up(FINGER)
    other = network.start("run", "--host", "server", "python3", "-uc", """
import socket, time
s = socket.create_server(("", 80))
print("up")
time.sleep(1000)
""", stdout=subprocess.PIPE)
    assert other.stdout.readline() == "up\n"
    network.write(FINGER.replace("not here", "away") + """
  web:
    host: server
    start: on-demand
    ports: [8080, http]
    run: x
""")
    result = network.run("up")
    assert result.returncode == 69
    assert result.stderr == ("reeve: reeve.yaml:12:19: port http of 'web' on host 'server' is in "
                             "use already\n")
    assert [s["name"] for s in network.json("status")] == ["finger"]
    assert "not here" in network.ask(79, "x\n")
    # Nobody says that a listener was closed: it is missed a little later.
    wait_until(lambda: {s["local"] for s in network.json("ports", "server", "--listening")} == {
        "0.0.0.0:79", "0.0.0.0:80"}, "the end of port 8080")


def test_ports_that_are_granted(network):
    """On a host with rules the file's ports are granted to its services, and no others; also those
    of a later file."""
    text = """
hosts:
  server: {well-known: granted}
services:
  finger: {host: server, start: nowait, ports: finger, run: echo hi}
  web: {host: server, run: python3 -m http.server 80, ports: http}
"""
    network.up(text)
    assert network.ask(79, "") == "hi\n"
    network.up(text.replace("ports: finger", "ports: whoispp"))
    assert network.ask(63, "") == "hi\n"
    network.write(text.replace("server 80, ports: http", "server 81, restart: 'no'"))
    network.run("up")  # may have seen it fail or not: it fails a moment after its start
    wait_until(lambda: network.state("web") == "failed")
    assert "PermissionError" in network.log("web")


def test_address_that_is_not_the_hosts(network):
    network.write("services: {x: {start: wait, host: server, ports: '198.18.9.9:7', run: cat}}")
    result = network.run("up")
    assert result.returncode == 69
    assert "reeve.yaml:1:50: port 198.18.9.9:7 of 'x' on host 'server' is at an address that the " \
           "host does not have\n" in result.stderr


@pytest.mark.parametrize("text, says", [
    ("hosts: {a: {ip: 198.51.100.1}}", "1:17: address '198.51.100.1': it is outside of 198.18.0.0/16"),
    ("hosts:\n  a: {ip: 198.18.0.5}\n  b: {ip: 198.18.0.5}\n",
     "3:11: address 198.18.0.5 belongs to another host; 'reeve hosts' shows which"),
    ("hosts: {localhost: }", "1:9: name 'localhost': it means the host itself, on every host")])
def test_hosts_that_cannot_be(network, text, says):
    network.write(text)
    assert f"reeve: reeve.yaml:{says}\n" in network.run("up").stderr


def test_hosts_that_cannot_change(network):
    network.up("hosts: {a: {ip: 198.18.0.5}}")
    network.write("hosts: {a: {ip: 198.18.0.6}}")
    assert network.run("up").stderr == (
        "reeve: reeve.yaml:1:17: host 'a' has the address 198.18.0.5; 'reeve down' first to change "
        "it\n")
    network.write("hosts: {a: {well-known: granted}}")
    assert "'reeve down' first" in network.run("up").stderr


def test_impaired_host(network):
    network.up("hosts: {a: {impair: {loss: 5%, delay: 1.5ms, seed: 9}}}")
    impairment = network.json("hosts")[0]["impairment"]
    assert (impairment["loss"], impairment["delay_ms"], impairment["seed"]) == (0.05, 1.5, 9)


def test_other_file(network):
    """Two files do not fight over one network."""
    network.up(FINGER)
    network.write(FINGER, "other.yaml")
    result = network.run("up", "other.yaml")
    assert result.returncode == 69
    assert f"runs the services of {network.directory}/reeve.yaml; 'reeve down' first" in result.stderr
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)


@pytest.mark.parametrize("text, status, says", [
    ("services: {a: {run: x, prots: 80}}", 65,
     "reeve.yaml:1:24: a service has no 'prots'; did you mean 'ports'?"),
    ("a: [", 65, "reeve.yaml:2:1: did not find expected node content"),
    (None, 66, "reeve.yaml: No such file or directory")])
def test_wrong_file(network, text, status, says):
    if text:
        network.write(text)
    for words in (), ("--check",):
        result = network.run("up", *words)
        assert (result.returncode, result.stdout) == (status, "")
        assert result.stderr == f"reeve: {says}\n"
    assert network.run("status").stderr == "reeve: network 'default' is not running\n"
    result = network.run("status", "echo")
    assert (result.returncode, result.stderr) == (69, "reeve: network 'default' is not running\n")


def test_check_starts_nothing(network):
    network.write(FINGER)
    assert network.good("up", "--check") == "reeve.yaml: 1 host, 1 service\n"
    assert "not running" in network.run("network").stderr


def test_names_that_are_not_there(network):
    network.up(FINGER)
    for command in "status", "restart":
        result = network.run(command, "fingre")
        assert result.returncode == 69
        assert result.stderr == (f"reeve: no service 'fingre' in network 'default'; did you "
                                 "mean 'finger'?\n")


# Changes, while clients are there.

STREAM = """
import socket, sys
c = socket.create_connection(("server", 7))
print("joined", flush=True)
for line in sys.stdin:
    c.sendall(line.encode())
    print(c.recv(999).decode(), end="", flush=True)
"""

ECHO = "services: {echo: {start: nowait, host: server, ports: 7, run: cat}}"


def talk(client, text):
    client.stdin.write(text + "\n")
    client.stdin.flush()
    return client.stdout.readline() == text + "\n"


def test_reload_keeps_connections(network):
    """Whatever becomes of the service, a connection goes on; new ones have the new program."""
    network.up(ECHO)
    client = network.start("run", "--host", "client", "python3", "-c", STREAM,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == "joined\n" and talk(client, "one")
    service = network.up(ECHO.replace("cat", "tr a-z A-Z"))["echo"]
    assert service["instances"] == 1
    assert talk(client, "two") and network.ask(7, "x") == "X"
    network.good("restart", "echo")
    assert talk(client, "three")
    network.up("services: {other: {host: server, run: sleep 1000}}")
    assert talk(client, "four")
    client.stdin.close()
    assert client.wait(PATIENCE) == 0


def test_reload_refuses_nobody(network):
    """A client after another, while the file changes, the program changes with it and is started
    again: not one is refused, as the port is never closed."""
    network.write(LISTENER, "listener.py")
    text = """
services:
  web: {host: server, start: listening, ports: http, run: python3 listener.py, grace: 1s}
"""
    network.up(text)
    client = network.start("run", "--host", "client", "python3", "-uc", """
import select, socket, sys
count = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    c = socket.create_connection(("server", 80))
    try:
        c.sendall(b"x")
        c.recv(99)
    except (ConnectionResetError, BrokenPipeError):
        pass  # accepted by a program that was told to end then
    count += 1
    if count == 1:
        print("going")
print("well")
""", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == "going\n"
    pids = set()
    for i in range(3):
        pids.add(network.up(text.replace("grace: 1s", f"environment: {{N: '{i}'}}"))["web"]["pid"])
        pids.add(network.json("restart", "web")["pid"])
    # The port goes over to another service, open.
    network.up(text.replace("web:", "web2:"))
    client.stdin.close()
    assert client.stdout.readline() == "well\n"
    assert len(pids) == 6


def test_reload_touches_only_what_changed(network):
    text = """
services:
  a: {run: sleep 1000}
  b: {run: sleep 1001}
  c: {run: sleep 1002, host: other}
"""
    before = network.up(text)
    after = network.up(text.replace("1001", "1003").replace("  a: {", "  a: {restart-limit: 3, "))
    assert after["a"]["pid"] == before["a"]["pid"]
    assert after["b"]["pid"] != before["b"]["pid"]
    assert after["c"]["pid"] == before["c"]["pid"]
    # One goes, and so does a host's last; what an environment's file says counts, too.
    after = network.up("services: {a: {run: sleep 1000}}")
    assert list(after) == ["a"] and after["a"]["pid"] == before["a"]["pid"]
    assert wait_for_end(before["c"]["pid"])
    wait_until(lambda: len(network.programs()) == 1)


def test_environment_file_that_changes(network):
    network.write("A=1\n", "vars")
    text = "services: {a: {run: sleep 1000, environment-file: vars}}"
    before = network.up(text)["a"]["pid"]
    assert network.up(text)["a"]["pid"] == before
    network.write("A=2\n", "vars")
    assert network.up(text)["a"]["pid"] != before


def test_restart(network):
    network.write(LISTENER, "listener.py")
    before = network.up("""
services:
  a: {host: server, start: listening, ports: 80, run: python3 listener.py}
""")["a"]["pid"]
    after = network.json("restart", "a")
    assert after["pid"] != before and after["state"] == "running"
    assert network.ask(80, "x") == f"{after['pid']} x"


# Ends.

def test_down_lets_services_end(network):
    network.up("""
services:
  slow: {run: [sh, -c, 'trap "sleep 0.1; echo well > said; exit" TERM; echo up; sleep 1000 & wait']}
""")
    wait_until(lambda: network.log("slow"))
    assert network.json("down") == {"programs": 1}
    assert (network.directory / "said").read_text() == "well\n"
    assert not network.processes()


def test_up_while_the_network_goes_down(network):
    """One line, and nothing of what there is no more."""
    network.up("""
services:
  slow: {run: [sh, -c, "trap 'echo told' TERM; echo up; while :; do sleep inf & wait; done"], log: slow.log}
""")
    log = network.directory / "slow.log"
    wait_until(lambda: log.read_text() == "up\n")
    ending = network.start("down", "--grace", "60s")
    wait_until(lambda: "told" in log.read_text())
    result = network.run("up")
    assert (result.returncode, result.stdout) == (77, "")
    assert result.stderr == "reeve: refused: the network is going down\n"
    network.good("down", "--grace", "0")
    assert ending.wait(PATIENCE) == 0


def test_service_that_does_not_end(network):
    """Its own grace counts."""
    network.up("""
services:
  hard: {run: [sh, -c, 'trap "" TERM; echo up; while :; do sleep 1000; done'], grace: 10ms}
""")
    wait_until(lambda: network.log("hard"))
    pid = network.status("hard")["pid"]
    assert network.json("restart", "hard")["pid"] != pid
    assert wait_for_end(pid)


def test_killed_service(network):
    """It is started again; a keeper that is killed takes its program with it."""
    pid = network.up("services: {a: {run: sh -c 'sleep 1000; :'}}")["a"]["pid"]
    os.kill(pid, signal.SIGKILL)
    other = wait_until(lambda: network.status("a")["pid"] not in (None, pid)
                       and network.status("a")["pid"])
    assert network.status("a")["last"] == "ended by SIGKILL"
    keeper = int(pathlib.Path(f"/proc/{other}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(keeper, signal.SIGKILL)
    assert wait_for_end(other)
    third = wait_until(lambda: network.status("a")["pid"] not in (None, other)
                       and network.status("a")["pid"])
    assert len(network.processes()) == 2 and third in network.processes()


def test_killed_manager(network):
    """Its services end in order, and are started by the next `up`."""
    network.write(LISTENER, "listener.py")
    text = """
services:
  a: {host: server, start: listening, ports: 80, run: python3 listener.py}
  b: {host: server, run: [sh, -c, 'trap "echo well > said; exit" TERM; echo up; sleep 999 & wait']}
"""
    before = network.up(text)
    wait_until(lambda: network.log("b"))
    os.kill(network.manager(), signal.SIGKILL)
    for service in before.values():
        assert wait_for_end(service["pid"])
    assert (network.directory / "said").read_text() == "well\n"
    wait_until(lambda: network.json("status") == [])
    wait_until(lambda: not network.json("ports", "server"))
    after = network.up(text)
    assert network.ask(80, "x") == f"{after['a']['pid']} x"


def test_killed_network(network):
    """All services end, and the next network has them again."""
    before = network.up("services: {a: {host: server, run: sleep 1000}, "
                        "b: {host: server, start: nowait, ports: 7, run: cat}}")["a"]["pid"]
    os.kill(network.json("network")["pid"], signal.SIGKILL)
    assert wait_for_end(before)
    wait_until(lambda: not network.processes())
    assert "not running" in network.run("status").stderr
    network.up(ECHO)
    assert network.ask(7, "x") == "x"


def test_killed_supervisor(network):
    pid = network.up("services: {a: {host: server, run: sleep 1000}}")["a"]["pid"]
    manager = network.manager()
    supervisor = int(pathlib.Path(f"/proc/{manager}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    assert wait_for_end(pid) and wait_for_end(manager)
    wait_until(lambda: network.json("status") == [])


def test_stopped_manager_holds_nobody_up(network):
    """The network goes on without it, and ends without it."""
    network.up(ECHO)
    os.kill(network.manager(), signal.SIGSTOP)
    assert network.json("hosts")
    assert network.json("down", "--grace", "10ms") == {"programs": 1}


def test_a_program_cannot_command(network):
    network.up(ECHO)
    for words in ("status",), ("restart", "echo"), ("up",):
        result = network.run("run", "--host", "server", os.environ["REEVE_BUILD"] + "/src/cli/reeve",
                             *words)
        assert result.returncode == 77 and result.stderr.count("\n") == 1


def test_nothing_is_left_open(network):
    """`up` in a pipe: its reader does not wait for the services."""
    network.write("services: {a: {run: sleep 1000}}")
    assert subprocess.run(["sh", "-c", f"'{os.environ['REEVE_BUILD']}/src/cli/reeve' up | cat"],
                          env=network.environment, cwd=network.directory, check=True,
                          timeout=PATIENCE, capture_output=True).stdout


def test_many_connections_leave_nothing(network):
    """Programs of connections by the hundred: no descriptor, no process is left of them."""
    network.up(ECHO.replace("run: cat", "run: cat, rate: 1000000"))
    manager = network.manager()
    code = """
import socket, sys
for i in range(int(sys.argv[1])):
    c = socket.create_connection(("server", 7))
    c.sendall(b"x")
    assert c.recv(1) == b"x"
    c.close()
"""
    network.client(code, 5)
    wait_until(lambda: network.status("echo")["instances"] == 0)
    before = len(os.listdir(f"/proc/{manager}/fd"))
    network.client(code, 200)
    wait_until(lambda: network.status("echo")["instances"] == 0)
    assert len(os.listdir(f"/proc/{manager}/fd")) == before
    assert network.status("echo")["starts"] == 205


def test_client_that_goes_while_it_waits(network):
    """A connection that has come and gone before the program is there is no hindrance."""
    network.write(LISTENER, "listener.py")
    network.up("""
services:
  lazy: {host: server, start: on-demand, ports: 80, run: sh -c 'read x < go; exec python3 listener.py'}
""")
    os.mkfifo(network.directory / "go")
    network.client("import socket; socket.create_connection(('server', 80)).close()")
    wait_until(lambda: network.state("lazy") == "running")
    (network.directory / "go").write_text("\n")
    assert network.ask(80, "x").endswith(" x")


NGINX = """
daemon off; error_log stderr; pid nginx.pid; worker_processes 2;
events {{ worker_connections 64; }}
http {{
    access_log off;
    {paths}
    server {{ listen 80; location / {{ return 200 "nginx\\n"; }} }}
}}
"""


def test_nginx(network):
    """A server of the kind that forks: it comes, is reloaded by a change, and goes as a whole."""
    need("nginx")
    paths = " ".join(f"{name}_temp_path {name};" for name in
                     ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    network.write(NGINX.format(paths=paths), "nginx.conf")
    text = f"""
services:
  web:
    host: server
    run: nginx -p {network.directory} -e stderr -c nginx.conf
    ports: http
"""
    before = network.up(text)["web"]["pid"]
    assert network.good("run", "--host", "client", "curl", "-sS", "http://server/") == "nginx\n"
    after = network.up(text + "    environment: {A: b}\n")["web"]["pid"]
    assert after != before
    assert network.good("run", "--host", "client", "curl", "-sS", "http://server/") == "nginx\n"


def test_varlink_alone(network):
    """What the command does, another client can do: the interface says all of it."""
    network.up(ECHO)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(network.directory / "r/reeve/default/control"))

        def call(method, **parameters):
            import json
            s.sendall(json.dumps({"method": f"io.reeve.Network.{method}",
                                  "parameters": parameters}).encode() + b"\0")
            answer = b""
            while not answer.endswith(b"\0"):
                answer += s.recv(65536)
            return json.loads(answer[:-1])

        assert call("ListManagers")["parameters"]["managers"][0]["host"] == "server"
        assert call("RestartService", host="server", service="echo")["parameters"]["service"][
            "state"] == "listening"
        assert call("RestartService", host="server", service="x")["error"].endswith("ServicesRefused")
        assert call("RestartService", host="nohost", service="x")["error"].endswith("NoSuchHost")
        assert call("AddManager", host="server")["error"].endswith("Refused")
        file = f"{network.directory}/reeve.yaml"
        answer = call("ApplyServices", host="server", path=file, directory="/", name="p", text="a: b",
                      grant=None)
        assert answer["error"].endswith("ServicesRefused")
        assert answer["parameters"]["reason"].startswith("p:1:1: the file has no 'a'")
        assert call("ListServices", host="server")["parameters"]["services"][0]["name"] == "echo"
        answer = call("ApplyServices", host="server", path=file, directory="/", name="p", text="",
                      grant="80-")
        assert answer["error"].endswith("InvalidParameter")
        answer = call("ApplyServices", host="server", path="/p", directory="/", name="p", text="")
        assert answer["error"].endswith("OtherFile") and answer["parameters"] == {"file": file}


def test_example(network):
    """What README and the example's own head say, as it is typed."""
    shutil.copytree(pathlib.Path(os.environ["REEVE_SOURCE"]) / "examples/services", network.directory,
                    dirs_exist_ok=True)
    network.good("up")
    run = ("run", "--host", "client")
    assert "Port 80 of a host of its own" in network.good(*run, "curl", "-sS", "http://www/")
    assert network.good(*run, "curl", "-sS", "http://www:8081/").endswith(" came by 8081\n")
    assert network.good(*run, "curl", "-sS", "http://www:8080/").endswith(" came by 8080\n")
    assert network.good(*run, "bash", "-c", "exec 3<>/dev/tcp/time/daytime; cat <&3").count(":") == 2
    assert "Well met, 198.18.0." in network.good(*run, "curl", "-sS", "gopher://time/")
    assert network.client(ASK_DATAGRAM.replace('"server"', '"time"'), 9, "word") == "WORD\n"
    assert network.json("restart", "web")["state"] == "running"
