"""The verbs against the network process itself: it is started, asked, changed and ended, and leaves
nothing behind."""

import os
import re
import signal
import subprocess

import pytest
from conftest import COMMAND

EX_UNAVAILABLE, EX_NOHOST = 69, 68


@pytest.fixture
def live(reeve):
    """The command; whatever network it starts is ended with the test, and has ended then."""
    networks = {"default"}

    def run(*words, **settings):
        if "--network" in words:
            networks.add(words[words.index("--network") + 1])
        return reeve(*words, **settings)

    yield run
    for network in networks:
        shown = reeve("network", "--network", network, "--json").json
        process = os.pidfd_open(shown["pid"]) if shown else None
        assert reeve("down", "--network", network).status == 0
        if process:
            assert wait_for_end(process)
        assert reeve("network", "--network", network, "--json").json is None


def wait_for_end(process):
    import select
    poll = select.poll()
    poll.register(process, select.POLLIN)
    ended = bool(poll.poll(30000))
    os.close(process)
    return ended


def test_first_host_starts_a_network_that_stays(live):
    first = live("hosts", "add", "web")
    assert first.status == 0
    assert first.err == "reeve: network 'default' stays until 'reeve down'\n"
    second = live("hosts", "add", "db", "--ip", "198.18.0.53", "--well-known", "granted", "--json")
    assert second.err == "" and second.json["addresses"] == ["198.18.0.53"]
    hosts = live("hosts", "--json").json
    assert [(h["name"], h["well_known"]) for h in hosts] == [("web", "owner"), ("db", "granted")]
    assert live("hosts", "remove", "db").status == 0
    assert [h["name"] for h in live("hosts", "--json").json] == ["web"]


def test_refusals(live):
    live("hosts", "add", "web", "--ip", "198.18.0.5")
    for words, status in [(["hosts", "add", "web"], EX_UNAVAILABLE),
                          (["hosts", "add", "two", "--ip", "198.18.0.5"], EX_UNAVAILABLE),
                          (["hosts", "add", "two", "--ip", "192.0.2.1"], 65),
                          (["hosts", "add", "a b"], 65), (["hosts", "add", "-x"], 64),
                          (["hosts", "remove", "two"], EX_NOHOST),
                          (["ports", "two"], EX_NOHOST), (["ping", "two"], EX_NOHOST),
                          (["impair", "two"], EX_NOHOST), (["capture", "two"], EX_NOHOST),
                          (["services", "--host", "two"], EX_NOHOST),
                          (["link", "remove", "two"], EX_UNAVAILABLE)]:
        result = live(*words)
        assert result.status == status, (words, result)
        assert result.out == "" and result.err.count("\n") == 1
    assert [h["name"] for h in live("hosts", "--json").json] == ["web"]


def test_ping_between_hosts(live):
    live("hosts", "add", "web")
    live("hosts", "add", "db")
    result = live("ping", "--from", "web", "-c", "3", "-i", "1ms", "db")
    assert result.status == 0 and "3 sent, 3 answered, 0% lost" in result.out
    by_address = live("ping", "--from", "db", "-c", "1", "198.18.0.2", "--json").json
    assert by_address["from"] == "198.18.0.2" and by_address["error"] is None


def test_link_that_is_down(live):
    live("hosts", "add", "web")
    live("hosts", "add", "db")
    live("impair", "db", "--down")
    result = live("ping", "--from", "web", "-c", "1", "-W", "50ms", "db")
    assert result.status == 1 and "1 sent, 0 answered" in result.out
    live("impair", "db", "--up")
    assert live("ping", "--from", "web", "-c", "1", "db").status == 0
    assert live("impair", "db").out.startswith("host 'db' is impaired")
    assert live("impair", "db", "--clear").out == "host 'db' is not impaired\n"


def test_impairment_is_shown_as_it_was_set(live):
    live("hosts", "add", "web")
    words = ["--loss", "5%", "--delay", "20ms", "--jitter", "2ms", "--reorder", "1%", "--duplicate",
             "2%", "--corrupt", "0.1%", "--rate", "50mbit", "--seed", "7"]
    wanted = {"loss": 0.05, "delay_ms": 20, "jitter_ms": 2, "reorder": 0.01, "duplicate": 0.02,
              "corrupt": 0.001, "rate": 50000000, "down": False, "seed": 7}
    assert live("impair", "web", *words, "--json").json == pytest.approx(wanted)
    assert live("impair", "web", "--json").json == pytest.approx(wanted)
    assert live("hosts", "--json").json[0]["impairment"] == pytest.approx(wanted)


def test_capture(live, runtime, tmp_path):
    live("hosts", "add", "web")
    live("hosts", "add", "db")
    env = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}
    with subprocess.Popen([COMMAND, "capture", "web"], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as capture:
        assert capture.stderr.readline() == "reeve: begun; Ctrl-C ends it\n"
        assert live("ping", "--from", "web", "-c", "1", "db").status == 0
        lines = []
        while not any("echo reply" in line for line in lines):
            lines.append(capture.stdout.readline())
        capture.send_signal(signal.SIGINT)
        _, err = capture.communicate(timeout=60)
    assert capture.returncode == 0
    assert re.fullmatch(r"reeve: \d+ packets\n", err)
    assert int(err.split()[1]) >= len(lines)
    assert re.search(r"\d\d:\d\d:\d\d\.\d{6} web  198\.18\.0\.2 > 198\.18\.0\.3: "
                        r"icmp echo request, sequence 1\n", "".join(lines))


def test_full_disk_ends_what_goes_on(live, runtime):
    """Lines that cannot be written any more are no reason to go on without an end."""
    live("hosts", "add", "web")
    env = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}
    said = "reeve: cannot write the output: No space left on device\n"
    with open("/dev/full", "w", encoding="ascii") as full:
        with subprocess.Popen([COMMAND, "capture", "web"], env=env, text=True, stdout=full,
                              stderr=subprocess.PIPE) as capture:
            capture.stderr.readline()
            ping = live("ping", "-c", "1000000", "-i", "10ms", "web", stdout=full)
            assert (ping.status, ping.err) == (74, said)
            assert capture.wait(timeout=60) == 74
            assert said in capture.stderr.read()


def test_two_networks(live):
    live("hosts", "add", "web")
    live("hosts", "add", "web", "--network", "lab")
    live("hosts", "add", "db", "--network", "lab")
    assert [h["name"] for h in live("hosts", "--json").json] == ["web"]
    assert len(live("hosts", "--json", "--network", "lab").json) == 2


def test_network_that_is_not_kept_ends(live):
    pid = live("network", "--keep", "--json").json["pid"]
    process = os.pidfd_open(pid)
    assert live("network", "--no-keep").status == 0
    assert wait_for_end(process)
    assert live("network").err == "reeve: network 'default' is not running\n"


def test_killed_network(live):
    pid = live("network", "--keep", "--json").json["pid"]
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(process)
    result = live("hosts")
    assert result.status == 0
    assert result.err == "reeve: network 'default' is not running\n"
    assert live("hosts", "add", "web").status == 0  # the stale sockets are no hindrance


def test_interrupted_ping(live, runtime):
    live("hosts", "add", "web")
    env = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}
    with subprocess.Popen([COMMAND, "ping", "--from", "web", "-c", "1000", "198.18.0.2"], env=env,
                          text=True, stdout=subprocess.PIPE) as ping:
        ping.stdout.readline()
        ping.send_signal(signal.SIGINT)
        rest = ping.communicate(timeout=60)[0]
    assert ping.returncode == 0 and " sent, " in rest.splitlines()[-1]
