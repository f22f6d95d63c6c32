"""Goodput through an impaired path as a share of the kernel's, with CUBIC on all sides.

Four pairs in each cell of loss, round trip and reordering, at the same time and with the same seed:
kernel to kernel, libreeve to libreeve, and each to the other. Every run is kept in a file as soon as
it has ended, and a run that is in the file is not made again: so the bench can be stopped and goes
on where it was.

    GOODPUT_CELLS   the cells, each loss %/round trip ms/reordering %: "0/10/0 1/100/1" (all 20)
    GOODPUT_LOSSES  how many packets a run with loss loses at least (200)
    GOODPUT_JOBS    how many cells at the same time (2)
    GOODPUT_FILE    where the runs are kept (goodput.jsonl in the build directory)
"""

import concurrent.futures
import itertools
import json
import math
import os
import pathlib
import statistics
import sys
import threading

from harness import BUILD, Results, output

NAME = "goodput"
SUMMARY = "goodput over an impaired path of 50 Mbit/s, as a share of the kernel's"
RUNS = 1
LONG = True  # an hour: only when it is named

GRID = list(itertools.product(("0", "0.01", "0.1", "1", "3"), ("10", "100"), ("0", "1")))
BASE = ("kernel", "kernel")
PAIRS = [BASE, ("reeve", "reeve"), ("reeve", "kernel"), ("kernel", "reeve")]
SECONDS = 30
SECONDS_WITHOUT_LOSS = 120  # what reordering does to the kernel comes and goes with half a minute
SLICES = 10  # of a run, for how much its goodput varies; long enough to be independent
AIM = 0.95


class Cells(Results):
    """Runs by cell and pair, from the file and into it."""

    def __init__(self, bench, ratios=()):
        super().__init__(bench, ratios)
        self.losses = int(os.environ.get("GOODPUT_LOSSES", "200"))
        cells = os.environ.get("GOODPUT_CELLS")
        self.grid = [tuple(cell.split("/")) for cell in cells.split()] if cells else GRID
        self.path = pathlib.Path(os.environ.get("GOODPUT_FILE", BUILD / "goodput.jsonl"))
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.keeping = threading.Lock()
        self.made = {run_key(run): run for run in map(json.loads, lines)}

    def wanted(self):
        """The runs of the grid that are there, by cell and pair."""
        found = {}
        for run in self.made.values():
            cell = run["loss"], run["rtt_ms"], run["reorder"]
            if cell in self.grid and run["losses_wanted"] == self.losses:
                found.setdefault(cell, {}).setdefault((run["sender"], run["receiver"]), []).append(run)
        return found

    def keep(self, run):
        with self.keeping, self.path.open("a") as file:
            self.made[run_key(run)] = run
            print(json.dumps(run), file=file)

    def shares(self):
        """(cell, pair, share of the kernel's goodput, low and high of its 95 % interval)."""
        found = self.wanted()
        for cell in self.grid:
            base = found.get(cell, {}).get(BASE)
            for pair in PAIRS[1:]:
                if base and pair in found[cell]:
                    yield cell, pair, *share(found[cell][pair], base)

    def print_json(self, to=sys.stdout):
        for pairs in self.wanted().values():
            for run in itertools.chain(*pairs.values()):
                print(json.dumps({"bench": NAME, "goodput": goodput(run), **run}), file=to)
        for (loss, rtt, reorder), pair, value, low, high in self.shares():
            print(json.dumps({"bench": NAME, "loss": loss, "rtt_ms": rtt, "reorder": reorder,
                              "pair": " to ".join(pair), "share": value, "low": low, "high": high}),
                  file=to)
        print(json.dumps({"bench": NAME, **self.summary()}), file=to)

    def print_table(self, to=sys.stdout):
        found, rows = self.wanted(), {}
        for cell, pair, value, low, high in self.shares():
            rows.setdefault(cell, []).append(f"{value:6.1%} ({low:.0%}..{high:.0%})")
        print(f"{'loss':>6}  {'rtt':>6}  {'reorder':>7}  {'kernel':>12}  "
              + "  ".join(f"{' to '.join(pair):>22}" for pair in PAIRS[1:]), file=to)
        for (loss, rtt, reorder), shown in rows.items():
            base = statistics.mean(goodput(run) for run in found[loss, rtt, reorder][BASE])
            print(f"{loss + ' %':>6}  {rtt + ' ms':>6}  {reorder + ' %':>7}  "
                  f"{base / 1e6:>5.2f} Mbit/s  " + "  ".join(f"{text:>22}" for text in shown), file=to)
        said = self.summary()
        if said["shares"]:
            print(f"median of {said['shares']} shares: {said['median']:.1%}; {said['below']} of "
                  f"their 95 % intervals lie below {AIM:.0%}", file=to)
        print(f"every run: {self.path}", file=to)

    def summary(self):
        shares = list(self.shares())
        return {"shares": len(shares),
                "median": statistics.median(s[2] for s in shares) if shares else None,
                "below": sum(high < AIM for *_, high in shares)}


