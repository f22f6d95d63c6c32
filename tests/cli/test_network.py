"""Verbs that talk to a network, against a network process played by the test."""

import os
import signal
import socket
import struct
import subprocess

import pytest
from conftest import COMMAND, Error, FakeNetwork, assert_golden
from needs import do_without

EX_USAGE, EX_DATAERR, EX_NOHOST, EX_UNAVAILABLE = 64, 65, 68, 69
EX_OSERR, EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM = 71, 74, 75, 76, 77
BEGUN = "reeve: begun; Ctrl-C ends it\n"
STAYS = "network 'default' stays until 'reeve down'\n"

SOCKETS = [
    {"protocol": "tcp", "state": "LISTEN", "receive_queue": 0, "send_queue": 511,
     "local": "0.0.0.0:80", "remote": "", "service": "http", "host": "web", "program": "nginx",
     "pid": 4711},
    {"protocol": "tcp", "state": "ESTAB", "receive_queue": 0, "send_queue": 65536,
     "local": "198.18.0.2:80", "remote": "198.18.0.3:51000", "service": "http", "host": "web",
     "program": "nginx", "pid": 4712},
    {"protocol": "tcp", "state": "TIME-WAIT", "receive_queue": 0, "send_queue": 0,
     "local": "198.18.0.3:51001", "remote": "198.18.0.2:80", "service": None, "host": "local",
     "program": None, "pid": None},
    {"protocol": "udp", "state": "UNCONN", "receive_queue": 0, "send_queue": 0,
     "local": "[::]:53", "remote": "", "service": "domain", "host": "ns", "program": "named",
     "pid": 99},
]
HOSTS = [
    {"name": "web", "addresses": ["198.18.0.2"], "mac": "02:00:c6:12:00:02", "well_known": "owner",
     "programs": 1, "sockets": 3, "explicit": False, "packets_in": 12, "packets_out": 9,
     "bytes_in": 1234, "bytes_out": 104857600, "retransmits": 7,
     "drops": {"tcp_no_port": 2, "arp_bad": 1}, "impairment": None},
    {"name": "a-host-with-a-long-name", "addresses": ["198.18.0.3", "2001:db8::3"],
     "mac": "02:00:c6:12:00:03", "well_known": "granted", "programs": 0, "sockets": 0,
     "explicit": True, "packets_in": 0, "packets_out": 0, "bytes_in": 0, "bytes_out": 999,
     "retransmits": 0, "drops": {},
     "impairment": {"loss": 0.05, "reorder": 0.0, "duplicate": 0.0, "corrupt": 0.0,
                    "delay_ms": 20.0, "jitter_ms": 0.0, "rate": 50000000, "down": False,
                    "seed": 7}},
]
LINKS = [{"name": "reeve0", "kind": "tap", "mtu": 1500, "offload": True, "packets_in": 1,
          "packets_out": 22, "bytes_in": 60, "bytes_out": 2200000000, "dropped": 0}]
NETWORK = {"name": "default", "version": "0.1.0", "pid": 4242, "prefix": "198.18.0.0/16",
           "keep": False, "programs": 3, "hosts": 2, "uptime_ms": 3723004}




def service(name, state, line, **more):
    return {"name": name, "host": "www", "state": state, "start": "at-once", "ports": [], "pid": None,
            "instances": 0, "starts": 0, "failures": 0, "since_ms": 3723004, "next_ms": None,
            "last": None, "reason": None, "command": f"{name} -x", "log": f"/logs/{name}.log", "log_fault": None,
            "file": "/srv/reeve.yaml", "line": line, "column": 3, **more}


def port(number, **more):
    return {"address": "", "port": number, "protocol": "tcp", "service": None, "open": True, **more}


SERVICES = [
    service("bad", "failed", 9, starts=11, failures=11, last="ended with status 1",
            reason="ended with status 1, 11 times in a row"),
    service("web", "running", 4, pid=4711, instances=1, starts=1,
            ports=[port(80), port(443, address="2001:db8::1"),
                   port(53, address="198.18.0.5", protocol="udp")]),
    service("finger", "listening", 7, instances=3, starts=20, ports=[port(79)], start="nowait"),
]


# Without a network.

@pytest.mark.parametrize("words, empty", [(["ports"], []), (["hosts"], []), (["link"], []),
                                          (["status"], []), (["network"], None)])
def test_listings_without_a_network(reeve, words, empty):
    result = reeve(*words)
    assert result.status == 0
    assert result.err == "reeve: network 'default' is not running\n"
    assert result.out.count("\n") == (words[0] != "network")  # the header
    assert reeve(*words, "--json").json == empty


