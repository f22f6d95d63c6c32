#!/usr/bin/python3
"""Counts what meson's testlog.json says: prints "PASSED FAILED". With --failed, what those that
failed have said last.

    tools/count_tests.py [--failed] BUILD/meson-logs/testlog.json

A TAP test counts once for each of its points, a pytest run once for each of its tests, and any
other test once. Skipped tests count for nothing.
"""

import json
import re
import sys

MOST_LINES = 80


def count(result):
    """(passed, failed) of one line of the log."""
    output = result.get("stdout") or ""
    good = result["result"] in ("OK", "EXPECTEDFAIL")
    if result["result"] == "SKIP":
        return 0, 0
    points = re.findall(r"^(not ok|ok)\b(.*)$", output, re.MULTILINE)
    summary = re.search(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", output, re.MULTILINE)
    if points:
        failed = sum(status == "not ok" for status, _ in points)
        passed = sum(status == "ok" and not re.search(r"#\s*skip", rest, re.IGNORECASE)
                     for status, rest in points)
    elif summary:
        numbers = {word: int(number)
                   for number, word in re.findall(r"(\d+) (\w+)", summary[1])}
        passed = numbers.get("passed", 0)
        failed = numbers.get("failed", 0) + numbers.get("errors", 0) + numbers.get("error", 0)
    else:
        passed, failed = int(good), int(not good)
    # A run that ended badly failed, whatever it had said before.
    return passed, failed or int(not good)


def show_failed(results):
    for result in results:
        if count(result)[1]:
            said = (result.get("stdout") or "") + (result.get("stderr") or "")
            print(f"\n-- {result['name']}: {result['result']}", *said.splitlines()[-MOST_LINES:],
                  sep="\n")


def main():
    with open(sys.argv[-1], encoding="utf-8") as log:
        results = [json.loads(line) for line in log]
    if "--failed" in sys.argv:
        show_failed(results)
        return
    counts = [count(result) for result in results]
    print(sum(passed for passed, _ in counts), sum(failed for _, failed in counts))


if __name__ == "__main__":
    main()
