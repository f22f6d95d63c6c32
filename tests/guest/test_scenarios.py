"""What programs see of their sockets is what the kernel's TCP and UDP would show them."""

import json
import subprocess

import pytest
from conftest import HERE, PYTHON, Reeve
from scenarios import SCENARIOS

SCRIPT = str(HERE / "scenarios.py")


def records(text):
    return dict(json.loads(line) for line in text.splitlines())


@pytest.fixture(scope="module")
def both():
    r = Reeve()
    native = subprocess.run([PYTHON, SCRIPT], env=r.env, capture_output=True, text=True,
                            timeout=150)
    ours = r.run("--", PYTHON, SCRIPT, timeout=150)
    r.end()
    assert native.returncode == 0, native.stderr
    assert ours.returncode == 0, ours.stderr
    return records(native.stdout), records(ours.stdout)


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_on_the_kernel(both, name):
    native, ours = both
    assert not str(native[name]).startswith(("failed", "status")), "the scenario itself fails"
    assert ours[name] == native[name]
