"""Where the time of a connection goes: who is on a processor for how long, and sleeps how often."""

import json
import subprocess
import time

import places
from harness import BUILD, Unavailable, output
from processes import below, executable, used

NAME = "account"
SUMMARY = "what a connection (connect, a byte each way, close) costs each process, on one host"

WARM_S, SECONDS, TAIL_S = 0.3, 1, 0.2
PROGRAM, TRAPPER, NETWORK = "programs", "supervisors", "network process, relay"


def role(pid):
    return PROGRAM if executable(pid) == BUILD / "bench/pair" else TRAPPER


def network_process(place):
    if isinstance(place, places.Relayed):
        return [place.relay.pid]
    if not isinstance(place, places.Reeve):
        return []
    return [json.loads(output([place.command, "network", "--network", place.network, "--json"]))["pid"]]


def spent(roles):
    """By role, of all that live: [ns, sleeps]."""
    sums = {name: [0, 0] for name in roles.values()}
    for pid, name in roles.items():
        for i, value in enumerate(used(pid) or (0, 0)):
            sums[name][i] += value
    return sums


def account(results, place):
    port = places.free_port()
    pair = BUILD / "bench/pair"
    whole_ms = round(1000 * (WARM_S + SECONDS + TAIL_S))
    server = subprocess.Popen([*place.server, pair, "server", str(port)])
    try:
        place.wait_for(port, server)
        client = subprocess.Popen([*place.client, pair, "client", place.address, str(port),
                                   str(10 ** 9), str(whole_ms)], stdout=subprocess.PIPE, text=True)
        time.sleep(WARM_S)
        roles = {pid: role(pid) for root in (server.pid, client.pid) for pid in below(root)}
        roles.update((pid, NETWORK) for pid in network_process(place))
        before, begin = spent(roles), time.monotonic()
        time.sleep(SECONDS)
        after, end = spent(roles), time.monotonic()
        rate = float(client.communicate()[0].split()[0])
    finally:
        place.end(server)
    connections = rate * (end - begin)
    results.add("connections", place.subject, "rate", rate, "1/s")
    for name in before:
        for i, (metric, unit) in enumerate((("on a processor", "ns"), ("sleeps", "times"))):
            results.add(name, place.subject, metric, (after[name][i] - before[name][i]) / connections,
                        unit)


def measure(results, run):
    results.note(places.congestion_control())
    results.note("each a connection; with two processors they overlap, and idle ones are not counted")
    with_names = [places.Loopback, places.Floor, places.Named, *places.ONE_HOST[2:]]
    places.each(results, with_names, lambda place: account(results, place))
