#!/usr/bin/python3
"""The ten classic services at once, each with the server and the client that people use, on their
well-known ports: what `make services` shows.

Works as root and as anybody else; keeps to a network and a directory of its own, and leaves neither
behind, also when it is interrupted.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import clients
import flows
import servers
import stopping

READY_LIMIT = 20  # seconds until all servers listen
HOST = "server"

# Port, protocol, the client that shows it. POP3 reads what SMTP has sent.
SHOWN = [
    (21, "tcp", "ftp"), (23, "tcp", "telnet"), (25, "tcp", "mail"), (43, "tcp", "whois"),
    (53, "udp", "domain_udp"), (53, "tcp", "domain_tcp"), (63, "tcp", "whoispp"),
    (70, "tcp", "gopher"), (79, "tcp", "finger"), (80, "tcp", "http"), (110, "tcp", "pop3"),
    (119, "tcp", "nntp"),
]
AFTER = {"pop3": "mail"}

PROGRAMS = ("vsftpd telnetd tcpserver msmtpd nsd gophernicus in.fingerd nginx dovecot snnewgroup "
            "snntpd.bin curl tnftp telnet msmtp mpop dig whois finger sinntp setsid").split()


class Show:
    def __init__(self, scratch):
        self.scratch = scratch
        self.started = []
        self.results = {}  # of a client's name: (passed, text)
        self.threads = []
        self.barrier = threading.Barrier(len(SHOWN) - len(AFTER))  # all begin at once
        self.done = {name: threading.Event() for _, _, name in SHOWN}
        for name in "home", "site", "work":
            (scratch / name).mkdir()
        self.environment = {**os.environ, "HOME": str(scratch / "home")}
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        self.site = servers.Site(scratch / "site", HOST, seed)
        self.clients = clients.Clients(self.site, scratch / "work", self.environment)

    def reeve(self, *arguments):
        """What the command says as JSON."""
        r = stopping.run(["reeve", *arguments, "--json"])
        if r.returncode:
            raise RuntimeError(f"reeve {' '.join(arguments)}: {r.stderr.strip()}")
        return json.loads(r.stdout)

    def start(self, command, **settings):
        """In a process group of its own: a terminal's ^C is for this program, which ends them."""
        with stopping.step():
            p = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, **settings)
            self.started.append(p)
        return p

    def start_servers(self):
        self.reeve("hosts", "add", HOST)
        self.reeve("hosts", "add", "client")
        for server in self.site.servers():
            with (self.scratch / f"{server.ports[0]}.log").open("wb") as log:
                server.process = self.start(
                    ["reeve", "run", "--host", HOST, *server.command], stdout=log, stderr=log,
                    env={**self.environment, **server.environment}, cwd=self.scratch / "site")
            server.log = self.scratch / f"{server.ports[0]}.log"
            self.wait_for(server)

    def listeners(self):
        return {(s["local"].rpartition(":")[2], s["protocol"]): s
                for s in self.reeve("ports", HOST, "--listening")}

    def wait_for(self, server):
        end = time.monotonic() + READY_LIMIT
        while not all((str(port), "tcp") in self.listeners() for port in server.ports):
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{server.command[0]} does not listen on port "
                                   f"{server.ports[0]}: {server.log.read_text().strip()}")
            time.sleep(0.02)

    def watch(self):
        """Begins to count what passes the server's link."""
        address = next(h["addresses"][0] for h in self.reeve("hosts") if h["name"] == HOST)
        self.capture = self.start(["reeve", "capture", HOST, "-w", "-"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        self.flows = flows.Flows(self.capture.stdout, address.partition("/")[0],
                                 servers.PASSIVE_PORTS)
        if not self.flows.begun.wait(READY_LIMIT):
            raise RuntimeError("the capture does not begin")

    def show(self, name):
        began = time.monotonic()
        try:
            if name in AFTER:
                self.done[AFTER[name]].wait()
            else:
                self.barrier.wait()
            began = time.monotonic()
            text, passed = getattr(self.clients, name)(), True
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            text, passed = str(e), False
        self.results[name] = passed, text, began, time.monotonic()
        self.done[name].set()

    def run_clients(self):
        self.threads = [threading.Thread(target=self.show, args=(name,), daemon=True)
                        for _, _, name in SHOWN]
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            while thread.is_alive():
                thread.join(0.2)

    def at_once(self):
        """The most clients that were at work at one time."""
        spans = [(began, ended) for _, _, began, ended in self.results.values()]
        return max(sum(b <= at < e for b, e in spans) for at, _ in spans)

    def table(self, listeners):
        rows = [("PORT", "SERVICE", "SERVER", "PID", "CLIENT", "IN", "OUT", "RESULT")]
        for port, protocol, name in SHOWN:
            service = next(s["service"] for s in self.reeve("services", f"{port}/{protocol}"))
            socket = listeners[str(port), protocol]
            client, into, out = self.flows.of(protocol, port)
            passed, text, *_ = self.results[name]
            rows.append((f"{port}/{protocol}", service, socket["program"], str(socket["pid"]),
                         client, str(into), str(out), text if passed else "FAILED"))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [c.rjust(w) if i in (3, 5, 6) else c.ljust(w)
                     for i, (c, w) in enumerate(zip(row, widths))]
            print("  ".join(cells).rstrip())

    def close(self):
        """Of everything that was begun, nothing is left; also when it was begun only in part."""
        self.clients.stopping = True
        self.barrier.abort()
        for done in self.done.values():
            done.set()
        for _ in range(2):  # a client may have started its program while the network ended
            subprocess.run(["reeve", "down"], check=False, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
            for thread in self.threads:
                if thread.ident:
                    thread.join(READY_LIMIT)
        for p in self.started + [t.process for t in self.clients.terminals]:
            p.terminate()  # one that came too late for that network has begun the next
            try:
                p.wait(READY_LIMIT)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def whole(self):
        """True if all passed."""
        print(f"Starting the servers on host '{HOST}'", flush=True)
        self.start_servers()
        listeners = self.listeners()
        self.watch()
        print("Running their clients on host 'client', all at the same time", flush=True)
        self.run_clients()
        self.capture.send_signal(signal.SIGINT)
        self.flows.thread.join(READY_LIMIT)
        print()
        self.table(listeners)
        print()
        failed = [(port, name) for port, _, name in SHOWN if not self.results[name][0]]
        for port, name in failed:
            print(f"{name} (port {port}): {self.results[name][1]}")
            log = self.scratch / f"{port}.log"
            print(*(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-20:]),
                  sep="\n")
        return not failed


def show(scratch):
    began = time.monotonic()
    s = Show(scratch)
    try:
        passed = s.whole()
        at_once = s.at_once()
    finally:
        with stopping.step():
            s.close()
    ports = len({port for port, _, _ in SHOWN})
    names = len({name.partition("_")[0].removesuffix("pp") for _, _, name in SHOWN})
    took = f"{time.monotonic() - began:.0f} s"
    if passed:
        print(f"Shown: {ports} well-known ports of one host, {names} services with their real servers "
              f"and clients as {s.site.user}, {at_once} clients at once, in {took}.")
    else:
        print(f"Failed: {sum(not r[0] for r in s.results.values())} of {len(SHOWN)}, in {took}.")
    return 0 if passed else 1


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    build = pathlib.Path(os.environ.get("BUILD", root / "build")).resolve()
    os.environ.update(PATH=f"{build}/src/cli:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin",
                      REEVE_NETWORK=f"services-{os.getpid()}", LC_ALL="C.UTF-8", TERM="dumb")
    missing = [p for p in ("reeve", *PROGRAMS) if not shutil.which(p)]
    if missing:
        print(f"services: not found: {' '.join(missing)}; build with make, and run "
              "tools/packages.sh services", file=sys.stderr)
        return 1
    stopping.heed_signals()
    # The names of sockets in it have 108 bytes at most.
    parent = tempfile.gettempdir()
    with contextlib.ExitStack() as end:
        try:
            with stopping.step():
                scratch = tempfile.mkdtemp(prefix="reeve-services.",
                                           dir=parent if len(parent) < 40 else "/tmp")
                end.callback(shutil.rmtree, scratch, ignore_errors=True)
            os.chmod(scratch, 0o755)  # root's servers have workers that are somebody else
            return show(pathlib.Path(scratch))
        except stopping.Stopped as e:
            return 128 + e.args[0]
        except RuntimeError as e:
            print(f"services: {e}", file=sys.stderr)
            return 1


sys.exit(main())
