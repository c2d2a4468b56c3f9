#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every report under results/ is valid, complete, verified, free of failures and of the paths of
who made it, lies where its machine and commit say, and is listed in results/README.md.

usage: results_test.py. The schema is harness/report/report.schema.json.
"""
import json
import pathlib
import re
import sys
import unittest

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads((ROOT / "harness/report/report.schema.json").read_text(encoding="utf-8"))
        cls.validator = jsonschema.Draft7Validator(schema)
        cls.reports = {path: json.loads(path.read_text(encoding="utf-8"))
                       for path in sorted(RESULTS.glob("*/*.json"))}

    def each(self):
        self.assertTrue(self.reports, "results/ holds at least one report")
        for path, report in self.reports.items():
            with self.subTest(report=str(path.relative_to(ROOT))):
                yield path, report

    def test_follows_the_schema(self):
        for _, report in self.each():
            errors = [f"{'/'.join(map(str, e.path))}: {e.message[:200]}" for e in self.validator.iter_errors(report)]
            self.assertEqual(errors, [])

    def test_lies_where_machine_and_commit_say(self):
        for path, report in self.each():
            self.assertEqual(path.parent.name, report["attest"]["machine"]["slug"])
            self.assertRegex(path.stem, r"^\d{8}-[0-9a-f]{7,}(-[a-z0-9-]+)?$")
            commit = path.stem.split("-")[1]
            self.assertTrue(report["attest"]["build"]["commit"].startswith(commit))
            self.assertFalse(report["attest"]["build"]["dirty"], "measured from a clean tree")

    def test_is_complete_and_verified(self):
        for _, report in self.each():
            self.assertTrue(report["attest"]["complete"])
            self.assertGreater(report["attest"]["summary"]["verified"], 0)
            self.assertEqual(report["attest"]["summary"]["failed"], 0)

    def test_names_nobodys_folders(self):
        for path, _ in self.each():
            self.assertEqual(re.findall(r"/(?:home|root|tmp|Users)/[^\"]*", path.read_text(encoding="utf-8")), [])

    def test_is_listed(self):
        text = (RESULTS / "README.md").read_text(encoding="utf-8")
        for path, _ in self.each():
            self.assertIn(str(path.relative_to(RESULTS)), text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
