"""The scripts of tools/: what they say and how they end."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ["REEVE_SOURCE"])
sys.path.insert(0, str(ROOT / "tools"))

import count_tests  # noqa: E402


def command(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """A PATH with nothing in it but what the script itself needs, and what a test puts there."""
    for name in ("dirname", "bash", "sh", "realpath", "cat"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    command(tmp_path, "id", "echo 1000")

    def run(*groups):
        return subprocess.run([ROOT / "tools/packages.sh", *groups], capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL,
                              env={"PATH": str(tmp_path)})
    run.folder = tmp_path
    return run


def installed(machine, missing=()):
    """dpkg-query as it answers when all but these are there."""
    command(machine.folder, "apt-get", "exit 100")
    command(machine.folder, "dpkg-query",
            'shift 3\nfor name; do case $name in ' + "|".join([*missing, "-"])
            + ') echo "not-installed $name";; *) echo "installed $name";; esac; done')


def test_packages_are_there(machine):
    installed(machine)
    run = machine("lint")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_package_is_missing(machine):
    installed(machine, ["jq", "meson"])
    run = machine()
    assert run.returncode == 1
    assert run.stderr == ("packages: missing: jq meson; install them as root: "
                          "apt-get install jq meson\n")


def test_groups_are_asked_for(machine):
    installed(machine, ["clang-format"])
    assert machine().returncode == 0
    assert "clang-format" in machine("lint").stderr


def test_not_a_debian(machine):
    run = machine()
    assert run.returncode == 0
    assert run.stderr.startswith("packages: not a Debian system")
    assert "meson" in run.stderr


def test_list_of_packages_is_sorted():
    lines = (ROOT / "tools/packages.list").read_text().splitlines()
    assert lines == sorted(lines)
    assert len({line.split()[0] for line in lines}) == len(lines)


@pytest.mark.parametrize("result,output,expected", [
    ("OK", "", (1, 0)),
    ("FAIL", "", (0, 1)),
    ("TIMEOUT", "", (0, 1)),
    ("SKIP", "", (0, 0)),
    ("OK", "1..3\nok 1 - a\nok 2 - b # SKIP no root\nok 3 - c\n", (2, 0)),
    ("FAIL", "1..2\nok 1 - a\nnot ok 2 - b\n", (1, 1)),
    ("ERROR", "1..2\nok 1 - a\n", (1, 1)),
    ("OK", "..s [100%]\n2 passed, 1 skipped in 0.12s\n", (2, 0)),
    ("FAIL", "==== 3 failed, 4 passed, 1 error in 1.12s ====\n", (4, 4)),
    ("FAIL", "no tests ran in 0.01s\n", (0, 1)),
])
def test_count(result, output, expected):
    assert count_tests.count({"result": result, "stdout": output}) == expected


def test_count_of_a_log(tmp_path):
    log = tmp_path / "testlog.json"
    log.write_text("".join(json.dumps({"name": name, "result": result, "stdout": "", "stderr": said})
                           + "\n" for name, result, said in (
                               ("a", "OK", "fine"), ("b", "OK", ""), ("c", "FAIL", "no\nway\n"))))

    def say(*words):
        return subprocess.run([ROOT / "tools/count_tests.py", *words, log], capture_output=True,
                              text=True, check=True).stdout

    assert say() == "2 1\n"
    assert say("--failed") == "\n-- c: FAIL\nno\nway\n"


def test_install_where_it_may_not():
    """One line, of what could not be written and what to do; also where Meson has nothing but a
    traceback to say."""
    run = subprocess.run([ROOT / "tools/install.sh"], capture_output=True, text=True, check=False,
                         env={**os.environ, "BUILD": os.environ["REEVE_BUILD"], "DESTDIR": "/proc/nowhere"})
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == ("install: cannot write /proc/nowhere: No such file or directory; do it as root, "
                          "or elsewhere: make install PREFIX=DIRECTORY\n")


def test_install_that_fails_otherwise(tmp_path):
    """What Meson says is not kept back."""
    run = subprocess.run([ROOT / "tools/install.sh"], capture_output=True, text=True, check=False,
                         env={**os.environ, "BUILD": str(tmp_path)})
    assert (run.returncode, run.stdout) == (1, "")
    assert "build" in run.stderr
