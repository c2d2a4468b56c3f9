#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every OpenCL variant under Oclgrind, which interprets kernels, over small odd shapes: results
verified, no access out of bounds, no data race. First a kernel with a planted race, which must be
found, or the silence about the others would mean nothing.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from attest_program import ATTEST, environment

# Prefetching is outside of what the interpreter knows.
OCLGRIND = ("oclgrind", "--data-races", "--build-options", "-DPREFETCH(address,level)=", "--log")
COMPLAINTS = ("race", "Invalid", "FATAL", "error", "uninitialized")
SHAPES = (
    ("--seq", "5", "--kv-len", "19", "--head-size", "8", "--causal", "full"),
    ("--seq", "9", "--head-size", "20", "--causal", "causal", "--kv-heads", "1", "--lse", "1"),
    ("--seq", "3", "--kv-len", "35", "--head-size", "16", "--mask", "boolean"),
    ("--seq", "7", "--head-size", "8", "--softcap", "5", "--window", "3:1"),
)
RACE = "__kernel void Race(__global int* x) { x[0] = get_global_id(0); }\n"
RACE_ARGUMENTS = "race.cl\nRace\n8 1 1\n2 1 1\n<size=4 fill=0 noprint>\n"


def planted_race_is_found(folder):
    (folder / "race.cl").write_text(RACE)
    (folder / "race.sim").write_text(RACE_ARGUMENTS)
    result = subprocess.run(["oclgrind-kernel", "--data-races", "race.sim"], cwd=folder, text=True,
                            capture_output=True, check=False)
    return "race" in result.stdout + result.stderr


def main():
    if not shutil.which("oclgrind"):
        print("SKIPPED: no oclgrind; install the package oclgrind")
        return 0
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        if not planted_race_is_found(folder):
            sys.exit("oclgrind does not find a planted race")
        for shape in SHAPES:
            log = folder / "log"
            log.write_text("")
            command = [*OCLGRIND, log, ATTEST, "verify", "--backend", "opencl", "--heads", "2",
                       *shape, "--timeout", "300", "--max-cell-seconds", "600", "--threads", "2",
                       "--require", "opencl:4"]
            result = subprocess.run(list(map(str, command)), text=True, capture_output=True,
                                    check=False, env=environment(XDG_CACHE_HOME=str(folder)))
            said = log.read_text()
            if result.returncode != 0 or any(word in said for word in COMPLAINTS):
                sys.exit(f"{' '.join(shape)}: exit code {result.returncode}\n{said[:4000]}\n"
                         f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
            print(f"clean: {' '.join(shape)}", flush=True)
        return 0
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
