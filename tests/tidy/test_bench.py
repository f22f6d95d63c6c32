"""What the benches make of their runs, and of what the tools print."""

import io
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ["REEVE_SOURCE"])
sys.path.insert(0, str(ROOT / "bench"))

import goodput  # noqa: E402
import places  # noqa: E402
import workloads  # noqa: E402
from harness import Results, quantity  # noqa: E402


def results_of(runs, ratios=(), unit="1/s"):
    """One case; runs: subject -> value, of each."""
    results = Results("b", ratios)
    for results.run, values in enumerate(runs):
        for subject, value in values.items():
            results.add("case", subject, "metric", value, unit)
    return results


def values_of(results):
    return {row["subject"]: (row["value"], row["unit"], row["runs"]) for row in results.rows()}


def test_medians():
    results = results_of([{"reeve": 5}, {"reeve": 1}, {"reeve": 3}])
    assert values_of(results) == {"reeve": (3, "1/s", 3)}


def test_ratios_are_those_of_each_run():
    """Not of the medians: run 2 was disturbed as a whole."""
    runs = [{"reeve": 50, "kernel": 100}, {"reeve": 6, "kernel": 10}, {"reeve": 70, "kernel": 100}]
    found = values_of(results_of(runs, [("reeve", "kernel"), ("reeve", "absent")]))
    assert found.pop("reeve / kernel") == (0.6, "", 3)
    assert set(found) == {"reeve", "kernel"}


def test_a_run_without_the_peer_gives_no_ratio():
    runs = [{"reeve": 50, "kernel": 100}, {"reeve": 6}]
    assert values_of(results_of(runs, [("reeve", "kernel")]))["reeve / kernel"] == (0.5, "", 1)


def test_only_rates_have_ratios():
    runs = [{"reeve": 50, "kernel": 100}]
    assert "reeve / kernel" not in values_of(results_of(runs, [("reeve", "kernel")], "ns"))


def test_table():
    results = Results("b", [("reeve", "kernel")])
    results.add("one", "reeve", "rate", 1500, "1/s")
    results.add("two", "kernel", "time", 2500, "ns")
    results.add("one", "kernel", "rate", 3000, "1/s")
    results.add("one", "reeve", "traps", 4, "calls")
    results.note("a note")
    text = io.StringIO()
    results.print_table(text)
    assert text.getvalue().splitlines() == [
        "case  metric     kernel      reeve  reeve / kernel",
        "one   rate    3,000 1/s  1,500 1/s            0.50",
        "one   traps                4 calls",
        "two   time       2.5 us",
        "medians of 1 interleaved runs",
        "a note",
    ]


@pytest.mark.parametrize("value, unit, text", [
    (999, "ns", "999 ns"), (57.6e6, "ns", "57.6 ms"), (2.09e9, "bit/s", "2.09 Gbit/s"),
    (16383.2, "1/s", "16,383 1/s"), (0.00874, "calls", "0.00874 calls"), (0.6, "", "0.60")])
def test_quantities(value, unit, text):
    assert quantity(value, unit) == text


def test_redis_benchmark_is_read():
    text = ('"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms"\n'
            '"SET","30266.34","0.855","0.1","0.8"\n')
    assert workloads.Redis("SET", 30000).read(text) == (30266.34, 30000, 50)


WRK = """Running 2s test @ http://127.0.0.1:20000/page
  1 threads and 20 connections
  2755 requests in 2.03s, 3.17MB read
{errors}Requests/sec:   1360.30
Transfer/sec:      1.56MB
"""


def test_wrk_is_read():
    kept, closed = workloads.Web("keepalive"), workloads.Web("close", "-H", "Connection: close")
    text = WRK.format(errors="")
    assert kept.read(text) == (1360.3, 2755, 20) and kept.complaint(text) is None
    assert closed.read(text) == (1360.3, 2755, 2755)
    text = WRK.format(errors="  Socket errors: connect 0, read 5, write 0, timeout 0\n")
    assert kept.complaint(text) == "Socket errors: connect 0, read 5, write 0, timeout 0"


def test_pgbench_is_read():
    text = ("scaling factor: 1\nnumber of clients: 4\n"
            "number of transactions actually processed: 7103\n"
            "initial connection time = 13.9 ms\n"
            "tps = 3530.12 (without initial connection time)\n")
    assert workloads.Postgres.read(workloads.Postgres, text) == (3530.12, 7103, 4)


def test_udp_pair_is_read():
    pair = workloads.UdpPair()
    assert pair.read("4715.3 4716 0\n") == (4715.3, 4716, None)
    assert pair.complaint("4715.3 4716 0\n") is None
    assert pair.complaint("4715.3 4716 2\n") == "2 of 4716 answers did not come in 200 ms"