@pytest.mark.parametrize("words", [["ping", "web"], ["impair", "web"], ["capture"],
                                   ["hosts", "remove", "web"], ["link", "remove", "x"],
                                   ["ports", "web"], ["services", "--host", "web"],
                                   ["status", "web"], ["restart", "web"]])
def test_verbs_that_need_a_network(reeve, words):
    """Those that name something of it: where there is no network there is no such thing."""
    result = reeve(*words)
    assert result.status == EX_UNAVAILABLE and result.out == ""
    assert result.err == "reeve: network 'default' is not running\n"


def test_down_without_a_network(reeve):
    result = reeve("down")
    assert result.status == 0 and result.err == "reeve: network 'default' is not running\n"
    assert reeve("down", "--json").json is None


@pytest.mark.parametrize("words", [["ports"], ["services", "--host"], ["capture"], ["impair"],
                                   ["hosts", "add"], ["ping", "--from", "web"]])
def test_names_that_are_not_utf8(reeve, network, words):
    """No call is made with the name left out, which would mean all of them."""
    network.answers["ListSockets"] = {"sockets": SOCKETS}
    result = reeve(*words, b"w\xffb")
    assert (result.status, result.out) == (EX_USAGE, "")
    assert result.err == "reeve: what is not UTF-8 cannot be the name of anything here\n"
    assert {name for name, _ in network.calls} <= {"GetNetwork"}


def test_up_when_a_manager_ends(reeve, network, tmp_path):
    """What was taken over and is not there any more is not well."""
    file = tmp_path / "reeve.yaml"
    file.write_text("services: {web: {host: www, run: x}}\n")
    network.answers.update(
        ListHosts={"hosts": [{"name": "www", "addresses": ["198.18.0.2"]}]},
        ListManagers={"managers": [{"host": "www", "pid": 1, "file": str(file)}]},
        ListServices={"services": []})
    result = reeve("up", str(file))
    assert result.status == EX_UNAVAILABLE
    assert result.err == (f"reeve: {file}:1:12: service 'web' is not there: the services of host 'www' have "
                          "ended\n")


def test_socket_of_a_killed_network(reeve, runtime):
    FakeNetwork(runtime / "reeve" / "default").close()
    result = reeve("ports")
    assert result.status == 0 and result.err == "reeve: network 'default' is not running\n"


def test_directory_open_to_others(reeve, runtime):
    FakeNetwork(runtime / "reeve" / "default").close()
    (runtime / "reeve" / "default").chmod(0o777)
    result = reeve("ports")
    assert result.status == EX_NOPERM and result.err.count("\n") == 1


# Listings.

def test_ports(reeve, network):
    network.answers["ListSockets"] = {"sockets": SOCKETS}
    assert_golden("ports.txt", reeve("ports").out)
    assert reeve("ports", "--json").json == SOCKETS
    assert network.called("ListSockets") == [{}, {}]


@pytest.mark.parametrize("words, shown", [
    (["-l"], [0, 3]), (["-t"], [0, 1, 2]), (["-u"], [3]), (["-tl"], [0]), (["-tu"], [0, 1, 2, 3]),
    (["--listening", "--udp"], [3]), ([], [0, 1, 2, 3])])
def test_filters_of_ports(reeve, network, words, shown):
    network.answers["ListSockets"] = {"sockets": SOCKETS}
    assert reeve("ports", *words, "--json").json == [SOCKETS[i] for i in shown]
    assert len(reeve("ports", *words).out.splitlines()) == 1 + len(shown)


def test_ports_of_a_host(reeve, network):
    network.answers["ListSockets"] = lambda parameters, _: {
        "sockets": [s for s in SOCKETS if s["host"] == parameters["host"]]}
    assert [s["host"] for s in reeve("ports", "web", "--json").json] == ["web", "web"]


def test_services_of_a_host(reeve, network):
    network.answers["ListSockets"] = {"sockets": SOCKETS}
    assert_golden("services_host.txt", reeve("services", "--host", "web").out)
    assert reeve("services", "--host", "web", "--json").json == [SOCKETS[0], SOCKETS[3]]
    assert network.called("ListSockets")[0] == {"host": "web"}


def test_hosts(reeve, network):
    network.answers["ListHosts"] = {"hosts": HOSTS}
    assert_golden("hosts.txt", reeve("hosts").out)
    assert reeve("hosts", "list").out == reeve("hosts").out
    assert reeve("hosts", "--json").json == HOSTS


