#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gate on speed on real runs: pairs of runs of one build raise no alarm, and a plugin that
computes every tenth call twice is found to be slower in every pair. Wants a quiet machine: what else
runs there is measured, too.

usage: same_build_test.py PAIRS
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from attest_program import ATTEST, environment, stub

SLOWER = "tenth_call_twice"
SWEEP = ("run", "--suite", "smoke", "--seq", "24-96+8", "--heads", "4", "--head-size", "32",
         "--causal", "full", "--quiet", "--shrink-seconds", "0")
OTHERS = ("--backend", "naive", "--backend", "eigen")  # what the machine's drift is told from


def attest(*arguments):
    return subprocess.run([ATTEST, *map(str, arguments)], text=True, capture_output=True, check=False,
                          timeout=600, env=environment())


def measured(path, name):
    """A report of the others and the stub of that name, which it calls `correct`."""
    result = attest(*SWEEP, *stub(name), *OTHERS, "--out", path)
    if result.returncode != 0:
        sys.exit(f"attest run: exit code {result.returncode}: {result.stderr}")
    report = json.loads(path.read_text(encoding="utf-8"))
    for part in [*report["attest"]["backends"],
                 *(row for cell in report["attest"]["cells"] for row in cell["results"])]:
        for key in ("name", "backend"):
            if part.get(key) == name:
                part[key] = "correct"
    path.write_text(json.dumps(report), encoding="utf-8")
    return path


def compare(old, new):
    """Exit code of compare, the verdict on the stub, and all verdicts with their intervals in words."""
    result = attest("compare", old, new, "--format", "json")
    if result.returncode not in (0, 4):
        sys.exit(f"attest compare: exit code {result.returncode}: {result.stderr}")
    rows = {row["label"]: row for row in json.loads(result.stdout)["backends"]}
    words = [f"{label} {row['verdict']} {row['interval'][0]:.3f} to {row['interval'][1]:.3f}"
             for label, row in rows.items()]
    return result.returncode, rows["correct"]["verdict"], ", ".join(words)


def main(pairs):
    alarms = found = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for pair in range(1, pairs + 1):
            old, new = measured(folder / "old.json", "correct"), measured(folder / "new.json", "correct")
            slower = measured(folder / "slower.json", SLOWER)
            code, _, of_same = compare(old, new)
            _, verdict, of_slower = compare(new, slower)
            alarms += code == 4
            found += verdict == "slower"
            print(f"pair {pair}: one build: {of_same}\n  a tenth slower: {of_slower}", flush=True)
    print(f"{alarms} of {pairs} pairs of one build alarmed; the slowdown was found in {found} of {pairs}")
    return 0 if alarms == 0 and found == pairs else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
