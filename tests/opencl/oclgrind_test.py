#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every OpenCL variant under Oclgrind, which interprets kernels, over small odd shapes: results
verified, no access out of bounds, no data race. First a kernel with a planted race, which must be
found, or the silence about the others would mean nothing.
"""
import itertools
import pathlib
import shutil
import subprocess
import sys
import tempfile

import skips
from attest_program import ATTEST, BUILD, environment

# Prefetching is outside of what the interpreter knows.
OCLGRIND = ("oclgrind", "--data-races", "--build-options", "-DPREFETCH(address,level)=", "--log")
COMPLAINTS = ("race", "Invalid", "FATAL", "error", "uninitialized")
SHAPES = (
    ("--seq", "5", "--kv-len", "19", "--head-size", "8", "--causal", "full"),
    ("--seq", "9", "--head-size", "20", "--causal", "causal", "--kv-heads", "1", "--lse", "1"),
    ("--seq", "3", "--kv-len", "35", "--head-size", "16", "--mask", "boolean"),
    ("--seq", "7", "--head-size", "8", "--softcap", "5", "--window", "3:1"),
    # Keys that opencl:decode splits.
    ("--seq", "1", "--kv-len", "300", "--head-size", "8", "--kv-heads", "1", "--causal", "full",
     "--lse", "1"),
    ("--op", "self_attention", "--seq", "5", "--kv-len", "7", "--hidden", "10", "--head-size", "8",
     "--bias", "1", "--out-proj", "1", "--causal", "full"),
)
PLANTED = BUILD / "tests" / "opencl" / "opencl_planted_race"


# Register tiles of AVX-512's size, with all variants, and of narrower registers, which Oclgrind's own
# figure leads to, with those that have them.
CHOICES = (
    ("16", ("--backend", "opencl", "--require", "opencl:4")),
    ("8", ("--backend", "opencl:flash_vec", "--backend", "opencl:decode", "--require", "opencl:2")),
)


def said_of(command, folder, **variables):
    """Exit code of a command under Oclgrind, its output, and what Oclgrind said."""
    log = folder / "log"
    log.write_text("")
    result = subprocess.run(list(map(str, [*OCLGRIND, log, *command])), text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=environment(XDG_CACHE_HOME=str(folder), **variables))
    return result.returncode, result.stdout, log.read_text()


def main():
    if not shutil.which("oclgrind"):
        return skips.skipped("no oclgrind; install the package oclgrind")
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        code, output, said = said_of([PLANTED], folder)
        if code != 0 or "data race" not in said:
            sys.exit(f"oclgrind does not find a planted race: exit code {code}\n{output}\n{said}")
        for shape, (floats, choice) in itertools.product(SHAPES, CHOICES):
            code, output, said = said_of(
                [ATTEST, "verify", *choice, "--heads", "2", *shape, "--timeout", "300",
                 "--max-cell-seconds", "600", "--threads", "2"],
                folder, ATTEST_OPENCL_REGISTER_FLOATS=floats)
            what = f"registers of {floats}: {' '.join(shape)}"
            if code != 0 or any(word in said for word in COMPLAINTS):
                sys.exit(f"{what}: exit code {code}\n{said[:4000]}\n{output[-4000:]}")
            print(f"clean: {what}", flush=True)
        return 0
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
