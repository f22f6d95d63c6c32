"""What processes of this machine have taken, by /proc."""

import os
import pathlib


def below(pid):
    """The process and all that descend from it."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [pid, *(found for child in text.split() for found in below(int(child)))]


def executable(pid):
    return pathlib.Path(os.readlink(f"/proc/{pid}/exe"))


def used(pid):
    """Nanoseconds on a processor, and how often it has slept; None when the process has ended."""
    try:
        taken = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return taken, int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
