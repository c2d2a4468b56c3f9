#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest compare`: what it finds, what it refuses and with which exit code, and what its Markdown
makes of hostile names and of a size limit.
"""
import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

try:
    from markdown_it import MarkdownIt
except ImportError as error:
    sys.exit("compare_test.py: %s; run scripts/setup (%s)" % (error, sys.executable))

import made_reports
from attest_program import run


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, made=None, **options):
        return made_reports.write(self.folder, name, made or made_reports.report(**options))

    def compare(self, *arguments, code, says=(), **changes):
        done = run("compare", *arguments, **changes)
        self.assertEqual(done.returncode, code, (done.stdout[:2000], done.stderr))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, done.stdout + done.stderr)
        return done

    def as_json(self, *arguments, code):
        return json.loads(self.compare(*arguments, "--format", "json", code=code).stdout)


def verdicts(comparison):
    return {one["label"]: one["verdict"] for one in comparison["backends"]}


class TwoReports(Case):
    def setUp(self):
        super().setUp()
        self.old = self.write("old.json", seed=1)

    def test_same_build(self):
        new = self.write("new.json", seed=2)
        comparison = self.as_json(self.old, new, code=0)
        self.assertEqual(set(verdicts(comparison).values()), {"same"}, comparison["backends"])
        self.assertFalse(comparison["regression"])
        self.assertEqual(len(comparison["cells"]), 60)

    def test_one_backend_slower(self):
        new = self.write("new.json", seed=2, slow={"onednn:primitives": 1.05})
        done = self.compare(self.old, new, code=4, says="slower: onednn:primitives")
        self.assertEqual(done.stderr, "")
        found = self.as_json(self.old, new, code=4)
        self.assertEqual(verdicts(found).pop("onednn:primitives"), "slower")
        self.assertEqual(list(verdicts(found).values()).count("slower"), 1)
        slow = [one for one in found["backends"] if one["verdict"] == "slower"][0]
        self.assertAlmostEqual(slow["time_ratio"], 1.05, delta=0.01)
        self.assertLess(slow["interval"][0], 1.05)
        self.assertGreater(slow["interval"][1], 1.05)
        self.compare(self.old, new, "--backend", "onednn", code=4)
        self.compare(self.old, new, "--backend", "eigen", code=0)
        self.compare(self.old, new, "--threshold", "8", code=0)

    def test_an_improvement_is_none_of_the_others_regression(self):
        new = self.write("new.json", seed=2, slow={"eigen:flash": 0.7, "eigen:unfused": 0.7})
        comparison = self.as_json(self.old, new, code=0)
        self.assertEqual(verdicts(comparison)["eigen:flash"], "faster")
        self.assertNotIn("slower", verdicts(comparison).values())

    def test_a_single_result(self):
        made = made_reports.report(seed=2)
        timing = made["attest"]["cells"][3]["results"][0]["timing"]
        timing["samples_seconds"] = [1.5 * sample for sample in timing["samples_seconds"]]
        new = self.write("new.json", made)
        comparison = self.as_json(self.old, new, code=4)
        self.assertEqual(comparison["cells"][0]["cell"], made["attest"]["cells"][3]["id"])
        self.assertEqual(comparison["cells"][0]["verdict"], "slower")
        self.assertLess(comparison["cells"][0]["mann_whitney_p"], 1e-4)
        self.assertEqual([one["verdict"] for one in comparison["cells"]].count("slower"), 1)
        self.compare(self.old, new, "--cell-threshold", "60", "--threshold", "10", code=0)

    def test_drift_of_the_machine(self):
        new = self.write("new.json", seed=2, drift=1.06)
        done = self.compare(self.old, new, code=0, says=["drift common to all backends", "+6."])
        self.assertIn("measure again", done.stdout)
        self.compare(self.old, new, "--keep-drift", code=4)

    def test_two_backends_tell_no_drift(self):
        labels = made_reports.LABELS[:3]
        old = self.write("a.json", labels=labels)
        new = self.write("b.json", labels=labels, seed=2, drift=1.06)
        self.compare(old, new, code=4, says="needs three backends")

    def test_too_few_rounds(self):
        old, new = (self.write("%d.json" % seed, rounds=3, seed=seed) for seed in (3, 4))
        comparison = self.as_json(old, new, code=5)
        self.assertEqual(comparison["backends"], [])
        self.assertEqual({one["verdict"] for one in comparison["cells"]}, {"undecided"})
        self.assertIn("3 rounds, 5 are needed", comparison["cells"][0]["reason"])

    def test_too_noisy(self):
        old, new = (self.write("%d.json" % seed, noise=0.8, seed=seed) for seed in (3, 4))
        comparison = self.as_json(old, new, code=0)
        self.assertIn("undecided", verdicts(comparison).values())
        self.assertIn("backends undecided", comparison["headline"])
        self.assertTrue(all(one["reason"] for one in comparison["backends"]
                            if one["verdict"] == "undecided"))

    def test_what_failed_meanwhile(self):
        made = made_reports.report(seed=2)
        made["attest"]["cells"][0]["results"][0].update(verdict="crash", reason="SIGSEGV in run")
        del made["attest"]["cells"][1]["results"][0]
        new = self.write("new.json", made)
        done = self.compare(self.old, new, code=1, says=["crash: SIGSEGV in run", "absent"])
        self.assertLess(done.stdout.index("crash"), done.stdout.index("absent"))

    def test_seeds_repeat(self):
        new = self.write("new.json", seed=2)
        first, again = (self.compare(self.old, new, code=0).stdout for _ in range(2))
        self.assertEqual(first, again)

    def test_unknown_keys_are_ignored(self):
        made = made_reports.report(seed=2)
        made["attest"]["later"] = {"x": 1}
        made["attest"]["cells"][0]["results"][0]["timing"]["later"] = [1]
        self.compare(self.old, self.write("new.json", made), code=0)


class Baseline(Case):
    def test_rounds_are_paired(self):
        made = made_reports.report(labels=("eigen:flash", "eigen:unfused"), noise=0.001)
        # A machine that slows down by a half cancels within rounds.
        for one in made["attest"]["cells"]:
            for result in one["results"]:
                samples = result["timing"]["samples_seconds"]
                result["timing"]["samples_seconds"] = [
                    sample * (1 + index / 22) for index, sample in enumerate(samples)]
        path = self.write("r.json", made)
        found = self.as_json(path, "--baseline", "eigen:unfused", code=0)
        self.assertTrue(found["paired"])
        self.assertEqual(verdicts(found), {"eigen:flash": "faster"})
        self.assertAlmostEqual(found["backends"][0]["time_ratio"], 0.5, delta=0.01)
        self.compare(path, "--baseline", "eigen:flash", code=4, says="slower: eigen:unfused")

    def test_cells_that_differ_for_good_are_told(self):
        made = made_reports.report(labels=("eigen:flash", "eigen:unfused"), noise=0.001)
        for index, one in enumerate(made["attest"]["cells"]):
            timing = one["results"][0]["timing"]
            factor = 4 if index % 2 else 0.25
            timing["samples_seconds"] = [factor * sample for sample in timing["samples_seconds"]]
        found = self.as_json(self.write("r.json", made), "--baseline", "eigen:unfused", code=4)
        self.assertEqual(verdicts(found), {"eigen:flash": "undecided"})
        self.assertEqual([one["verdict"] for one in found["cells"]], 6 * ["slower"] + 6 * ["faster"])

    def test_another_build(self):
        labels = ("eigen:flash", "eigen-base:flash", "naive:", "naive-base:", "onednn:primitives")
        factors = {"eigen:flash": 1.1, "eigen-base:flash": 1 / 2, "naive:": 2 / 3, "naive-base:": 2 / 4}
        made = made_reports.report(labels=labels, noise=0.001, slow=factors)  # a label's number is its time
        template = next(one for one in made["attest"]["backends"] if one["name"] == "eigen")
        for name in ("eigen-base", "naive-base"):
            made["attest"]["backends"].append({**template, "name": name})
        path = self.write("r.json", made)
        found = self.as_json(path, "--baseline-build", "base", code=4)
        self.assertTrue(found["paired"])
        self.assertEqual(verdicts(found), {"eigen:flash": "slower", "naive": "same"})
        self.assertAlmostEqual(found["backends"][0]["time_ratio"], 1.1, delta=0.01)
        self.compare(path, "--baseline-build", "base", "--backend", "naive", code=0, says="naive")
        self.compare(path, "--baseline-build", "bass", code=2, says=["build 'bass'", "--backend-path bass=DIR"])
        self.compare(path, "--baseline-build", "base", "--baseline", "naive", code=2, says="excludes")
        self.compare(path, path, "--baseline-build", "base", code=2, says="needs one report")
        for one in made["attest"]["cells"]:  # what fails in the new build alone
            one["results"][0]["verdict"] = "fail"
        self.compare(self.write("failed.json", made), "--baseline-build", "base", code=1, says="eigen:flash")

    def test_which_baseline(self):
        path = self.write("r.json")
        self.compare(path, "--baseline", "eigen", code=2, says=["eigen:flash, eigen:unfused"])
        self.compare(path, "--baseline", "onedn", code=2, says="did you mean 'onednn'")
        self.compare(path, "--baseline", "opencl", "--backend", "naive", code=0)
        self.compare(path, path, "--baseline", "opencl", code=2, says="needs one report")


class Refused(Case):
    def setUp(self):
        super().setUp()
        self.old = self.write("old.json")

    def refuse(self, change, says):
        made = made_reports.report(seed=2)
        change(made["attest"])
        new = self.write("new.json", made)
        done = self.compare(self.old, new, code=2, says=[*says, "--force"])
        self.assertEqual(done.stdout, "")
        self.compare(self.old, new, "--force", code=0, says="compared by --force")

    def test_what_differs(self):
        self.refuse(lambda part: part["machine"].update(slug="other-9c"), ["machine", "other-9c"])
        self.refuse(lambda part: part["policy"].update(threads=7), ["--threads: 2, then 7"])
        self.refuse(lambda part: part["policy"].update(cache="cold"), ["--cache"])
        self.refuse(lambda part: part["policy"].pop("warm_up_calls"),  # as in older reports
                    ["untimed calls before a warm round: 1, then 0"])
        self.refuse(lambda part: part["policy"].pop("warm_up_seconds"),
                    ["untimed seconds before a round of reads: 0.03, then 0"])
        self.refuse(lambda part: part["backends"][0].update(library_version="9"), ["Eigen 9"])
        def bf16(part):
            part["cells"][0]["problem"]["dtype"] = "bf16"
        self.refuse(bf16, ["io types: 'f32', then 'bf16, f32'"])

    def test_each_kind_of_file_has_its_own_words(self):
        text = self.old.read_text()
        newer = json.loads(text)
        newer["attest"]["schema_version"] = "2.0.0"
        other = json.loads(text)
        del other["attest"]
        files = {"cut.json": (text[:-20], "ends early"), "empty.json": ("", "is empty"),
                 "newer.json": (json.dumps(newer), "schema version 2.0.0"),
                 "other.json": (json.dumps(other), "of another tool"),
                 "none.json": ("[1]", "no report"), "text.json": ("hello", "no JSON")}
        for name, (content, words) in files.items():
            with self.subTest(name):
                (self.folder / name).write_text(content)
                done = self.compare(self.old, self.folder / name, code=2, says=[name, words])
                self.assertEqual(done.stdout, "")
        self.compare(self.old, self.folder / "absent.json", code=2, says="absent.json")

    def test_nothing_in_common(self):
        made = made_reports.report(seed=2)
        for one in made["attest"]["cells"]:
            one["id"] += "/causal+0"
        self.compare(self.old, self.write("new.json", made), code=5, says="nothing to compare")

    def test_usage(self):
        self.compare(self.old, code=2, says="two reports")
        self.compare(self.old, self.old, self.old, code=2, says="two reports")
        self.compare(self.old, self.old, "--threshold", "0", code=2, says="--threshold")
        self.compare(self.old, self.old, "--threshold", "nan", code=2)
        self.compare(self.old, self.old, "--treshold", "3", code=2, says="did you mean '--threshold'")
        self.compare(self.old, self.old, "--out", "/absent/x", code=2, says="/absent/x")


class Markdown(Case):
    def setUp(self):
        super().setUp()
        self.old = self.write("old.json", seed=1)
        self.new = self.write("new.json", seed=2, slow={"opencl:naive": 1.3})

    def test_worst_first(self):
        done = self.compare(self.old, self.new, "--format", "md", code=4)
        rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
        self.assertIn("opencl:naive", rows[1])
        self.assertIn("**slower**", rows[1])

    def test_summary_of_the_ci_service(self):
        target = self.folder / "step.md"
        target.write_text("before\n")
        self.compare(self.old, self.new, "--summary", "auto", code=4, GITHUB_STEP_SUMMARY=str(target))
        text = target.read_text()
        self.assertTrue(text.startswith("before\n### Attest: slower"))
        self.compare(self.old, self.new, "--summary", "auto", code=4, says="GITHUB_STEP_SUMMARY is not set")
        target.write_text("x" * ((1 << 20) - 3000))
        self.compare(self.old, self.new, "--summary", "auto", code=4, GITHUB_STEP_SUMMARY=str(target))
        self.assertLessEqual(target.stat().st_size, 1 << 20)
        self.assertIn("left out", target.read_text()[-200:])

    def test_a_comment_is_cut(self):
        labels = ["backend%d:variant" % i for i in range(40)]
        old = self.write("a.json", labels=labels, cells=30)
        new = self.write("b.json", labels=labels, cells=30, seed=2, slow={labels[7]: 1.4})
        target = self.folder / "summary.md"
        self.compare(old, new, "--summary", target, code=4)
        text = target.read_text()
        self.assertLessEqual(len(text.encode()), 65536)
        self.assertGreater(len(text), 60000)
        self.assertRegex(text, r"\n\d+ lines, the least bad, are left out")
        self.assertIn("</details>", text)
        self.assertLess(text.index(labels[7]), 200)

    def test_hostile_names_stay_text(self):
        hostile = "<script>alert(1)</script>:a|b`c](http://x)"
        made = [made_reports.report(seed=seed) for seed in (1, 2)]
        for one in made:
            for cell in one["attest"]["cells"]:
                cell["results"][0].update(backend=hostile.split(":")[0], variant=hostile.split(":", 1)[1])
                cell["id"] += "|<img src=x>`\n# head"
        old, new = (self.write("%d.json" % i, one) for i, one in enumerate(made))
        text = self.compare(old, new, "--format", "md", code=0).stdout
        html = MarkdownIt("commonmark").enable("table").render(text)
        for part in ("<script", "<img", "<a ", "<h1"):
            self.assertNotIn(part, html)
        cells = [row.count("<td") for row in re.findall(r"<tr>(.*?)</tr>", html, re.S)]
        self.assertEqual((cells.count(6), cells.count(8)), (5, 60))
        self.assertNotIn("\n# head", self.compare(old, new, code=0).stdout)


if __name__ == "__main__":
    unittest.main()
