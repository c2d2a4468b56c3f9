#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gate on speed on real runs. Pairs of runs of one build raise no alarm, nor do runs that hold
one build twice. A plugin that computes every tenth call twice is found to be slower by every single run that holds both, and no pair of runs
says that nothing changed: between two runs, a machine that others share may change by more than a
tenth, and then `undecided` is the answer. Wants a quiet machine: what else runs there is measured, too.

usage: same_build_test.py PAIRS
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from attest_program import ATTEST, STUBS, environment, stub

SLOWER = "tenth_call_twice"
SWEEP = ("run", "--suite", "smoke", "--seq", "24-96+8", "--heads", "4", "--head-size", "32",
         "--causal", "full", "--quiet", "--shrink-seconds", "0")
TWICE = ("--backend-path", f"base={STUBS / 'correct'}", "--backend", "correct-base")
OTHERS = ("--backend", "naive", "--backend", "eigen")  # what the machine's drift is told from


def attest(*arguments):
    return subprocess.run([ATTEST, *map(str, arguments)], text=True, capture_output=True, check=False,
                          timeout=600, env=environment())


def measured(path, *names, more=()):
    """A report of the others and the stubs of those names."""
    result = attest(*SWEEP, *stub(*names), *more, *OTHERS, "--out", path)
    if result.returncode != 0:
        sys.exit(f"attest run: exit code {result.returncode}: {result.stderr}")
    return path


def with_slower_build(path, target):
    """The same report as if the slower plugin were a new build of the correct one."""
    report = json.loads(path.read_text(encoding="utf-8"))
    attest_part = report["attest"]
    for part, key in [(attest_part, "backends"), *((cell, "results") for cell in attest_part["cells"])]:
        name = "name" if key == "backends" else "backend"
        part[key] = [{**row, name: "correct"} if row[name] == SLOWER else row
                     for row in part[key] if row[name] not in ("correct", "correct-base")]
    report["benchmarks"] = []  # rows of the same results under their old names
    target.write_text(json.dumps(report), encoding="utf-8")
    return target


def compare(*arguments):
    """Whether it alarms, and {label: verdict}, and both in words with their intervals."""
    result = attest("compare", *arguments, "--format", "json")
    if result.returncode not in (0, 4):
        sys.exit(f"attest compare: exit code {result.returncode}: {result.stderr}")
    rows = {row["label"]: row for row in json.loads(result.stdout)["backends"]}
    words = [f"{label} {row['verdict']} {row['interval'][0]:.3f} to {row['interval'][1]:.3f}"
             for label, row in rows.items()]
    return result.returncode == 4, {label: row["verdict"] for label, row in rows.items()}, ", ".join(words)


def main(pairs):
    alarms = alarms_in_one = found = missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for pair in range(1, pairs + 1):
            old = measured(folder / "old.json", "correct")
            new = measured(folder / "new.json", "correct", SLOWER, more=TWICE)
            same_alarms, _, of_same = compare(old, new)
            twice_alarms, _, of_twice = compare(new, "--baseline-build", "base")
            slower_alarms, in_one, of_one = compare(new, "--baseline", "correct", "--backend", SLOWER)
            _, in_two, of_two = compare(old, with_slower_build(new, folder / "slower.json"), "--backend", "correct")
            alarms += same_alarms
            alarms_in_one += twice_alarms
            found += slower_alarms and in_one[SLOWER] == "slower"
            missed += in_two["correct"] in ("same", "faster")
            print(f"pair {pair}: one build: {of_same}\n  one build twice, one run: {of_twice}\n  a tenth slower, one run: {of_one}\n"
                  f"  a tenth slower, two runs: {of_two}", flush=True)
    print(f"{alarms} of {pairs} pairs of one build alarmed, {alarms_in_one} of {pairs} runs that hold it twice; the "
          f"slowdown was found in {found} of {pairs} runs that hold both, and called none in {missed} of {pairs} pairs of runs")
    return 0 if alarms == 0 and alarms_in_one == 0 and found == pairs and missed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
