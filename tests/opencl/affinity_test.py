#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PoCL's threads have a CPU each where the process may use just the first CPUs, as many as there
are threads; elsewhere PoCL would bind them to CPUs that are not theirs, and is left alone.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from attest_program import ATTEST, TINY, environment

SWEEP = ("--backend", "opencl:flash_vec", "--require", "opencl")
ALLOWED = os.sched_getaffinity(0)


def start(cpus, threads, *arguments):
    """A running `attest run` that may use these CPUs."""
    return subprocess.Popen([ATTEST, "run", "--quiet", *SWEEP, "--threads", str(threads),
                             *arguments],
                            preexec_fn=lambda: os.sched_setaffinity(0, cpus), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def children_of(pid):
    """Processes that a process has started."""
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def bound_cpus(pid):
    """CPUs that are the only one of some thread of a child."""
    masks = [os.sched_getaffinity(int(task))
             for child in children_of(pid) for task in os.listdir(f"/proc/{child}/task")]
    return {min(mask) for mask in masks if len(mask) == 1}


class Affinity(unittest.TestCase):
    def says_bound(self, cpus, threads):
        """Whether a report says that the threads are bound."""
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            process = start(cpus, threads, *TINY, "--out", report)
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, errors)
            backends = json.loads(report.read_text())["attest"]["backends"]
        runtime = next(backend["runtime"] for backend in backends if backend["name"] == "opencl")
        return "a CPU each" in runtime

    def test_just_the_first_cpus_are_bound(self):
        for cpus in ({min(ALLOWED)}, {max(ALLOWED)}, ALLOWED):
            for threads in {1, len(ALLOWED)}:
                self.assertEqual(self.says_bound(cpus, threads), cpus == set(range(threads)),
                                 (cpus, threads))

    def test_every_cpu_has_its_thread(self):
        process = start(ALLOWED, len(ALLOWED), "--seq", "512", "--rounds", "1000",
                        "--max-cell-seconds", "60")
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        first = set(range(len(ALLOWED)))
        wanted = ALLOWED if ALLOWED == first or len(ALLOWED) == 1 else set()
        bound, deadline = None, time.monotonic() + 60
        while bound != wanted and time.monotonic() < deadline:
            self.assertIsNone(process.poll())
            time.sleep(0.05)
            try:
                bound = bound_cpus(process.pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that has just ended
        self.assertEqual(bound, wanted)


if __name__ == "__main__":
    sys.exit(unittest.main())
