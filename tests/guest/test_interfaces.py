"""What tools and languages find out about the network is the host's: by rtnetlink, by ioctls."""

import json

import pytest
from needs import need

HOST = "shown"

NETLINK = """
import errno, os, socket, struct, sys
GETLINK, GETADDR, GETROUTE, NEWLINK, ERROR, DONE = 18, 22, 26, 16, 2, 3
REQUEST, MULTI, ACK, DUMP = 1, 2, 4, 0x300
def message(type, flags, body, sequence=7, length=None):
    length = 16 + len(body) if length is None else length
    return struct.pack("=IHHII", length, type, flags, sequence, 0) + body
def parse(data):
    found = []
    while len(data) >= 16:
        length, type, flags, sequence, pid = struct.unpack("=IHHII", data[:16])
        found.append((type, flags, sequence, pid, data[16:length]))
        data = data[(length + 3) & ~3:]
    return found
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.settimeout(10)
def ask(*arguments, **named):
    s.send(message(*arguments, **named))
    return parse(s.recv(65536))
def error(answer):
    return errno.errorcode.get(-struct.unpack("=i", answer[4][:4])[0], 0)
"""


@pytest.fixture
def shown(reeve):
    """A host that stays, and its address."""
    assert reeve.command("hosts", "add", HOST).returncode == 0
    r = reeve.run("--host", HOST, "ip", "-j", "addr")
    links = json.loads(r.stdout)
    assert [i["ifname"] for i in links] == ["lo", "eth0"]
    return reeve, links[1]["addr_info"][0]["local"], links


def on_host(reeve, *command):
    r = reeve.run("--host", HOST, *command)
    assert r.returncode == 0, r.stderr
    return r.stdout


def test_addresses(shown):
    _, address, (lo, eth0) = shown
    assert [(a["local"], a["prefixlen"]) for a in lo["addr_info"]] == [("127.0.0.1", 8), ("::1", 128)]
    assert address.startswith("198.18.")
    assert eth0["addr_info"][0]["broadcast"] == "198.18.255.255"
    assert (lo["mtu"], eth0["mtu"]) == (65536, 1500)
    assert eth0["flags"] == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]


def test_one_link(shown):
    reeve = shown[0]
    assert json.loads(on_host(reeve, "ip", "-j", "link", "show", "dev", "eth0"))[0]["ifindex"] == 2
    assert json.loads(on_host(reeve, "ip", "-j", "addr", "show", "dev", "lo"))[0]["ifname"] == "lo"
    r = reeve.run("ip", "link", "show", "nosuch")
    assert r.returncode == 1 and "does not exist" in r.stderr


def test_counters(shown):
    reeve = shown[0]
    on_host(reeve, "sh", "-c", "ip link >/dev/null; nc -w 1 198.18.0.1 9 </dev/null; true")
    counted = json.loads(on_host(reeve, "ip", "-j", "-s", "link", "show", "eth0"))
    assert set(counted[0]["stats64"]) >= {"rx", "tx"}
    assert counted[0]["stats64"]["tx"]["packets"] > 0


def test_routes(shown):
    reeve, address, _ = shown
    main = json.loads(on_host(reeve, "ip", "-j", "route"))
    assert [r["dst"] for r in main] == ["default", "198.18.0.0/16"]
    assert main[0]["gateway"] == "198.18.0.1" and main[1]["prefsrc"] == address
    local = json.loads(on_host(reeve, "ip", "-j", "route", "show", "table", "local"))
    assert {"127.0.0.0/8", "127.0.0.1", "127.255.255.255", address} <= {r["dst"] for r in local}
    six = json.loads(on_host(reeve, "ip", "-j", "-6", "route", "show", "table", "all"))
    assert [r["dst"] for r in six] == ["::1"]


@pytest.mark.parametrize("to,device,gateway", [
    ("198.18.0.99", "eth0", None), ("192.0.2.8", "eth0", "198.18.0.1"), ("127.0.0.1", "lo", None),
    ("own", "lo", None), ("::1", "lo", None)])
def test_route_to(shown, to, device, gateway):
    reeve, address, _ = shown
    to = address if to == "own" else to
    route, = json.loads(on_host(reeve, "ip", "-j", "route", "get", to))
    assert (route["dst"], route["dev"], route.get("gateway")) == (to, device, gateway)
    assert route["prefsrc"] == (to if device == "lo" else address)


def test_no_route(shown):
    r = shown[0].run("ip", "route", "get", "2001:db8::1")
    assert "Network is unreachable" in r.stderr


def test_rules_and_neighbours(shown):
    rules = json.loads(on_host(shown[0], "ip", "-j", "rule"))
    assert [(r["priority"], r["table"]) for r in rules] == [(0, "local"), (32766, "main"), (32767, "default")]
    assert on_host(shown[0], "ip", "neigh") == ""


@pytest.mark.parametrize("change", ["link set lo down", "addr add 203.0.113.1/24 dev eth0", "route add 203.0.113.0/24 dev eth0",
                                    "neigh add 198.18.0.9 lladdr 02:00:00:00:00:01 dev eth0", "link add name x type dummy"])
def test_changes_are_refused(shown, change):
    r = shown[0].run("ip", *change.split())
    assert r.returncode != 0 and "not permitted" in r.stderr