def run_key(run):
    return tuple(run[name] for name in
                 ("loss", "rtt_ms", "reorder", "sender", "receiver", "seed", "losses_wanted"))


def goodput(run):
    return run["bytes"] * 8 / run["seconds"]


def slices(run):
    """The goodput of each of SLICES parts of the run."""
    samples = [0, *run["samples"]]
    count = min(SLICES, len(samples) - 1)
    ends = [round(i * (len(samples) - 1) / count) for i in range(count + 1)]
    return [(samples[b] - samples[a]) * 8 / (b - a) for a, b in zip(ends, ends[1:])]


def share(runs, base):
    """The quotient of two means, and its interval by the delta method: the parts of a run are taken
    for independent, as each has many losses in it."""
    (x, x_error, x_count), (y, y_error, y_count) = mean_of(runs), mean_of(base)
    if y == 0:
        return math.inf, 0, math.inf
    ratio = x / y
    error = ratio * math.hypot(x_error / x if x else 0, y_error / y)
    width = error * student(min(x_count, y_count) - 1)
    return ratio, ratio - width, ratio + width


def mean_of(runs):
    """Mean goodput, its standard error, and of how many parts."""
    parts = [part for run in runs for part in slices(run)]
    mean = statistics.mean(goodput(run) for run in runs)
    return mean, statistics.stdev(parts) / math.sqrt(len(parts)), len(parts)


def student(degrees):
    """The 97.5 % quantile of Student's t (Abramowitz and Stegun, 26.7.5)."""
    z = statistics.NormalDist().inv_cdf(0.975)
    return (z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3))


def make(results, cell, pair, seed):
    """One run, which is kept whatever becomes of the others."""
    loss, rtt, reorder = cell
    seconds = SECONDS if float(loss) else SECONDS_WITHOUT_LOSS
    said = output([BUILD / "bench/goodput", *pair, thousandths(loss), thousandths(reorder), rtt, seed,
                   seconds, results.losses])
    results.keep({"loss": loss, "rtt_ms": rtt, "reorder": reorder, "seed": seed,
                  "losses_wanted": results.losses, **json.loads(said)})


def thousandths(percent):
    return round(float(percent) * 1000)


def measure_cell(results, cell, seed):
    """The pairs that are missing, side by side, so that a busy minute hits all alike."""
    missing = [pair for pair in PAIRS if (*cell, *pair, seed, results.losses) not in results.made]
    print(f"goodput: seed {seed}, {'/'.join(cell)}: {len(missing)} to run", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(len(PAIRS)) as pool:
        list(pool.map(lambda pair: make(results, cell, pair, seed), missing))


def measure(results, run):
    if os.getuid():
        raise SystemExit("goodput: needs root: the kernel's ends are namespaces with TAP devices")
    jobs = int(os.environ.get("GOODPUT_JOBS", "2"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda cell: measure_cell(results, cell, run + 1), results.grid))
