#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Register tiles of the variants for CPU devices have the size of the CPU's registers: without AVX-512,
those made for it took twice the time. The narrow ones are verified on any CPU."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import skips
from attest_program import ATTEST, environment

SETTING = "ATTEST_OPENCL_REGISTER_FLOATS"
# By what they are for: a variant and axes.
SHAPES = {
    "flash": ("flash_vec", "--seq", "45,130", "--kv-len", "97", "--heads", "4", "--kv-heads", "2", "--head-size",
              "40,64", "--causal", "full,bottom_right", "--lse", "1"),
    "unseen rows": ("flash_vec", "--seq", "100", "--kv-len", "17,65", "--heads", "8", "--head-size", "40", "--causal",
                    "full", "--window=0:0,3:0", "--mask", "boolean", "--lse", "1"),
    "layer": ("flash_vec", "--op", "self_attention", "--seq", "75", "--heads", "3", "--head-size", "40", "--out-proj",
              "1", "--bias", "1", "--causal", "full"),
    "grouped": ("decode", "--seq", "1", "--kv-len", "331", "--heads", "8", "--kv-heads", "2", "--head-size", "64",
                "--causal", "full", "--lse", "1"),
}


def verify(variant, *arguments, **variables):
    return subprocess.run([ATTEST, "verify", "--quiet", "--backend", f"opencl:{variant}", *arguments], check=False,
                          text=True, timeout=250, capture_output=True, env=environment(**variables))


def implementation(shapes, **variables):
    """Of a run in which every result was verified: the last one's."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        result = verify(*shapes, "--require", "opencl", "--out", report, **variables)
        if result.returncode != 0:
            sys.exit(f"{variables} {shapes}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
        cells = json.loads(report.read_text())["attest"]["cells"]
    return cells[-1]["results"][-1]["implementation"]


def floats_of_host():
    """Of a vector register of this CPU; None where only the driver knows."""
    flags = re.search(r"(?m)^flags\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    if not flags:
        return None
    return 16 if "avx512f" in flags[1].split() else 8 if "avx2" in flags[1].split() else 4


class Registers(unittest.TestCase):
    def test_narrow_tiles_are_right(self):
        for name, shapes in SHAPES.items():
            with self.subTest(name):
                found = implementation(shapes, **{SETTING: "8"})
                self.assertIn("-DWIDE_REGISTERS=0 ", found)
                if shapes[0] == "flash_vec":
                    self.assertIn("-DKEY_VECTORS=1 ", found)

    def test_wide_tiles_can_be_had(self):
        self.assertIn("-DWIDE_REGISTERS=1 ", implementation(SHAPES["grouped"], **{SETTING: "16"}))

    def test_the_cpus_own_size_is_found(self):
        floats = floats_of_host()
        if floats is None:
            skips.skip("no flags of x86 in /proc/cpuinfo")
        self.assertIn(f"-DWIDE_REGISTERS={int(floats == 16)} ", implementation(SHAPES["grouped"]))

    def test_another_word_is_refused(self):
        result = verify(*SHAPES["grouped"], **{SETTING: "512"})
        self.assertIn(f"{SETTING} is '512': set it to 4, 8 or 16", result.stdout + result.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
