#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest export`: each format by the tool that reads it where there is one for Python or in
Debian (csv, junitparser, prometheus_client, markdown-it, Google Benchmark's compare.py), else by
its published schema (bencher's, github-action-benchmark's, LNT's report format 2).

usage: export_test.py COMPARE_PY. A missing package is a failure that names it.
"""
import copy
import csv
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HINT = "run scripts/setup, or: pip install -r scripts/requirements.txt (%s)" % sys.executable
try:
    import jsonschema
    import junitparser
    import xmlschema
    from markdown_it import MarkdownIt
    from prometheus_client.parser import text_string_to_metric_families
except ImportError as error:
    sys.exit("export_test.py: %s; %s" % (error, HINT))

import made_reports
from attest_program import run

HERE = pathlib.Path(__file__).parent
COMPARE = sys.argv[1]
FORMATS = ("bmf", "csv", "gbench", "gha", "junit", "lnt", "md", "prom")
TIMES_ALONE = ("bmf", "gbench", "gha", "lnt")
HOSTILE = '<script>alert("1")</script>&|`x`,"\n\\ \u00e9\uffff'

# bencher.dev/docs/reference/bencher-metric-format, with the limits it states in words.
BMF = {"type": "object", "minProperties": 1, "propertyNames": {"maxLength": 1024, "minLength": 1},
       "additionalProperties": {
           "type": "object", "minProperties": 1, "propertyNames": {"maxLength": 64},
           "additionalProperties": {
               "type": "object", "required": ["value"], "additionalProperties": False,
               "properties": {key: {"type": "number"}
                              for key in ("value", "lower_value", "upper_value")}}}}
# github-action-benchmark, README, "customSmallerIsBetter".
GHA = {"type": "array", "minItems": 1, "items": {
    "type": "object", "required": ["name", "unit", "value"], "additionalProperties": False,
    "properties": {"name": {"type": "string", "minLength": 1}, "unit": {"type": "string"},
                   "value": {"type": "number"}, "range": {"type": "string"},
                   "extra": {"type": "string"}}}}
# LNT, docs/importing_data, format_version 2, and the metrics of its schema nts.
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
LNT = {"type": "object", "required": ["format_version", "machine", "run", "tests"],
       "additionalProperties": False, "properties": {
           "format_version": {"const": "2"},
           "machine": {"type": "object", "required": ["name"],
                       "additionalProperties": {"type": "string"}},
           "run": {"type": "object", "required": ["start_time", "end_time", "llvm_project_revision"],
                   "properties": {"start_time": TIME, "end_time": TIME},
                   "additionalProperties": {"type": "string"}},
           "tests": {"type": "array", "minItems": 1, "items": {
               "type": "object", "required": ["name", "execution_time"],
               "additionalProperties": False, "properties": {
                   "name": {"type": "string", "minLength": 1},
                   "execution_time": {"type": "array", "minItems": 1, "items": {"type": "number"}},
                   "mem_bytes": {"type": "number"}}}}}}


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.made = made_reports.report(cells=4, seed=1)
        results = self.made["attest"]["cells"][0]["results"]
        for result, verdict in zip(results, ("fail", "crash", "unsupported", "vacuous")):
            result.update(verdict=verdict, reason="because of " + verdict)
            del result["timing"]
        results[0]["verification"].update(error_over_bound=None, error_over_bound_nonfinite="inf")
        self.path = made_reports.write(self.folder, "r.json", self.made)

    def export(self, name, path=None):
        done = run("export", path or self.path, "--to", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.endswith("\n"))
        return done.stdout

    def hostile(self):
        """A report whose names mean something in every format."""
        made = copy.deepcopy(self.made)
        part = made["attest"]
        part["machine"]["slug"] = part["machine"]["cpu"]["model"] = HOSTILE
        for cell in part["cells"]:
            cell["id"] += HOSTILE
            for result in cell["results"]:
                result.update(backend=result["backend"] + HOSTILE, reason="=cmd()" + HOSTILE,
                              reproduce=HOSTILE)
        return made_reports.write(self.folder, "hostile.json", made)


class Consumers(Case):
    def test_csv(self):
        for path in (self.path, self.hostile()):
            rows = list(csv.DictReader(io.StringIO(self.export("csv", path), newline=""), strict=True))
            self.assertEqual(len(rows), 20)
            self.assertEqual({len(row) for row in rows}, {46})
            self.assertNotIn(None, {value for row in rows for value in row.values()}, "every row is whole")
            self.assertFalse(any(value[:1] in "=+@" for row in rows for value in row.values() if value))
        self.assertEqual(rows[0]["cell"], self.made["attest"]["cells"][0]["id"] + HOSTILE)
        self.assertEqual((rows[0]["verdict"], rows[0]["median_seconds"]), ("fail", ""))
        self.assertGreater(float(rows[4]["median_seconds"]), 0)
        low, middle, high = (float(rows[4][name]) for name in ("p20_seconds", "median_seconds", "p80_seconds"))
        self.assertAlmostEqual(float(rows[4]["spread"]), (high - low) / middle)
        self.assertEqual(rows[4]["noisy"] == "1", rows[4]["noise_reason"] != "")

    def test_junit(self):
        schema = xmlschema.XMLSchema(str(HERE / "junit.xsd"))
        for path in (self.path, self.hostile()):
            text = self.export("junit", path)
            schema.validate(text)
            suites = junitparser.JUnitXml.fromstring(text.encode())
            self.assertEqual(len(suites), 5)
            self.assertEqual(sum(suite.tests for suite in suites), 20)
            self.assertEqual([sum(getattr(suite, kind) for suite in suites)
                              for kind in ("failures", "errors", "skipped")], [2, 1, 1])
        suite = junitparser.JUnitXml.fromstring(self.export("junit").encode())
        case = next(iter(next(iter(suite))))
        self.assertEqual(case.classname, "attest.eigen:flash.f32")
        self.assertEqual(case.name, self.made["attest"]["cells"][0]["id"])
        self.assertIsInstance(case.result[0], junitparser.Failure)
        self.assertEqual(case.result[0].message, "fail: because of fail")
        times = re.findall(r' time="([^"]*)"', self.export("junit"))
        self.assertTrue(all(re.fullmatch(r"\d+\.\d+", time) for time in times))

    def test_the_schema_of_junit_can_fail(self):
        schema = xmlschema.XMLSchema(str(HERE / "junit.xsd"))
        text = self.export("junit")
        for old, new in (('time="0.0', 'time="x0.0'), ("<failure", "<failed"), ("timestamp=", "t="),
                         ("T12:00:00", "T12:00:00+02:00")):
            broken = text.replace(old, new, 1).replace("</failure", "</failed" if "fail" in new else "</failure", 1)
            self.assertFalse(schema.is_valid(broken) if broken != text else True, old)

    def test_prometheus(self):
        for path in (self.path, self.hostile()):
            families = {family.name: family
                        for family in text_string_to_metric_families(self.export("prom", path))}
            times = families["attest_time_seconds"].samples
            self.assertEqual(len(times), 16)
            self.assertEqual(len(families["attest_verified"].samples), 20)
            for family in families.values():
                self.assertEqual(family.type, "gauge")
                keys = [(sample.name, *sorted(sample.labels.items())) for sample in family.samples]
                self.assertEqual(len(keys), len(set(keys)), family.name)
                self.assertTrue(all(sample.timestamp is None for sample in family.samples))
        self.assertEqual(times[0].labels["cell"], self.made["attest"]["cells"][0]["id"] + HOSTILE)
        self.assertEqual(families["attest_error_over_bound"].samples[0].value, float("inf"))

    def test_markdown(self):
        for path in (self.path, self.hostile()):
            html = MarkdownIt("commonmark").enable("table").render(self.export("md", path))
            self.assertNotIn("<script", html)
            table = [row.count("<td") for row in re.findall(r"<tr>(.*?)</tr>", html, re.S)]
            self.assertEqual(sorted(set(table)), [0, 6, 8])
            self.assertEqual(table.count(8), 20)

    def test_gbench(self):
        other = made_reports.write(self.folder, "other.json", made_reports.report(cells=4, seed=2))
        paths = []
        for source in (self.path, other, self.hostile()):
            paths.append(self.folder / (source.stem + ".gbench.json"))
            paths[-1].write_text(self.export("gbench", source))
            self.assertNotIn('"attest"', paths[-1].read_text())
        done = subprocess.run([sys.executable, COMPARE, "--no-color", "benchmarks", *paths[:2]],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(re.findall(r"real_time_pvalue", done.stdout)), 16)
        done = subprocess.run([sys.executable, COMPARE, "--no-color", "benchmarks", paths[2], paths[2]],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Schemas(Case):
    def check(self, name, schema):
        for path in (self.path, self.hostile()):
            exported = json.loads(self.export(name, path))
            jsonschema.Draft7Validator(schema).validate(exported)
        return json.loads(self.export(name))

    def median(self, label):
        for result in self.made["attest"]["cells"][1]["results"]:
            if result["backend"] + ":" + result["variant"] == label:
                samples = sorted(result["timing"]["samples_seconds"])
                return (samples[5] + samples[6]) / 2
        return None

    def test_bmf(self):
        exported = self.check("bmf", BMF)
        self.assertEqual(len(exported), 16)
        latency = exported["sdpa/eigen:flash/f32/b1/h12/kv12/q65/k65/d64"]["latency"]
        self.assertAlmostEqual(latency["value"], 1e9 * self.median("eigen:flash"), places=3)
        self.assertLess(latency["lower_value"], latency["upper_value"])

    def test_gha(self):
        exported = self.check("gha", GHA)
        self.assertEqual(len({one["name"] for one in exported}), 16)
        self.assertEqual({one["unit"] for one in exported}, {"ms"})
        value = [one["value"] for one in exported if "eigen:flash" in one["name"] and "q65" in one["name"]]
        self.assertAlmostEqual(value[0], 1e3 * self.median("eigen:flash"), places=9)

    def test_lnt(self):
        exported = self.check("lnt", LNT)
        self.assertEqual(len(exported["tests"]), 16)
        self.assertEqual(len(exported["tests"][0]["execution_time"]), 12)
        self.assertEqual(exported["run"]["llvm_project_revision"], "0123456789abcdef")


class Command(Case):
    def test_to_a_file(self):
        for name in FORMATS:
            target = self.folder / name
            done = run("export", self.path, "--to", name, "-o", target)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertEqual(target.read_text(), self.export(name))
            self.assertEqual(b"\r\n" in target.read_bytes(), name == "csv")

    def test_nothing_to_export(self):
        made = copy.deepcopy(self.made)
        for cell in made["attest"]["cells"]:
            for result in cell["results"]:
                result.update(verdict="unsupported")
        verified = made_reports.write(self.folder, "none.json", made)
        for name in TIMES_ALONE:
            done = run("export", verified, "--to", name)
            self.assertEqual((done.returncode, done.stdout), (5, ""))
        made["attest"]["cells"] = []
        empty = made_reports.write(self.folder, "empty.json", made)
        for name in FORMATS:
            self.assertEqual(run("export", empty, "--to", name).returncode, 5, name)

    def test_bad_input(self):
        cases = [(["export"], "needs a REPORT"), (["export", self.path], "--to"),
                 (["export", self.path, "--to", "junt"], "did you mean 'junit'"),
                 (["export", self.folder / "absent", "--to", "md"], "absent"),
                 (["export", self.path, "--to", "md", "-o", "/absent/x"], "/absent/x"),
                 (["export", self.path, self.path, "--to", "md"], "takes no more, what is"),
                 (["export", self.path, "--too", "md"], "did you mean '--to'")]
        for arguments, words in cases:
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    if not pathlib.Path(COMPARE).is_file():
        sys.exit("export_test.py: no compare.py at %s: apt-get install libbenchmark-tools" % COMPARE)
    unittest.main(argv=sys.argv[:1])
