#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports as other programs see them: the schema by Python's jsonschema, the benchmarks by Google
Benchmark's own compare.py (Debian package libbenchmark-tools).

usage: other_readers_test.py WRITE_REPORT SCHEMA COMPARE_PY, the first being the program beside this
file. A missing package is a failure that names it: a check that did not run is no pass.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HINT = "run scripts/setup, or: pip install -r scripts/requirements.txt (interpreter: %s)" % sys.executable
try:
    import jsonschema
    import numpy  # noqa: F401 (compare.py's)
    import scipy  # noqa: F401 (compare.py's)
except ImportError as error:
    sys.exit("other_readers_test.py: %s; %s" % (error, HINT))

WRITE_REPORT, SCHEMA, COMPARE = sys.argv[1:4]


def write(folder, name, slowdown, seed):
    path = pathlib.Path(folder) / name
    subprocess.run([WRITE_REPORT, path, str(slowdown), str(seed)], check=True)
    return path


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.old = write(folder.name, "old.json", 1, 1)
        self.new = write(folder.name, "new.json", 1.25, 2)
        self.schema = json.loads(pathlib.Path(SCHEMA).read_text())


class Schema(Reports):
    def validate(self, report):
        jsonschema.Draft7Validator(self.schema).validate(report)

    def test_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)

    def test_holds(self):
        self.validate(json.loads(self.old.read_text()))

    def test_finds_every_missing_required_key_of_a_result(self):
        report = json.loads(self.old.read_text())
        for key in ("backend", "verdict", "reason", "verification"):
            broken = copy.deepcopy(report)
            del broken["attest"]["cells"][0]["results"][0][key]
            with self.assertRaises(jsonschema.ValidationError, msg=key):
                self.validate(broken)

    def resolve(self, node):
        while "$ref" in node:
            node = self.schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
        return node

    def undescribed(self, value, node, path):
        """Paths of keys that the schema has no words for."""
        node = self.resolve(node)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, element in enumerate(value):
                yield from self.undescribed(element, node["items"], "%s[%d]" % (path, i))
        if not isinstance(value, dict):
            return
        for key, member in value.items():
            if key.endswith("_nonfinite"):
                continue
            child = node.get("properties", {}).get(key, node.get("additionalProperties"))
            if child is None or "description" not in dict(child, **self.resolve(child)):
                if not (child and child.get("type") == "string"):
                    yield path + "." + key
                continue
            yield from self.undescribed(member, child, path + "." + key)

    def test_describes_every_key_that_is_written(self):
        report = json.loads(self.old.read_text())
        self.assertEqual(list(self.undescribed(report, self.schema, "")), [])
        report["attest"]["cells"][0]["unknown"] = 1
        self.assertEqual(list(self.undescribed(report, self.schema, "")), [".attest.cells[0].unknown"])

    def test_numbers_are_finite(self):
        def refuse(word):
            raise ValueError(word)
        json.loads(self.old.read_text(), parse_constant=refuse)


class Compare(Reports):
    def compare(self, *arguments):
        return subprocess.run([sys.executable, COMPARE, "--no-color", "benchmarks", *arguments],
                              capture_output=True, text=True, check=False)

    def test_reads_two_reports(self):
        done = self.compare(self.old, self.new)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertNotRegex(done.stdout, re.compile("unreliable|error|warning|traceback", re.I))
        # 25 % slower, and the four series of 12 rounds each have their test.
        names = re.findall(r"^(\S+/real_time_pvalue)\s+([0-9.]+)", done.stdout, re.M)
        self.assertEqual(len(names), 4, done.stdout)
        pvalues = dict(names)
        flash = "sdpa/eigen:flash/f32/b1/h12/kv12/q512/k512/d64/real_time_pvalue"
        self.assertLess(float(pvalues[flash]), 0.001)
        rounds = re.findall(r"^sdpa/eigen:flash\S*/q512/\S*real_time +\+0\.2[345]", done.stdout, re.M)
        self.assertEqual(len(rounds), 12, done.stdout)
        self.assertIn("U Test, Repetitions: 12 vs 12", done.stdout)
        self.assertIn("OVERALL_GEOMEAN", done.stdout)

    def test_the_check_can_fail(self):
        report = json.loads(self.new.read_text())
        report["benchmarks"] = [row for row in report["benchmarks"] if row["repetition_index"] < 5]
        self.new.write_text(json.dumps(report))
        self.assertIn("unreliable", self.compare(self.old, self.new).stdout)
        del report["benchmarks"][0]["cpu_time"]
        self.new.write_text(json.dumps(report))
        self.assertNotEqual(self.compare(self.old, self.new).returncode, 0)


if __name__ == "__main__":
    if not pathlib.Path(COMPARE).is_file():
        sys.exit("other_readers_test.py: no compare.py at %s: apt-get install libbenchmark-tools" % COMPARE)
    unittest.main(argv=sys.argv[:1])
