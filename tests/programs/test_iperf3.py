"""iperf3: bulk data.

Run: TCP to the server, from it (-R), both ways at once (--bidir) and with three streams, between
two hosts and on one; UDP with 1 and 50 Mbit/s.
Must come out: data in every direction, no datagram lost at the lower rate.
Limits: its retransmissions come from TCP_INFO, and are those of Reeve's TCP.
"""

import json

PACKAGES = ["iperf3"]
VERSION = ["iperf3", "--version"]
HOSTS = 2


def measure(site, host, *options):
    target = "server" if host == "client" else "127.0.0.1"
    result = json.loads(site.client(host, "iperf3", "-J", "-c", target, "-t", "1", *options))
    assert "error" not in result, result
    return result["end"]


def test_tcp_and_udp(site, need):
    need("iperf3")
    server = site.reeve.start("--host", "server", "iperf3", "-s", "--forceflush")
    site.reeve.wait_for_text(server, "Server listening")
    for host in "client", "server":
        for options in [], ["-R"], ["-P", "3"]:
            assert measure(site, host, *options)["sum_received"]["bytes"] > 100_000, options
    both = measure(site, "client", "--bidir")
    for sums in "sum_received", "sum_received_bidir_reverse":
        assert both[sums]["bytes"] > 100_000
    slow = measure(site, "client", "-u", "-b", "1M")["sum"]
    assert slow["packets"] > 0 and slow["lost_packets"] == 0
    assert measure(site, "client", "-u", "-b", "50M", "-R")["sum"]["packets"] > 0
