#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/plot on the committed reports, on hostile ones and on broken ones; the page in a real
headless Chromium: it runs no script but its own, loads nothing, and its filter filters.

usage: plot_test.py. Chromium's part is skipped where there is none.
"""
import copy
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "skips"))
import skips

PLOT = ROOT / "scripts" / "plot"
# Of the default sweep: <day>-<commit>.json, without a suite's name behind.
REPORT = next(path for path in sorted((ROOT / "results").glob("*/*.json")) if path.stem.count("-") == 1)
HOSTILE = "<script>document.title='taken'</script>\"'&$\\frac{"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def plot(*arguments):
    return subprocess.run([PLOT, *map(str, arguments)], text=True, capture_output=True, timeout=120, check=False)


def few_cells():
    """The report with four cells of one head size and two lengths, whose page is made sooner."""
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    cells = report["attest"]["cells"]
    size = cells[0]["problem"]["head_size"]
    report["attest"]["cells"] = [cell for cell in cells if cell["problem"]["head_size"] == size][:4]
    return report


class Ids(html.parser.HTMLParser):
    """Ids of a document, and the attributes by which it could load something."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and not (value or "").startswith(("#", "data:")):
                self.loads.append((tag, name, value))


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def written(self, name, report):
        path = self.folder / name
        path.write_text(json.dumps(report), encoding="utf-8")
        return path

    def page_of(self, *reports, files=("--page-only",)):
        result = plot(*reports, "--out", self.folder / "out", *files)
        self.assertEqual(result.returncode, 0, result.stderr)
        return (self.folder / "out" / "report.html").read_text(encoding="utf-8")

    def hostile(self):
        report = few_cells()
        for cell in report["attest"]["cells"]:
            for result in cell["results"]:
                result["backend"] = HOSTILE + result["backend"]
                result["reason"] = HOSTILE
        report["attest"]["machine"]["slug"] = HOSTILE
        return self.written("hostile.json", report)

    def few(self):
        return self.written("few.json", few_cells())

    def with_threads(self):
        """The report, and beside each result one that takes 1.5 times as long on one thread."""
        report = few_cells()
        for cell in report["attest"]["cells"]:
            for result in [one for one in cell["results"] if "timing" in one]:
                slow = copy.deepcopy(result)
                slow.update(backend=result["backend"] + "-1t", threads=1)
                slow["timing"]["median_seconds"] *= 1.5
                result.update(threads=2, scaling={"from_threads": 1, "ratio": 1.5, "low": 1.4, "high": 1.6,
                                                  "efficiency": 0.75, "rounds": 12})
                cell["results"].append(slow)
        return self.written("threads.json", report)