def test_status(reeve, network):
    """In the order of their file."""
    network.answers["ListServices"] = {"services": SERVICES}
    assert_golden("status.txt", reeve("status").out)
    assert [s["name"] for s in reeve("status", "--json").json] == ["web", "finger", "bad"]
    assert_golden("status_one.txt", reeve("status", "bad").out)
    assert reeve("status", "bad", "--json").json == SERVICES[0]
    result = reeve("status", "wbe")
    assert result.status == EX_UNAVAILABLE
    assert result.err == ("reeve: no service 'wbe' in network 'default'; did you mean 'web'?\n")


def test_restart(reeve, network):
    network.answers["ListServices"] = {"services": SERVICES}
    assert reeve("restart", "web").status == 0
    assert network.called("RestartService") == [{"host": "www", "service": "web"}]
    result = reeve("restart", "bad")
    assert result.status == EX_UNAVAILABLE
    assert result.err == ("reeve: /srv/reeve.yaml:9:3: service 'bad' has failed: ended with "
                          "status 1, 11 times in a row; its log is /logs/bad.log\n")
    network.answers["RestartService"] = Error("ServicesRefused", reason="no such thing")
    assert reeve("restart", "web").err == "reeve: no such thing\n"


def test_up_of_what_runs(reeve, network, tmp_path):
    """Hosts and managers that are there are not made; the text of the file is what is sent."""
    path = tmp_path / "reeve.yaml"
    path.write_text("services: {web: {host: web, run: x, ports: [http, https], allow-port: 79-81}}")
    network.answers["ListHosts"] = {"hosts": HOSTS}
    network.answers["ListManagers"] = {"managers": [{"host": "web", "pid": 1, "file": str(path)}]}
    network.answers["ListServices"] = {"services": SERVICES[1:]}
    network.answers["ApplyServices"] = {"started": 1, "changed": 0, "kept": 0, "removed": 0}
    result = reeve("up", str(path))
    assert (result.status, result.err) == (0, "")
    assert network.called("AddHost") == []
    assert network.called("ApplyServices") == [
        {"host": "web", "path": str(path), "directory": str(tmp_path), "name": str(path),
         "text": path.read_text(), "grant": "79-81,443-443"}]
    network.answers["ListManagers"] = {"managers": [{"host": "web", "pid": 1, "file": "/other"}]}
    result = reeve("up", str(path))
    assert result.status == EX_UNAVAILABLE and "runs the services of /other;" in result.err


def test_links(reeve, network):
    network.answers["ListLinks"] = {"links": LINKS}
    assert_golden("link.txt", reeve("link").out)
    assert reeve("link", "list", "--json").json == LINKS


def test_network(reeve, network):
    network.answers["GetNetwork"] = NETWORK
    assert_golden("network.txt", reeve("network").out)
    assert reeve("network", "--json").json == NETWORK


def test_names_cannot_steer_the_terminal(reeve, network):
    network.answers["ListSockets"] = {"sockets": [dict(SOCKETS[0], program="a\033[31m\nb")]}
    result = reeve("ports")
    assert "\033" not in result.out and len(result.out.splitlines()) == 2


# Changes.

def staying(network):
    """The network stays once it has been asked for something."""
    network.answers["GetNetwork"] = lambda *_: {
        "keep": any(name in ("AddHost", "Impair", "AddTap") for name, _ in network.calls)}


def test_hosts_add(reeve, network):
    staying(network)
    network.answers["AddHost"] = {"host": HOSTS[0]}
    result = reeve("hosts", "add", "web", "--ip", "198.18.0.2", "--well-known=granted")
    assert result.status == 0 and result.err == "reeve: " + STAYS
    assert result.out.splitlines()[1].split()[:2] == ["web", "198.18.0.2"]
    assert network.called("AddHost") == [{"name": "web", "address": "198.18.0.2",
                                          "well_known": "granted"}]
    result = reeve("hosts", "add", "web", "--json")
    assert result.json == HOSTS[0] and result.err == ""  # it had been said before


def test_hosts_add_fails(reeve, network):
    staying(network)
    network.answers["AddHost"] = Error("HostExists", name="web")
    result = reeve("hosts", "add", "web")
    assert result.status == EX_UNAVAILABLE and result.out == ""
    assert result.err == "reeve: host 'web' is there already; 'reeve hosts' shows it\n"


def test_hosts_remove(reeve, network):
    result = reeve("hosts", "remove", "web")
    assert (result.status, result.out, result.err) == (0, "", "")
    assert network.called("RemoveHost") == [{"name": "web"}]


