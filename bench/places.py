"""Where a server and its client can be: the kernel's networks, slirp4netns, pasta, and Reeve's.

A place is used as a context manager. `server` and `client` go in front of a command, `address` is
what the client connects to.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

from harness import BUILD, Unavailable, output

PREFIX = "198.18.100"
PROBES = 200
LONGEST = 60  # seconds, for what takes one or two


class Place:
    subject = None
    server = []
    client = []
    address = "127.0.0.1"
    has_udp = True  # of its own
    trapped = None  # calls of all commands that have ended, where they are counted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    @contextlib.contextmanager
    def serving(self, command, port=None):
        """While the server runs; from when it listens at the port of TCP, if one is given."""
        server = subprocess.Popen([*self.server, *map(str, command)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if port:
                self.wait_for(port, server)
            yield
        finally:
            self.end(server)

    def end(self, server):
        server.terminate()
        try:
            server.wait(LONGEST)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise RuntimeError(f"{self.subject}: the server did not end") from None

    def wait_for(self, port, server):
        """Until something listens there; by connecting, because the servers take many clients."""
        probe = f"exec 3<>/dev/tcp/{self.address}/{port}"
        for _ in range(PROBES):
            if subprocess.run([*self.client, "bash", "-c", probe], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            if server.poll() is not None:
                raise RuntimeError(f"{self.subject}: the server has ended")
            time.sleep(0.05)
        raise RuntimeError(f"{self.subject}: nothing listens on port {port}")

    def run(self, command):
        return output([*self.client, *command], timeout=LONGEST)


def free_port():
    """A port that no server of this machine has, outside of what clients are given."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as probe_udp:
            try:
                probe.bind(("", port))
                probe_udp.bind(("", port))
            except OSError:
                continue
            return port


class Loopback(Place):
    subject = "kernel loopback"


class Floor(Place):
    """Trapped as under Reeve, and answered with the least that works."""

    subject = "floor"
    server = client = [str(BUILD / "bench/floor")]


class Named(Floor):
    """The floor of a supervisor that knows its sockets: which they are, who connects, who is left."""

    subject = "floor, named"
    server = client = [*Floor.client, "--names"]


class Relayed(Floor):
    """The floor of an engine that is a process of its own: the bytes pass through one, and no more
    is done with them."""

    subject = "floor, relayed"

    def __init__(self):
        self.name = f"relay-{os.getpid()}"
        self.server = self.client = [*Floor.client, f"--relay={self.name}"]

    def __enter__(self):
        self.relay = subprocess.Popen([BUILD / "bench/relay", self.name], stdout=subprocess.PIPE)
        if not self.relay.stdout.readline():
            raise Unavailable("floor: its relay does not start")
        return self

    def __exit__(self, *_):
        self.relay.terminate()
        self.relay.wait()
        self.relay.stdout.close()

    def wait_for(self, port, server):
        # The relay takes a connection before there is a server.
        Floor().wait_for(port, server)


class Veth(Place):
    subject = "kernel veth"
    address = f"{PREFIX}.1"

    def __enter__(self):
        if os.getuid():
            raise Unavailable("kernel veth: only root can join two namespaces")
        self.names = [f"reeve-bench-{os.getpid()}-{side}" for side in "ab"]
        a, b = self.names
        for name in self.names:
            output(["ip", "netns", "add", name])
        output(["ip", "-n", a, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0",
                "netns", b])
        for name, host in ((a, 1), (b, 2)):
            output(["ip", "-n", name, "address", "add", f"{PREFIX}.{host}/24", "dev", "veth0"])
            output(["ip", "-n", name, "link", "set", "veth0", "up"])
        self.server = ["ip", "netns", "exec", a]
        self.client = ["ip", "netns", "exec", b]
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


