"""Every program of tests/programs has its place in docs/programs.md, in CI or out of it."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(os.environ["REEVE_SOURCE"])
sys.path.insert(0, str(ROOT / "tests/programs"))

import table  # noqa: E402

TEXT = '''"""one: a program.

Run: it.
Must come out: this,
and that.
Limits: none.
"""

PACKAGES = ["one"]
VERSION = ["one", "--version"]
HOSTS = 2
'''
LISTING = "light_programs = [\n  'one',\n]\n"


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "test_one.py").write_text(TEXT)
    return table.rows(tmp_path)


def page(rows):
    results = {"one": [("test", "passed", ""), ("other", "skipped", "Skipped: no root")]}
    return table.page(rows, results, {"one": "1.2"})


def test_the_tree_agrees():
    assert not table.findings(ROOT)


def test_a_page_has_what_the_file_says(rows):
    text = page(rows)
    assert "| one | 1.2 | 2 | 2 | 1 passed, 1 skipped (no root) |" in text
    assert "*Must come out:* this, and that." in text
    assert not table.differences(rows, text)


def test_a_page_that_differs_is_found(rows):
    text = page(rows)
    assert table.differences(rows, text.replace("and that", "and more"))
    assert table.differences(rows, text + "\n## two: another\n")
    assert table.differences(rows, text.replace("| one |", "| won |"))
    assert table.differences([], text)


@pytest.mark.parametrize("line", ["Limits: none.\n", "HOSTS = 2\n"])
def test_a_file_that_lacks_something_is_found(tmp_path, line):
    (tmp_path / "test_one.py").write_text(TEXT.replace(line, ""))
    with pytest.raises(table.Malformed):
        table.rows(tmp_path)


def test_a_package_in_no_list_is_found(rows):
    assert not table.unlisted(rows, LISTING, "one programs\n")
    assert table.unlisted(rows, LISTING, "two programs\n")
    assert table.unlisted(rows, LISTING, "one heavy\n")
    assert table.unlisted(rows, "light_programs = [\n]\n", "one\n")
