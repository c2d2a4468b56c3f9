#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`--threads 1,2`: each host backend with fewer threads beside itself, in the same rounds, and what
the report, its exports, `compare` and `merge` make of it. How well anything scales is no matter
here: the machine may be busy.
"""
import csv
import json
import os
import pathlib
import shlex
import shutil
import statistics
import sys
import tempfile
import unittest

import jsonschema

import made_reports
from attest_program import TINY, run, stub

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "skips"))
import skips  # noqa: E402  (of another folder)

ONE_CELL = ("--seq", "33", "--heads", "2", "--head-size", "8", "--causal", "full", "--rounds", "7",
            "--min-time", "0.001", "--baseline", "naive")
LABELS = ("eigen:flash", "eigen-1t:flash", "eigen-2t:flash", "eigen-3t:flash", "eigen-4t:flash", "naive:",
          "onednn:primitives", "opencl:naive")


def attest(*arguments, code=0):
    done = run(*arguments)
    if done.returncode != code:
        raise AssertionError((arguments, done.returncode, done.stdout, done.stderr))
    return done


def read(path):
    report = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(json.loads(run("schema").stdout)).validate(report)
    return report


def results(path):
    """{backend: result} of the first cell."""
    return {one["backend"]: one for one in read(path)["attest"]["cells"][0]["results"]}


def ratios(before, after):
    """after / before of each round."""
    samples = (one["timing"]["samples_seconds"] for one in (after, before))
    return sorted(later / earlier for later, earlier in zip(*samples))


class MoreThreadsThanCpus(unittest.TestCase):
    def test_times_are_called_noisy(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        cpus = len(os.sched_getaffinity(0))
        attest("run", *ONE_CELL, "--backend", "naive", "--threads", cpus + 1, "--out", folder / "r.json")
        timing = results(folder / "r.json")["naive"]["timing"]
        self.assertTrue(timing["noisy"])
        self.assertIn(f"{cpus + 1} threads share {cpus} CPUs: run with --threads {cpus}", timing["noise_reason"])


class TwoThreads(unittest.TestCase):
    """One run for all of them."""

    @classmethod
    def setUpClass(cls):
        if len(os.sched_getaffinity(0)) < 2:
            skips.skip("two threads need two CPUs")
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.out = cls.folder / "r.json"
        cls.table = attest("run", *ONE_CELL, "--backend", "naive", *stub("correct"), "--threads", "1,2",
                           "--out", cls.out).stdout
        cls.report = read(cls.out)
        cls.results = results(cls.out)

    def test_scaling_is_paired_within_rounds(self):
        self.assertEqual({name: one["threads"] for name, one in self.results.items()},
                         {"naive": 2, "naive-1t": 1, "correct": 2, "correct-1t": 1})
        self.assertEqual({one["verdict"] for one in self.results.values()}, {"pass"})
        two, one = self.results["naive"], self.results["naive-1t"]
        self.assertNotIn("scaling", one)
        expected, scaling = ratios(two, one), two["scaling"]
        self.assertEqual((scaling["from_threads"], scaling["rounds"]), (1, 7))
        self.assertAlmostEqual(scaling["ratio"], statistics.median(expected), places=9)
        self.assertAlmostEqual(scaling["efficiency"], scaling["ratio"] / 2, places=9)
        self.assertAlmostEqual(scaling["low"], expected[0], places=9)  # of 7 rounds: the extremes
        self.assertAlmostEqual(scaling["high"], expected[-1], places=9)
        self.assertIn("scaling", self.table.splitlines()[0])

    def test_report_says_which_times_are_of_which_threads(self):
        policy, ceilings = (self.report["attest"][key] for key in ("policy", "ceilings"))
        self.assertEqual((policy["threads"], policy["fewer_threads"]), (2, [1]))
        rows = {row["name"].split("/")[1]: row["threads"] for row in self.report["benchmarks"]}
        self.assertEqual(rows, {"naive": 2, "naive-1t": 1, "correct": 2, "correct-1t": 1})
        for backend, result in self.results.items():
            self.assertEqual(ceilings[result["rates"]["ceiling"]]["threads"], rows[backend])

    def test_csv(self):
        lines = csv.DictReader(attest("export", self.out, "--to", "csv").stdout.splitlines())
        by_backend = {line["backend"]: line for line in lines}
        line, scaling = by_backend["naive"], self.results["naive"]["scaling"]
        self.assertEqual((line["threads"], line["scaling_from_threads"]), ("2", "1"))
        self.assertEqual([float(line[f"scaling{key}"]) for key in ("", "_low", "_high", "_efficiency")],
                         [scaling[key] for key in ("ratio", "low", "high", "efficiency")])
        self.assertEqual((by_backend["naive-1t"]["threads"], by_backend["naive-1t"]["scaling"]), ("1", ""))

    def test_saved_options(self):
        again = self.folder / "again.json"
        attest("verify", "--from-report", self.out, "--out", again)
        self.assertEqual(set(results(again)), set(self.results))
        config = self.folder / "c.toml"
        config.write_text("threads = [1, 2]\n", encoding="utf-8")
        attest("verify", *ONE_CELL, "--backend", "naive", "--config", config, "--out", again)
        self.assertEqual(set(results(again)), {"naive", "naive-1t"})

    def test_a_failure_is_reproduced_with_its_threads(self):
        failed = self.folder / "failed.json"
        attest("verify", *TINY, *stub("all_zeros"), "--threads", "1,2", "--out", failed, code=1)
        for result in results(failed).values():
            words = shlex.split(result["reproduce"])
            self.assertEqual(words[words.index("--backend") + 1], "all_zeros")
            self.assertEqual(words[words.index("--threads") + 1], str(result["threads"]))
            attest(*words[1:], code=1)

    def test_one_thread_is_a_baseline_of_one_thread_alone(self):
        compared = json.loads(run("compare", self.out, "--baseline", "naive", "--format", "json").stdout)
        cells = {cell["label"]: cell["time_ratio"] for cell in compared["cells"]}
        self.assertEqual(set(cells), {"correct", "correct-1t"})
        for fewer in ("", "-1t"):
            expected = ratios(self.results["naive" + fewer], self.results["correct" + fewer])
            self.assertAlmostEqual(cells["correct" + fewer], statistics.median(expected), places=3)

    def test_merge_keeps_them_apart(self):
        other, merged = self.folder / "other.json", self.folder / "merged.json"
        part = json.loads(self.out.read_text(encoding="utf-8"))
        part["attest"]["policy"].update(fewer_threads=[])
        for cell in part["attest"]["cells"]:
            cell["results"] = [{**one, "backend": "third"} for one in cell["results"] if one["backend"] == "correct"]
        other.write_text(json.dumps(part), encoding="utf-8")
        attest("merge", self.out, other, "-o", merged)
        found = results(merged)
        self.assertEqual({name: one["threads"] for name, one in found.items()},
                         {"naive": 2, "naive-1t": 1, "correct": 2, "correct-1t": 1, "third": 2})

    def test_a_label_of_that_form_is_none(self):
        path = f"1t={stub('correct')[1]}"
        done = attest("verify", *TINY, "--backend-path", path, "--backend", "correct*", code=5)
        self.assertIn("'correct-1t' means correct started with 1 of more threads: choose another label", done.stderr)


class MadeUp(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, **options):
        return made_reports.write(self.folder, name, made_reports.report(labels=LABELS, **options))

    def test_a_backend_is_no_control_of_itself(self):
        """A slower backend is slower with any number of threads: that is not the machine's drift."""
        slow = {label: 1.1 for label in LABELS if label.startswith("eigen")}
        done = attest("compare", self.write("old.json"), self.write("new.json", seed=2, slow=slow),
                           "--format", "json", code=4)
        changes = {one["label"]: one["verdict"] for one in json.loads(done.stdout)["backends"]}
        self.assertEqual(changes, {label.rstrip(":"): "slower" if label in slow else "same" for label in LABELS})

    def test_threads_are_no_build(self):
        done = attest("compare", self.write("r.json"), "--baseline-build", "1t", code=2)
        self.assertIn("no backend of a build '1t'", done.stderr)


if __name__ == "__main__":
    unittest.main()
