"""The path that bench/goodput measures: each pair of ends carries data over it, and what is lost
with a seed is lost for all of them."""

import json
import os
import pathlib
import subprocess

import pytest
from conftest import PATIENCE

GOODPUT = pathlib.Path(os.environ["REEVE_COMMAND"]).parents[2] / "bench/goodput"
LOSSES = 20


@pytest.mark.parametrize("sender", ["kernel", "reeve"])
@pytest.mark.parametrize("receiver", ["kernel", "reeve"])
def test_a_lossy_run(sender, receiver):
    loss, reorder, rtt_ms, seed, seconds = "3000", "1000", "10", "7", "1"
    said = subprocess.run([GOODPUT, sender, receiver, loss, reorder, rtt_ms, seed, seconds, str(LOSSES)],
                          stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout
    run = json.loads(said)
    assert (run["sender"], run["receiver"]) == (sender, receiver)
    assert run["losses"] >= LOSSES and run["reordered"] > 0
    assert run["frames"] * 1448 >= run["bytes"] > 0
    assert len(run["samples"]) == run["seconds"] and run["samples"][-1] == run["bytes"]
