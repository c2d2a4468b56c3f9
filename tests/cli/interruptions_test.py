#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run that is killed or interrupted loses no finished cell: the journal holds each, --resume goes
on from there, Ctrl-C writes the report of what there is.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from attest_program import ATTEST, environment, run, stub

# About 40 cells of a tenth of a second: long enough to be in the middle of it.
SWEEP = ("--suite", "smoke", "--seq", "16-64+2", "--heads", "2", "--head-size", "16", "--causal", "full",
         "--rounds", "10", "--min-time", "0.01")


class Interruptions(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "r.json"
        self.journal = self.folder / "r.json.journal"
        self.arguments = ["run", *SWEEP, *stub("correct"), "--out", self.out]
        self.cells = run("run", *SWEEP, "--list-cells").stdout.split()

    def start_until_cells_are_finished(self, count):
        process = subprocess.Popen([ATTEST, *map(str, self.arguments)], env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(self.journal_lines()) < count + 1:  # its header is a line, too
            self.assertLess(time.monotonic(), deadline, "no cell finishes")
            self.assertIsNone(process.poll(), "ended before it was killed")
            time.sleep(0.01)
        return process

    def journal_lines(self):
        return self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []

    def kill(self):
        process = self.start_until_cells_are_finished(3)
        process.kill()
        process.communicate()
        self.assertFalse(self.out.exists())
        return self.journal_lines()

    def test_killed_and_resumed(self):
        before = self.kill()
        self.assertGreaterEqual(len(before), 4)
        self.assertLess(len(before), len(self.cells), "it was killed in the middle")
        again = run(*self.arguments)
        self.assertEqual(again.returncode, 2)
        self.assertIn("--resume", again.stderr)
        self.assertEqual(self.journal_lines(), before, "a plain run leaves the journal alone")

        resumed = run(*self.arguments, "--resume")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        report = json.loads(self.out.read_text(encoding="utf-8"))
        self.assertEqual([cell["id"] for cell in report["attest"]["cells"]], self.cells)
        for cell in report["attest"]["cells"]:  # beside every round of a result, one of the ceiling
            rounds = max(result["timing"]["rounds"] for result in cell["results"])
            self.assertEqual(len(cell["ceiling"]["samples"]), rounds)
            self.assertGreater(min(cell["ceiling"]["samples"]), 0)
        self.assertFalse(self.journal.exists())
        kept = json.loads(before[1])
        kept = kept.get("cell", kept)
        first = next(cell for cell in report["attest"]["cells"] if cell["id"] == kept["id"])
        self.assertEqual(first["results"][0]["timing"]["samples_seconds"],
                         kept["results"][0]["timing"]["samples_seconds"], "it was not measured again")

    def test_a_run_that_finished_no_cell_is_in_nobodys_way(self):
        wrong = run("run", *SWEEP, "--backend", "no-such", "--out", self.out)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("unknown backend", wrong.stderr)
        done = run(*self.arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(self.journal.exists())

    def test_other_options_do_not_resume(self):
        before = self.kill()
        result = run(*self.arguments, "--resume", "--seed", "7")
        self.assertEqual(result.returncode, 2)
        self.assertIn("other options", result.stderr)
        self.assertEqual(self.journal_lines(), before)

    def test_ctrl_c_writes_the_report_of_what_is_finished(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                process = self.start_until_cells_are_finished(2)
                process.send_signal(number)
                _, errors = process.communicate(timeout=30)
                self.assertEqual(process.returncode, 130, errors)
                self.assertIn("interrupted", errors)
                report = json.loads(self.out.read_text(encoding="utf-8"))
                found = [cell["id"] for cell in report["attest"]["cells"]]
                self.assertGreaterEqual(len(found), 2)
                self.assertEqual(found, self.cells[:len(found)])
                self.assertLess(len(found), len(self.cells))
                self.assertFalse(self.journal.exists())
                self.out.unlink()


if __name__ == "__main__":
    unittest.main()