class Counted:
    """A place where the server costs 20 calls, the client 3 a request."""

    subject, address, has_udp = "reeve", "127.0.0.1", True

    def __init__(self):
        self.trapped = 0

    def serving(self, command, port):
        place = self

        class Serving:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                place.trapped += 20

        return Serving()

    def run(self, command):
        if command == ["true"]:
            return ""
        self.trapped += 3 * 1235
        return "1234.5 1235\n"


def test_traps_are_those_of_the_requests(monkeypatch):
    monkeypatch.setattr(workloads, "IDLE", {})
    results = Results("b")
    for results.run in range(2):
        workloads.measure(results, "one host", Counted(), workloads.Pair())
    found = {row["metric"]: (row["value"], row["runs"]) for row in results.rows()}
    assert found == {"connections": (1234.5, 2), "traps per request": (3, 2),
                     "traps per connection": (3, 2)}


FLOOR = pathlib.Path(os.environ["REEVE_BUILD"]) / "bench" / "floor"
PYTHON = "/usr/bin/python3"


def floor(code, **settings):
    return subprocess.Popen([FLOOR, PYTHON, "-c", code], text=True, stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, **settings)


SERVE = """
import socket
listener = socket.create_server(("127.0.0.1", {port}))
print(listener.getsockname()[0], flush=True)
connection, address = listener.accept()
connection.sendall(connection.recv(9))
print(address[0], connection.getpeername()[0])
connection.recv(9)
"""
ASK = """
import errno, socket
client = socket.socket()
client.setblocking(False)
client.connect(("127.0.0.1", {port}))
print(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), client.getsockname()[0])
client.setblocking(True)
client.sendall(b"asked")
print(client.recv(9))
client.close()
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.sendto(b"to itself", udp.getsockname())
print(udp.recv(9))
raise SystemExit(7)
"""


def test_floor_carries_a_connection():
    port = places.free_port()
    with floor(SERVE.format(port=port)) as server:
        assert server.stdout.readline() == "127.0.0.1\n"
        with floor(ASK.format(port=port)) as client:
            assert client.stdout.read() == "0 127.0.0.1\nb'asked'\nb'to itself'\n"
        assert client.returncode == 7
        assert server.stdout.read() == "127.0.0.1 127.0.0.1\n"
    assert server.returncode == 0


def test_floor_passes_sigterm_on():
    code = ("import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(3)); "
            "print('ready', flush=True); time.sleep(60)")
    with floor(code) as program:
        assert program.stdout.readline() == "ready\n"
        program.terminate()
    assert program.returncode == 3


def goodput_run(**settings):
    return {"loss": "1", "rtt_ms": "10", "reorder": "0", "seed": 1, "losses_wanted": 200,
            "sender": "kernel", "receiver": "kernel", **settings}


def second_by_second(rates):
    """A run whose receiver got so many bytes in each second."""
    samples = [sum(rates[:i + 1]) for i in range(len(rates))]
    return {"seconds": len(rates), "bytes": samples[-1], "samples": samples}


def test_goodput_is_cut_into_slices():
    run = second_by_second([10] * 30 + [20] * 30)
    assert goodput.slices(run) == [80] * 5 + [160] * 5
    assert goodput.goodput(run) == 120
    assert goodput.slices(second_by_second([3, 5])) == [24, 40]  # shorter than its slices


def test_goodput_share_and_its_interval():
    steady = second_by_second([100] * 20)
    uneven = second_by_second([50, 50, 150, 150] * 5)
    assert goodput.share([steady], [steady]) == (1, 1, 1)
    value, low, high = goodput.share([uneven], [steady])
    # A standard error of 52.7 % by the root of 10, and Student's t for 9 degrees: 2.262.
    assert value == 1
    assert (low, high) == pytest.approx((0.623, 1.377), abs=0.001)


def test_students_quantile():
    assert goodput.student(19) == pytest.approx(2.093, abs=0.001)
    assert goodput.student(4) == pytest.approx(2.776, abs=0.02)


def test_goodput_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("GOODPUT_FILE", str(tmp_path / "runs"))
    monkeypatch.setenv("GOODPUT_CELLS", "1/10/0 3/10/0")
    first = goodput.Cells("goodput")
    for sender, receiver in goodput.PAIRS:
        first.keep(goodput_run(sender=sender, receiver=receiver, **second_by_second([100] * 20)))
    first.keep(goodput_run(losses_wanted=20, **second_by_second([1] * 20)))
    again = goodput.Cells("goodput")
    assert again.made == first.made and len(again.made) == 5
    assert again.summary() == {"shares": 3, "median": 1, "below": 0}
    text = io.StringIO()
    again.print_table(text)
    assert "100.0% (100%..100%)" in text.getvalue() and "0 of their" in text.getvalue()