def test_python_and_libc(shown):
    reeve, address, _ = shown
    code = """
import ctypes, socket
print(socket.if_nameindex(), socket.if_nametoindex("eth0"), socket.if_indextoname(2))
for name in ("nosuch", 77):
    try:
        socket.if_nametoindex(name) if isinstance(name, str) else socket.if_indextoname(name)
    except OSError as e:
        print(type(e).__name__)
"""
    assert reeve.python(code, "--host", HOST).stdout.splitlines() == [
        "[(1, 'lo'), (2, 'eth0')] 2 eth0", "OSError", "OSError"]


def test_node(shown):
    need("node")
    reeve, address, links = shown
    got = json.loads(on_host(reeve, "node", "-e", "console.log(JSON.stringify(os.networkInterfaces()))"))
    assert set(got) == {"lo", "eth0"}
    assert got["eth0"][0]["cidr"] == f"{address}/16" and got["eth0"][0]["mac"] == links[1]["address"]


def test_a_dump_is_whole(reeve):
    code = NETLINK + """
answers = ask(GETLINK, REQUEST | DUMP, b"\\0" * 16)
print([(t, f, q) for t, f, q, _, _ in answers], {p for _, _, _, p, _ in answers} == {os.getpid()})
"""
    assert reeve.python(code).stdout.split("] ") == ["[(16, 2, 7), (16, 2, 7), (3, 2, 7)", "True\n"]


def test_errors_and_acknowledgements(reeve):
    code = NETLINK + """
link = struct.pack("=BxHiII", 0, 0, 99, 0, 0)
answer, = ask(GETLINK, REQUEST, link)
print(answer[0] == ERROR, error(answer), answer[4][4:] == message(GETLINK, REQUEST, link))
answers = ask(GETLINK, REQUEST | ACK, struct.pack("=BxHiII", 0, 0, 1, 0, 0)) + parse(s.recv(65536))
print([a[0] for a in answers], error(answers[-1]), len(answers[-1][4]))
for type, flags, body in ((NEWLINK, REQUEST, link), (17, REQUEST, link), (19, REQUEST, link), (9999, REQUEST, link),
                          (102, REQUEST, link), (GETLINK, ACK, b""), (1, REQUEST | ACK, b"")):
    print(error(ask(type, flags, body)[0]), end=" ")
print()
s.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK
print(len(ask(NEWLINK, REQUEST, link)[0][4]))
"""
    r = reeve.python(code)
    assert r.stdout.splitlines() == ["True ENODEV True", "[16, 2] 0 20", "EPERM EPERM EPERM ENOTSUP ENOTSUP 0 0 ", "20"], r


def test_malformed(reeve):
    """None of these is answered, nor harms what comes behind it."""
    code = NETLINK + """
for bad in (b"", b"x", message(GETLINK, REQUEST | DUMP, b"", length=15), message(GETLINK, REQUEST | DUMP, b"", length=17),
            message(GETLINK, REQUEST | DUMP, b"\\0" * 16, length=2**32 - 1), message(GETLINK, REQUEST, b"")):
    s.send(bad)
# An attribute that is longer than its message, and one of no length.
for attribute in (struct.pack("=HH", 999, 3) + b"lo", struct.pack("=HH", 0, 3)):
    print(error(ask(GETLINK, REQUEST, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute)[0]), end=" ")
print(len(ask(GETADDR, REQUEST | DUMP, b"\\0")))
"""
    assert reeve.python(code).stdout == "EINVAL EINVAL 4\n"


def test_short_reads_and_their_size(reeve):
    code = NETLINK + """
s.send(message(GETLINK, REQUEST | DUMP, b"\\0" * 16))
size = s.recv_into(bytearray(1), 0, socket.MSG_PEEK | socket.MSG_TRUNC)
data, _, flags, name = s.recvmsg(100, 0, 0)
print(size > 500, len(data), bool(flags & socket.MSG_TRUNC), name)
s.setblocking(False)
try:
    s.recv(1)
except BlockingIOError:
    print("the rest is gone")
"""
    assert reeve.python(code).stdout == "True 100 True (0, 0)\nthe rest is gone\n"


def test_names_and_options_of_netlink_sockets(reeve):
    code = NETLINK + """
def said(function, *arguments):
    try:
        return function(*arguments)
    except OSError as e:
        return errno.errorcode[e.errno]
print(s.getsockname() == (0, 0), said(s.bind, (0, 1)), s.getsockname() == (os.getpid(), 1))
other = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 0)
print(said(other.bind, (os.getpid(), 0)), said(other.bind, (0, 0)), other.getsockname()[0] > 2**31)
print(said(other.bind, (5, 0)), said(other.connect, (1, 0)), said(other.connect, (0, 0)), other.getpeername())
print([o.getsockopt(socket.SOL_SOCKET, n) for o in (s, other) for n in (socket.SO_TYPE, 39, 38)])
print([said(s.setsockopt, 270, n, 1) for n in (1, 2, 3, 4, 5, 8, 10, 11, 12, 99)], said(s.setsockopt, 270, 1, 999))
print([said(s.getsockopt, 270, n) for n in (3, 4, 5, 10, 11, 12, 99)])
print([said(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, p) for p in (4, 16)], said(socket.socket, socket.AF_NETLINK, socket.SOCK_STREAM, 0))
"""
    assert reeve.python(code).stdout.splitlines() == [
        "True None True", "EADDRINUSE None True", "EINVAL EPERM None (0, 0)", "[3, 16, 0, 2, 16, 0]",
        "[None, None, None, None, None, 'EPERM', None, None, None, 'ENOPROTOOPT'] EINVAL",
        "[1, 1, 1, 1, 1, 1, 'ENOPROTOOPT']", "['EPROTONOSUPPORT', 'EPROTONOSUPPORT'] ESOCKTNOSUPPORT"]
