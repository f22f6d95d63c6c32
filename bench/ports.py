"""Choosing a port by how many are taken, and finding a flow by how many there are."""

import os
import subprocess

from harness import BUILD, Unavailable, output

NAME = "ports"
SUMMARY = "choosing a port by how many are taken; finding a flow by how many there are"

RANGES = [(49152, 65535), (32768, 60999)]
SAMPLES = {"reeve": 20000, "kernel": 1000}
LWIP_FLOWS = {1: 100000, 1000: 100000, 100000: 1000, 1000000: 200}


def record(results, subject, label, text, wanted):
    for line in text.splitlines():
        case, level, metric, value = line.split("\t")
        if metric in wanted:
            results.add(f"{case}{label}, {level}", subject, metric, float(value), "ns")


def kernel(first, last):
    """In a namespace of its own that has the same range."""
    user = [] if os.getuid() == 0 else ["-Ur"]
    script = (f"ip link set lo up && "
              f"echo {first} {last} >/proc/sys/net/ipv4/ip_local_port_range && "
              f"exec {BUILD}/bench/ports_kernel {first} {last} {SAMPLES['kernel']}")
    run = subprocess.run(["unshare", *user, "-n", "sh", "-c", script], capture_output=True,
                         text=True, check=False)
    if run.returncode:
        raise Unavailable(f"kernel: {run.stderr.strip()}")
    return run.stdout


def measure(results, run):
    for first, last in RANGES:
        label = f" among {last - first + 1}"
        record(results, "reeve", label,
               output([BUILD / "bench/ports_reeve", "choose", first, last, SAMPLES["reeve"]]),
               ("mean", "median", "p99.9"))
        try:
            record(results, "kernel", label, kernel(first, last), ("mean", "median", "p99.9"))
        except Unavailable as reason:
            results.note(str(reason))
    text = output([BUILD / "bench/ports_reeve", "demux", 1000000])
    for line in text.splitlines():
        _, flows, metric, value = line.split("\t")
        results.add(f"demux, {flows} flows", "reeve", metric, float(value), "ns")
    lwip = BUILD / "bench/ports_lwip"
    if not lwip.exists():
        results.note("lwip: liblwip-dev is not installed")
        return
    for flows, samples in LWIP_FLOWS.items():
        line = output([lwip, flows, samples])
        results.add(f"demux, {flows:,} flows", "lwip", "mean", float(line.split("\t")[3]), "ns")
    results.note("kernel: connect() with its handshake over loopback; "
                 "'port given' is the same without the search")
    results.note("lwip: tcp_input() of a segment that is looked up and then ignored")
