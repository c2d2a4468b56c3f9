# SPDX-License-Identifier: Apache-2.0
"""Runs the real `attest` of the build for the tests beside this file."""
import os
import pathlib
import subprocess
import sys

BUILD = pathlib.Path(os.environ["ATTEST_BUILD_DIR"])
ATTEST = BUILD / "bin" / "attest"
STUBS = BUILD / "tests" / "stubs"
# One cell of the default suite's size would take longer than all of these.
TINY = ("--suite", "smoke", "--seq", "17", "--heads", "2", "--head-size", "8", "--rounds", "2",
        "--min-time", "0.001")

if not ATTEST.is_file():
    sys.exit(f"no {ATTEST}: build it first")


def environment(**changes):
    """The test's environment without what changes attest's output."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("ATTEST_BACKEND_PATH", "GITHUB_STEP_SUMMARY", "NO_COLOR")}
    return {**kept, **changes}


def run(*arguments, **changes):
    """CompletedProcess of `attest ARGUMENTS` with texts."""
    return subprocess.run([ATTEST, *map(str, arguments)], text=True, capture_output=True,
                          check=False, timeout=60, env=environment(**changes))


def stub(*names):
    """Options that make the named stubs the only backends."""
    options = []
    for name in names:
        options += ["--backend-path", STUBS / name, "--backend", name]
    return options
