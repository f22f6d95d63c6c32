"""Collects figures over interleaved runs, and prints their medians as a table or as JSON lines.

A bench is a module with NAME, SUMMARY and measure(results, run): one run of everything it measures,
the peers beside Reeve, so that a busy minute hits all alike. bench/run calls it.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()


class Unavailable(Exception):
    """A peer that cannot be measured here; the text says why."""


class Results:
    """Values by (case, subject, metric), one of each a run."""

    def __init__(self, bench):
        self.bench = bench
        self.values = {}
        self.notes = []

    def add(self, case, subject, metric, value, unit):
        self.values.setdefault((case, metric, unit), {}).setdefault(subject, []).append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def rows(self):
        for (case, metric, unit), subjects in self.values.items():
            for subject, values in subjects.items():
                yield {"bench": self.bench, "case": case, "subject": subject, "metric": metric,
                       "value": statistics.median(values), "unit": unit, "runs": len(values)}

    def print_json(self, to=sys.stdout):
        for row in self.rows():
            print(json.dumps(row), file=to)
        for note in self.notes:
            print(f"{self.bench}: {note}", file=sys.stderr)

    def print_table(self, to=sys.stdout):
        subjects = []
        for by_subject in self.values.values():
            subjects += [s for s in by_subject if s not in subjects]
        head = ["case", "metric", *subjects]
        body = []
        for (case, metric, unit), by_subject in self.values.items():
            cells = [quantity(statistics.median(by_subject[s]), unit) if s in by_subject else ""
                     for s in subjects]
            body.append([case, metric, *cells])
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        for row in [head, *body]:
            cells = [row[i].ljust(widths[i]) if i < 2 else row[i].rjust(widths[i])
                     for i in range(len(head))]
            print("  ".join(cells).rstrip(), file=to)
        runs = {len(values) for by in self.values.values() for values in by.values()}
        print(f"medians of {' or '.join(map(str, sorted(runs)))} interleaved runs", file=to)
        for note in self.notes:
            print(note, file=to)


def quantity(value, unit):
    """1234567 bit/s as "1.23 Mbit/s", and so on."""
    if unit == "ns":
        for name, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} ns"
    if unit == "bit/s":
        for name, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
            if value >= size:
                return f"{value / size:.3g} {name}"
    if unit in ("1/s", "bytes") and value >= 1000:
        return f"{value:,.0f} {unit}"
    return f"{value:.4g} {unit}"


def output(command, **options):
    """What the command prints; its complaint ends the bench."""
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                         **options)
    if run.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {run.returncode}: "
                           f"{(run.stderr or run.stdout).strip()}")
    return run.stdout
