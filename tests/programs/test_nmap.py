"""nmap: scans by connect (-sT).

Run: nmap -sT over 500 ports of a host with four servers, over three hosts at once, -sV against
nginx and redis; as root also -sS.
Must come out: exactly the open ports, all others closed; names of the servers; -sS refused.
Limits: raw sockets (-sS, -sU, -O, ping by ICMP) are refused: nmap needs --unprivileged as root.
"""

import re

import pytest
from conftest import IS_ROOT

PACKAGES = ["nmap"]
VERSION = ["nmap", "--version"]
HOSTS = 4

SERVER = """if True:
    import selectors, socket, sys
    s = selectors.DefaultSelector()
    for port in sys.argv[1:]:
        s.register(socket.create_server(("0.0.0.0", int(port)), backlog=64), 1)
    while True:
        for key, _ in s.select():
            key.fileobj.accept()[0].close()
"""
NMAP = ["nmap", "--unprivileged", "-n", "-sT", "-Pn"]


def open_ports(text):
    return [int(p) for p in re.findall(r"^(\d+)/tcp +open ", text, re.MULTILINE)]


def test_ports(site, need):
    need("nmap")
    ports = {"a": [1, 22, 443, 500], "b": [80], "d": [53, 499]}
    addresses = {}
    for host, its in ports.items():
        site.serve(host, "/usr/bin/python3", "-c", SERVER, *its, ports=its)
        addresses[host] = site.address(host)
    got = site.client("c", *NMAP, "-p", "1-500", addresses["a"])
    assert open_ports(got) == ports["a"] and "496 closed tcp ports" in got
    got = site.client("c", *NMAP, "-p", "1-500", *addresses.values())
    for host, part in zip(ports, got.split("Nmap scan report for ")[1:]):
        assert open_ports(part) == ports[host], part


def test_versions(site, need):
    need("nmap", "redis-server")
    site.serve("a", "redis-server", "--save", "", "--bind", "*", "--protected-mode", "no",
               ports=[6379])
    got = site.client("c", *NMAP, "-sV", "-p", "6378,6379", site.address("a"))
    assert re.search(r"^6379/tcp open +redis +Redis", got, re.MULTILINE), got


@pytest.mark.skipif(not IS_ROOT, reason="only root may ask for raw sockets")
def test_raw_is_refused(site, need):
    need("nmap")
    r = site.reeve.run("--host", "c", "nmap", "-n", "-sS", "-Pn", "-p", "80", "127.0.0.1")
    assert r.returncode == 1 and "open" not in r.stdout, r.stdout
    assert r.stderr
