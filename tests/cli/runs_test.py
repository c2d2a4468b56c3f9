#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs of `attest` that end: what is on stdout, on stderr and in the report, and the exit code."""
import json
import pathlib
import shlex
import shutil
import tempfile
import unittest

import jsonschema

from attest_program import ATTEST, STUBS, TINY, run, stub


def validate(report):
    """The report against the schema that the program itself prints."""
    jsonschema.Draft7Validator(json.loads(run("schema").stdout)).validate(report)


def verdicts(report):
    """{backend: [verdict, ...]} over all cells."""
    found = {}
    for cell in report["attest"]["cells"]:
        for result in cell["results"]:
            found.setdefault(result["backend"], []).append(result["verdict"])
    return found


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "r.json"

    def report(self):
        report = json.loads(self.out.read_text(encoding="utf-8"))
        validate(report)
        return report

    def test_help_version_and_schema(self):
        self.assertRegex(run("--version").stdout, r"^attest \d+\.\d+\.\d+ \(commit [0-9a-z]+")
        for command in ([], ["list"], ["run"], ["verify"], ["schema"]):
            result = run(*command, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Example", result.stdout)
        jsonschema.Draft7Validator.check_schema(json.loads(run("schema").stdout))

    def test_smoke_suite_gives_a_valid_report(self):
        result = run("run", "--suite", "smoke", *stub("correct"), "--out", self.out, "--rounds", "9",
                     "--min-time", "0.001")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines()[-1], f"report: {self.out}")
        self.assertIn("correct", result.stdout)
        report = self.report()
        self.assertEqual(set(verdicts(report)["correct"]), {"pass"})
        cells = report["attest"]["cells"]
        self.assertEqual([cell["id"] for cell in cells],
                         run("run", "--suite", "smoke", "--list-cells").stdout.split())
        self.assertEqual(len(report["benchmarks"]), 9 * len(cells))
        self.assertEqual(report["attest"]["policy"]["argv"][1:4], ["run", "--suite", "smoke"])
        self.assertEqual(list(self.folder.iterdir()), [self.out], "the journal is gone")

    def test_verify_measures_nothing(self):
        result = run("verify", *TINY, *stub("correct"), "--out", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = self.report()
        self.assertEqual(report["benchmarks"], [])
        self.assertNotIn("timing", report["attest"]["cells"][0]["results"][0])

    def test_report_on_stdout_is_alone_there(self):
        result = run("run", *TINY, *stub("correct"), "--out", "-")
        self.assertEqual(result.returncode, 0, result.stderr)
        validate(json.loads(result.stdout))
        self.assertIn("pass", result.stderr)

    def test_a_rejected_plugin_is_named_and_the_run_goes_on(self):
        for name, reason in (("wrong_major", "ABI 2.0"), ("not_a_library", "attest_not_a_library.so"),
                             ("missing_symbol", "attest_backend_entry")):
            with self.subTest(stub=name):
                result = run("run", *TINY, *stub("correct", name), "--out", self.out)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertRegex(result.stderr, rf"{name} rejected: .*{reason}")
                report = self.report()
                self.assertEqual(set(verdicts(report)), {"correct"})
                rows = {row["name"]: row for row in report["attest"]["backends"]}
                self.assertEqual(rows[name]["state"], "rejected")
                self.assertIn(reason, rows[name]["reason"] + rows[name]["path"])

    def test_a_wrong_backend_is_exit_code_1_and_costs_only_itself(self):
        result = run("run", *TINY, *stub("all_zeros", "correct"), "--out", self.out)
        self.assertEqual(result.returncode, 1, result.stderr)
        report = self.report()
        self.assertEqual(set(verdicts(report)["correct"]), {"pass"})
        self.assertEqual(set(verdicts(report)["all_zeros"]), {"fail"})
        self.assertEqual({row["name"].split("/")[1] for row in report["benchmarks"]}, {"correct"})

    def test_two_builds_of_a_backend(self):
        options = ["--backend-path", STUBS / "all_zeros", "--backend-path", f"base={STUBS / 'all_zeros'}"]
        result = run("verify", *TINY, *options, "--backend", "all_zeros*", "--out", self.out)
        self.assertEqual(result.returncode, 1, result.stderr)
        report = self.report()
        self.assertEqual(verdicts(report), {"all_zeros": ["fail"] * 2, "all_zeros-base": ["fail"] * 2})
        failed = report["attest"]["cells"][0]["results"][1]
        self.assertIn("--backend all_zeros-base", failed["reproduce"])
        again = run(*shlex.split(failed["reproduce"])[1:])
        self.assertEqual(again.returncode, 1, failed["reproduce"])
        self.assertIn("all_zeros-base", again.stdout)

    def test_the_command_that_reproduces_names_the_cell(self):
        run("verify", "--suite", "hostile", "--seq", "7", "--head-size", "8", *stub("all_zeros"),
            "--shrink-seconds", "0", "--out", self.out)
        report = self.report()
        failed = [(cell["id"], result["reproduce"]) for cell in report["attest"]["cells"]
                  for result in cell["results"] if result["verdict"] == "fail"]
        self.assertGreater(len(failed), 4)
        for cell, command in failed:
            words = shlex.split(command)
            self.assertEqual(words[0], "attest")
            self.assertEqual(run(*words[1:], "--list-cells").stdout.split(), [cell], command)

    def test_the_smallest_failing_shape_and_its_command(self):
        plugin = STUBS.parent / "mutants" / "m11_edge_key_twice"  # wrong from 65 keys on
        backend = ("--backend-path", plugin, "--backend", plugin.name)
        shape = ("--seq", "150", "--heads", "2", "--head-size", "16", "--causal", "full")
        for command in ("verify", "run"):
            with self.subTest(command=command):
                result = run(command, *backend, *shape, "--shrink-seconds", "30", "--rounds", "2",
                             "--min-time", "0.001", "--out", self.out)
                self.assertEqual(result.returncode, 1, result.stderr)
                failed = self.report()["attest"]["cells"][0]["results"][0]
                self.assertEqual(failed["smallest"]["cell"], "sdpa/f32/b1/h1/kv1/q1/k65/d1")
                self.assertIn(failed["reproduce"], result.stdout)
                for key, cell in (("reproduce", "sdpa/f32/b1/h1/kv1/q1/k65/d1"),
                                  ("reproduce_original", "sdpa/f32/b1/h2/kv2/q150/k150/d16")):
                    words = shlex.split(failed[key])
                    self.assertEqual(words[:2], ["attest", "verify"])
                    self.assertEqual(run(*words[1:], "--list-cells").stdout.split(), [cell])
                    self.assertEqual(run(*words[1:]).returncode, 1, failed[key])
        run("verify", *backend, *shape, "--shrink-seconds", "0", "--out", self.out)
        failed = self.report()["attest"]["cells"][0]["results"][0]
        self.assertNotIn("smallest", failed)
        self.assertIn("--seq 150", failed["reproduce"])

    def test_times_by_the_devices_own_clock(self):
        for name, known in (("device_clock", True), ("device_clock_gaps", False),
                            ("device_clock_older", False), ("correct", False)):
            with self.subTest(stub=name):
                result = run("run", *TINY, *stub(name), "--out", self.out)
                self.assertEqual(result.returncode, 0, result.stderr)
                for cell in self.report()["attest"]["cells"]:
                    timing = cell["results"][0]["timing"]
                    self.assertEqual(timing["timer"], "wall")
                    self.assertEqual(timing.get("device_samples_seconds"),
                                     [2**-20] * 2 if known else None)

    def test_what_only_a_round_shows_is_run_again(self):
        run("run", *TINY, *stub("skips_calls"), "--out", self.out)
        failed = self.report()["attest"]["cells"][0]["results"][0]
        words = shlex.split(failed["reproduce"])
        self.assertEqual(words[:2], ["attest", "run"])
        self.assertEqual(run(*words[1:]).returncode, 1, failed["reproduce"])

    def test_an_axis_replaces_the_suites_and_takes_its_followers_along(self):
        result = run("run", "--seq", "128-512*2", "--heads", "12", "--head-size", "64", "--list-cells")
        self.assertEqual(result.stdout.split(), [
            f"sdpa/f32/b1/h12/kv12/q{length}/k{length}/d64{causal}"
            for length in (128, 256, 512) for causal in ("", "/causal+0")])

    def test_config_file_and_its_place_behind_the_command_line(self):
        config = self.folder / "c.toml"
        config.write_text('suite = "smoke"\nseq = [3, 5]\ncausal = "full"\nheads = 1\n', encoding="utf-8")
        cells = run("run", "--config", config, "--list-cells").stdout.split()
        self.assertEqual([cell.split("/")[5] for cell in cells], ["q3", "q5"])
        cells = run("run", "--config", config, "--seq", "9", "--list-cells").stdout.split()
        self.assertEqual([cell.split("/")[5] for cell in cells], ["q9"])

    def test_options_of_a_report(self):
        run("verify", *TINY, *stub("correct"), "--seed", "42", "--out", self.out)
        again = self.folder / "again.json"
        result = run("verify", "--from-report", self.out, "--out", again)
        self.assertEqual(result.returncode, 0, result.stderr)
        first, second = (json.loads(path.read_text(encoding="utf-8"))["attest"] for path in (self.out, again))
        for policy in (first["policy"], second["policy"]):
            policy.pop("argv")
        self.assertEqual(first["policy"], second["policy"])
        self.assertEqual([cell["id"] for cell in first["cells"]], [cell["id"] for cell in second["cells"]])

    def test_list(self):
        result = run("list", "--backend-path", STUBS / "correct", "--backend-path", STUBS / "wrong_major",
                     "--backend-path", STUBS / "unavailable")
        self.assertEqual(result.returncode, 0, result.stderr)
        for pattern in (r"(?m)^correct +loaded .*  none  ", r"(?m)^wrong_major +rejected .*ABI 2.0",
                        r"(?m)^unavailable +unavailable ", r"(?m)^smoke +4 "):
            self.assertRegex(result.stdout, pattern)
        by_environment = run("list", ATTEST_BACKEND_PATH=f"{STUBS / 'correct'}:{STUBS / 'wrong_major'}")
        self.assertRegex(by_environment.stdout, r"(?m)^correct +loaded")
        self.assertRegex(by_environment.stdout, r"(?m)^wrong_major +rejected")

    def test_summaries(self):
        summary = self.folder / "s.md"
        run("verify", *TINY, *stub("correct"), "--summary", summary)
        self.assertIn("correct", summary.read_text(encoding="utf-8"))
        service = self.folder / "service.md"
        service.write_text("before\n", encoding="utf-8")
        run("verify", *TINY, *stub("correct"), "--summary", "auto", GITHUB_STEP_SUMMARY=str(service))
        self.assertRegex(service.read_text(encoding="utf-8"), r"(?s)^before\n.*correct")
        without = run("verify", *TINY, *stub("correct"), "--summary", "auto")
        self.assertEqual(without.returncode, 0)
        self.assertIn("GITHUB_STEP_SUMMARY is not set", without.stderr)

    def test_progress_and_colour(self):
        plain = run("verify", *TINY, *stub("correct"))
        self.assertRegex(plain.stderr, r"(?m)^\[1/2\] sdpa/\S+ +\d+ s")
        self.assertNotIn("\033", plain.stderr + plain.stdout)
        self.assertNotIn("\r", plain.stderr)
        self.assertNotIn("[1/2]", run("verify", *TINY, *stub("correct"), "--quiet").stderr)
        self.assertIn("\033[", run("verify", *TINY, *stub("correct"), "--color", "always").stdout)


if __name__ == "__main__":
    unittest.main()
