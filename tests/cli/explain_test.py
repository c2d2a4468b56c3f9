#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest explain`: its text, its JSON, its pictures, and what it says to input that is wrong."""
import json
import math
import pathlib
import re
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as xml

from attest_program import run

GOLDEN = pathlib.Path(__file__).with_name("explain_three_tokens.txt")
KEYS = ["x", "w_q", "w_k", "w_v", "q", "k", "v", "scores", "scaled_scores", "weights", "output", "scale"]


def explain(*arguments, **changes):
    return run("explain", "--backend", "naive", *arguments, **changes)


def shape(value):
    return [len(value), *shape(value[0])] if isinstance(value, list) else []


def flat(value):
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [value]

WITHOUT_SCORES = {"jax", "onnxruntime", "openvino", "torch"}  # their functions give the output only


class Explain(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def numbers(self, *arguments):
        result = explain("--format", "json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_the_default_is_the_worked_example(self):
        result = explain()
        self.assertEqual(result.returncode, 0, result.stderr)
        # Rounding errors differ by machine; the numbers that are shown do not.
        text = re.sub(r"\d\.\de-\d\d", "N", result.stdout)
        text = re.sub(r"at most [\d.]+ of it", "at most N of it", text)
        self.assertEqual(text, GOLDEN.read_text(encoding="utf-8"))

    def test_the_readme_shows_what_comes_out(self):
        readme = GOLDEN.parents[2].joinpath("README.md").read_text(encoding="utf-8")
        section = readme.split("## From X to O in one page")[1].split("\n## ")[0]
        shown = re.findall(r"```text\n(.*?)```", section, re.S)
        self.assertEqual(len(shown), 2)
        for text in shown:
            self.assertIn(text, explain().stdout)
        path = self.folder / "map.svg"
        explain("--weights", path)
        picture = GOLDEN.parents[2] / "results" / "from-x-to-o.svg"
        self.assertEqual(path.read_text(encoding="utf-8"), picture.read_text(encoding="utf-8"))

    def test_help_names_commands_that_run(self):
        shown = set(re.findall(r"(?m)  attest ((?:explain|run)\b.*)$", run("explain", "--help").stdout))
        self.assertGreaterEqual(len(shown), 15)
        for name in ("x.csv", "y.csv"):
            self.file(name, "1,2,3\n4,5,6\n")
        for line in shown:
            words = [str(self.folder / word) if re.search(r"\.(csv|svg|png)$", word) else word
                     for word in line.split()]
            if ".png" in line and not shutil.which("rsvg-convert"):
                continue
            with self.subTest(line=line):
                more = ["--backend", "naive"] if words[0] == "explain" else ["--list-cells"]
                result = run(*words, *more)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertNotEqual(result.stdout, "")

    def test_every_text_fits_80_columns(self):
        for arguments in ([], ["--example", "market"], ["--example", "dictionary"],
                          ["--random", "20x96", "--heads", "3"],
                          ["--structure", "parameter_free"], ["--structure", "mean_pool", "--causal"],
                          ["--tokens", "a very long name of a token,\u00e4\u00f6\u00fc,c"]):
            result = explain(*arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            for line in result.stdout.splitlines():
                self.assertLessEqual(len(line), 80, (arguments, line))

    def test_json_has_every_key_and_agrees_with_its_reference(self):
        for arguments in ([], ["--random", "5x12", "--heads", "3", "--causal"], ["--scale", "none"]):
            found = self.numbers(*arguments)
            self.assertEqual(list(found), KEYS + ["structure", "tokens", "backend", "reference"])
            self.assertEqual(list(found["reference"]), KEYS)
            self.assertEqual(found["backend"], "naive")
            for key in KEYS[:-1]:
                self.assertEqual(shape(found[key]), shape(found["reference"][key]), key)
                for got, expected in zip(flat(found[key]), flat(found["reference"][key])):
                    self.assertAlmostEqual(got, expected, delta=1e-5 * max(1, abs(expected)))
        found = self.numbers("--random", "5x12", "--heads", "3")
        self.assertEqual(shape(found["weights"]), [3, 5, 5])
        self.assertEqual(shape(found["output"]), [5, 12])
        self.assertAlmostEqual(found["scale"], 0.5)

    def test_the_steps_are_those_of_the_layer(self):
        """By hand, from X and the weights alone."""
        found = self.numbers()
        x, w_q, w_k = found["x"], found["w_q"], found["w_k"]
        times = lambda row, w: [sum(a * b for a, b in zip(row, out)) for out in w]
        q, k = [times(row, w_q) for row in x], [times(row, w_k) for row in x]
        self.assertEqual(found["q"], q)
        self.assertEqual(found["k"], k)
        self.assertEqual(found["scores"][0], [times(row, k) for row in q])
        row = [math.exp(score / math.sqrt(3)) for score in found["scores"][0][1]]
        for got, part in zip(found["weights"][0][1], row):
            self.assertAlmostEqual(got, part / sum(row), places=6)
        self.assertAlmostEqual(sum(found["weights"][0][1]), 1, places=6)

    def test_structures(self):
        tied = self.numbers("--random", "9x16", "--heads", "2", "--structure", "tied_qk")
        for head in tied["scores"]:
            for i, row in enumerate(head):
                self.assertEqual(row, [other[i] for other in head], "bit for bit")
        self.assertEqual(tied["q"], tied["k"])
        free = self.numbers("--structure", "parameter_free")
        self.assertEqual((free["w_q"], free["q"], free["v"]), (None, free["x"], free["x"]))
        pooled = self.numbers("--structure", "mean_pool")
        self.assertEqual((pooled["q"], pooled["scores"]), (None, None))
        for weight in flat(pooled["weights"]):
            self.assertAlmostEqual(weight, 1 / 3, places=6)
        causal = self.numbers("--causal")["weights"][0]
        self.assertEqual([causal[0], causal[1][2]], [[1, 0, 0], 0])

    def test_tied_scores_are_symmetric_on_every_backend(self):
        """Bit for bit or, where products are summed in another order, within the bound of two sums."""
        loaded = re.findall(r"(?m)^([a-z0-9_]+) +loaded ", run("list").stdout)
        self.assertIn("naive", loaded)
        for backend in loaded:
            result = run("explain", "--backend", backend, "--random", "9x16", "--heads", "2",
                         "--structure", "tied_qk", "--format", "json")
            with self.subTest(backend=backend):
                self.assertEqual(result.returncode, 0, result.stderr)
                found = json.loads(result.stdout)
                if backend in WITHOUT_SCORES:
                    self.assertIsNone(found["scores"])
                    continue
                for head, scores in enumerate(found["scores"]):
                    q, k = ([row[8 * head:8 * head + 8] for row in found[key]] for key in "qk")
                    for i, j in ((i, j) for i in range(9) for j in range(i)):
                        products = [(a * b, c * d) for a, b, c, d in zip(q[i], k[j], q[j], k[i])]
                        size = sum(abs(a) + abs(b) for a, b in products)
                        inputs = abs(sum(a - b for a, b in products))  # where Q is not K, bit for bit
                        rounding = (len(products) + 2) * 2 ** -24 * size
                        self.assertLessEqual(abs(scores[i][j] - scores[j][i]), rounding + inputs)

    def test_scales(self):
        wide = ["--random", "3x8", "--heads", "4"]
        for word, scale in [("head", 2 ** -0.5), ("hidden", 8 ** -0.5), ("none", 1), ("0.25", 0.25)]:
            found = self.numbers(*wide, "--scale", word)
            self.assertAlmostEqual(found["scale"], scale)
            for raw, scaled in zip(flat(found["scores"]), flat(found["scaled_scores"])):
                self.assertAlmostEqual(raw * scale, scaled, places=6)

    def test_examples(self):
        dictionary = self.numbers("--example", "dictionary")
        row = dictionary["weights"][0][0]
        self.assertGreater(row[dictionary["key_tokens"].index("pear")], 0.99)
        for got, value in zip(dictionary["output"][0], dictionary["v"][2]):
            self.assertAlmostEqual(got, value, delta=0.01)
        market = explain("--example", "market").stdout
        for stall in ("apples", "cherries", "peaches", "leeks", "melons"):
            self.assertRegex(market, rf"  {stall} +\d+\.\d %  #+\n")

    def test_files(self):
        csv = self.file("x.csv", "# three\n1, 2, 3\n1, 2, 5\n\n0, 2, 0\n")
        rows = self.file("x.json", "[[1, 2, 3], [1, 2, 5], [0, 2, 0]]")
        blanks = self.file("x.txt", "1 2\t3\n1 2 5\n0 2 0\n")
        default = self.numbers()
        for path in (csv, rows, blanks):
            self.assertEqual(self.numbers("--input", path), default)
        again = self.file("again.json", json.dumps(self.numbers("--random", "4x6", "--heads", "2")))
        self.assertEqual(self.numbers("--input", again, "--heads", "2"), json.loads(again.read_text()))
        crossed = self.numbers("--input", csv, "--context", self.file("y.csv", "1,0,0\n0,1,0\n"),
                               "--context-tokens", "left,right")
        self.assertEqual(shape(crossed["weights"]), [1, 3, 2])
        self.assertEqual(crossed["key_tokens"], ["left", "right"])

    def test_wrong_input_names_the_shape_found_and_the_shape_needed(self):
        csv = self.file("x.csv", "1,2,3\n4,5,6\n")
        cases = [
            (["--heads", "2"], ["hidden_size is 3", "2 heads", "4"]),
            (["--input", csv, "--hidden", "4"], ["X is [2 x 3]", "[2 x 4]"]),
            (["--input", csv, "--context", self.file("y.csv", "1,2\n")], ["[1 x 2]", "[1 x 3]"]),
            (["--input", self.file("w.json", '{"x": [[1, 2]], "w_q": [[1, 2, 3]]}')],
             ["X is [1 x 2]", "w_q is [1 x 3]", "[1 x 3]"]),
            (["--input", self.file("k.json", '{"x": [[1]], "w_q": [[1]], "w_k": [[1], [2]]}')],
             ["w_k is [2 x 1]", "[1 x 1]"]),
            (["--input", self.file("a.csv", "1,two\n")], ["a.csv, line 1, field 2", "'two'"]),
            (["--input", self.file("n.csv", "1,nan\n")], ["'nan' is no finite number"]),
            (["--input", self.file("g.csv", "1,,2\n")], ["''"]),
            (["--input", self.file("r.csv", "1,2\n3\n")], ["line 2", "has 1 numbers", "have 2"]),
            (["--input", self.file("r.json", "[[1, 2], [3]]")], ["row 2", "has 1 numbers", "have 2"]),
            (["--input", self.file("s.json", '[[1, "b"]]')], ['"b" is no finite number']),
            (["--input", self.file("e.csv", "\n")], ["holds no numbers"]),
            (["--input", self.file("b.json", "[[1, 2]")], ["is no JSON"]),
            (["--input", self.file("f.csv", "1e300,1\n")], ["X holds 1e+300", "f32"]),
            (["--input", self.folder / "none.csv"], ["none.csv", "cannot be read"]),
            (["--input", self.folder], ["cannot be read"]),
            (["--tokens", "a,b,c,d"], ["4 labels", "3 tokens"]),
            (["--context-tokens", "a"], ["--context"]),
            (["--random", "6by768"], ["6x768"]),
            (["--random", "99999x4"], ["512x16384"]),
            (["--input", csv, "--example", "market"], ["exclude each other"]),
            (["--example", "markt"], ["did you mean 'market'"]),
            (["--structure", "tied"], ["did you mean 'tied_qk'"]),
            (["--scale", "0"], ["neither head, hidden, none"]),
            (["--weights", self.folder / "w.gif"], [".svg or .png"]),
            (["--weights", self.folder / "no" / "w.svg"], ["cannot be written"]),
            (["--headz", "2"], ["did you mean '--heads'"]),
        ]
        for arguments, messages in cases:
            with self.subTest(arguments=arguments):
                result = explain(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(result.stdout, "")
                for message in messages:
                    self.assertIn(message, result.stderr)

    def test_pictures_have_a_map_for_each_head_and_escaped_names(self):
        path = self.folder / "w.svg"
        result = explain("--random", "3x4", "--heads", "2", "--tokens", "a<b,&,\"c\"", "--weights", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        texts = [text.text for text in xml.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")]
        for word, count in [("a<b", 4), ("&", 4), ('"c"', 4), ("head 1: keys", 1), ("head 2: keys", 1),
                            ("0 %", 1)]:
            self.assertEqual(texts.count(word), count, word)

    def test_png_needs_a_converter_and_says_so(self):
        path = self.folder / "w.png"
        result = explain("--weights", path, PATH=str(self.folder))
        self.assertEqual(result.returncode, 2)
        self.assertIn("librsvg2-bin", result.stderr)
        self.assertIn(".svg", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])
        if shutil.which("rsvg-convert"):
            self.assertEqual(explain("--weights", path).returncode, 0)
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    unittest.main()
