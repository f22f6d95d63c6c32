"""One round of calls with nothing to do, by how many connections there are."""

from harness import BUILD, output

NAME = "idle"
SUMMARY = "one round of a host's calls (tick, output, event, deadline) with nothing to do"
COUNTS = (1, 1000, 1000000)
SAMPLES = 100000


def measure(results, run):
    for count in COUNTS:
        text = output([BUILD / "bench/crowd", "idle", count, SAMPLES], timeout=600)
        for line in text.splitlines():
            _, _, metric, value = line.split("\t")
            if metric != "p99.9":
                results.add(f"{count:,} connections", "reeve", metric, float(value), "ns")
