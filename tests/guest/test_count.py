"""`reeve run --count`: what it counts is what the program did, and it tells at the right time."""

import json
import os
import re
import signal

from conftest import PYTHON, WAIT, wait_until

CONNECTIONS = """
import socket, time
listener = socket.create_server(("127.0.0.1", 80))
for _ in range(20):
    client = socket.create_connection(("127.0.0.1", 80))
    server, _ = listener.accept()
    server.shutdown(socket.SHUT_WR)
    client.recv(1)
    client.close()
    server.close()
"""
EXPECTED = {"socket": 21, "bind": 1, "listen": 1, "connect": 20, "accept4": 20, "shutdown": 20}
# A process of the background that makes a socket once it is alone, and says so.
ORPHAN = """
import os, socket, sys, time
first = os.getpid()
if os.fork():
    os._exit(3)
while os.getppid() == first or os.path.exists(sys.argv[1]):
    time.sleep(0.01)
socket.socket().detach()
"""


def by_call(counts):
    return {row["call"]: row["at_once"] + row["waited"] for row in counts["calls"]}


def test_counts_what_was_done(reeve, tmp_path):
    file = tmp_path / "count"
    r = reeve.python(CONNECTIONS, "--count-to", str(file))
    assert (r.returncode, r.stderr) == (0, "")
    counts = json.loads(file.read_text())
    calls = by_call(counts)
    assert {name: calls.get(name, 0) for name in EXPECTED} == EXPECTED
    assert sum(calls.values()) == counts["at_once"] + counts["waited"]
    for key in "at_once", "waited":
        for row in counts["calls"]:
            assert (row[key] == 0) == (row[key + "_ns"] == 0), row
        assert counts[key + "_ns"] == sum(row[key + "_ns"] for row in counts["calls"])


def test_table_has_the_same(reeve, tmp_path):
    file = tmp_path / "count"
    r = reeve.python(CONNECTIONS, "--count", "--count-to", str(file))
    counts = json.loads(file.read_text())
    expected = [[row["call"], row["at_once"], row["waited"]]
                for row in [*counts["calls"], {"call": "all", **counts}]]
    head, *lines = r.stderr.splitlines()
    assert head.split() == ["trapped", "call", "at", "once", "mean", "total", "waited", "mean"]
    duration = r"(?:[\d.]+ (?:us|ms|s)|-)"
    row = re.compile(rf"(\w+) +(\d+) +{duration} +{duration} +(\d+) +{duration}")
    found = [row.fullmatch(line) for line in lines]
    assert [[m[1], int(m[2]), int(m[3])] for m in found] == expected


def test_nothing_is_said_unasked(reeve):
    r = reeve.python(CONNECTIONS)
    assert (r.returncode, r.stderr) == (0, "")


def test_nothing_was_trapped(reeve):
    r = reeve.run("--count", "sh", "-c", "exit 7")
    assert r.returncode == 7
    assert r.stderr.splitlines()[1:] == [f"{'all':<12} {0:>10} {'-':>10} {'-':>10} {0:>10} {'-':>10}"]


def test_signal_ends_the_front_after_the_table(reeve):
    r = reeve.run("--count", "sh", "-c", "kill -TERM $$")
    assert r.returncode == -signal.SIGTERM
    assert r.stderr.startswith("trapped call")


def test_waits_for_the_whole_tree(reeve, tmp_path):
    """The status is the program's, the count everybody's."""
    file = tmp_path / "count"
    r = reeve.run("--count-to", str(file), "--", PYTHON, "-c", ORPHAN, "/nothing")
    assert r.returncode == 3
    assert by_call(json.loads(file.read_text())) == {"socket": 1}


def start_orphan(reeve, tmp_path):
    """The front, when its program has ended and left an orphan; the orphan's pid."""
    hold = tmp_path / "hold"
    hold.touch()
    code = "import os, sys; print(os.getpid(), flush=True)\n" + ORPHAN.replace(
        "if os.fork():", "pid = os.fork()\nif pid:\n    print(pid, os.getppid(), flush=True)\nif pid:")
    with open(tmp_path / "stderr", "wb") as f:
        p = reeve.start("--count", "--", PYTHON, "-c", code, str(hold), stderr=f)
    text = reeve.wait_for_text(p, "\n")
    while text.count("\n") < 2:
        text += reeve.wait_for_text(p, "\n")
    program, orphan, supervisor = map(int, text.split())
    assert wait_until(lambda: not os.path.exists(f"/proc/{program}"))
    return p, orphan, supervisor


def test_interrupt_does_not_wait_for_the_rest(reeve, tmp_path):
    p, orphan, _ = start_orphan(reeve, tmp_path)
    # The front may hear of its program's end after the first.
    assert wait_until(lambda: p.send_signal(signal.SIGINT) or p.poll() is not None)
    assert p.returncode == 3
    assert (tmp_path / "stderr").read_text().startswith("trapped call")
    assert os.path.exists(f"/proc/{orphan}")


def test_killed_supervisor_takes_the_count_with_it(reeve, tmp_path):
    p, _, supervisor = start_orphan(reeve, tmp_path)
    os.kill(supervisor, signal.SIGKILL)
    assert p.wait(WAIT) in (3, 125)
    assert re.fullmatch(r"reeve: the supervisor of '\S+' has ended, and .* with it\n",
                        (tmp_path / "stderr").read_text())


def test_file_that_cannot_be_written(reeve, tmp_path):
    r = reeve.run("--count-to", str(tmp_path / "no" / "file"), "echo", "run")
    assert (r.returncode, r.stdout) == (125, "")
    assert r.stderr == f"reeve: cannot write '{tmp_path}/no/file': No such file or directory\n"
    r = reeve.run("--count-to", "/dev/full", "sh", "-c", "exit 7")
    assert r.returncode == 7
    assert r.stderr == "reeve: cannot write '/dev/full': No space left on device\n"
