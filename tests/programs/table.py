#!/usr/bin/python3
"""The table of programs: what each file here says of its program, and docs/programs.md from it.

	tests/programs/table.py [--check] [PYTEST OPTIONS...]

Runs all of them, prints a line for each, and writes docs/programs.md; --check writes nothing. It
ends with status 1 if a test failed, or could not be run because its program is not installed.
"""

import ast
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = ("Run", "Must come out", "Limits")
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
HEAD = """\
# Programs

Unmodified programs of Debian 12 on hosts of a Reeve network: what is run, what must come out, and what is known
not to work. `make programs` installs and runs them all and writes this page; each has its file in
[tests/programs](../tests/programs). Those that are light to install are part of `make test` too.

| program | version | hosts | tests | result |
|---|---|---|---|---|
"""

OUTCOMES = {"error": "failed", "failure": "failed"}  # by the name of the element

Row = collections.namedtuple("Row", "name title texts packages version hosts")


class Malformed(Exception):
    """A file does not say what the table needs."""


def row(path):
    """What a file says of its program; nothing of it is run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    pattern = "".join(rf"{field}: (.+?)\s*" for field in FIELDS) + "$"
    match = re.fullmatch(pattern, paragraphs[1], re.DOTALL) if len(paragraphs) == 2 else None
    if not match:
        raise Malformed(f"{path.name}: its text is not a title and {', '.join(FIELDS)}")
    values = {node.targets[0].id: node.value for node in tree.body
              if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    try:
        packages, version, hosts = (ast.literal_eval(values[name])
                                    for name in ("PACKAGES", "VERSION", "HOSTS"))
    except KeyError as missing:
        raise Malformed(f"{path.name}: lacks {missing.args[0]}") from None
    texts = dict(zip(FIELDS, (" ".join(text.split()) for text in match.groups())))
    return Row(path.stem.removeprefix("test_"), paragraphs[0].rstrip("."), texts, packages, version,
               hosts)


def rows(folder=HERE):
    return [row(path) for path in sorted(folder.glob("test_*.py"))]


def section(r):
    """What the page says of a program under its heading."""
    lines = [f"## {r.title}"]
    for field, text in r.texts.items():
        lines.append(textwrap.fill(f"*{field}:* {text}", 116, break_long_words=False,
                                   break_on_hyphens=False))
    lines.append(f"`tests/programs/test_{r.name}.py`; Debian: {', '.join(r.packages)}.")
    return "\n\n".join(lines) + "\n"


def version(r):
    try:
        run = subprocess.run(r.version, capture_output=True, text=True, check=False, timeout=30,
                             stdin=subprocess.DEVNULL, errors="replace",
                             env={**os.environ, "PATH": PATH, "HOME": "/nonexistent"})
    except OSError:
        return "-"
    match = re.search(r"\d+(?:\.\d+){1,2}\w*|\b\d{8}\b", run.stdout + run.stderr)
    return match[0] if match else "-"


def run_tests(options):
    """The results of each file's tests: name -> list of (test, what happened)."""
    results = collections.defaultdict(list)
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                        f"--junitxml={report.name}", *options, HERE], check=False)
        for case in xml.etree.ElementTree.parse(report.name).iter("testcase"):
            name = case.get("classname").rpartition("test_")[2]
            outcome = next((child.tag for child in case), "passed")
            why = next((child.get("message", "") for child in case), "")
            results[name].append((case.get("name"), OUTCOMES.get(outcome, outcome), why))
    return results


def summary(results):
    """'passed', or how many of what; with the reasons of what was skipped."""
    outcomes = collections.Counter(outcome for _, outcome, _ in results)
    if not results:
        return "not run"
    if set(outcomes) == {"passed"}:
        return "passed"
    reasons = sorted({why.removeprefix("Skipped: ") for _, outcome, why in results
                      if outcome == "skipped"})
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return counts + (f" ({'; '.join(reasons)})" if reasons else "")


def page(table, results, versions):
    lines = [f"| {r.title.split(':')[0]} | {versions[r.name]} | {r.hosts} | {len(results[r.name])} |"
             f" {summary(results[r.name])} |" for r in table]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(section(r) for r in table)


def differences(table, text):
    """What the page says otherwise than the files do, or of no file."""
    found = [f"docs/programs.md: says otherwise than tests/programs/test_{r.name}.py, or nothing"
             for r in table if section(r) not in text + "\n"]
    titles = {r.title for r in table}
    found += [f"docs/programs.md: no file of tests/programs is about '{title}'"
              for title in re.findall(r"^## (.+)$", text, re.MULTILINE) if title not in titles]
    named = {r.title.split(":")[0] for r in table}
    listed = re.findall(r"^\| ([^|]+) \|.*\| \d+ \|", text, re.MULTILINE)
    return found + [f"docs/programs.md: the table lacks {name}, or has it though there is no file"
                    for name in sorted(named.symmetric_difference(listed))]


def unlisted(table, listing, packages):
    """What meson.build and packages.list do not agree on with the files."""
    groups = dict((line.split() + [""])[:2] for line in packages.splitlines())
    found = [f"tools/packages.list: lacks {package}, which tests/programs/test_{r.name}.py needs"
             for r in table for package in r.packages if package not in groups]
    light = {r.name for r in table if all(groups.get(p) != "heavy" for p in r.packages)}
    listed = set(re.findall(r"'([\w-]+)'", listing.split("[")[1].split("]")[0]))
    return found + [f"tests/programs/meson.build: {name} is light and not listed, or otherwise"
                    for name in sorted(light.symmetric_difference(listed))]


def findings(root):
    table = rows(root / "tests/programs")
    return [*differences(table, (root / "docs/programs.md").read_text(encoding="utf-8")),
            *unlisted(table, (root / "tests/programs/meson.build").read_text(encoding="utf-8"),
                      (root / "tools/packages.list").read_text(encoding="utf-8"))]


def main():
    options = sys.argv[1:]
    check = "--check" in options
    table = rows()
    results = run_tests([o for o in options if o != "--check"])
    versions = {r.name: version(r) for r in table}
    width = max(len(r.title) for r in table)
    print(f"\n{'program':{width}}  {'version':20} hosts  result")
    for r in table:
        print(f"{r.title:{width}}  {versions[r.name]:20} {r.hosts:5}  {summary(results[r.name])}")
    if not check:
        (HERE.parent.parent / "docs/programs.md").write_text(page(table, results, versions),
                                                             encoding="utf-8")
    bad = [r.name for r in table if not results[r.name] or any(
        outcome == "failed" or "not installed" in why for _, outcome, why in results[r.name])]
    if bad:
        print(f"\nnot passed: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
