"""iperf3: TCP in both directions and in parallel, and UDP."""

import json


def measure(reeve, *options):
    r = reeve.run("--host", "client", "iperf3", "-J", "-c", "server", "-t", "1", *options)
    result = json.loads(r.stdout)
    assert "error" not in result, result
    return result["end"]


def test_tcp_and_udp(reeve, need):
    need("iperf3")
    server = reeve.start("--host", "server", "iperf3", "-s", "--forceflush")
    reeve.wait_for_text(server, "Server listening")
    for options in [], ["-R"], ["-P", "3"]:
        assert measure(reeve, *options)["sum_received"]["bytes"] > 100_000, options
    assert measure(reeve, "-u", "-b", "1M")["sum"]["packets"] > 0