def test_link_remove(reeve, network):
    assert reeve("link", "remove", "reeve0").status == 0
    assert network.called("RemoveLink") == [{"name": "reeve0"}]


def test_impair_changes_what_it_names(reeve, network):
    staying(network)
    state = {"now": None}

    def impair(parameters, _):
        state["now"] = parameters["impairment"]
        return {"impairment": state["now"]}

    network.answers["ListHosts"] = lambda *_: {"hosts": [dict(HOSTS[0], impairment=state["now"])]}
    network.answers["Impair"] = impair
    result = reeve("impair", "web", "--loss", "5%", "--delay", "20ms", "--rate", "50mbit",
                   "--seed", "7")
    assert result.status == 0 and result.err == "reeve: " + STAYS
    assert result.out == ("host 'web' is impaired, both ways:\n  loss      5%\n  delay     20ms\n"
                          "  rate      50Mbit/s\n  seed      7\n")
    assert state["now"] == HOSTS[1]["impairment"]
    assert reeve("impair", "web", "--down").out.splitlines()[1] == "  down      nothing passes"
    assert state["now"] == dict(HOSTS[1]["impairment"], down=True)
    reeve("impair", "web", "--loss", "0", "--jitter", "1.5ms", "--reorder", "1%",
          "--duplicate=0.5%", "--corrupt", "0.001", "--rate", "0", "--up")
    assert state["now"] == {"loss": 0, "reorder": 0.01, "duplicate": 0.005, "corrupt": 0.001,
                            "delay_ms": 20, "jitter_ms": 1.5, "rate": 0, "down": False, "seed": 7}
    assert reeve("impair", "web", "--json").json == state["now"]
    assert reeve("impair", "web", "--clear").out == "host 'web' is not impaired\n"
    assert state["now"] is None
    assert reeve("impair", "web").out == "host 'web' is not impaired\n"
    assert len(network.called("Impair")) == 4


def test_impair_chooses_a_seed(reeve, network):
    network.answers["ListHosts"] = {"hosts": [HOSTS[0]]}
    network.answers["Impair"] = lambda parameters, _: parameters | {}
    seeds = {reeve("impair", "web", "--loss", "1%", "--json").json["seed"] for _ in range(3)}
    assert len(seeds) > 1


def test_keep(reeve, network):
    network.answers["GetNetwork"] = lambda *_: dict(NETWORK, keep=any(
        p["keep"] for p in network.called("SetKeep")[-1:]))
    assert "Stays     until 'reeve down'\n" in reeve("network", "--keep").out
    assert "Stays     until its last program ends\n" in reeve("network", "--no-keep").out
    assert network.called("SetKeep") == [{"keep": True}, {"keep": False}]


def test_down(reeve, network):
    network.answers["Down"] = {"programs": 1}
    assert reeve("down").out == "network 'default' is down, 1 program ended\n"
    network.answers["Down"] = {"programs": 2}
    assert reeve("down").out == "network 'default' is down, 2 programs ended\n"
    assert reeve("down", "--json").json == {"programs": 2}


# Ping.

def echo(sequence, error=None):
    return {"sequence": sequence, "from": "198.18.0.2", "ttl": 64, "rtt_us": 100 * sequence,
            "error": error}


def test_ping(reeve, network):
    network.answers["Ping"] = [echo(1), echo(2), echo(3, "ETIMEDOUT"), echo(4, "EHOSTUNREACH")]
    result = reeve("ping", "web", "-c", "4", "-i", "10ms", "-W", "2s", "-s", "100")
    assert result.status == 0 and result.err == ""
    assert_golden("ping.txt", result.out)
    assert network.called("Ping") == [{"host": "gateway", "to": "web", "count": 4, "interval_ms": 10,
                                       "timeout_ms": 2000, "size": 100}]


@pytest.mark.parametrize("names, to, asker", [
    (["web", "db", "local"], "db", "local"), (["web", "db"], "web", "db"), (["web", "db"], "db", "web"),
    (["web", "db"], "198.18.0.2", "db"), (["web"], "web", "gateway"), ([], "web", "gateway")])
def test_ping_chooses_who_asks(reeve, network, names, to, asker):
    network.answers["ListHosts"] = {"hosts": [
        {"name": name, "addresses": [f"198.18.0.{2 + i}"]} for i, name in enumerate(names)]}
    network.answers["Ping"] = [echo(1)]
    assert reeve("ping", to).status == 0
    assert network.called("Ping")[0]["host"] == asker


