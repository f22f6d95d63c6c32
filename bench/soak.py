"""Endurance: connections and datagrams of every kind, then what each process of Reeve holds.

REEVE_SOAK=2000000 makes so many connections, and five datagrams to each two; without it, a few.
"""

import collections
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

from harness import BUILD, output
from places import Reeve

NAME = "soak"
SUMMARY = "what many connections and datagrams leave in each process of Reeve"

PORT = 9000
CONNECTIONS = int(os.environ.get("REEVE_SOAK", "20000"))
ROUNDS = 20
WARM_UP = 4  # rounds
SOCKETS = 2 * 6  # of the two servers
PATIENCE = 3600
CONNECTED = "03"  # in /proc/net/unix


class Program:
    """A program under `reeve run`, with its front, keeper and supervisor."""

    def __init__(self, network, host, *command, **settings):
        self.host = host
        self.process = subprocess.Popen(
            [*network.run, "--host", host, *map(str, command)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, **settings)
        self.front = self.process.pid

    def hear(self, word):
        """The rest of the line that begins with it."""
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        line = self.process.stdout.readline() if poll.poll(PATIENCE * 1000) else ""
        if not line.startswith(word):
            raise RuntimeError(f"on host {self.host}: {line!r} instead of {word!r}")
        return line[len(word):]

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")

    def processes(self):
        """Those of Reeve's own, by name."""
        keeper = children(self.front)[0]
        return {"front": self.front, "keeper": keeper, "supervisor": children(keeper)[0]}

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Soak:
    """A server's tree, and clients: on its host, on another, and in one tree with a server."""

    def __init__(self):
        self.place = Reeve(2)
        self.run = [self.place.command, "run", "--network", self.place.network]
        self.victims = 0
        self.seed = 1
        self.lost = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.place)
            server = Program(self, "server", BUILD / "bench/soak_server", PORT)
            stack.callback(server.end)
            both = Program(self, "both", "sh", "-c", '"$1" $3 & exec "$2" 127.0.0.1 $3', "sh",
                           BUILD / "bench/soak_server", BUILD / "bench/soak_client", PORT)
            stack.callback(both.end)
            for program in (server, both):
                program.hear("ready")
            self.programs = {"server": server, "client and server in one tree": both}
            for name, host in (("client, one host", "server"), ("client, two hosts", "client")):
                program = Program(self, host, BUILD / "bench/soak_client", self.place.address,
                                  PORT)
                stack.callback(program.end)
                self.programs[name] = program
            self.clients = [p for p in self.programs.values() if p is not server]
            self.pid = self.network()["pid"]
            while not self.are_all_there() or self.is_asked() or not self.are_started():
                time.sleep(0.05)
            self.least = self.sockets()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *failure):
        return self.stack.__exit__(*failure)

    def ask(self, *words):
        return json.loads(output([self.place.command, *words, "--network", self.place.network,
                                  "--json"]))

    def network(self):
        return self.ask("network")

    def work(self, connections, datagrams):
        """Shared among the clients; and programs, fronts and supervisors that are killed."""
        share = len(self.clients)
        for client in self.clients:
            client.say(connections // share, datagrams // share, self.seed)
            self.seed += 1
        for whom in ("program", "front", "supervisor"):
            self.kill(whom)
        self.lost = sum(int(client.hear("done")) for client in self.clients)
        self.wait_until_settled()

    def kill(self, whom):
        """Ends a tree with connections of every kind by SIGKILL."""
        victim = Program(self, f"victim{self.victims % 3}", BUILD / "bench/soak_client",
                         self.place.address, PORT, "hang", stderr=subprocess.DEVNULL)
        self.victims += 1
        victim.hear("hanging")
        processes = victim.processes()
        processes["program"] = children(processes["supervisor"])[0]
        os.kill(processes[whom], signal.SIGKILL)
        victim.process.wait()
        victim.end()

    def are_all_there(self):
        """The programs, of which the clients have no socket yet."""
        return (self.network()["programs"] == len(self.programs) and
                sum(self.states().values()) == SOCKETS)

    def are_started(self):
        """No keeper has what it started with, and each supervisor waits for events, the last that it
        sets up."""
        processes = dict(self.processes())
        return (all(not descriptors(pid)[3:] for what, pid in processes.items() if what.startswith("keeper")) and
                all(any("eventpoll" in name for name in descriptors(pid))
                    for what, pid in processes.items() if what.startswith("supervisor")))

    def wait_until_settled(self):
        """Until no process of Reeve's has a socket but for the programs and their own, and no other
        tree is there. All TCP sockets are not asked for: to list 100,000 TIME-WAITs takes the network
        process 100 MB."""
        end = time.monotonic() + PATIENCE
        while self.network()["programs"] != len(self.programs) or self.sockets() != self.least:
            if time.monotonic() > end:
                raise RuntimeError(f"does not settle: {self.sockets()}, at first {self.least}")
            time.sleep(0.05)

    def sockets(self):
        """By process, how many it holds."""
        return {what: sum(name.startswith("socket:") for name in descriptors(pid))
                for what, pid in self.processes()}

    def states(self):
        """Of all sockets, how many are so."""
        return collections.Counter(s["state"] for s in self.ask("ports"))

    def is_asked(self):
        """The network process still holds the connection of a command that has just ended."""
        table = pathlib.Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
        return any(line.endswith(f"/{self.place.network}/control") and line.split()[5] == CONNECTED
                   for line in table)

    def processes(self):
        """(what, pid) of each process of Reeve's."""
        yield "network process", self.pid
        for name, program in self.programs.items():
            for what, pid in program.processes().items():
                yield f"{what} ({name})", pid

    def sample(self):
        """By process: its descriptors, and the bytes that are its own."""
        while self.is_asked():
            time.sleep(0.01)
        return {what: {"descriptors": len(descriptors(pid)), "memory": memory(pid)}
                for what, pid in self.processes()}


def children(pid):
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors(pid):
    """What each is of."""
    names = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return names


def memory(pid):
    """The proportional set size."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} shows no memory")


def say(sample, *words):
    """How it goes: the network process, and the supervisors together."""
    network = sample["network process"]
    supervisors = [v for what, v in sample.items() if what.startswith("supervisor")]
    print("soak:", ", ".join(words), f"network process {network['memory'] >> 10} kB, "
          f"{network['descriptors']} descriptors, supervisors "
          f"{sum(v['memory'] for v in supervisors) >> 10} kB, "
          f"{sum(v['descriptors'] for v in supervisors)} descriptors", file=sys.stderr, flush=True)


def measure(results, run):
    datagrams = CONNECTIONS * 5 // 2
    with Soak() as soak:
        for i in range(1, ROUNDS + 1):
            begin = time.monotonic()
            soak.work(CONNECTIONS // ROUNDS, datagrams // ROUNDS)
            sample = soak.sample()
            if i == WARM_UP:
                first = sample
            say(sample, f"{i * CONNECTIONS // ROUNDS} connections",
                f"{i * datagrams // ROUNDS} datagrams",
                f"{time.monotonic() - begin:.0f} s for the last {100 // ROUNDS} %")
        for what, last in sample.items():
            for metric in last:
                unit = "bytes" if metric == "memory" else ""
                results.add(what, "after warm-up", metric, first[what][metric], unit)
                results.add(what, "at the end", metric, last[metric], unit)
        results.note(f"{CONNECTIONS} connections and {datagrams} datagrams, the first "
                     f"{WARM_UP * 100 // ROUNDS} % of them the warm-up; "
                     f"{soak.lost} datagrams were lost; left are "
                     + ", ".join(f"{n} {state}" for state, n in sorted(soak.states().items())))
