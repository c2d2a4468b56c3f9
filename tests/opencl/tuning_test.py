#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes of OpenCL kernels by measuring: kept by --tune missing, then used, and left aside by
--no-tune. What was measured is a kernel that is verified like any other."""
import json
import pathlib
import shutil
import tempfile
import time
import unittest

import skips
from attest_program import TINY, run


class Tuning(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def report(self, *options):
        path = self.folder / "r.json"
        result = run("verify", *TINY, "--backend", "opencl:flash_vec", *options, "--out", path,
                     XDG_CACHE_HOME=str(self.folder))
        if "unavailable opencl" in result.stdout + result.stderr:
            skips.skip("no OpenCL device")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(path.read_text())["attest"]
        results = [one for cell in report["cells"] for one in cell["results"]]
        self.assertEqual({one["verdict"] for one in results}, {"pass"})
        return report["policy"].get("tune", ""), {one["implementation"].split(", ")[-1] for one in results}

    def test_choices(self):
        self.assertEqual(self.report(), ("", {"default sizes"}))
        start = time.monotonic()
        self.assertEqual(self.report("--tune", "missing"), ("missing", {"tuned"}))
        print(f"a run that tunes one head size: {time.monotonic() - start:.1f} s")
        kept = list((self.folder / "attest").glob("opencl-tuning-*.txt"))
        self.assertEqual(len(kept), 1)
        words = kept[0].read_text()
        self.assertRegex(words, r"^flash_vec 8 8 = \d+( \d+)*\n$")
        self.assertEqual(self.report(), ("", {"tuned"}))
        self.assertEqual(self.report("--no-tune"), ("never", {"default sizes"}))
        self.assertEqual(kept[0].read_text(), words)

    def test_a_spoilt_choice_is_none(self):
        (self.folder / "attest").mkdir()
        self.report("--tune", "missing")
        kept = next((self.folder / "attest").glob("opencl-tuning-*.txt"))
        kept.write_text("flash_vec 8 8 = 1000000 -1 0 0\nnonsense")
        self.assertEqual(self.report(), ("", {"default sizes"}))

    def test_words(self):
        self.assertIn("--tune", run("verify", *TINY, "--tune", "often").stderr)
        self.assertEqual(run("verify", *TINY, "--tune", "kept", "--no-tune").returncode, 2)


if __name__ == "__main__":
    unittest.main()
