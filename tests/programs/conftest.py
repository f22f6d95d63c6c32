"""Programs that know nothing of Reeve, on hosts of a network that the test makes."""

import importlib.util
import pathlib
import shutil

import pytest

_spec = importlib.util.spec_from_file_location(
    "guest_conftest", pathlib.Path(__file__).parent.parent / "guest" / "conftest.py")
_guest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guest)

reeve = _guest.reeve
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@pytest.fixture
def need():
    """Skips, and says so, where a program is not installed."""
    def check(*names):
        for name in names:
            if not shutil.which(name, path=PATH):
                pytest.skip(f"{name} is not installed")
    return check


@pytest.fixture
def until_open(reeve):
    """Waits for a port of a host to be open, as a program of another host sees it."""
    def wait(host, port):
        code = f"""
import socket, time
end = time.monotonic() + 20
while True:
    try:
        socket.create_connection(({host!r}, {port})).close()
        break
    except OSError:
        assert time.monotonic() < end
        time.sleep(0.01)
"""
        r = reeve.python(code, "--host", "watcher")
        assert r.returncode == 0, r.stderr
    return wait
