#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest verify --vectors` on folders that are empty, too small, malformed or wrong.

usage: program_test.py VECTORS, the folder of scripts/fetch-vectors.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["ATTEST_BUILD_DIR"])
ATTEST = BUILD / "bin" / "attest"
VECTORS = pathlib.Path(sys.argv.pop(1))
CASE = "test_attention_4d_causal"


class Vectors(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.folder = self.root / "cases"
        self.folder.mkdir()

    def copy(self, case=CASE):
        return pathlib.Path(shutil.copytree(VECTORS / case, self.folder / case))

    def verify(self, code, *arguments, backend="naive"):
        result = subprocess.run(
            [ATTEST, "verify", "--vectors", self.folder, "--backend", backend, "--quiet",
             *map(str, arguments)], text=True, capture_output=True, check=False, timeout=100)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def test_an_empty_folder_is_no_pass(self):
        self.assertIn("0 cases could be read, at least 1 are expected", self.verify(5))

    def test_fewer_cases_than_expected(self):
        self.copy()
        self.verify(0, "--expect", 1)
        self.assertIn("1 cases could be read, at least 2", self.verify(5, "--expect", 2))

    def test_a_damaged_file_is_named_and_the_others_run(self):
        path = self.copy() / "test_data_set_0" / "input_1.pb"
        path.write_bytes(path.read_bytes()[:-5])
        self.copy("test_attention_4d")
        text = self.verify(1)
        self.assertIn(f"{path}: is damaged", text)
        self.assertIn("2 cases: 1 read, 1 agree", text)
        self.assertIn(f"attest verify --vectors {self.folder / CASE}", text)

    def test_a_folder_without_a_model_is_an_error(self):
        self.copy()
        (self.folder / "notes").mkdir()
        self.assertIn("notes", self.verify(1))

    def test_an_unknown_attribute_is_named(self):
        path = self.copy() / "model.onnx"
        path.write_bytes(path.read_bytes().replace(b"is_causal", b"is_cbusal"))
        self.assertIn("attribute 'is_cbusal' is not known", self.verify(1))

    def test_a_file_that_differs_from_the_reference(self):
        path = self.copy() / "test_data_set_0" / "output_0.pb"
        data = bytearray(path.read_bytes())
        data[-1] ^= 0x80  # the sign of Y's last element
        path.write_bytes(data)
        text = self.verify(1)
        self.assertIn("vector_y: Y of batch 1, head 2, row 3, column 7", text)
        self.assertIn("1 read, 0 agree", text)

    def test_the_report_has_the_files_checks(self):
        self.copy("test_attention_3d_with_past_and_present_qk_matmul_softmax")
        report = self.root / "report.json"
        self.verify(0, "--out", report)
        cells = json.loads(report.read_text())["attest"]["cells"]
        checks = {check["name"]: check["outcome"]
                  for check in cells[0]["results"][0]["verification"]["checks"]}
        for name in ("vector_y", "vector_present_key", "vector_present_value", "vector_scores"):
            self.assertEqual(checks[name], "pass")

    def test_wrong_backends_are_found(self):
        self.copy()
        for stub in ("one_wrong_element", "all_zeros", "returns_nan", "writes_past_end"):
            text = self.verify(1, "--backend-path", BUILD / "tests" / "stubs" / stub, backend=stub)
            self.assertIn("1 cases: 1 read, 1 agree", text)
            self.assertIn(f"attest verify --vectors {self.folder / CASE} --backend {stub}", text)

    def test_a_backend_that_is_not_there_is_no_pass(self):
        self.copy()
        text = self.verify(5, "--backend-path", BUILD / "tests" / "stubs" / "unavailable",
                           backend="unavailable")
        self.assertIn("unavailable unavailable:", text)

    def test_options_of_a_sweep_are_refused(self):
        self.copy()
        self.assertIn("leave out --seq", self.verify(2, "--seq", 128))
        self.verify(2, "--expect", 0)


if __name__ == "__main__":
    unittest.main()
