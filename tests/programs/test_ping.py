"""ping: iputils' ping, traceroute, mtr.

Run: ping to another host by name, to its own and to 127.0.0.1, with requests that must be cut; to a
host that is not there, and to a network to which nothing leads; traceroute by UDP and by ICMP, mtr.
Must come out: an answer to each request, from the right host, in one step; statuses 1 and 2 where
there is none; "message too long" for what may not be cut.
Limits: there are no echo sockets of IPv6, so no ping of ::1; raw sockets are refused, which
traceroute -T, mtr -u and ping's record route (-R) want, as they are to any user without privileges.
"""

import json
import re
import shutil

import pytest

PACKAGES = ["iputils-ping", "traceroute", "mtr-tiny"]
VERSION = ["ping", "-V"]
HOSTS = 2


@pytest.fixture
def tools(site, need):
    """Copies by name: what the files of Debian may do more than others (cap_net_raw) is not asked
    for, and a user who can't be given it may not run them."""
    names = ("ping", "traceroute", "mtr", "mtr-packet")
    need(*names)
    site.serve("there", "sleep", "600")
    site.client("here", "sh", "-c", "until getent hosts there; do :; done")
    return {name: shutil.copy(shutil.which(name, path=site.reeve.env["PATH"]), site.scratch)
            for name in names}


def answers(text):
    """The sequence numbers that were answered, and by whom."""
    return re.findall(r"bytes from .*?([\d.]+)\)?: icmp_seq=(\d+) ttl=64\b", text)


@pytest.mark.parametrize("size", [0, 56, 1472, 1473, 65507])
@pytest.mark.parametrize("to", ["there", "here", "127.0.0.1"])
def test_ping(site, tools, to, size):
    got = site.client("here", tools["ping"], "-c", "3", "-i", "0.2", "-s", size, to)
    address = to if to == "127.0.0.1" else re.search(r"^PING \w+ \(([\d.]+)\)", got)[1]
    assert answers(got) == [(address, "1"), (address, "2"), (address, "3")], got
    assert f"\n{size + 8} bytes from" in got
    assert "3 packets transmitted, 3 received, 0% packet loss" in got


def test_pattern(site, tools):
    """ping itself compares what comes back with what it sent."""
    got = site.client("here", tools["ping"], "-c", "1", "-s", "3000", "-p", "a55a", "there")
    assert "wrong data byte" not in got and len(answers(got)) == 1


def test_flood(site, tools):
    got = site.client("here", tools["ping"], "-q", "-l", "3", "-c", "3", "-A", "there")
    assert "3 packets transmitted, 3 received, 0% packet loss" in got


def test_no_answer(site, tools):
    got = site.client("here", tools["ping"], "-c", "1", "-W", "0.2", "198.18.200.200", status=1)
    assert "1 packets transmitted, 0 received, 100% packet loss" in got
    got = site.client("here", tools["ping"], "-c", "1", "192.0.2.1", status=1)
    assert "From 198.18.0.1 icmp_seq=1 Destination Net Unreachable" in got


def test_may_not_be_cut(site, tools):
    r = site.reeve.run("--host", "here", tools["ping"], "-c", "1", "-M", "do", "-s", "1473", "there")
    assert (r.returncode, "mtu=1500" in r.stdout + r.stderr) == (1, True), r.stderr
    got = site.client("here", tools["ping"], "-c", "1", "-M", "do", "-s", "1472", "there")
    assert len(answers(got)) == 1


def test_what_is_refused(site, tools):
    for arguments in ["-6", "::1"], ["-R", "there"]:
        r = site.reeve.run("--host", "here", tools["ping"], "-c", "1", *arguments)
        assert (r.returncode, r.stdout.count("bytes from")) == (2, 0) and r.stderr


@pytest.mark.parametrize("way", ["-U", "-I", "--mtu"])
@pytest.mark.parametrize("to", ["there", "here"])
def test_traceroute(site, tools, to, way):
    # It waits for a hop by how fast others were, unless it is told not to.
    patiently = "-w", "5,100000,100000"
    got = site.client("here", tools["traceroute"], "-n", *patiently, way, to).splitlines()
    address = re.match(r"traceroute to \w+ \(([\d.]+)\), 30 hops max", got[0])[1]
    assert len(got) == 2 and got[1].split()[:2] == ["1", address], got
    assert got[1].count(" ms") == 3 and "!" not in got[1], got


@pytest.mark.parametrize("to,way", [("there", []), ("here", []), ("there", ["-T", "-P", "80"])])
def test_mtr(site, tools, to, way):
    site.serve(to, "/usr/bin/python3", "-m", "http.server", "80", cwd=site.scratch, ports=[80])
    got = json.loads(site.client("here", "env", f"MTR_PACKET={tools['mtr-packet']}", tools["mtr"],
                                 "--json", "-n", "-c", "2", "-G", "1", *way, to))
    hop, = got["report"]["hubs"]
    assert (hop["count"], hop["host"], hop["Loss%"], hop["Snt"]) == (1, site.address(to), 0, 2)
