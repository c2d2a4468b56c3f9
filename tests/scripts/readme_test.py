#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The README tells the truth: each command it shows exists, each option is known to the command's
own --help, each link leads to a file, and its table of options and exit codes is complete.

usage: ATTEST=path/of/attest readme_test.py. What the commands do is tested elsewhere.
"""
import os
import pathlib
import re
import shlex
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
OPTION = re.compile(r"--[a-z][a-z-]+")
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)#]+)\)")
RUN_OPTIONS = re.compile(r"^\|((?: `--[^|]*`)+) \|", re.M)


def help_of(*command):
    """Text of --help. A command that does not know it, or fails, is an error."""
    result = subprocess.run([*command, "--help"], text=True, capture_output=True, check=True, timeout=60)
    return result.stdout + result.stderr


def options_in(text):
    return set(OPTION.findall(text))


def shell_commands(text):
    """Commands of the sh blocks, as lists of words, without comments."""
    lines = "".join(FENCE.findall(text)).splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.attest = os.environ["ATTEST"]
        cls.documents = {path: (ROOT / path).read_text(encoding="utf-8")
                         for path in ("README.md", "results/README.md", "backends/README.md")}
        cls.readme = cls.documents["README.md"]

    def accepted(self, words):
        """Options that a command of the README may have."""
        if words[0] == "build/bin/attest":
            return options_in(help_of(self.attest, words[1]))
        self.assertRegex(words[0], r"^scripts/[a-z]+$", "the README shows attest and scripts only")
        accepted = options_in(help_of(ROOT / words[0]))
        if words[0] == "scripts/bench":
            accepted |= options_in(help_of(self.attest, "run"))
        if words[0] == "scripts/test":
            accepted |= options_in(help_of("ctest"))
        return accepted

    def test_commands_and_options_exist(self):
        commands = shell_commands(self.readme)
        programs = {words[0] for words in commands}
        self.assertLessEqual({"build/bin/attest", "scripts/bench", "scripts/test"}, programs)
        for words in commands:
            with self.subTest(command=" ".join(words)):
                used = {word.split("=")[0] for word in words if word.startswith("--")}
                self.assertEqual(used - self.accepted(words), set(), "unknown to --help")

    def test_table_of_options_is_known_to_run_and_verify(self):
        listed = options_in(" ".join(RUN_OPTIONS.findall(self.readme)))
        self.assertGreater(len(listed), 15)
        for command in ("run", "verify"):
            measuring = {"--rounds", "--min-time", "--baseline"} if command == "verify" else set()
            unknown = listed - measuring - options_in(help_of(self.attest, command))
            self.assertEqual(unknown, set(), f"unknown to attest {command} --help")

    def test_commands_of_the_program_are_shown(self):
        shown = {words[1] for words in shell_commands(self.readme) if words[0] == "build/bin/attest"}
        text = help_of(self.attest)
        for command in shown:
            self.assertRegex(text, rf"(?m)^\s*{command}\b")
        self.assertLessEqual({"list", "run", "verify"}, shown)

    def test_suites_exist(self):
        listing = subprocess.run([self.attest, "list"], text=True, capture_output=True, check=True, timeout=120)
        for suite in set(re.findall(r"--suite ([a-z]\w*)", self.readme)):
            self.assertRegex(listing.stdout, rf"\b{suite}\b", f"suite {suite} is not in attest list")

    def test_links_lead_to_files(self):
        count = 0
        for path, text in self.documents.items():
            for link in LINK.findall(BLOCK.sub("", text)):
                if re.match(r"https?:", link):
                    continue
                count += 1
                self.assertTrue(((ROOT / path).parent / link).exists(), f"{path}: no file {link}")
        self.assertGreater(count, 5)

    def test_every_backend_is_listed_and_no_other(self):
        rows = set(re.findall(r"^\| `([a-z0-9_]+)` \|", self.readme, re.M))
        folders = {path.parent.name for path in ROOT.glob("backends/*/CMakeLists.txt")}
        self.assertEqual(rows, folders)


if __name__ == "__main__":
    unittest.main()
