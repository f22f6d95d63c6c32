"""The demo shows what it says, quickly, and leaves nothing behind however it ends."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

DEMO = pathlib.Path(os.environ["REEVE_SOURCE"]) / "tools/demo.sh"


def start(tmp_path):
    """A session of its own, so that what it leaves can be told from everything else."""
    return subprocess.Popen([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            env={**os.environ, "BUILD": os.environ["REEVE_BUILD"],
                                 "TMPDIR": str(tmp_path)})


def left_behind(demo):
    """Processes that were started for the demo's network: they all have its name around them."""
    name = f"REEVE_NETWORK=demo-{demo.pid}".encode()
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            around = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if name in around or f"demo-{demo.pid}".encode() in command:
            found.append((process.name, command))
    return found


def wait_until_gone(demo, tmp_path):
    """The network process ends by itself, a moment after its last program."""
    limit = time.monotonic() + 20
    while left_behind(demo) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not left_behind(demo)
    assert not list(tmp_path.iterdir())
    networks = os.environ.get("XDG_RUNTIME_DIR", f"/tmp/reeve-{os.getuid()}")
    # Other networks may come and go there meanwhile.
    assert not [at for at, _, _ in os.walk(networks) if os.path.basename(at) == f"demo-{demo.pid}"]


def test_demo(tmp_path):
    demo = start(tmp_path)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0, output
    assert "Hello from web, port 80." in output
    assert "Hello from web2, port 80." in output
    assert "the same on both sides" in output
    assert output.rstrip().split("\n")[-1].startswith("Shown: port 80 served twice")
    wait_until_gone(demo, tmp_path)


@pytest.mark.parametrize("when", ["Two web servers", "http://web/", "http://web2/file"])
def test_interrupted(tmp_path, when):
    demo = start(tmp_path)
    seen = ""
    for line in demo.stdout:
        seen += line
        if when in line:
            break
    else:
        pytest.fail(seen)
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    wait_until_gone(demo, tmp_path)
