"""Resident memory of an idle connection and of a TIME-WAIT, beside the kernel's slabs."""

from harness import BUILD, output

NAME = "memory"
SUMMARY = "bytes of each of 1,000,000 idle established connections, and TIME-WAITs"
COUNT = 1000000

# What a connected TCP socket with a descriptor takes of the kernel's slabs, and a TIME-WAIT.
SLABS = {
    "established": ("TCP", "sock_inode_cache", "dentry", "filp"),
    "time-wait": ("tw_sock_TCP",),
}


def object_sizes():
    """By cache; empty where only root may look."""
    try:
        with open("/proc/slabinfo", encoding="ascii") as file:
            rows = [line.split() for line in file]
    except PermissionError:
        return {}
    return {row[0]: int(row[3]) for row in rows if len(row) > 3 and row[3].isdigit()}


def measure(results, run):
    sizes = object_sizes()
    for case, caches in SLABS.items():
        text = output([BUILD / "bench/crowd", case, COUNT], timeout=600)
        results.add(case, "reeve", "resident", float(text.split("\t")[1]), "bytes")
        if all(cache in sizes for cache in caches):
            results.add(case, "kernel", "resident", sum(sizes[cache] for cache in caches), "bytes")
        else:
            results.note("kernel: /proc/slabinfo tells its sizes to root only")
    results.note("reeve: of libreeve's process, with all its tables; both ends of a connection count")
    results.note("kernel: a connected socket's objects (socket, inode, dentry, file) by /proc/slabinfo; "
                 "ports and hash tables come on top")
