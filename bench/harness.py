"""Collects figures over interleaved runs, and prints their medians as a table or as JSON lines.

A bench is a module with NAME, SUMMARY and measure(results, run): one run of everything it measures,
the peers beside Reeve, so that a busy minute hits all alike. bench/run calls it. RATIOS, if it is
there, names pairs of subjects whose rates are to be divided, run by run.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()


RATES = ("1/s", "bit/s")


class Unavailable(Exception):
    """A peer that cannot be measured here; the text says why."""


class Results:
    """Values by (case, subject, metric), one of each a run."""

    def __init__(self, bench, ratios=()):
        self.bench = bench
        self.ratios = ratios
        self.run = 0
        self.values = {}
        self.notes = []

    def add(self, case, subject, metric, value, unit):
        subjects = self.values.setdefault((case, metric, unit), {})
        subjects.setdefault(subject, {})[self.run] = value

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def lines(self):
        """((case, metric, unit), {subject: values}), each case's together, ratios last."""
        cases = list(dict.fromkeys(case for case, _, _ in self.values))
        for key in sorted(self.values, key=lambda key: cases.index(key[0])):
            subjects = self.values[key]
            values = {subject: list(by_run.values()) for subject, by_run in subjects.items()}
            for a, b in self.ratios if key[2] in RATES else ():
                both = subjects.get(a, {}).keys() & subjects.get(b, {}).keys()
                if both:
                    values[f"{a} / {b}"] = [subjects[a][run] / subjects[b][run] for run in both]
            yield key, values

    def rows(self):
        for (case, metric, unit), subjects in self.lines():
            for subject, values in subjects.items():
                yield {"bench": self.bench, "case": case, "subject": subject, "metric": metric,
                       "value": statistics.median(values),
                       "unit": "" if is_ratio(subject) else unit, "runs": len(values)}

    def print_json(self, to=sys.stdout):
        for row in self.rows():
            print(json.dumps(row), file=to)
        for note in self.notes:
            print(f"{self.bench}: {note}", file=sys.stderr)

    def print_table(self, to=sys.stdout):
        lines = list(self.lines())
        subjects = sorted(dict.fromkeys(s for _, by_subject in lines for s in by_subject),
                          key=lambda s: (is_ratio(s), s.startswith("reeve")))
        head = ["case", "metric", *subjects]
        body = []
        for (case, metric, unit), by_subject in lines:
            cells = [quantity(statistics.median(by_subject[s]), "" if is_ratio(s) else unit)
                     if s in by_subject else "" for s in subjects]
            body.append([case, metric, *cells])
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        for row in [head, *body]:
            cells = [row[i].ljust(widths[i]) if i < 2 else row[i].rjust(widths[i])
                     for i in range(len(head))]
            print("  ".join(cells).rstrip(), file=to)
        runs = {len(values) for _, by_subject in lines for values in by_subject.values()}
        print(f"medians of {' or '.join(map(str, sorted(runs)))} interleaved runs", file=to)
        for note in self.notes:
            print(note, file=to)


def is_ratio(subject):
    return " / " in subject


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
    if not unit:
        return f"{value:.2f}"
    if unit in ("1/s", "bytes") and value >= 1000:
        return f"{value:,.0f} {unit}"
    return f"{value:.4g} {unit}"


def output(command, **options):
    """What the command prints; its complaint ends the bench."""
    try:
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                             **options)
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(str(late)) from None
    if run.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {run.returncode}: "
                           f"{(run.stderr or run.stdout).strip()}")
    return run.stdout
