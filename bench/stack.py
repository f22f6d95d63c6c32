"""What one core moves between two hosts of libreeve, and between two ends of lwIP."""

from harness import BUILD, output

NAME = "stack"
SUMMARY = "what one core moves from host to host, libreeve and lwIP in one thread without I/O"

SEGMENTS, OFFLOAD, PACKETS = ("64 KiB segments", "1,500-byte packets, no checksums",
                              "1,500-byte packets")
REEVE = {SEGMENTS: ("segments", 32768), OFFLOAD: ("offload", 4096), PACKETS: ("packets", 4096)}
LWIP = {"lwip": "packets", "lwip by reference": "reference"}
LWIP_MEGABYTES = 1024
RATIOS = [("reeve", name) for name in LWIP]


def measure(results, run):
    for case, (how, megabytes) in REEVE.items():
        results.add(case, "reeve", "goodput", float(output(
            [BUILD / "bench/stack_reeve", how, megabytes])), "bit/s")
    results.note("goodput by processor time, the work of both hosts together: one stream, written by "
                 "copy and read in place")
    results.note("reeve: CUBIC, timestamps, SACK, buffers that grow by themselves")
    lwip = BUILD / "bench/stack_lwip"
    if not lwip.exists():
        results.note("lwip: liblwip-dev is not installed")
        return
    for subject, how in LWIP.items():
        results.add(PACKETS, subject, "goodput", float(output([lwip, how, LWIP_MEGABYTES])), "bit/s")
    results.note("lwip: Debian's liblwip by its raw interface: segments of 1,460 bytes, window and send "
                 "buffer 65,535, checksums made while a write is copied, and verified; Reno, neither "
                 "timestamps nor SACK. Its wire copies frames as its loopback does")
    results.note("lwip by reference: its wire copies headers only, as no driver for it can")
