#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Skips with a reason, all of which one switch, ATTEST_FORBID_SKIPS=1, turns into failures.

As a module: skip() inside a unittest, skipped() as the end of a whole program.
As a program: skips.py PATTERN COMMAND... runs the command; where a line of its output matches the
regular expression and the command ended as one that had nothing to run, the test is skipped (exit
code 77, CTest's SKIP_RETURN_CODE) with that line as the reason, otherwise its exit code is the
command's: a failure beside an absent device stays one.
"""
import os
import re
import subprocess
import sys
import unittest

SKIPPED = 77
NOTHING_RAN = (0, 5, SKIPPED)  # 5: attest verified nothing, or not what was required


def forbidden():
    return os.environ.get("ATTEST_FORBID_SKIPS") == "1"


def skip(reason):
    """Ends the unittest that calls it, skipped, or failed where skips are forbidden."""
    if forbidden():
        raise AssertionError(f"skipped, and ATTEST_FORBID_SKIPS=1: {reason}")
    print(f"SKIPPED: {reason}", file=sys.stderr)
    raise unittest.SkipTest(reason)


def skipped(reason):
    """The exit code of a test program that can do nothing here."""
    print(f"SKIPPED: {reason}", flush=True)
    if not forbidden():
        return SKIPPED
    print("FAILED: ATTEST_FORBID_SKIPS=1", flush=True)
    return 1


def main(pattern, command):
    reason = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if reason is None and re.search(pattern, line):
                reason = line.strip()
    code = process.wait()
    if reason is not None and code in NOTHING_RAN:
        return skipped(reason.removeprefix("SKIPPED: "))
    if code == SKIPPED:
        print(f"FAILED: exit code {SKIPPED}, and no line that matches {pattern!r} says why")
        return 1
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
