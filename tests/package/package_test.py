#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attest as a package: installed into an empty folder it runs, and a backend of another project is
built against it by find_package and judged.

usage: package_test.py BUILD_FOLDER CMAKE [GENERATOR]
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

EXAMPLE = pathlib.Path(__file__).resolve().parent / "example"
BUILD, CMAKE = pathlib.Path(sys.argv[1]), sys.argv[2]


def run(*command, code=0):
    result = subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=280,
                            env={**os.environ, "ATTEST_BACKEND_PATH": ""}, check=False)
    if result.returncode != code:
        raise AssertionError(f"{command} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.prefix = cls.folder / "usr"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)
        cls.attest = cls.prefix / "bin" / "attest"

    def test_installed_attest_finds_worker_and_backends(self):
        listed = run(self.attest, "list")
        self.assertIn("naive", listed)
        report = self.folder / "naive.json"
        run(self.attest, "verify", "--backend", "naive", "--seq", "17", "--heads", "2", "--head-size", "16",
            "--require", "naive", "--quiet", "--out", report)
        path = json.loads(report.read_text())["attest"]["backends"]
        self.assertTrue(any(str(self.prefix) in backend["path"] for backend in path))

    def test_backend_of_another_project_is_built_and_judged(self):
        build = self.folder / "example"
        run(CMAKE, "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release")
        run(CMAKE, "--build", build)
        run(self.attest, "verify", "--backend-path", build, "--backend", "example", "--seq", "1,17,64",
            "--heads", "2", "--head-size", "16,64", "--causal", "full,causal", "--require", "example:12", "--quiet")
        symbols = run("nm", "-D", "--defined-only", build / "attest_example.so").split("\n")
        self.assertEqual([line.split()[-1] for line in symbols if line], ["attest_backend_entry"])

    def test_nothing_of_the_build_folder_is_left_in_it(self):
        for path in self.prefix.rglob("*.cmake"):
            self.assertNotIn(str(BUILD), path.read_text(), path)
        for path in [self.attest, self.prefix / "bin" / "attest-worker"]:
            self.assertNotIn("RUNPATH", run("readelf", "-d", path), path)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
