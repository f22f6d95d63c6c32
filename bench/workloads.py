"""What is measured: a server, a client that asks it, and what the client says of it."""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from harness import BUILD, Unavailable, output
from places import free_port

SECONDS = 1


class Workload:
    name = None
    metric = "requests"
    is_tcp = True
    idle = ["true"]  # a client that asks nothing; None: client() for so many seconds

    def server(self, port):
        raise NotImplementedError

    def client(self, address, port):
        raise NotImplementedError

    def read(self, text):
        """(rate, requests, connections) of the client's output."""
        raise NotImplementedError

    def complaint(self, text):
        """What went wrong by the client's output, or None."""
        return None


IDLE = {}


def exchange(place, workload, port, client):
    """The client's output, and how many calls were trapped on both sides."""
    before = place.trapped
    with place.serving(workload.server(port), port if workload.is_tcp else None):
        text = place.run(client)
    return text, None if before is None else place.trapped - before


def measure(results, case, place, workload):
    """Adds the rate, and where they are counted the calls that were trapped for it: those of the
    server's start and end are left out, by counting once what they are without a request."""
    if not (workload.is_tcp or place.has_udp):
        return
    port = free_port()
    name = f"{workload.name}, {case}"
    text, trapped = exchange(place, workload, port, workload.client(place.address, port))
    rate, requests, connections = workload.read(text)
    results.add(name, place.subject, workload.metric, rate, "1/s")
    if workload.complaint(text):
        results.note(f"{name}, {place.subject}: {workload.complaint(text)}")
    if trapped is None:
        return
    key = (name, place.subject)
    if key not in IDLE:
        idle = workload.idle or workload.client(place.address, port, 0)
        IDLE[key] = exchange(place, workload, port, idle)[1]
    trapped = max(trapped - IDLE[key], 0)
    results.add(name, place.subject, "traps per request", trapped / requests, "calls")
    if connections:
        results.add(name, place.subject, "traps per connection", trapped / connections, "calls")


class Pair(Workload):
    """Connections one after another: connect, a byte each way, close."""

    name = "connect pair"
    metric = "connections"
    most = 10000

    def server(self, port):
        return [BUILD / "bench/pair", "server", port]

    def client(self, address, port):
        return [BUILD / "bench/pair", "client", address, port, self.most, SECONDS * 1000]

    def read(self, text):
        rate, count = text.split()
        return float(rate), int(count), int(count)


class UdpPair(Workload):
    """Datagrams one after another: a request, an answer."""

    name = "UDP pair"
    is_tcp = False
    idle = None

    def server(self, port):
        return [BUILD / "bench/udp_pair", "server", port]

    def client(self, address, port, seconds=SECONDS):
        return [BUILD / "bench/udp_pair", "client", address, port, seconds * 1000]

    def read(self, text):
        rate, count, _ = text.split()
        return float(rate), int(count), None

    def complaint(self, text):
        _, count, lost = map(float, text.split())
        return f"{lost:.0f} of {count:.0f} answers did not come in 200 ms" if lost else None


class Redis(Workload):
    clients = 50

    def __init__(self, name, count, *flags):
        self.name = f"redis {name}"
        self.count = count
        self.flags = flags

    def server(self, port):
        return ["redis-server", "--port", port, "--bind", "0.0.0.0", "--save", "",
                "--appendonly", "no", "--protected-mode", "no"]

    def client(self, address, port):
        return ["redis-benchmark", "-h", address, "-p", port, "--csv", "-c", self.clients,
                "-n", self.count, *self.flags]

    def read(self, text):
        rate = float(text.strip().splitlines()[-1].split(",")[1].strip('"'))
        return rate, self.count, self.clients


NGINX = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    server {{ listen {port}; root {directory}; }}
}}
"""


class Web(Workload):
    """nginx, asked by wrk for a page of 1000 bytes."""

    connections = 20

    def __init__(self, name, *flags):
        self.name = f"wrk {name}"
        self.flags = flags
        self.closes = bool(flags)
        self.temporary = tempfile.TemporaryDirectory(prefix="reeve-bench-")
        self.directory = pathlib.Path(self.temporary.name)
        self.directory.chmod(0o755)
        (self.directory / "page").write_bytes(b"r" * 1000)

    def server(self, port):
        file = self.directory / "nginx.conf"
        file.write_text(NGINX.format(directory=self.directory, port=port))
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", self.directory, "-c", file]

    def client(self, address, port):
        return ["wrk", "-t1", f"-c{self.connections}", f"-d{SECONDS}s", *self.flags,
                f"http://{address}:{port}/page"]

    def read(self, text):
        requests = int(re.search(r"(\d+) requests in", text)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        return rate, requests, requests if self.closes else self.connections

    def complaint(self, text):
        found = re.search(r"(Socket errors|Non-2xx).*", text)
        return found[0] if found else None


class Postgres(Workload):
    """pgbench -S: a row by its key, of 100,000."""

    name = "pgbench -S"
    metric = "transactions"
    clients = 4

    def __init__(self):
        self.programs = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)),
                             os.path.dirname(shutil.which("postgres") or ""))
        self.pgbench = shutil.which("pgbench") or f"{self.programs}/pgbench"
        if not os.path.exists(f"{self.programs}/postgres") or not os.path.exists(self.pgbench):
            raise Unavailable("pgbench: postgresql is not installed")
        # The server refuses to be root's.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] \
            if os.getuid() == 0 else []
        self.temporary = tempfile.TemporaryDirectory(prefix="reeve-bench-")
        self.directory = f"{self.temporary.name}/data"
        if self.user:
            shutil.chown(self.temporary.name, "postgres", "postgres")
        output([*self.user, f"{self.programs}/initdb", "-D", self.directory, "-U", "bench",
                "-A", "trust", "--no-sync", "--no-locale"], cwd="/")
        with open(f"{self.directory}/pg_hba.conf", "a", encoding="ascii") as f:
            f.write("host all all 0.0.0.0/0 trust\n")
        self.fill()

    def fill(self):
        port = free_port()
        sockets = self.temporary.name
        server = subprocess.Popen(
            [*map(str, self.server(port)), "-c", f"unix_socket_directories={sockets}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        try:
            while not os.path.exists(f"{sockets}/.s.PGSQL.{port}"):
                if server.poll() is not None:
                    raise Unavailable("pgbench: postgres does not start")
                time.sleep(0.05)
            output([self.pgbench, "-h", sockets, "-p", port, "-U", "bench", "-i", "-q", "postgres"])
        finally:
            server.terminate()
            server.wait()

    def server(self, port):
        return [*self.user, f"{self.programs}/postgres", "-D", self.directory, "-p", port,
                "-c", "listen_addresses=0.0.0.0", "-c", "unix_socket_directories=",
                "-c", "fsync=off"]

    def client(self, address, port):
        return [self.pgbench, "-h", address, "-p", port, "-U", "bench", "-S", "-n",
                "-c", self.clients, "-T", SECONDS, "postgres"]

    def read(self, text):
        requests = int(re.search(r"actually processed: (\d+)", text)[1])
        return float(re.search(r"tps = ([\d.]+)", text)[1]), requests, self.clients
