#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`--shard` and `attest merge`: real shards against the unsharded run in cells and verdicts, and
made-up reports of other backends and machines.
"""
import copy
import json
import pathlib
import shutil
import tempfile
import unittest

import made_reports
from attest_program import run, stub

SWEEP = ("--suite", "smoke", "--seq", "3,5,8,13,17", "--heads", "2", "--head-size", "8,5",
         "--rounds", "2", "--min-time", "0.001", *stub("correct", "one_wrong_element"))


def outcome(path):
    """Cells in order with the verdict of each label."""
    return [(cell["id"], {(one["backend"], one["variant"]): one["verdict"] for one in cell["results"]})
            for cell in json.loads(path.read_text())["attest"]["cells"]]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "out.json"

    def write(self, name, made):
        return made_reports.write(self.folder, name, made)

    def merge(self, *paths, code, says=(), arguments=()):
        done = run("merge", *paths, "-o", self.out, *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, done.stderr)
        return done


class Shards(Case):
    def test_shards_merge_to_the_whole(self):
        whole = self.folder / "whole.json"
        code = run("verify", *SWEEP, "--out", whole).returncode
        self.assertEqual(code, 1)  # one backend is wrong on purpose
        parts = []
        for index in (1, 2, 3):
            parts.append(self.folder / ("%d.json" % index))
            run("verify", *SWEEP, "--shard", "%d/3" % index, "--out", parts[-1])
        self.assertEqual(sum(len(outcome(part)) for part in parts), len(outcome(whole)))
        self.merge(parts[2], parts[0], parts[1], code=1, says="merged 3 reports")
        self.assertEqual(outcome(self.out), outcome(whole))
        merged, unsharded = (json.loads(path.read_text())["attest"]["summary"] for path in (self.out, whole))
        for key in ("cells", "results", "verified", "failed", "verdicts", "backends"):
            self.assertEqual(merged[key], unsharded[key], key)
        self.merge(*parts[:2], code=2, says="shards are missing: 3/3")
        self.merge(*parts[:2], code=1, arguments=["--force"])
        self.merge(*parts, parts[0], code=2, says="more than once: shard 1/3")

    def test_cells_are_listed_by_shard(self):
        options = ("run", "--suite", "default", "--list-cells")
        whole = run(*options).stdout.splitlines()
        parts = [run(*options, "--shard", "%d/4" % index).stdout.splitlines() for index in (1, 2, 3, 4)]
        self.assertEqual(sorted(whole), sorted(sum(parts, [])))
        self.assertEqual(parts[1], whole[1::4])

    def test_bad_shards(self):
        for text in ("0/2", "3/2", "x", "1/"):
            done = run("run", "--list-cells", "--shard", text)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--shard", done.stderr)
        self.assertIn("only", run("run", "--list-cells", "--shard", "999/999").stderr)


class Others(Case):
    def setUp(self):
        super().setUp()
        self.made = made_reports.report(cells=3)
        self.half = copy.deepcopy(self.made)
        self.rest = copy.deepcopy(self.made)
        for cell in self.half["attest"]["cells"]:
            cell["results"] = cell["results"][:2]
        for cell in self.rest["attest"]["cells"]:
            cell["results"] = cell["results"][2:]

    def test_other_backends_on_the_same_cells(self):
        self.merge(self.write("a.json", self.half), self.write("b.json", self.rest), code=0)
        self.assertEqual(outcome(self.out), outcome(self.write("all.json", self.made)))

    def test_the_same_result_twice(self):
        path = self.write("a.json", self.made)
        self.merge(path, path, code=2, says=["two reports hold eigen:flash on"])
        self.assertFalse(self.out.exists())

    def test_other_machines(self):
        other = copy.deepcopy(self.made)
        other["attest"]["machine"]["slug"] = "other-9c"
        other["attest"]["policy"]["threads"] = 9
        self.merge(self.write("a.json", self.made), self.write("b.json", other), code=0)
        labels = {label[0] for _, results in outcome(self.out) for label in results}
        self.assertIn("other-9c.naive", labels)
        self.assertIn("acme-vector-avx2-4c.naive", labels)
        self.assertEqual(len(outcome(self.out)), 3)
        rows = json.loads(self.out.read_text())["benchmarks"]
        self.assertEqual(len(rows), 3 * 10 * 12)

    def test_other_ways(self):
        first = self.write("a.json", self.half)
        for change, words in ((("policy", "min_time_seconds", 9.0), "different ways"),
                              (("policy", "threads", 9), "different ways"),
                              (("build", "commit", "fedcba"), "different commits")):
            other = copy.deepcopy(self.rest)
            other["attest"][change[0]][change[1]] = change[2]
            path = self.write("b.json", other)
            self.merge(first, path, code=2, says=[words, "--force"])
            self.merge(first, path, code=0, arguments=["--force"])

    def test_usage(self):
        self.assertEqual(run("merge").returncode, 2)
        done = run("merge", self.write("a.json", self.made))
        self.assertEqual(done.returncode, 2)
        self.assertIn("-o OUT", done.stderr)
        cut = self.folder / "cut.json"
        cut.write_text("{")
        self.merge(cut, code=2, says="ends early")


if __name__ == "__main__":
    unittest.main()
