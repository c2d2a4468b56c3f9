#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `attest` says to input that is wrong: exit code 2 with the nearest known word, found before
anything is measured; exit code 5 where nothing can be verified.
"""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from attest_program import ATTEST, TINY, run, stub


class BadInput(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def refused(self, *arguments, says, code=2, **changes):
        """The command ends with `code`, prints nothing on stdout, and says all of `says`."""
        result = run(*arguments, **changes)
        self.assertEqual(result.returncode, code, (arguments, result.stderr))
        self.assertEqual(result.stdout, "")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, result.stderr)
        return result

    def test_unknown_words_name_the_nearest_known_one(self):
        cases = [
            (["rnu"], "did you mean 'run'"),
            (["lst"], "did you mean 'list'"),
            (["--versoin"], "did you mean '--version'"),
            (["run", "--sute", "smoke"], "did you mean '--suite'"),
            (["verify", "--backnd=x"], "did you mean '--backend'"),
            (["list", "--backend-pth", "x"], "did you mean '--backend-path'"),
            (["run", "--suite", "smoek"], "did you mean 'smoke'"),
            (["run", "--dtype", "f23"], "did you mean 'f32'"),
            (["run", "--causal", "botom_right"], "did you mean 'bottom_right'"),
            (["run", "--mask", "bolean"], "did you mean 'boolean'"),
            (["run", "--layout", "bnhs"], "did you mean 'bnsh'"),
            (["run", "--data", "peeky"], "did you mean 'peaky'"),
            (["run", "--op", "spda"], "did you mean 'sdpa'"),
            (["run", "--isa", "x86-64-v9"], "did you mean 'x86-64-v"),
            (["run", *TINY, "--backend-path", stub("correct")[1], "--backend", "corect"],
             "did you mean 'correct'"),
            (["run", "--cache", "wram"], "warm"),
            (["run", "--color", "nevr"], "never"),
        ]
        for arguments, message in cases:
            with self.subTest(arguments=arguments):
                self.refused(*arguments, says=message)

    def test_values_that_are_none(self):
        cases = [
            (["--seq", "12x"], ["seq", "12x", "128-4096*2"]),
            (["--seq", "0"], ["seq", "at least 1"]),
            (["--seq=-5"], ["seq", "-5"]),
            (["--seq", "128-4096"], ["128-4096", "step"]),
            (["--seq", "4096-128*2"], ["4096-128*2"]),
            (["--seq", "1-10*1"], ["1-10*1"]),
            (["--heads", "12", "--kv-heads", "5"], ["kv_num_heads is 5", "12"]),
            (["--window", "64"], ["window", "64", "LEFT:RIGHT"]),
            (["--window=-2:0"], ["window", "-2"]),
            (["--softcap", "nan"], ["softcap", "nan"]),
            (["--softcap=-1"], ["softcap", "-1"]),
            (["--scale", "0"], ["scale", "0"]),
            (["--op", "self_attention", "--hidden", "300", "--heads", "7"],
             ["hidden_size is 300", "7 heads", "301"]),
            (["--hidden", "300"], ["--hidden", "--op self_attention"]),
            (["--rounds", "0"], ["--rounds"]),
            (["--rounds", "many"], ["--rounds", "many"]),
            (["--threads=-1"], ["--threads"]),
            (["--threads", "0"], ["--threads", "1 or more"]),
            (["--threads", "two"], ["--threads", "two", "no number"]),
            (["--threads", "1,1"], ["--threads", "1 is given twice"]),
            (["--threads", "1,99999"], ["--threads", "99999 is more than the", "CPUs"]),
            (["--timeout", "0"], ["--timeout"]),
            (["--min-time", "nan"], ["--min-time"]),
            (["--seed=-1"], ["--seed"]),
            (["--require", ":3"], ["--require", "BACKEND"]),
            (["--require", "x:0"], ["--require", "at least 1"]),
            (["--backend-path", "/nonexistent/folder"], ["/nonexistent/folder"]),
            (["smoke"], ["options only", "smoke"]),
            (["--out"], ["--out"]),
            (["--resume"], ["--resume", "--out"]),
        ]
        for arguments, messages in cases:
            with self.subTest(arguments=arguments):
                self.refused("run", *arguments, says=messages)

    def test_a_command_is_missing(self):
        self.refused(says=["a command is missing", "verify"])

    def test_unwritable_outputs_are_found_before_the_sweep(self):
        file = self.folder / "file"
        file.touch()
        for option in ("--out", "--summary"):
            for path, reason in ((self.folder / "none" / "r.json", "there is no folder"),
                                 (file / "r.json", "is not a folder"),
                                 (self.folder, "it is a folder")):
                with self.subTest(option=option, path=path):
                    result = self.refused("run", *TINY, *stub("correct"), option, path,
                                          says=[str(path), reason])
                    self.assertNotIn("[1/", result.stderr, "the sweep began")

    def test_sizes_that_do_not_fit_in_memory(self):
        result = self.refused("run", "--seq", "128,100000000000", "--heads", "8", "--head-size", "64",
                              *stub("correct"), says=["q100000000000", "does not fit in memory"])
        self.assertRegex(result.stderr, r"need \d+ bytes, \d+ are available")
        self.refused("run", "--seq", "9000000000000000000", *stub("correct"), says="2^63")

    def test_too_many_cells(self):
        self.refused("run", "--seq", "1-1000+1", "--head-size", "1-1000+1", says="more than")

    def test_config_files(self):
        config = self.folder / "c.toml"
        config.write_text('sute = "smoke"\n', encoding="utf-8")
        self.refused("run", "--config", config, says=["c.toml", "'sute'", "did you mean 'suite'"])
        config.write_text("rounds = 0\n", encoding="utf-8")
        self.refused("run", "--config", config, says="rounds")
        self.refused("run", "--config", self.folder / "none.toml", says="none.toml")
        self.refused("run", "--from-report", self.folder / "none.json", says="none.json")
        config.write_text("{}", encoding="utf-8")
        self.refused("run", "--from-report", config, says="c.toml")

    def test_nothing_to_verify_is_exit_code_5(self):
        empty = self.folder / "bin"
        empty.mkdir()
        for name in ("attest", "attest-worker"):
            shutil.copy(ATTEST.parent / name, empty / name)
        result = subprocess.run([empty / "attest", "verify", *TINY], text=True, capture_output=True,
                                check=False, timeout=60, env={})
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("no backend", result.stderr)

    def test_only_rejected_or_unavailable_backends_are_exit_code_5(self):
        for name in ("wrong_major", "unavailable"):
            with self.subTest(stub=name):
                result = run("verify", *TINY, *stub(name))
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertIn(name, result.stderr)

    def test_unmet_requirements_are_exit_code_5(self):
        for text, why in (("corect", "the nearest is 'correct'"), ("correct:9", "2 verified, 9 required")):
            with self.subTest(require=text):
                result = run("verify", *TINY, *stub("correct"), "--require", text)
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertIn(why, result.stderr)
        result = run("verify", *TINY, *stub("correct", "wrong_major"), "--require", "wrong_major")
        self.assertEqual(result.returncode, 5)
        self.assertIn("it is rejected", result.stderr)
        met = run("verify", *TINY, *stub("correct"), "--require", "correct:2", "--require", "correct")
        self.assertEqual(met.returncode, 0, met.stderr)


if __name__ == "__main__":
    unittest.main()
