"""Honest connections in a flood of SYNs, and whether memory grows."""

from harness import BUILD, output

NAME = "synflood"
SUMMARY = "a flood of spoofed SYNs through the switch, and honest connections within 10 s beside it"
SECONDS = 30


def measure(results, run):
    text = output([BUILD / "bench/synflood", SECONDS], timeout=SECONDS + 60)
    for line in text.splitlines():
        metric, value, unit = line.split("\t")
        results.add("one core", "reeve", metric, float(value), unit or "in all")
    results.note(f"{SECONDS} s; memory's growth: resident, from 3 s after the flood has begun to its end")
