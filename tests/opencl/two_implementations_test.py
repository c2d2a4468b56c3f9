#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Intel's OpenCL runtime: conformance on it alone, f16 and bf16 io, then PoCL and Intel's as two
devices of one run. Or, on it alone, the large layers, which are opt-in on every other one, too.

usage: two_implementations_test.py FOLDER of scripts/fetch-intel-opencl [--large-layers]
"""
import concurrent.futures
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import skips
from attest_program import ATTEST, BUILD, environment

SYSTEM_VENDORS = pathlib.Path("/etc/OpenCL/vendors")


def check(command, variables):
    result = subprocess.run(list(map(str, command)), check=False, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {result.returncode}\n"
                 f"{result.stdout[-6000:]}")


def check_conformance(patterns, choice, variables):
    check([BUILD / "tests" / "bin" / "conformance", *patterns, f"--gtest_filter={choice}"], variables)


def check_all_conformance(variables):
    """Two programs at once, of which the first one compiles most of its time: half of all there is."""
    masks, large = "Conformance.MasksAndOtherOutputs", "Conformance.LargeLayers"
    others = ["opencl:naive", "opencl:decode", "opencl:flash_tile"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        compiling = pool.submit(check_conformance, ["opencl:flash_vec"], masks, variables)
        check_conformance(["opencl"], f"-{masks}:{large}", variables)
        check_conformance(others, masks, variables)
        compiling.result()


def main(intel, large_layers):
    if not (intel / "version").is_file():
        return skips.skipped(f"no runtime of Intel's in {intel}; see scripts/fetch-intel-opencl")
    libraries = str(intel / "lib")
    alone = environment(OCL_ICD_VENDORS=str(intel / "vendors"), LD_LIBRARY_PATH=libraries,
                        ATTEST_BUILD_DIR=str(BUILD), ATTEST_REQUIRED="1")
    if large_layers:
        check_conformance(["opencl"], "Conformance.LargeLayers", alone)
        return 0
    check([ATTEST, "verify", "--backend", "opencl", "--seq", "33,130", "--heads", "2",
           "--head-size", "64", "--dtype", "f16,bf16", "--causal", "full,causal",
           "--require", "opencl:32"], alone)
    check_all_conformance(alone)

    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        for entry in [*SYSTEM_VENDORS.glob("pocl*.icd"), *(intel / "vendors").glob("*.icd")]:
            shutil.copy(entry, folder)
        both = environment(OCL_ICD_VENDORS=str(folder), LD_LIBRARY_PATH=libraries)
        report = folder / "r.json"
        check([ATTEST, "verify", "--backend", "opencl:flash_vec@0", "--backend",
               "opencl:flash_vec@1", "--seq", "65", "--heads", "2", "--head-size", "64",
               "--require", "opencl:2", "--out", report], both)
        backends = json.loads(report.read_text())["attest"]["backends"]
        devices = next(row["devices"] for row in backends if row["name"] == "opencl")
        drivers = [device["driver"] for device in devices]
        if len(drivers) < 2 or "Portable" not in drivers[0] or "Intel" not in drivers[1]:
            sys.exit(f"devices: {devices}")
        for device, extension in zip(devices, ("cl_khr_fp64", "cl_khr_fp16")):
            if extension not in device["extensions"].split():
                sys.exit(f"no {extension} among the extensions of {device}")
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), "--large-layers" in sys.argv[2:]))
