#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest completion`: bash itself completes; the scripts of all shells hold every option that any
--help shows; every --help has examples. The scripts of zsh and fish are checked by those shells
where they are installed.
"""
import re
import shutil
import subprocess
import tempfile
import unittest

from attest_program import run

COMMANDS = re.findall(r"^  ([a-z]+) +\S", run("--help").stdout.split("Subcommands:")[1].split("\n\n")[0],
                      re.M)
# Sources the script as a user would, then asks the function that it registered.
ASK = r"""
source "$1" || exit 1
shift
function=$(complete -p attest | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { echo "FILES"; }
"$function" attest "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def options_of(command):
    text = run(command, "--help").stdout
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", text.split("\nExample")[0]))


class Bash(unittest.TestCase):
    def setUp(self):
        self.script = tempfile.NamedTemporaryFile("w", suffix=".bash")
        self.addCleanup(self.script.close)
        self.script.write(run("completion", "bash").stdout)
        self.script.flush()

    def complete(self, *words):
        done = subprocess.run(["bash", "-c", ASK, "bash", self.script.name, "attest", *words],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_commands(self):
        self.assertEqual(self.complete("co"), ["compare", "completion"])
        self.assertEqual(sorted(self.complete("")), sorted(COMMANDS))
        self.assertIn("--version", self.complete("--"))

    def test_options(self):
        self.assertEqual(self.complete("compare", "old.json", "--cell"), ["--cell-threshold"])
        for command in COMMANDS:
            with self.subTest(command):
                offered = set(self.complete(command, "--"))
                self.assertEqual(offered, {name for name in options_of(command) if name in offered})
                self.assertLessEqual({"--help"}, offered)
        self.assertEqual(self.complete("verify", "--shar"), ["--shard"])

    def test_values(self):
        self.assertEqual(self.complete("run", "--cache", ""), ["warm", "cold"])
        self.assertIn("junit", self.complete("export", "r.json", "--to", "j"))
        self.assertIn("smoke", self.complete("run", "--suite", "sm"))
        self.assertEqual(self.complete("completion", "f"), ["fish"])

    def test_files(self):
        self.assertEqual(self.complete("run", "--out", "x"), ["FILES"])
        self.assertEqual(self.complete("compare", "ol"), ["FILES"])


class Scripts(unittest.TestCase):
    def test_hold_every_option(self):
        scripts = {shell: run("completion", shell).stdout for shell in ("bash", "fish", "zsh")}
        for command in COMMANDS:
            # The usage of another command may be quoted in an explanation.
            listed = set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", run(command, "--help").stdout, re.M))
            self.assertTrue(listed, command)
            for name in listed:
                self.assertRegex(scripts["bash"], "'%s'\\) words='[^']*%s\\b" % (command, name))
                self.assertIn("*%s[" % name, scripts["zsh"])
                self.assertRegex(scripts["fish"], "seen_subcommand_from %s'.* -l %s " % (command, name[2:]))

    def test_other_shells_take_them(self):
        for shell in ("fish", "zsh"):
            if shutil.which(shell):
                done = subprocess.run([shell, "-n", "/dev/stdin"], text=True, check=False,
                                      input=run("completion", shell).stdout, capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)

    def test_unknown_shell(self):
        for arguments, words in (([], "bash, fish or zsh"), (["bsh"], "did you mean 'bash'")):
            done = run("completion", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(words, done.stderr)


class Help(unittest.TestCase):
    def test_every_command_has_examples(self):
        self.assertGreaterEqual(len(COMMANDS), 7)
        for command in COMMANDS:
            examples = run(command, "--help").stdout.partition("xample")[2]
            self.assertRegex(examples, r"attest %s\b" % command, command)

    def test_the_program_lists_its_exit_codes(self):
        for code in ("0", "1", "2", "3", "4", "5", "130"):
            self.assertRegex(run("--help").stdout, r"(?m)(^|\| |: )%s\s" % code)


if __name__ == "__main__":
    unittest.main()
