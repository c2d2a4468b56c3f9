#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every plugin of a folder exports exactly one symbol, attest_backend_entry.

usage: exported_symbols.py NM FOLDER. Exit code 1 with one line for each plugin that exports
anything else; a folder without a plugin is a failure too, as nothing was checked.
"""
import pathlib
import subprocess
import sys

ENTRY = "attest_backend_entry"


def exported(nm, library):
    """Names of the dynamic symbols that the library defines, versions cut off."""
    listing = subprocess.run([nm, "--dynamic", "--defined-only", "--format=posix", library],
                             check=True, capture_output=True, text=True).stdout
    return sorted(line.split()[0].split("@")[0] for line in listing.splitlines() if line.strip())


def main():
    nm, folder = sys.argv[1:3]
    plugins = sorted(pathlib.Path(folder).glob("attest_*.so"))
    if not plugins:
        sys.exit(f"no attest_*.so in {folder}: build the backends first")
    failed = False
    for plugin in plugins:
        names = exported(nm, plugin)
        ok = names == [ENTRY]
        failed |= not ok
        print(f"{plugin.name}: exports {', '.join(names) or 'nothing'}{'' if ok else '  <- not only ' + ENTRY}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
