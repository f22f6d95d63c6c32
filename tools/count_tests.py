#!/usr/bin/python3
"""Counts what meson's testlog.json says: prints "PASSED FAILED".

    tools/count_tests.py BUILD/meson-logs/testlog.json

A TAP test counts once for each of its points, a pytest run once for each of its tests, and any
other test once. Skipped tests count for nothing.
"""

import json
import re
import sys


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


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            good, bad = count(json.loads(line))
            passed += good
            failed += bad
    print(passed, failed)


if __name__ == "__main__":
    main()
