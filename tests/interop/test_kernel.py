"""Our TCP/IP against Linux's, both ways: echo, files by HTTP, iperf3; and every packet of ours that
goes out whole is looked at by tshark."""

import hashlib
import json
import os
import signal
import subprocess

import pytest
from conftest import KERNEL, PATIENCE, shared
from live import wait_until

both = pytest.mark.parametrize("kernel", [True, False], ids=["offload", "no-offload"],
                               indirect=True)
WEB = "198.18.0.2"


@both
def test_ping(network, kernel):
    said = kernel.run("ping", "-c", "5", "-i", "0.02", "-s", "1400", WEB).stdout
    assert b" 0% packet loss" in said
    # Larger than the MTU: fragments, both ways.
    said = kernel.run("ping", "-c", "3", "-i", "0.02", "-s", "20000", WEB).stdout
    assert b" 0% packet loss" in said
    said = network.run("ping", "--from", "web", "-c", "3", "-i", "10ms", "-s", "20000", KERNEL)
    assert b"3 sent, 3 answered, 0% lost" in said.stdout


@both
def test_curl_from_the_kernel(network, kernel, big_file, tmp_path):
    path, expected = big_file
    network.serve_files("web", path.parent)
    kernel.run("curl", "-sf", "-o", str(tmp_path / "got"), f"http://{WEB}/big")
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == expected


@both
def test_curl_to_the_kernel(network, kernel, big_file, tmp_path):
    path, expected = big_file
    kernel.start("python3", "-u", "-m", "http.server", "80", until=b"Serving HTTP",
                 cwd=path.parent)
    network.run("run", "--host", "web", "curl", "-sf", "-o", str(tmp_path / "got"),
                f"http://{KERNEL}/big")
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == expected


def gigabits(said):
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e9


@both
def test_iperf3(network, kernel, request, record_property):
    network.serve("web", "iperf3", "-s", "--forceflush", until=b"Server listening")
    kernel.start("iperf3", "-s", "--forceflush", until=b"Server listening")
    figures = {}
    for reverse in ([], ["-R"]):
        theirs = kernel.run("iperf3", "-J", "-t", "1", "-c", WEB, *reverse).stdout
        ours = network.run("run", "--host", "web", "iperf3", "-J", "-t", "1", "-c", KERNEL,
                           *reverse).stdout
        to_us, to_them = "kernel to reeve", "reeve to kernel"
        figures[(to_them if reverse else to_us) + ", kernel's client"] = gigabits(theirs)
        figures[(to_us if reverse else to_them) + ", our client"] = gigabits(ours)
    for name, figure in sorted(figures.items()):
        print(f"# {request.node.name}: {name}: {figure:.2f} Gbit/s")
        assert figure > 0.01


VERIFY = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o",
          "udp.check_checksum:TRUE"]


def packets(capture, which):
    """tshark's lines for the packets that are so, with the checksums looked at."""
    return subprocess.run(["tshark", "-r", str(capture), *VERIFY, "-Y", which],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE,
                          check=True).stdout.decode().splitlines()


def wrong_packets(capture):
    """What of ours tshark calls malformed or wrong."""
    wrong = " || ".join(["_ws.malformed", "ip.checksum.status == 0", "tcp.checksum.status == 0",
                         "udp.checksum.status == 0", "icmp.checksum.status == 0",
                         "_ws.expert.severity == error"])
    return packets(capture, f"ip.src == {WEB} && ({wrong})")


@pytest.mark.parametrize("kernel", [False], ids=["no-offload"], indirect=True)
def test_every_packet_is_right(network, kernel, tmp_path):
    """Seen by the kernel, on its end of the TAP."""
    capture = tmp_path / "kernel.pcap"
    # Its buffer has places of the most that it may take of a packet: small ones, or a few packets fill it.
    recorder = kernel.start("tcpdump", "-i", kernel.device, "-U", "--immediate-mode", "-s", "2048",
                            "-w", str(capture), "-B", "65536", until=b"listening on")
    network.serve("web", "python3", "-u", "-m", "http.server", "80", until=b"Serving HTTP",
                  cwd=make_files(tmp_path))
    network.run("run", "--host", "web", "bash", "-c", f"echo >/dev/tcp/{KERNEL}/9", check=False)
    kernel.run("ping", "-c", "2", "-i", "0.02", "-s", "5000", WEB)
    kernel.run("curl", "-sf", "-o", os.devnull, f"http://{WEB}/file")
    # The recorder loses what it has not written when it ends.
    network.run("run", "--host", "web", "bash", "-c", f"echo the last packet >/dev/udp/{KERNEL}/9")
    wait_until(lambda: b"the last packet" in capture.read_bytes(), "the last packet")
    recorder.send_signal(signal.SIGINT)
    assert recorder.wait(PATIENCE) == 0
    assert len(packets(capture, f"ip.src == {WEB} && tcp.checksum.status == 1")) > 1000
    assert len(packets(capture, f"ip.src == {WEB} && udp.checksum.status == 1 && !icmp")) == 1
    assert len(packets(capture, f"ip.src == {WEB} && frame.len > 1514")) == 0
    assert wrong_packets(capture) == []


def make_files(tmp_path):
    directory = tmp_path / "files"
    directory.mkdir()
    (directory / "file").write_bytes(os.urandom(2_000_000))
    return directory


def test_address_conflict(network, kernel):
    """The kernel takes a host's address: the host says that it is taken, and keeps it; the log
    names who it was."""
    ip = ["ip", "-n", kernel.name]
    subprocess.run([*ip, "addr", "add", f"{WEB}/16", "dev", kernel.device], check=True)
    mac = json.loads(subprocess.run([*ip, "-json", "link", "show", kernel.device], check=True,
                                    stdout=subprocess.PIPE).stdout)[0]["address"]
    # What the host's own station says of the address: 198.18.0.2 by 198.18.0.2.
    heard = kernel.start("tcpdump", "-l", "-n", "--immediate-mode", "-i", kernel.device,
                         "ether src 02:52:c6:12:00:02 and ether broadcast and "
                         "arp[14:4] = 0xc6120002 and arp[24:4] = 0xc6120002",
                         until=b"listening on")
    # A question that the kernel asks as the host.
    subprocess.run(["ip", "netns", "exec", kernel.name, "ping", "-I", WEB, "-c", "1", "-W", "1",
                    "198.18.99.99"], stdout=subprocess.DEVNULL, check=False)
    said = b""
    while b"ARP" not in said:
        piece = shared.read_some(heard.stdout)
        assert piece, said
        said += piece
    subprocess.run([*ip, "addr", "del", f"{WEB}/16", "dev", kernel.device], check=True)
    network.run("ping", "--from", "web", "-c", "1", KERNEL)
    kernel.run("ping", "-c", "1", WEB)
    log, = network.runtime.glob("reeve/*/log")
    assert f"host 'web': station {mac} has its address {WEB} too" in log.read_text()


def test_link_goes(network, kernel):
    """A link that is removed is no way any more; its name can be used again."""
    assert [l["name"] for l in network.json("link")] == [kernel.device]
    network.run("link", "remove", kernel.device)
    assert network.json("link") == []
    gone = network.run("ping", "--from", "web", "-c", "1", "-W", "100ms", KERNEL, check=False)
    assert gone.returncode == 1
    network.run("link", "add", "tap", kernel.device, "--netns", kernel.name)
    subprocess.run(["ip", "-n", kernel.name, "addr", "add", f"{KERNEL}/16", "dev", kernel.device],
                   check=True)
    network.run("ping", "--from", "web", "-c", "1", KERNEL)
