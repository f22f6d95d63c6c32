"""`reeve run` as a command: words, statuses, and what the listings show of its program."""

import os
import re
import signal
import subprocess

import pytest
from conftest import COMMAND

SERVE = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
print("listening", flush=True)
sys.stdin.read()
"""
BIND = "import socket, sys; socket.socket().bind(('', int(sys.argv[1])))"
EACCES = "PermissionError: [Errno 13]"
PYTHON = "/usr/bin/python3"


@pytest.fixture
def serving(runtime):
    """serving(PORT, WORD...): a server under `reeve run WORD...`, ended with the test."""
    processes = []

    def start(port, *words):
        process = subprocess.Popen([COMMAND, "run", *words, PYTHON, "-c", SERVE, str(port)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
        processes.append(process)
        assert process.stdout.readline() == "listening\n"
        return process

    yield start
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


@pytest.fixture(autouse=True)
def all_ends(reeve):
    yield
    reeve("down")


def test_status_output_and_words(reeve):
    result = reeve("run", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.out, result.err) == (7, "out\n", "err\n")


def test_options_end_at_the_program(reeve):
    assert reeve("run", "echo", "--help", "-x").out == "--help -x\n"
    assert reeve("run", "--host", "web", "--", "echo", "--host").out == "--host\n"
    assert reeve("run", "--", "sh", "-c", "echo $0 $1", "--", "x").out == "-- x\n"


def test_standard_input(reeve):
    read, write = os.pipe()
    os.write(write, b"through\n")
    os.close(write)
    assert reeve("run", "cat", stdin=read).out == "through\n"
    os.close(read)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams(reeve, runtime, closed):
    program = ("import os, sys; "
               "open_ones = {int(n) for n in os.listdir('/proc/self/fd')} & {0, 1, 2}; "
               "sys.exit(10 + sum(1 << n for n in open_ones))")
    shell = 'exec "$@" ' + " ".join(f"{n}>&-" for n in closed)
    result = subprocess.run(["/bin/bash", "-c", shell, "bash", COMMAND, "run", PYTHON, "-c", program],
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                            env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
    # The listing's own descriptor takes the lowest free number.
    expected = {0, 1, 2} - set(closed) | {min(closed)}
    assert result.returncode == 10 + sum(1 << n for n in expected), result.stderr


def test_program_that_is_not_there(reeve):
    result = reeve("run", "no-such-program")
    assert result.status == 127 and result.out == ""
    assert result.err == "reeve: cannot run 'no-such-program': No such file or directory\n"


def test_program_that_cannot_be_run(reeve, tmp_path):
    path = tmp_path / "text"
    path.write_text("no program")
    result = reeve("run", str(path))
    assert result.status == 126 and result.err.count("\n") == 1


def test_signal(reeve):
    assert reeve("run", "sh", "-c", "kill -TERM $$").status == -signal.SIGTERM


def test_nowhere_to_put_sockets(reeve):
    result = reeve("run", "true", env={"XDG_RUNTIME_DIR": "/proc/nowhere"})
    assert result.status == 125 and result.err.count("\n") == 1
    assert "/proc/nowhere" in result.err


def test_inside_of_a_run(reeve):
    result = reeve("run", COMMAND, "run", "true")
    assert result.status == 125
    assert result.err == "reeve: this already runs under 'reeve run'; it cannot be nested\n"
    result = reeve("run", COMMAND, "ports")
    assert result.status == 77
    assert result.err == ("reeve: a program under 'reeve run' cannot see or change its "
                          "network; ask from outside\n")


def test_listings_show_the_program(reeve, serving):
    serving(80, "--host", "web")
    serving(80, "--host", "web2")
    sockets = reeve("ports", "-l", "--json").json
    assert sorted((s["host"], s["local"], s["service"], s["state"]) for s in sockets) == [
        ("web", "0.0.0.0:80", "http", "LISTEN"), ("web2", "0.0.0.0:80", "http", "LISTEN")]
    for s in sockets:
        words = open(f"/proc/{s['pid']}/cmdline", encoding="ascii").read().split("\0")
        assert words[0] == PYTHON and words[-2] == "80"
        assert "python3" in s["program"]
    assert [s["host"] for s in reeve("services", "--host", "web", "--json").json] == ["web"]
    assert re.search(r"^tcp +LISTEN +0 +\d+ +0\.0\.0\.0:80 +- +http +web2? +\d+ +\S*python3",
                     reeve("ports").out, re.MULTILINE)
    assert [(h["name"], h["programs"]) for h in reeve("hosts", "--json").json] == [
        ("web", 1), ("web2", 1)]


def test_address_of_the_host(reeve, serving):
    serving(8080, "--host", "web", "--ip", "198.18.7.7")
    assert reeve("hosts", "--json").json[0]["addresses"] == ["198.18.7.7"]
    taken = reeve("run", "--host", "two", "--ip", "198.18.7.7", "true")
    assert taken.status == 125 and taken.err.count("\n") == 1
    assert "198.18.7.7" in taken.err
    other = reeve("run", "--host", "web", "--ip", "198.18.7.8", "true")
    assert other.status == 125 and other.err.count("\n") == 1


@pytest.mark.parametrize("words", [["--host", "a b"], ["--host", ""], ["--host", "-"],
                                   ["--ip", "192.0.2.1"], ["--host", "x" * 100]])
def test_bad_hosts(reeve, words):
    result = reeve("run", *words, "true")
    assert result.status == 125 and result.err.count("\n") == 1, result


def test_well_known_ports_of_the_owner(reeve):
    assert reeve("run", PYTHON, "-c", BIND, "80").status == 0


def test_well_known_ports_that_are_granted(reeve):
    assert reeve("hosts", "add", "web", "--well-known=granted").status == 0

    def bind(port, *words):
        return reeve("run", "--host", "web", *words, PYTHON, "-c", BIND, str(port))

    assert EACCES in bind(80).err
    assert bind(8080).status == 0
    assert bind(80, "--allow-port", "80").status == 0
    assert EACCES in bind(81, "--allow-port", "80,443").err
    assert bind(500, "--allow-port", "22,400-600").status == 0


def test_network_ends_with_its_last_program(reeve, serving):
    assert reeve("run", "true").status == 0
    server = serving(80)
    process = os.pidfd_open(reeve("network", "--json").json["pid"])
    server.communicate(timeout=60)
    import select
    poll = select.poll()
    poll.register(process, select.POLLIN)
    assert poll.poll(30000)
    os.close(process)


def test_down_ends_programs(reeve, runtime):
    with subprocess.Popen([COMMAND, "run", PYTHON, "-c", SERVE, "80"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)}) as process:
        assert process.stdout.readline() == "listening\n"
        assert reeve("down").out == "network 'default' is down, 1 program ended\n"
        process.wait(timeout=60)
        assert process.returncode != 0
