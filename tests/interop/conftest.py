"""The kernel as the peer: a network namespace of the test's own, joined to a network by
a TAP link. Needs root; says so and is skipped otherwise."""

import importlib.util
import os
import pathlib
import subprocess

import pytest

# How networks are driven is said once, beside the tests of the network process.
_spec = importlib.util.spec_from_file_location(
    "network_conftest", pathlib.Path(__file__).parent.parent / "network" / "conftest.py")
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)

from needs import do_without, need  # noqa: E402: the other conftest has made it known

network = shared.network
big_file = shared.big_file
PATIENCE = shared.PATIENCE
KERNEL = "198.18.200.1"


@pytest.fixture(autouse=True, scope="session")
def possible():
    if os.geteuid() != 0:
        pytest.skip("needs root: makes a network namespace and a TAP device")
    if not os.path.exists("/dev/net/tun"):
        do_without("there is no /dev/net/tun")
    need("ip", "ping", "curl", "iperf3", "tshark")


class Kernel:
    """The other end: a namespace with the TAP's device in it."""

    def __init__(self, name, device):
        self.name, self.device, self.running = name, device, []

    def run(self, *words, **settings):
        settings.setdefault("stdout", subprocess.PIPE)
        result = subprocess.run(["ip", "netns", "exec", self.name, *words],
                                stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                timeout=PATIENCE, **settings)
        assert result.returncode == 0, (words, result)
        return result

    def start(self, *words, until=None, **settings):
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *words],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, **settings)
        self.running.append(process)
        said = b""
        while until and until not in said:
            piece = shared.read_some(process.stdout)
            assert piece, (words, said)
            said += piece
        return process

    def end(self):
        for process in self.running:
            process.terminate()
            process.wait(PATIENCE)
            process.stdout.close()


@pytest.fixture
def kernel(network, request):
    """Joined with `offload` as the test's parameter says."""
    offload = getattr(request, "param", True)
    name, device = f"rvt{os.getpid()}", "rvt0"
    subprocess.run(["ip", "netns", "add", name], check=True)
    end = Kernel(name, device)
    try:
        network.run("link", "add", "tap", device, "--netns", name,
                    *([] if offload else ["--no-offload"]))
        for words in (["addr", "add", f"{KERNEL}/16", "dev", device],
                      ["link", "set", device, "up"], ["link", "set", "lo", "up"]):
            subprocess.run(["ip", "-n", name, *words], check=True)
        network.run("hosts", "add", "web", "--ip", "198.18.0.2")
        yield end
    finally:
        end.end()
        subprocess.run(["ip", "netns", "del", name], check=True)
