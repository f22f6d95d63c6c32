"""What tests need of the machine. What is not there is a reason to skip; but not where CI=true: all
of tools/packages.list is installed there, and what is skipped would never be run."""

import os
import shutil

import pytest

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def do_without(reason, *, root=False):
    """Ends the test; root: to be somebody else is a good reason anywhere."""
    if os.environ.get("CI") != "true" or root and os.geteuid() != 0:
        pytest.skip(reason)
    pytest.fail(f"{reason}, and CI=true")


def need(*programs):
    for name in programs:
        if not shutil.which(name, path=PATH):
            do_without(f"{name} is not installed")
