#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Skips are skips with a reason, and failures where ATTEST_FORBID_SKIPS is 1, in GoogleTest
programs, in Python tests and around other programs; and no test here skips past that switch.

usage: skips_test.py PROGRAM, built of skipping.cpp
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

import skips

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = sys.argv.pop()


def run(*command, forbid):
    environment = {**os.environ, "ATTEST_FORBID_SKIPS": "1" if forbid else "0"}
    done = subprocess.run(list(map(str, command)), text=True, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, env=environment, cwd=HERE, timeout=60)
    return done.returncode, done.stdout


class Skips(unittest.TestCase):
    def test_googletest(self):
        code, output = run(PROGRAM, forbid=False)
        self.assertEqual(code, 0, output)
        self.assertIn("no such device", output)
        self.assertIn("no such instruction", output)
        code, output = run(PROGRAM, forbid=True)
        self.assertEqual(code, 1, output)
        self.assertIn("no such device", output)
        self.assertIn("2 FAILED TESTS", output)
        self.assertIn("[  PASSED  ] 1 test", output)

    def test_unittest(self):
        text = ("import unittest, skips\nclass Case(unittest.TestCase):\n"
                "    def test(self): skips.skip('no browser')\nunittest.main()")
        for forbid in (False, True):
            code, output = run(sys.executable, "-c", text, forbid=forbid)
            self.assertEqual(code, 1 if forbid else 0, output)
            self.assertIn("no browser", output)

    def test_around_a_program(self):
        wrapper = (sys.executable, HERE / "skips.py", "^SKIPPED: |unavailable:")
        cases = [("echo SKIPPED: no driver", 77, 1), ("echo x is unavailable: no GPU; exit 5", 77, 1),
                 ("echo fine", 0, 0), ("echo wrong; exit 3", 3, 3), ("kill -9 $$", 137, 137),
                 ("echo wrong; echo x is unavailable: no GPU; exit 1", 1, 1), ("exit 77", 1, 1)]
        for command, allowed, forbidden in cases:
            with self.subTest(command):
                self.assertEqual(run(*wrapper, "sh", "-c", command, forbid=False)[0], allowed)
                self.assertEqual(run(*wrapper, "sh", "-c", command, forbid=True)[0], forbidden)

    def test_all_tests_skip_by_these(self):
        """No other way to skip in tests/: CTest's patterns and unittest's own know no switch."""
        others = re.compile(r"SKIP_REGULAR_EXPRESSION|skipTest|skipUnless|skipIf|GTest::gtest_main")
        for path in HERE.parent.rglob("*"):
            if path.suffix in (".py", ".txt", ".cpp") and path != pathlib.Path(__file__).resolve():
                self.assertNotRegex(path.read_text(encoding="utf-8"), others, path)
        self.assertFalse(skips.forbidden() and skips.skipped("it is a failure then") == skips.SKIPPED)


if __name__ == "__main__":
    unittest.main()
