#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/bench, scripts/test and scripts/build: order of steps, arguments passed on, exit codes,
last lines. Each runs as a copy whose cmake, ctest, nvidia-smi and attest are stubs that note how
they were called; nothing is built.
"""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTE = '#!/bin/bash\nprintf "%s" "${0##*/}" >>"$CALLS"; printf " <%s>" "$@" >>"$CALLS"; echo >>"$CALLS"\n'
ATTEST = NOTE + """
out=-
while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; shift; done
echo "the table"
if [ "$out" != - ]; then echo '{}' >"$out"; echo "report: $out"; fi
exit "${ATTEST_EXIT:-0}"
"""


class Commands(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.calls = self.root / "calls"
        self.calls.touch()
        for name in ("scripts/bench", "scripts/test", "scripts/build", ".ci/run"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.write("scripts/setup", NOTE)
        self.write("scripts/plot", NOTE + 'echo "the page"; exit "${PLOT_EXIT:-0}"\n')
        self.write("bin/cmake", NOTE + 'exit "${CMAKE_EXIT:-0}"\n')
        self.write("bin/ctest", NOTE + 'echo "the summary${ATTEST_FORBID_SKIPS:+ without skips}"; exit "${CTEST_EXIT:-0}"\n')
        self.write("bin/nvidia-smi", "#!/bin/sh\nexit 9\n")
        self.write("build/bin/attest", ATTEST)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run_script(self, name, *arguments, **environment):
        self.calls.write_text("")
        result = subprocess.run([self.root / name, *arguments], text=True, capture_output=True,
                                check=False, cwd=self.root / "bin", timeout=60,
                                env={"PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                                     "CALLS": str(self.calls), **environment})
        return result, self.calls.read_text().splitlines()

    def test_bench_sets_up_builds_runs_and_plots(self):
        result, calls = self.run_script("scripts/bench")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([call.split()[0] for call in calls], ["setup", "cmake", "cmake", "attest", "plot"])
        self.assertEqual(calls[0], "setup <>")
        self.assertIn("<--target> <attest> <attest-worker> <attest_backends>", calls[2])
        table, report, page = result.stdout.splitlines()
        self.assertEqual(page, "the page")
        self.assertEqual(calls[4], f"plot <{report[len('report: '):]}>")
        self.assertEqual(table, "the table")
        self.assertRegex(report, r"^report: /.*/build/reports/\d{8}-\d{6}\.json$")
        self.assertTrue(pathlib.Path(report[len("report: "):]).is_file())

    def test_bench_passes_arguments_on(self):
        result, calls = self.run_script("scripts/bench", "--suite", "smoke", "--backend", "a b*", "--out", "r.json")
        self.assertEqual(calls[-2:], ["attest <run> <--suite> <smoke> <--backend> <a b*> <--out> <r.json>", "plot <r.json>"])
        self.assertEqual(result.stdout.splitlines()[-2:], ["report: r.json", "the page"])
        self.assertTrue((self.root / "bin" / "r.json").is_file(), "relative to the caller's folder")
        _, calls = self.run_script("scripts/bench", "--out=q.json")
        self.assertEqual(calls[-1], "attest <run> <--out=q.json>")

    def test_bench_adds_nothing_to_a_report_on_stdout(self):
        result, _ = self.run_script("scripts/bench", "--out", "-")
        self.assertEqual(result.stdout, "the table\n")

    def test_bench_keeps_the_exit_code(self):
        for code in (1, 2, 3, 5):
            self.assertEqual(self.run_script("scripts/bench", ATTEST_EXIT=str(code))[0].returncode, code)
        self.assertEqual(self.run_script("scripts/bench", ATTEST_EXIT="5", PLOT_EXIT="2")[0].returncode, 5)
        self.assertEqual(self.run_script("scripts/bench", PLOT_EXIT="2")[0].returncode, 3)

    def test_failed_set_up_or_build_runs_nothing(self):
        result, calls = self.run_script("scripts/bench", CMAKE_EXIT="1")
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("attest <run>", "\n".join(calls))
        self.write("scripts/setup", "#!/bin/sh\nexit 2\n")
        result, calls = self.run_script("scripts/bench")
        self.assertEqual((result.returncode, calls), (2, []))

    def test_test_refuses_an_empty_run_and_leaves_slow_ones_out(self):
        result, calls = self.run_script("scripts/test", "-R", "core")
        self.assertEqual([call.split()[0] for call in calls], ["setup", "cmake", "cmake", "ctest"])
        self.assertEqual(calls[0], "setup <--tests>")
        self.assertIn("<--no-tests=error>", calls[-1])
        self.assertTrue(calls[-1].endswith("<-LE> <^slow$> <-R> <core>"), calls[-1])
        self.assertEqual(result.stdout.splitlines()[-1], "the summary")
        result, calls = self.run_script("scripts/test", "--forbid-skips")
        self.assertNotIn("forbid", calls[-1])
        self.assertEqual(result.stdout.splitlines()[-1], "the summary without skips")
        _, calls = self.run_script("scripts/test", "--all")
        self.assertNotIn("slow", calls[-1])
        self.assertEqual(self.run_script("scripts/test", CTEST_EXIT="8")[0].returncode, 8)

    def test_cuda_architecture(self):
        def architecture(script, **environment):
            calls = self.run_script(script, **environment)[1]
            return next(call for call in calls if "--preset" in call).split("ARCHITECTURES=")[1].rstrip(">")
        self.assertEqual(architecture("scripts/bench"), "90")
        self.write("bin/nvidia-smi", "#!/bin/sh\necho 8.6; echo 9.0\n")
        self.assertEqual(architecture("scripts/bench"), "86")
        self.assertEqual(architecture("scripts/test"), "86")
        self.assertEqual(architecture(".ci/run"), "all-major")
        self.assertEqual(architecture("scripts/bench", ATTEST_CUDA_ARCHITECTURES="75"), "75")

    def test_help_needs_nothing_built(self):
        for script in ("scripts/bench", "scripts/test", "scripts/build"):
            result, calls = self.run_script(script, "--help")
            self.assertEqual((result.returncode, calls), (0, []))
            self.assertIn(f"usage: {script}", result.stdout)


if __name__ == "__main__":
    unittest.main()
