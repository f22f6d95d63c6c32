"""`make services` shows what it says, and leaves nothing behind however it ends."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from needs import do_without

SERVICES = pathlib.Path(os.environ["REEVE_SOURCE"]) / "tools/services"
PORTS = {21: "ftp", 23: "telnet", 25: "smtp", 43: "nicname", 53: "domain", 63: "whoispp",
         70: "gopher", 79: "finger", 80: "http", 110: "pop3", 119: "nntp"}


@pytest.fixture
def folder():
    """Short: sockets' names have 108 bytes. Root's servers have workers that are somebody else."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="reeve-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def start(folder):
    """A session of its own, so that what it leaves can be told from everything else."""
    return subprocess.Popen([sys.executable, "-B", SERVICES], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            start_new_session=True,
                            env={**os.environ, "BUILD": os.environ["REEVE_BUILD"],
                                 "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"})


def skip_without_programs(output):
    missing = re.search(r"^services: not found: (.*);", output, re.MULTILINE)
    if missing:
        do_without(f"not installed: {missing[1]}")


def left_behind(services, folder):
    """Processes of its network, by name, or at work in its directory; some servers empty their
    environment, so that is not enough."""
    name = f"services-{services.pid}"
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            around = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            directory = os.readlink(process / "cwd")
        except OSError:
            continue
        if (f"REEVE_NETWORK={name}".encode() in around or name in command.split("\0")
                or f"{folder}/" in command or directory.startswith(f"{folder}/")):
            found.append((process.name, command))
    return found


def wait_until_gone(services, folder):
    """The network process ends by itself, a moment after its last program."""
    limit = time.monotonic() + 20
    while left_behind(services, folder) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not left_behind(services, folder)
    assert not list(folder.iterdir())


def test_services(folder):
    services = start(folder)
    output, _ = services.communicate(timeout=90)
    skip_without_programs(output)
    assert services.returncode == 0, output
    rows = re.findall(r"^(\d+)/(tcp|udp) +(\S+) +(\S.*?) +(\d+) +([\d.]+:\d+) +(\d+) +(\d+) +\S.*$",
                      output, re.MULTILINE)
    assert {int(port): name for port, _, name, *_ in rows} == PORTS, output
    assert all(int(into) > 0 and int(out) > 0 for *_, into, out in rows), output
    assert {port: int(out) > 10_000_000 for port, *_, out in rows}["80"], output
    assert output.rstrip().split("\n")[-1].startswith(
        "Shown: 11 well-known ports of one host, 10 services "), output
    wait_until_gone(services, folder)


@pytest.mark.parametrize("when", ["Starting the servers", "Running their clients"])
def test_interrupted(folder, when):
    services = start(folder)
    seen = ""
    for line in services.stdout:
        seen += line
        if when in line:
            break
    else:
        skip_without_programs(seen)
        pytest.fail(seen)
    os.killpg(services.pid, signal.SIGINT)
    output, _ = services.communicate(timeout=60)
    assert services.returncode == 130, seen + output
    wait_until_gone(services, folder)


def test_interrupted_while_it_ends(folder):
    """What is ended already is ended whole."""
    services = start(folder)
    seen = ""
    for line in services.stdout:
        seen += line
        if line.startswith("119/tcp"):  # the table's last
            os.killpg(services.pid, signal.SIGINT)
            break
    else:
        skip_without_programs(seen)
        pytest.fail(seen)
    output, _ = services.communicate(timeout=60)
    assert services.returncode in (0, 130), seen + output
    wait_until_gone(services, folder)
