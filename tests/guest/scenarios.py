"""What a program can see of its sockets, written down: run once on the kernel's own loopback and
once under `reeve run`; the two records must be equal (test_scenarios.py).

Each function is a scenario. It returns lists, numbers and text that hold nothing that may differ
between two runs on one kernel: no port, no time. `python3 scenarios.py NAME...` prints them as JSON.
"""

import json
import os
import signal
import sys

import scenarios_calls  # noqa: F401
import scenarios_tcp  # noqa: F401
import scenarios_udp  # noqa: F401
from kit import SCENARIOS, WAIT


def run(name):
    """In a process of its own, so that one scenario can't disturb the next."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.alarm(4 * WAIT)
        try:
            value = SCENARIOS[name]()
        except BaseException as e:  # the record of a scenario that fails says so
            value = f"failed at line {e.__traceback__.tb_next.tb_lineno}: {type(e).__name__}: {e}"
        os.write(write, json.dumps(value, default=lambda b: b.decode("latin-1")).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as f:
        text = f.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(text) if text else f"status {status}"


if __name__ == "__main__":
    for name in sys.argv[1:] or SCENARIOS:
        print(json.dumps([name, run(name)]), flush=True)
