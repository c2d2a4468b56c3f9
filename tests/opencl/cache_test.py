#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cache of compiled OpenCL programs: filled by a run, used by the next one, and made anew where
an entry is cut, changed or another program's.
"""
import pathlib
import shutil
import tempfile
import unittest

from attest_program import TINY, run


class Cache(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def entries(self, **variables):
        """Contents of the cache's entries by path, after a run that must be verified."""
        result = run("verify", *TINY, "--backend", "opencl:naive", "--backend", "opencl:flash_vec",
                     "--require", "opencl:2", XDG_CACHE_HOME=str(self.folder), **variables)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {path: path.read_bytes()
                for path in sorted((self.folder / "attest").glob("opencl-*.bin"))}

    def test_an_entry_is_used_again(self):
        first = self.entries()
        self.assertEqual(len(first), 2)
        times = {path: path.stat().st_mtime_ns for path in first}
        self.entries()
        self.assertEqual({path: path.stat().st_mtime_ns for path in times}, times)

    def test_other_instructions_have_other_entries(self):
        own = self.entries()
        both = self.entries(CL_CONFIG_CPU_TARGET_ARCH="core-avx2")  # Intel's; PoCL does not know it
        self.assertEqual(len(both), 2 * len(own))
        for entry in own.values():
            self.assertRegex(entry.split(b"\n")[4], b"^[0-9a-f]{16} $")

    def test_wrong_entries_are_made_anew(self):
        first = self.entries()
        one, other = first
        flipped = bytearray(first[one])
        flipped[-1] ^= 1
        for wrong in (b"", b"nonsense", first[one][: len(first[one]) // 2], bytes(flipped),
                      first[other]):
            one.write_bytes(wrong)
            again = self.entries()
            self.assertEqual(sorted(again), sorted(first))
            self.assertNotEqual(again[one], wrong)
            header = first[one].split(b"\n")[:7]
            self.assertEqual(again[one].split(b"\n")[:7], header)


if __name__ == "__main__":
    unittest.main()
