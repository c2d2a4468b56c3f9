#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenCL drivers that are absent, empty, broken or that crash: the backend is unavailable or its
results are errors, with the driver's own words, and the rest of the sweep is verified.
"""
import json
import pathlib
import shutil
import tempfile
import unittest

from attest_program import BUILD, TINY, run

DRIVERS = BUILD / "tests" / "opencl"


class BadDrivers(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def sweep(self, driver=None, backend="opencl", **changes):
        """The report of a run over opencl and naive where `driver` is the only OpenCL driver, or,
        with changes, the machine's own in that environment."""
        if not changes:
            vendors = self.folder / "vendors"
            vendors.mkdir()
            if driver:
                (vendors / "test.icd").write_text(f"{driver}\n")
            changes["OCL_ICD_VENDORS"] = str(vendors)
        report = self.folder / "r.json"
        result = run("verify", *TINY, "--backend", backend, "--backend", "naive", "--out", report,
                     XDG_CACHE_HOME=str(self.folder), **changes)
        content = json.loads(report.read_text())["attest"]
        naive = [r for cell in content["cells"] for r in cell["results"]
                 if r["backend"] == "naive"]
        self.assertTrue(naive and all(r["verdict"] == "pass" for r in naive), result.stderr)
        return content

    def unavailable(self, driver, *says):
        rows = {row["name"]: row for row in self.sweep(driver)["backends"]}
        self.assertEqual(rows["opencl"]["state"], "unavailable")
        for text in says:
            self.assertIn(text, rows["opencl"]["reason"])

    def test_no_platform(self):
        self.unavailable(None, "no OpenCL platform", "pocl-opencl-icd")

    def test_a_driver_that_is_not_there(self):
        self.unavailable("/nowhere/libdriver.so", "no OpenCL platform")

    def test_a_platform_without_devices(self):
        self.unavailable(DRIVERS / "opencl_deviceless_driver.so", "no OpenCL device", "Deviceless")

    def test_a_driver_that_crashes_when_loaded(self):
        rows = {row["name"]: row for row in
                self.sweep(DRIVERS / "opencl_crashing_driver.so")["backends"]}
        self.assertNotEqual(rows["opencl"]["state"], "loaded")
        self.assertIn("SIGSEGV", rows["opencl"]["reason"])

    def test_a_kernel_that_does_not_compile(self):
        content = self.sweep(backend="opencl:flash*", POCL_EXTRA_BUILD_FLAGS="-Dbatch_size=@")
        results = [r for cell in content["cells"] for r in cell["results"]
                   if r["backend"] == "opencl"]
        self.assertEqual(len(results), 2 * len(content["cells"]))
        for result in results:
            self.assertEqual(result["verdict"], "error")
            self.assertIn("clBuildProgram", result["reason"])
            self.assertIn("error: ", result["reason"])


if __name__ == "__main__":
    unittest.main()
