#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sweeps that are killed (SIGKILL) at random moments and resumed, the judge alone or its whole
process group, until so many kills have hit: each ends with the cells and verdicts of an undisturbed
sweep, no cell is measured twice, none that was finished is lost, no worker is left behind.

usage: kills_test.py KILLS [SEED]
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from attest_program import ATTEST, environment, run, stub

# About 17 cells of a tenth of a second; a right and a wrong backend, so that verdicts differ.
SWEEP = ("run", "--suite", "smoke", "--seq", "16-48+2", "--heads", "2", "--head-size", "16",
         "--causal", "full", "--rounds", "4", "--min-time", "0.01", "--shrink-seconds", "0", "--quiet",
         *stub("correct", "one_wrong_element"))
PATIENCE = 60  # seconds until something that must happen has happened


def check(condition, text):
    if not condition:
        sys.exit(f"FAILED: {text}")


def verdicts(path):
    """[(cell, label, verdict)] of a report, and the samples of each."""
    cells = json.loads(path.read_text(encoding="utf-8"))["attest"]["cells"]
    rows = [(cell["id"], result["backend"], result["verdict"]) for cell in cells for result in cell["results"]]
    return rows, {cell["id"]: samples(cell) for cell in cells}


def samples(cell):
    return [(result.get("timing") or {}).get("samples_seconds") for result in cell["results"]]


def finished(journal):
    """Finished cells in the order of the journal, whose last line may be torn."""
    if not journal.exists():
        return []
    lines = journal.read_bytes().split(b"\n")[:-1]
    check(lines, "the journal has no header")
    return [json.loads(line) for line in lines[1:]]


def group_is_alive(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


class Sweep:
    """One sweep from its start over its kills to its report."""

    def __init__(self, folder, source):
        self.out, self.source = folder / "r.json", source
        self.journal = folder / "r.json.journal"
        self.known = {}  # id -> samples, of cells that were once finished
        self.order = []

    def is_done(self):
        return self.out.exists() and not self.journal.exists()

    def start(self):
        resume = ["--resume"] if self.journal.exists() else []
        return subprocess.Popen([ATTEST, *map(str, SWEEP), "--out", self.out, *resume],
                                env=environment(), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def kill_after(self, seconds):
        """"" where the sweep came to its end before, else who was killed."""
        process = self.start()
        try:
            errors = process.communicate(timeout=seconds)[1]
            check(process.returncode == 1, f"exit code {process.returncode}: {errors}")
            return ""
        except subprocess.TimeoutExpired:
            whole = self.source.random() < 0.5
            if whole:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.communicate()
        self.expect_no_worker(process.pid)
        self.expect_nothing_lost()
        return "group" if whole else "judge"

    @staticmethod
    def expect_no_worker(group):
        deadline = time.monotonic() + PATIENCE
        while group_is_alive(group):
            check(time.monotonic() < deadline, "a worker outlives its judge")
            time.sleep(0.02)

    def expect_nothing_lost(self):
        cells = finished(self.journal)
        ids = [cell["id"] for cell in cells]
        check(len(set(ids)) == len(ids), f"a cell was measured twice: {ids}")
        if self.is_done():
            return  # killed after its last deed
        check(ids[:len(self.order)] == self.order, f"cells were lost: {self.order}, then {ids}")
        for cell in cells:
            before = self.known.setdefault(cell["id"], samples(cell))
            check(samples(cell) == before, f"{cell['id']} was measured again")
        self.order = ids

    def finish(self, expected):
        rows, measured = verdicts(self.out)
        check(rows == expected, f"another report than undisturbed:\n{rows}\n{expected}")
        check(not self.journal.exists(), "the journal is left")
        for cell, before in self.known.items():
            check(measured[cell] == before, f"{cell} was measured again")


def main(kills, seed):
    source = random.Random(seed)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        undisturbed = pathlib.Path(name) / "undisturbed.json"
        start = time.monotonic()
        done = run(*SWEEP, "--out", undisturbed)
        length = time.monotonic() - start
        check(done.returncode == 1, f"undisturbed: exit code {done.returncode}: {done.stderr}")
        expected, _ = verdicts(undisturbed)
        check({verdict for _, _, verdict in expected} == {"pass", "fail"}, "verdicts that differ")
        said, sweeps, most = [], 0, 0
        while len(said) < kills:
            folder = pathlib.Path(name) / str(sweeps)
            folder.mkdir()
            sweep = Sweep(folder, source)
            while len(said) < kills and not sweep.is_done():
                if who := sweep.kill_after(source.uniform(0, length)):
                    said.append(who)
            if not sweep.is_done():
                check(not sweep.kill_after(10 * length + PATIENCE), "it does not end")
            sweep.finish(expected)
            sweeps, most = sweeps + 1, max(most, len(sweep.order))
        print(f"{len(said)} kills ({said.count('group')} of the whole group) in {sweeps} sweeps of "
              f"{length:.1f} s: all reports as undisturbed, up to {most} cells kept by a journal")
        check(most > 0, "no kill hit between the first and the last cell: nothing was shown")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
