#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A report has the time of OpenCL's events beside the wall clock's: the part of a call in which the
device was at work. One kernel, several, and a layer of them; a host backend has no such time."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from attest_program import ATTEST, environment

SHORT = ("--seq", "256", "--heads", "4", "--head-size", "64", "--causal", "full", "--rounds", "3",
         "--min-time", "0.002")


def timings(*arguments):
    """{"backend:variant": timing} of a run of one cell."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        subprocess.run([ATTEST, "run", "--quiet", *arguments, *SHORT, "--out", report], check=True,
                       timeout=200, stdout=subprocess.DEVNULL, env=environment())
        cell, = json.loads(report.read_text())["attest"]["cells"]
    return {f"{result['backend']}:{result['variant']}": result["timing"]
            for result in cell["results"] if "timing" in result}


class EventTime(unittest.TestCase):
    def is_within_wall(self, timing):
        """Every round's event time is a part of its wall time, on however busy a machine."""
        self.assertEqual(timing["timer"], "wall")
        self.assertEqual(timing["samples_seconds"], timing["wall_samples_seconds"])
        self.assertEqual(len(timing["device_samples_seconds"]), 3)
        for device, wall in zip(timing["device_samples_seconds"], timing["wall_samples_seconds"]):
            self.assertGreater(device, 0)
            self.assertLess(device, wall)

    def test_attention(self):
        found = timings("--backend", "opencl", "--backend", "naive", "--require", "opencl:3")
        self.assertNotIn("device_samples_seconds", found.pop("naive:"))
        self.assertGreaterEqual(len(found), 3)
        for label, timing in found.items():
            with self.subTest(label):
                self.is_within_wall(timing)

    def test_a_layers_kernels(self):
        found = timings("--backend", "opencl:flash_vec", "--op", "self_attention", "--hidden", "256",
                        "--require", "opencl")
        self.is_within_wall(found["opencl:flash_vec"])


if __name__ == "__main__":
    sys.exit(unittest.main())