def test_ping_json_is_a_line_a_reply(reeve, network):
    import json
    network.answers["Ping"] = [echo(1), echo(2, "ETIMEDOUT")]
    lines = reeve("ping", "web", "--from", "db", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [echo(1), echo(2, "ETIMEDOUT")]
    assert network.called("Ping")[0]["host"] == "db"


def test_ping_without_an_answer(reeve, network):
    network.answers["Ping"] = [echo(1, "ETIMEDOUT")]
    result = reeve("ping", "web")
    assert result.status == 1 and "1 sent, 0 answered, 100% lost" in result.out


# Capture.

def block(kind, body):
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack("=II", kind, length) + body + struct.pack("=I", length)


def pcapng(packets):
    stream = block(0x0a0d0d0a, struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1))
    stream += block(1, struct.pack("=HHIHH4sHHB3xI", 1, 0, 65535, 2, 3, b"web\0", 9, 1, 9, 0))
    for i in range(packets):
        udp = struct.pack("!HHHH", 51000, 53, 8 + 29, 0)
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + 37, 0, 0, 64, 17, 0, 0xc0000201, 0xc0000202)
        frame = bytes(12) + b"\x08\x00" + ip + udp + bytes(29)
        ns = 1800000000 * 10**9 + i * 1000
        stream += block(6, struct.pack("=IIIII", 0, ns >> 32, ns & 0xffffffff, len(frame),
                                       len(frame)) + frame)
    return stream


def capturing(network, stream):
    def capture(_, descriptors):
        fd = os.dup(descriptors[0])
        network.calls.append(("written", {}))
        with os.fdopen(fd, "wb") as pipe:
            pipe.write(stream)
        return [{"interfaces": ["web"]}]
    network.answers["Capture"] = capture


def test_capture_lines(reeve, network):
    capturing(network, pcapng(3))
    result = reeve("capture", "web")
    assert result.status == 0 and result.err == BEGUN + "reeve: 3 packets\n"
    assert result.out.splitlines() == [
        f"08:00:00.00000{i} web  192.0.2.1:51000 > 192.0.2.2:53: udp 29" for i in range(3)]
    assert network.called("Capture") == [{"host": "web"}]


def test_capture_count(reeve, network):
    capturing(network, pcapng(30))
    result = reeve("capture", "-c", "2")
    assert len(result.out.splitlines()) == 2 and result.err == BEGUN + "reeve: 2 packets\n"


def test_capture_file(reeve, network, tmp_path):
    stream = pcapng(5)
    capturing(network, stream)
    path = tmp_path / "x.pcapng"
    assert reeve("capture", "-w", str(path)).status == 0
    assert path.read_bytes() == stream