class Namespace(Place):
    """The client in a namespace whose only way out is a user-space stack; the server outside."""

    def __enter__(self):
        if not shutil.which(self.subject):
            raise Unavailable(f"{self.subject}: not installed")
        self.holder = subprocess.Popen(["unshare", "-Urn", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        while self.namespace() in (own, None):
            if self.holder.poll() is not None:
                raise Unavailable(f"{self.subject}: user namespaces are not allowed here")
            time.sleep(0.01)
        self.client = ["nsenter", "--preserve-credentials", "-U", "-n", "-t",
                       str(self.holder.pid)]
        try:
            self.connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def namespace(self):
        """The holder's; None when it has ended."""
        try:
            return os.readlink(f"/proc/{self.holder.pid}/ns/net")
        except FileNotFoundError:
            return None

    def __exit__(self, *_):
        self.disconnect()
        self.holder.kill()
        self.holder.wait()


class Slirp(Namespace):
    subject = "slirp4netns"
    address = f"{PREFIX}.2"

    def connect(self):
        read, write = os.pipe()
        self.stack = subprocess.Popen(
            ["slirp4netns", "--configure", "--mtu=65520", f"--cidr={PREFIX}.0/24",
             f"--ready-fd={write}", str(self.holder.pid), "tap0"],
            pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        ready = os.read(read, 1)
        os.close(read)
        if not ready:
            raise Unavailable("slirp4netns: does not start here")

    def disconnect(self):
        self.stack.kill()
        self.stack.wait()


class Pasta(Namespace):
    subject = "pasta"
    address = f"{PREFIX}.1"

    def connect(self):
        self.stack = subprocess.Popen(
            ["pasta", "--foreground", "--quiet", "--config-net", "-4", "--mtu", "65520",
             "--address", f"{PREFIX}.15", "--netmask", "24", "--gateway", f"{PREFIX}.1",
             *(["--runas", "0"] if os.getuid() == 0 else []), str(self.holder.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(100):
            if self.stack.poll() is not None:
                raise Unavailable(f"pasta: {self.stack.stderr.read().strip()}")
            routes = subprocess.run([*self.client, "ip", "route"], capture_output=True, text=True,
                                    check=False).stdout
            if "default" in routes:
                return
            time.sleep(0.05)
        raise Unavailable("pasta: gives the namespace no route")

    def disconnect(self):
        self.stack.kill()
        self.stack.wait()


class Reeve(Place):
    """One host, or two; trapped calls are counted."""

    subject = "reeve"
    options = []

    def __init__(self, hosts):
        self.command = shutil.which("reeve", path=str(BUILD / "src/cli"))
        if not self.command:
            raise Unavailable(f"reeve: not built in {BUILD}")
        self.network = f"bench-{os.getpid()}-{hosts}"
        run = [self.command, "run", "--network", self.network, *self.options, "--host"]
        self.server = [*run, "server"]
        self.client = [*run, "client" if hosts == 2 else "server"]
        self.address = "server" if hosts == 2 else "127.0.0.1"
        self.hosts = hosts
        self.trapped = 0

    def __enter__(self):
        output([self.command, "network", "--network", self.network, "--keep"])
        if self.hosts == 2:
            # By address, so that no client spends its time on looking names up.
            output([self.command, "hosts", "add", "server", "--network", self.network])
            rows = json.loads(output([self.command, "hosts", "--network", self.network,
                                      "--json"]))
            self.address = next(row["addresses"][0] for row in rows if row["name"] == "server")
            self.address = self.address.partition("/")[0]
        return self

    def __exit__(self, *_):
        subprocess.run([self.command, "down", "--network", self.network], check=False,
                       stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def counting(self):
        """The option that counts what runs meanwhile."""
        with tempfile.NamedTemporaryFile(prefix="reeve-bench-") as file:
            yield [f"--count-to={file.name}", "--"]
            counts = json.load(file)
            self.trapped += counts["at_once"] + counts["waited"]

    @contextlib.contextmanager
    def serving(self, command, port=None):
        with self.counting() as option, super().serving([*option, *command], port):
            yield

    def run(self, command):
        with self.counting() as option:
            return super().run([*option, *command])


class Direct(Reeve):
    """The programs of one host are joined directly; UDP is as ever."""

    subject = "reeve direct"
    has_udp = False
    options = ["--loopback=direct"]


ONE_HOST = [Loopback, Floor, Relayed, lambda: Reeve(1), lambda: Direct(1)]
TWO_HOSTS = [Veth, Slirp, Pasta, lambda: Reeve(2)]
RATIOS = [("reeve", "floor"), ("reeve", "floor, relayed"), ("reeve", "kernel loopback"), ("reeve", "kernel veth"),
          ("reeve direct", "kernel loopback")]


def each(results, places, action):
    """action(place) in every place that can be had; why one cannot is noted. A peer may fail."""
    for make in places:
        try:
            with make() as place:
                run_in(results, place, action)
        except Unavailable as reason:
            results.note(str(reason))


def run_in(results, place, action):
    try:
        action(place)
    except RuntimeError as reason:
        if isinstance(place, Reeve):
            raise
        results.note(f"{place.subject}: {reason}")


def congestion_control():
    path = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return f"congestion control: kernel {path.read_text().strip()}, reeve cubic"