class Page(Folder):
    def test_fewer_threads_stand_beside_and_not_among_the_others(self):
        text = self.page_of(self.with_threads())
        plain = self.page_of(self.few())
        self.assertIn("What more threads bring", text)
        self.assertIn("with 2 threads instead of 1, efficiency 75%, 95 % interval 1.4 to 1.6", text)
        self.assertNotIn("What more threads bring", plain)
        for title in ("Who is fastest where", "Time against sequence length"):
            part = text[text.index(title):]
            self.assertNotIn("-1t", part[:part.index("</table>" if "fastest" in title else "</figure>")])
        speed_ups = [re.findall(r"<td class=number data-v=\"([^\"]+)\">[0-9.e+]+×</td>", page) for page in (plain, text)]
        self.assertTrue(speed_ups[0])
        self.assertEqual({round(float(x), 6) for x in speed_ups[0]}, {round(float(x), 6) for x in speed_ups[1]},
                         "against a baseline of as many threads")

    def test_has_every_result_and_every_plot(self):
        text = self.page_of(REPORT, files=())
        cells = json.loads(REPORT.read_text(encoding="utf-8"))["attest"]["cells"]
        body = text[text.index("<table id=results>"):]
        body = body[body.index("<tbody>"):]
        self.assertEqual(body.count("<tr>"), sum(len(cell["results"]) for cell in cells))
        self.assertEqual(text.count("<figure>"), 6)
        self.assertLess(len(text), 3_000_000)
        for name in ("time", "rate", "speed-up", "heat", "roofline", "errors"):
            for kind in ("svg", "png"):
                self.assertGreater((self.folder / "out" / f"{name}.{kind}").stat().st_size, 1000)

    def test_of_two_reports_names_both_and_repeats_no_id(self):
        other = few_cells()
        other["attest"]["machine"]["slug"] = "another-machine"
        path = self.written("other.json", other)
        text = self.page_of(self.few(), path, files=())
        self.assertIn("another-machine", text)
        for name in ("0-few-time.svg", "1-other-time.png"):
            self.assertGreater((self.folder / "out" / name).stat().st_size, 1000)
        ids = Ids(text).ids
        self.assertEqual(len(ids), len(set(ids)), "an id is used twice")

    def test_says_who_is_fastest_where(self):
        report = few_cells()
        part = report["attest"]
        part["backends"] = [{"name": "a", "path": "/x/attest_a.so"}, {"name": "p", "path": "/x/peers/attest_p.worker"}]
        cell = part["cells"][0]
        timed = next(one for one in cell["results"] if one.get("timing"))
        cell["results"] = []
        for label, seconds in (("a:slow", 4e-3), ("a:quick", 1e-3), ("p:", 3e-3), ("a:wrong", 1e-6)):
            made = copy.deepcopy(timed)
            made["backend"], made["variant"] = label.split(":")
            made["timing"]["median_seconds"] = seconds
            made["verdict"] = "fail" if label == "a:wrong" else "pass"
            cell["results"].append(made)
        part["cells"] = [cell]
        path = self.written("two.json", report)
        text = self.page_of(path)
        table = text[text.index("Who is fastest where"):text.index("</table>")]
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
        self.assertEqual(cells[:2] + cells[4:], [cell["id"], "a:quick", "p", "3.00×", "p", "3.00×"])
        self.assertEqual(cells[2].rstrip("~"), "1 ms")
        part["backends"], cell["results"] = [], cell["results"][:2]
        path.write_text(json.dumps(report), encoding="utf-8")
        self.assertNotIn("Who is fastest where", self.page_of(path))

    def test_a_legend_of_many_labels_is_whole(self):
        report = json.loads(REPORT.read_text(encoding="utf-8"))
        cells = [cell for cell in report["attest"]["cells"] if cell["problem"]["head_size"] == 64][:3]
        for cell in cells:
            timed = next(one for one in cell["results"] if one.get("timing"))
            cell["problem"].update(is_causal=0, q_num_heads=12, kv_num_heads=12)
            cell["results"] = [{**copy.deepcopy(timed), "backend": f"a_backend_with_a_name_{i}"} for i in range(17)]
        report["attest"]["cells"] = cells
        path = self.written("many.json", report)
        self.page_of(path, files=())
        svg = (self.folder / "out" / "time.svg").read_text(encoding="utf-8")
        width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg).group(1))
        at = [float(x) for x in re.findall(r'<text [^>]*? x="([-\d.]+)"[^>]*>a_backend_with_a_name', svg)]
        self.assertEqual(len(at), 17)
        self.assertTrue(all(0 < x < width - 100 for x in at), f"{at} in {width}")

    def test_says_what_is_known_of_the_rounds(self):
        report = few_cells()
        timing = report["attest"]["cells"][0]["results"][0]["timing"]
        timing.update(drift=-0.0123, outliers=2, voluntary_switches=40, involuntary_switches=7, spread=0.25)
        timing["device_samples_seconds"] = [0.75 * wall for wall in timing["wall_samples_seconds"]]
        path = self.written("rounds.json", report)
        self.assertIn('title="12 rounds, middle 60 % within 25.0 % of the median, later half -1.2 %, 2 outliers, '
                      '40 times waited, 7 times put off the CPU, device at work 75 % of the wall time"',
                      self.page_of(path))

    def test_shows_a_study_with_its_sentence(self):
        report = few_cells()
        rows = [{"cell": "c", "category": category, "series": series, "verdict": "pass", "reason": "",
                 "figures": {"entropy_bits": 1.5, "largest_weight": None, "largest_weight_nonfinite": "nan"}}
                for category in ("16", HOSTILE) for series in ("q.k", "q.k / sqrt(d)")]
        report["attest"]["studies"] = [{"name": "scale", "backend": "b", "sentence": "Entropy falls.", "rows": rows}]
        path = self.written("study.json", report)
        page = self.page_of(path)
        self.assertIn("On b. Entropy falls.", page)
        self.assertIn("entropy bits", page)
        self.assertNotIn("<script>document", page)

    def test_loads_nothing(self):
        self.assertEqual(Ids(self.page_of(self.few())).loads, [])

    def test_escapes_what_a_report_says(self):
        text = self.page_of(self.hostile())
        self.assertEqual(len(re.findall(r"<script", text)), 1, "the page's own script alone")
        self.assertNotIn("<script>document", text)

    def test_of_a_report_without_times_has_the_table(self):
        report = few_cells()
        for cell in report["attest"]["cells"]:
            for result in cell["results"]:
                result.update(verdict="error", timing=None, rates=None, verification=None)
        path = self.written("errors.json", report)
        text = self.page_of(path)
        self.assertIn("no verified time", text)
        self.assertIn(">error</span>", text)


