#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/verification-table: it reads every plugin of tests/mutants, counts what each rule accepts,
and writes the same text for the same results. Nothing is built or run.
"""
import importlib.machinery
import importlib.util
import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # of the script, beside it
ROOT = pathlib.Path(__file__).resolve().parents[2]
LOADER = importlib.machinery.SourceFileLoader("verification_table", str(ROOT / "scripts/verification-table"))
SPEC = importlib.util.spec_from_loader(LOADER.name, LOADER)
table = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(table)

REPORT = {"attest": {"machine": {"cpu": {"model": "A CPU"}, "slug": "a-cpu"},
                     "build": {"commit": "0123456789abcdef", "dirty": False, "compiler": "GNU 12"}}}
PLUGINS = [table.Plugin(table.DROPPED_KEY, "full", "last key never seen", False),
           table.Plugin("ok_naive", "", "two passes", False)]


def result(plugin, dtype, verdict, loose, strict):
    rules = None if loose is None else {"loose": loose, "strict": strict}
    return table.Result(plugin, f"cell/{dtype}", dtype, 4096, verdict, ["needle"], rules, 0.5)


RESULTS = [result(table.DROPPED_KEY, "f32", "fail", True, False),
           result(table.DROPPED_KEY, "f16", "fail", True, True),
           result(table.DROPPED_KEY, "bf16", "crash", None, None),
           result("ok_naive", "f32", "pass", True, False),
           result("ok_naive", "f16", "vacuous", True, True)]


class VerificationTable(unittest.TestCase):
    def test_every_plugin_of_the_table_is_read(self):
        text = (ROOT / "tests/mutants/mutant.cpp").read_text()
        names = set(re.findall(r'\{"((?:m\d|ok_)\w*)"', text))
        with tempfile.TemporaryDirectory() as folder:
            build = pathlib.Path(folder)
            for name in names:
                plugin = build / "tests/mutants" / name / f"attest_{name}.so"
                plugin.parent.mkdir(parents=True)
                plugin.touch()
            plugins = table.read_plugins(build)
            self.assertEqual({plugin.name for plugin in plugins}, names)
            (build / "tests/mutants/m99/").mkdir()
            (build / "tests/mutants/m99/attest_m99.so").touch()
            with self.assertRaisesRegex(SystemExit, "m99"):
                table.read_plugins(build)

    def test_counts(self):
        rows = {row[0]: row[1:] for row in table.summary_rows(
            ["Attest", "loose", "strict"], RESULTS[:3], RESULTS[3:])}
        self.assertEqual(rows["**Attest**"], ("0 of 1", "0 of 1", "0 of 3", "0 of 1", "0 of 2"))
        self.assertEqual(rows["`loose`"], ("0 of 1", "1 of 1", "2 of 3", "0 of 1", "0 of 2"))
        self.assertEqual(rows["`strict`"], ("0 of 1", "1 of 1", "1 of 3", "1 of 1", "1 of 2"))

    def test_document(self):
        text = table.document(PLUGINS, RESULTS, REPORT)
        self.assertEqual(text, table.document(PLUGINS, list(RESULTS), REPORT))
        self.assertIn("Commit 0123456789ab, A CPU (a-cpu), GNU 12.", text)
        self.assertIn("| `loose` | accepts | accepts | rejects |", text)
        self.assertIn("| last key never seen | 0/3 | 2/3 | 1/3 | needle |", text)
        self.assertIn("\nNone.\n", text)


if __name__ == "__main__":
    unittest.main()
