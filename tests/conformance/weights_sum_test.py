#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cpu:flash divides P, rounded to bf16, by the sum of just that: where all rows of V are the same,
the output is that row. A sum of P before rounding would differ from it in the last place, which the
bound allows.
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from attest_program import run  # noqa: E402  (of another folder)

EXACT = 1e-9  # an ulp of bf16 is 4e-3 of a value


class WeightsSum(unittest.TestCase):
    def test_outputs_of_one_value_are_that_value(self):
        result = run("verify", "--quiet", "--backend", "cpu:flash", "--dtype", "bf16", "--seq", "100",
                     "--heads", "4", "--head-size", "64", "--causal", "full,bottom_right",
                     "--mask", "none,boolean,additive", "--softcap", "0,5", "--data", "constant_v",
                     "--out", "-")
        self.assertEqual(result.returncode, 0, result.stderr)
        cells = json.loads(result.stdout)["attest"]["cells"]
        self.assertEqual(len(cells), 12)
        for cell in cells:
            for one in cell["results"]:
                with self.subTest(cell=cell["id"]):
                    self.assertLess(one["verification"]["max_abs_error"], EXACT)


if __name__ == "__main__":
    unittest.main()
