# SPDX-License-Identifier: Apache-2.0
"""Command line of scripts/plot. Exit codes: 0 done, 2 an argument or a report is unusable."""

import argparse
import pathlib
import sys

from attest_plots import page, reports


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/plot",
        description="Writes the plots of reports as SVG and PNG, and report.html, one page that "
        "needs no network, no server and no JavaScript to be read.",
        epilog="Example: scripts/plot results/*/*.json --out build/plots",
    )
    parser.add_argument("report", nargs="+", type=pathlib.Path, help="a report of attest run")
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        help="folder for what is written; default: the first report's name without .json",
    )
    parser.add_argument("--page-only", action="store_true", help="report.html alone, no files beside it")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    try:
        loaded = [reports.load(path) for path in options.report]
    except reports.Unusable as error:
        print(f"plot: {error}", file=sys.stderr)
        return 2
    out = options.out or options.report[0].with_suffix("")
    try:
        written = page.write(loaded, out, files=not options.page_only)
    except OSError as error:
        print(f"plot: cannot write {out}: {error.strerror}; choose a folder with --out", file=sys.stderr)
        return 2
    print(f"page: {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
