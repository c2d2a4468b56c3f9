#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--redact: no host name, user name, path or command line is in the report of `run`, nor in what
`merge` makes of an older one; it can be compared and its run repeated.
"""
import json
import pathlib
import re
import shutil
import socket
import tempfile
import unittest

from attest_program import BUILD, TINY, run, stub

USER = "anastasia"


class Redact(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def report(self, name, *options):
        """A run's report: one backend is right, one crashes with its path in its reason's command."""
        path = self.folder / name
        result = run("run", *TINY, *stub("correct", "segfaults"), "--quiet",
                     "--out", path, *options, USER=USER)
        self.assertTrue(path.exists(), result.stderr)
        return path

    def secrets_in(self, path):
        text = path.read_text(encoding="utf-8")
        words = [USER, socket.gethostname()]
        return ([word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)] +
                [part for part in (str(BUILD), str(self.folder), '"--out"') if part in text])

    def test_run(self):
        self.assertTrue(self.secrets_in(self.report("plain.json")), "there is something to redact")
        path = self.report("redacted.json", "--redact")
        self.assertEqual(self.secrets_in(path), [])
        attest = json.loads(path.read_text(encoding="utf-8"))["attest"]
        crashed = [r for cell in attest["cells"] for r in cell["results"] if r["backend"] == "segfaults"]
        self.assertTrue(crashed)
        for result in crashed:
            self.assertEqual(result["verdict"], "crash")
            self.assertIn("--backend-path", result["reproduce"])

    def test_merge_redacts_an_older_report(self):
        target = self.folder / "public.json"
        result = run("merge", self.report("plain.json"), "--out", target, "--redact", USER=USER)
        self.assertNotEqual(result.returncode, 2, result.stderr)
        self.assertEqual(self.secrets_in(target), [])

    def test_redacted_reports_are_compared_and_repeated(self):
        old, new = self.report("old.json", "--redact"), self.report("new.json", "--redact")
        result = run("compare", old, new)
        self.assertNotEqual(result.returncode, 2, result.stderr)
        plain = run("compare", self.report("plain.json"), new)
        self.assertNotEqual(plain.returncode, 2, plain.stderr)
        cells = run("run", "--from-report", old, "--list-cells")
        self.assertEqual(cells.returncode, 0, cells.stderr)
        self.assertEqual(len(cells.stdout.split()),
                         len(json.loads(old.read_text(encoding="utf-8"))["attest"]["cells"]))


if __name__ == "__main__":
    unittest.main()
