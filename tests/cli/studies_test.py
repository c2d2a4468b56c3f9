#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest explain --study`: every statement that a study makes, on the figures that a real backend
gave; and that the cells of its suite are verified like any others."""
import json
import math
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree as xml

from attest_program import run

KEYS = 64  # of every study's cells
TEXT = "{http://www.w3.org/2000/svg}text"


def study(name, *more):
    result = run("explain", "--backend", "naive", "--study", name, *more)
    assert result.returncode == 0, result.stderr
    return result.stdout


def rows(name):
    found = json.loads(study(name, "--format", "json"))
    assert all(row["verdict"] == "pass" for row in found["rows"]), found
    return found["rows"]


class Studies(unittest.TestCase):
    def test_scale_without_the_division_the_softmax_saturates(self):
        scaled = [row for row in rows("scale") if "sqrt" in row["series"]]
        raw = [row for row in rows("scale") if "sqrt" not in row["series"]]
        sizes = [16, 32, 64, 128, 256, 512, 1024]
        self.assertEqual([int(row["category"]) for row in scaled], sizes)
        self.assertEqual([int(row["category"]) for row in raw], sizes)
        for small, large in zip(raw, raw[1:]):
            self.assertGreater(small["entropy_bits"], large["entropy_bits"])
            self.assertLess(small["largest_weight"], large["largest_weight"])
            self.assertGreater(small["gradient_norm"], large["gradient_norm"])
        self.assertLess(raw[-1]["entropy_bits"], 0.1 * raw[0]["entropy_bits"])
        self.assertLess(raw[-1]["gradient_norm"], 0.5 * scaled[-1]["gradient_norm"])
        for figure in ("entropy_bits", "largest_weight", "gradient_norm"):
            values = [row[figure] for row in scaled]
            self.assertLess(max(values) / min(values), 1.1, figure)
        for row in scaled + raw:
            self.assertTrue(0 <= row["entropy_bits"] <= math.log2(KEYS))
            self.assertTrue(1 / KEYS <= row["largest_weight"] <= 1)

    def test_tied_scores_are_symmetric_and_a_token_attends_to_itself(self):
        full, tied, free = rows("tied")
        self.assertEqual([row["category"] for row in (full, tied, free)],
                         ["full", "tied_qk", "parameter_free"])
        # Independent scores differ by sqrt(2) of their size. The tied ones are read off P and LSE,
        # which are f32.
        self.assertGreater(full["asymmetry"], 1)
        self.assertLess(tied["asymmetry"], 1e-5)
        self.assertLess(free["asymmetry"], 1e-5)
        self.assertLess(full["weight_on_itself"], 4 / KEYS)
        self.assertGreater(tied["weight_on_itself"], 0.8)
        self.assertGreater(free["weight_on_itself"], 0.8)
        self.assertNotAlmostEqual(full["from_1_to_2"] / full["from_2_to_1"], 1, places=2)

    def test_pool_equal_weights_give_the_mean_and_sharper_ones_leave_it(self):
        found = rows("pool")
        self.assertEqual(found[0]["category"], "mean_pool")
        self.assertLess(found[0]["distance_from_mean"], 1e-6)
        self.assertAlmostEqual(found[0]["entropy_bits"], math.log2(KEYS), places=5)
        distances = [row["distance_from_mean"] for row in found]
        self.assertEqual(distances, sorted(distances))
        self.assertGreater(distances[-1], 1)

    def test_text_and_chart_hold_every_row_and_the_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("pool", "scale", "tied"):
                path = pathlib.Path(folder, name + ".svg")
                text = study(name, "--weights", path)
                found = json.loads(study(name, "--format", "json"))
                self.assertIn(found["sentence"], " ".join(text.split()))
                self.assertEqual(text.count(" pass\n"), len(found["rows"]))
                for line in text.splitlines():
                    self.assertLessEqual(len(line), 80, line)
                drawn = [element.text for element in xml.parse(path).getroot().iter(TEXT)]
                for row in found["rows"]:
                    self.assertIn(row["category"], drawn)

    def test_a_sweep_of_the_suite_ends_with_the_study(self):
        result = run("verify", "--suite", "study-tied", "--backend", "naive", "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(study("tied"), result.stdout)

    def test_the_report_holds_the_study(self):
        result = run("verify", "--suite", "study-scale", "--backend", "naive", "--quiet", "--out", "-")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)["attest"]
        (found,) = report["studies"]
        self.assertEqual([found["name"], found["backend"]], ["scale", "naive"])
        self.assertEqual([row["cell"] for row in found["rows"]], [cell["id"] for cell in report["cells"]])
        expected = json.loads(study("scale", "--format", "json"))
        self.assertEqual(found["sentence"], expected["sentence"])
        for row, other in zip(found["rows"], expected["rows"]):
            for name, figure in row["figures"].items():
                self.assertEqual(figure, other[name])

    def test_the_suites_are_ordinary_verified_cells(self):
        for name in ("pool", "scale", "tied"):
            result = run("verify", "--suite", "study-" + name, "--backend", "naive", "--seq", "16",
                         "--quiet", "--out", "-")
            self.assertEqual(result.returncode, 0, result.stderr)
            report = json.loads(result.stdout)["attest"]
            self.assertEqual({result["verdict"] for cell in report["cells"] for result in cell["results"]},
                             {"pass"})

    def test_wrong_words(self):
        for arguments, message in [(["--study", "scal"], "did you mean 'scale'"),
                                   (["--study", "tied", "--example", "market"], "cells of its own")]:
            result = run("explain", "--backend", "naive", *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(message, result.stderr)


if __name__ == "__main__":
    unittest.main()