class BadInput(Folder):
    def refusal(self, text, name="r.json"):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        result = plot(path, "--out", self.folder / "out")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertFalse((self.folder / "out").exists(), "nothing is written")
        return result.stderr

    def test_another_tools_report(self):
        self.assertIn("no report of Attest", self.refusal('{"benchmarks": []}'))

    def test_truncated(self):
        text = REPORT.read_text(encoding="utf-8")
        self.assertIn("broken JSON at line", self.refusal(text[: len(text) // 2]))

    def test_newer_major(self):
        report = copy.deepcopy(json.loads(REPORT.read_text(encoding="utf-8")))
        report["attest"]["schema_version"] = "2.0.0"
        self.assertIn("schema version 2.0.0", self.refusal(json.dumps(report)))

    def test_missing_file(self):
        result = plot(self.folder / "none.json")
        self.assertEqual(result.returncode, 2)
        self.assertIn("No such file", result.stderr)


class Browser(Folder):
    def setUp(self):
        super().setUp()
        if not CHROMIUM:
            skips.skip("no Chromium: apt-get install chromium")

    def browse(self, page, *options):
        """Standard output and error of a headless run, and the addresses it asked for."""
        log = self.folder / "net.json"
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={self.folder / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=5000",
                   "--enable-logging=stderr", *options, page]
        run = subprocess.run(command, text=True, capture_output=True, timeout=110, check=True,
                             env={**os.environ, "HOME": str(self.folder)})
        console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
        asked = set(re.findall(r'"url":"([^"]+)"', log.read_text(encoding="utf-8")))
        return run.stdout, console, asked

    def test_page_is_clean_and_filters(self):
        self.page_of(REPORT)
        page = (self.folder / "out" / "report.html").as_uri()
        dom, console, asked = self.browse(f"{page}#naive+causal", "--dump-dom")
        self.assertEqual(console, [])
        own = [url for url in asked if not url.startswith(("file:", "data:", "chrome:"))]
        # The browser's own errands go to its maker; the page may ask for nothing at all.
        self.assertEqual([url for url in own if "google" not in url and "gvt1" not in url], [])
        results = dom[dom.index('id="results"'):]
        rows = re.findall(r"<tr( hidden(?:=\"\")?)?><td>(.*?)</tr>", results, re.S)
        shown = [text for hidden, text in rows if not hidden]
        self.assertTrue(shown)
        self.assertLess(len(shown), len(rows))
        for text in shown:
            self.assertIn("naive", text)
            self.assertIn("causal", text)

    def test_hostile_report_runs_nothing(self):
        self.page_of(self.hostile())
        dom, console, _ = self.browse((self.folder / "out" / "report.html").as_uri(), "--dump-dom")
        self.assertEqual(console, [])
        self.assertIn("<title>Attest:", dom)


if __name__ == "__main__":
    unittest.main()