def test_capture_to_standard_output(network, runtime):
    stream = pcapng(200)
    capturing(network, stream)
    process = subprocess.run([COMMAND, "capture", "-w", "-"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=60,
                             env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
    assert process.stdout == stream and process.stderr.decode() == BEGUN + "reeve: 200 packets\n"


def test_capture_that_is_none(reeve, network):
    capturing(network, b"GET / HTTP/1.0\r\n\r\n")
    result = reeve("capture")
    assert result.status == EX_PROTOCOL
    assert "what the network process sends is no capture\n" in result.err


def test_capture_to_a_place_that_is_none(reeve, network):
    capturing(network, pcapng(1))
    result = reeve("capture", "-w", "/proc/nowhere/x")
    assert result.status == 73
    assert result.err == "reeve: cannot write '/proc/nowhere/x': No such file or directory\n"


def test_capture_ends_whole_when_interrupted(network, runtime, tmp_path):
    """The network process ends the stream when the call ends, behind what is under way."""
    stream = pcapng(100)
    ends = {}

    def capture(_, descriptors):
        ends["pipe"] = os.dup(descriptors[0])
        os.write(ends["pipe"], stream[:1001])
        return [{"interfaces": ["web"]}]

    network.answers["Capture"] = capture
    path = tmp_path / "x.pcapng"
    process = subprocess.Popen([COMMAND, "capture", "-w", str(path)], stderr=subprocess.PIPE,
                               env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
    assert process.stderr.readline().decode() == BEGUN
    process.send_signal(signal.SIGINT)
    os.write(ends["pipe"], stream[1001:])
    os.close(ends["pipe"])
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and err == b"reeve: 100 packets\n"
    assert path.read_bytes() == stream


# What a network process may answer.

@pytest.mark.parametrize("error, status, line", [
    (Error("NoSuchHost", name="web"), EX_NOHOST,
     "no host 'web' in network 'default'; 'reeve hosts' lists them"),
    (Error("HostBusy", name="web", programs=3), EX_UNAVAILABLE,
     "host 'web' still has programs (3); end them first"),
    (Error("AddressInUse", address="198.18.0.2"), EX_UNAVAILABLE,
     "address 198.18.0.2 belongs to another host; 'reeve hosts' shows which"),
    (Error("AddressInvalid", address="192.0.2.1", reason="not in 198.18.0.0/16"), EX_DATAERR,
     "address '192.0.2.1': not in 198.18.0.0/16"),
    (Error("NameInvalid", name="a b", reason="a space"), EX_DATAERR, "name 'a b': a space"),
    (Error("NetworkFull", hosts=65000), EX_UNAVAILABLE,
     "network 'default' is full: it has 65000 hosts"),
    (Error("Refused", reason="not yours"), EX_NOPERM, "refused: not yours"),
    (Error("Failed", operation="socket", errno="EMFILE"), EX_OSERR, "socket: EMFILE"),
    (Error("Failed"), EX_OSERR, "?: ?"),
    (Error("Strange", x=1), EX_PROTOCOL,
     "network 'default' answers io.reeve.Network.Strange {\"x\":1}"),
    (b"not json\0", EX_PROTOCOL, "network 'default' answers what is not Varlink"),
    (b"[]\0", EX_PROTOCOL, "network 'default' answers what is not Varlink"),
    (None, EX_UNAVAILABLE, "network 'default' has ended"),
])
def test_errors(reeve, network, error, status, line):
    network.answers["ListHosts"] = error
    result = reeve("hosts")
    assert (result.status, result.out, result.err) == (status, "", f"reeve: {line}\n")


def test_misspelt_host(reeve, network):
    network.answers["ListHosts"] = {"hosts": HOSTS}
    network.answers["ListSockets"] = lambda p, _: Error("NoSuchHost", name=p["host"])
    for words in ["ports", "wbe"], ["services", "--host", "wbe"]:
        result = reeve(*words)
        assert result.status == EX_NOHOST and result.out == ""
        assert result.err == (f"reeve: no host 'wbe' in network 'default'; did you mean "
                              "'web'?\n")
    assert reeve("ports", "qqqq").err == ("reeve: no host 'qqqq' in network 'default'; "
                                          "'reeve hosts' lists them\n")


def test_listing_of_strange_shapes(reeve, network):
    for answer in {}, {"sockets": 1}, {"sockets": [1, {}, {"pid": "x", "local": 5}]}:
        network.answers["ListSockets"] = answer
        for words in ["ports"], ["services", "--host", "x"], ["ports", "--json"]:
            assert reeve(*words).status == 0
    for answer in {}, {"hosts": 1}, {"hosts": [1, {}, {"drops": 1, "addresses": [1, {}]}]}:
        network.answers["ListHosts"] = answer
        assert reeve("hosts").status == 0
        assert reeve("impair", "x").status == 0


def test_many_sockets(reeve, network):
    network.answers["ListSockets"] = {"sockets": SOCKETS * 5000}
    assert len(reeve("ports").out.splitlines()) == 20001


def test_another_network(reeve, runtime):
    lab = FakeNetwork(runtime / "reeve" / "lab")
    lab.answers["ListHosts"] = {"hosts": HOSTS}
    assert reeve("hosts", "--network", "lab", "--json").json == HOSTS
    assert reeve("hosts", "--json", env={"REEVE_NETWORK": "lab"}).json == HOSTS
    lab.close()


def test_link_add_passes_the_device(reeve, network):
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        do_without("a TAP device needs root and /dev/net/tun", root=True)
    seen = {}

    def add(parameters, descriptors):
        seen.update(parameters, device=os.readlink(f"/proc/self/fd/{descriptors[0]}"),
                    interfaces=[name for _, name in socket.if_nameindex()])
        return {}

    staying(network)
    network.answers["AddTap"] = add
    result = reeve("link", "add", "tap", "reevetest0", "--mtu", "1400", "--no-offload")
    assert result.status == 0 and result.err == "reeve: " + STAYS
    assert seen["device"] == "/dev/net/tun" and "reevetest0" in seen["interfaces"]
    assert (seen["name"], seen["mtu"], seen["offload"]) == ("reevetest0", 1400, False)
    assert "reevetest0" not in [name for _, name in socket.if_nameindex()]
