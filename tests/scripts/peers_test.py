#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/peers: installs what the peers' modules name, once; says what it lacks. Each test runs a
copy of the script in a folder of its own, with python3 and df replaced by stubs on PATH."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = "backends/python/attest_worker/peers"
LIBRARY = "backends/onednn/graph_library.h"

# Makes environments whose python is this stub, and plays pip: a package is a folder.
PYTHON = """#!/bin/bash
echo "$@" >>"$CALLS"
case "$*" in
  *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python3" ;;
  *"-m pip"*)
    for package in "$@"; do
      case $package in -*) continue ;; "$BROKEN") echo "no such package"; exit 1 ;; esac
      mkdir -p "$(dirname "$0")/../lib/python3.11/site-packages/$package"
    done ;;
esac
"""
DF = '#!/bin/sh\necho header; echo "disk 1 1 ${FREE_KB:-100000000} 1% /"\n'


class Peers(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.calls = self.root / "calls"
        (self.root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/peers", self.root / "scripts/peers")
        shutil.copytree(ROOT / MODULES, self.root / MODULES)
        (self.root / LIBRARY).parent.mkdir()
        shutil.copy(ROOT / LIBRARY, self.root / LIBRARY)
        for name, text in (("python3", PYTHON), ("df", DF)):
            stub = self.root / "bin" / name
            stub.parent.mkdir(exist_ok=True)
            stub.write_text(text)
            stub.chmod(0o755)

    def run_peers(self, *arguments, **environment):
        self.calls.write_text("")
        result = subprocess.run([self.root / "scripts/peers", *arguments], text=True,
                                capture_output=True, check=False, timeout=60, cwd="/",
                                env={"PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                                     "CALLS": str(self.calls), "BROKEN": "none", **environment})
        return result, self.calls.read_text().splitlines()

    def test_all_are_installed_once(self):
        result, calls = self.run_peers()
        self.assertEqual(result.returncode, 0, result.stderr)
        names = [*sorted(file.stem for file in (ROOT / MODULES).glob("[a-z]*.py")), "onednn"]
        self.assertEqual(len(calls), 1 + len(names))
        for name, call in zip(names, calls[1:]):
            self.assertRegex(call, rf"^-m pip install .* {name}\b")
        result, calls = self.run_peers()
        self.assertEqual((result.returncode, result.stderr, calls), (0, "", []))

    def test_those_that_are_named(self):
        result, calls = self.run_peers("onnxruntime")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(".peers", calls[0])
        self.assertRegex(calls[1], r"--no-cache-dir onnxruntime onnx numpy$")
        self.assertEqual(len(calls), 2)

    def test_a_wheel_without_a_python_package_is_installed_once(self):
        self.assertEqual(self.run_peers("onednn")[0].returncode, 0)
        packages = self.root / ".peers/lib/python3.11/site-packages"
        (packages / "onednn").rename(packages / "onednn-2026.1.0.dist-info")
        result, calls = self.run_peers("onednn")
        self.assertEqual((result.returncode, calls), (0, []))

    def test_one_that_fails_does_not_stop_the_others(self):
        result, calls = self.run_peers("jax", "openvino", BROKEN="jax")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no such package", result.stderr)
        self.assertIn("pip could not install jax", result.stderr)
        self.assertIn("openvino", calls[-1])

    def test_too_little_disk_is_said_before_anything_is_made(self):
        result, calls = self.run_peers("torch", FREE_KB="5000000")
        self.assertEqual((result.returncode, calls), (2, []))
        self.assertRegex(result.stderr, r"\d GB of disk are needed, 5 are free")
        self.assertEqual(self.run_peers("jax", FREE_KB="5000000")[0].returncode, 0)

    def test_an_unknown_peer_is_named_with_the_known_ones(self):
        result, calls = self.run_peers("torhc")
        self.assertEqual((result.returncode, calls), (2, []))
        self.assertIn("unknown peer 'torhc'; known: jax", result.stderr)
        self.assertIn("usage: scripts/peers", self.run_peers("--help")[0].stdout)


if __name__ == "__main__":
    unittest.main()
