# SPDX-License-Identifier: Apache-2.0
"""The plots of one report, each a function from it to a figure, or None where it has nothing to show."""

import collections
import math

import numpy
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from attest_plots import reports, style

LEGEND_ENTRY = 0.6, 0.08, 0.19  # of a legend, in inches: width beside a label, of a letter, height of a line
MOST_PANELS = 12  # of one figure; what is left out is said in its caption
RASTER_FROM = 2000  # points, beyond which a scatter is drawn as pixels


def _timed(report):
    """Those with the run's number of threads: what fewer do is in the plot of scaling alone."""
    return [row for row in report.rows if row.is_verified and row.median and not row.fewer_threads]


def _panels(count, width=3.7, height=2.8):
    columns = min(3, count)
    lines = math.ceil(count / columns)
    width = 5.8 if count == 1 else width  # room for a legend of some columns
    figure, axes = plt.subplots(lines, columns, figsize=(width * columns, height * lines + 0.5), squeeze=False)
    for axis in axes.flat[count:]:
        axis.remove()
    return figure, list(axes.flat[:count])


def _legend(figure, axes, looks):
    """One legend of all labels below the figure, which grows by it."""
    handles = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    ordered = [label for label in looks if label in handles]
    width, height = figure.get_size_inches()
    beside, letter, line = LEGEND_ENTRY
    widest = beside + letter * max(map(len, ordered), default=0)
    columns = max(1, min(4, len(ordered), int(width / widest)))
    figure.set_size_inches(width, height + line * math.ceil(len(ordered) / columns))
    figure.legend([handles[label] for label in ordered], ordered, loc="outside lower center", ncols=columns)


def _logarithmic(axis, formatter=lambda value, _: f"{value:g}"):
    """Plain numbers on a logarithmic axis (a matplotlib XAxis or YAxis), whose default is formulas."""
    axis.set_major_formatter(FuncFormatter(formatter))
    axis.set_minor_formatter(NullFormatter())


def _seconds(value, _=None):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:g} {unit}"
    return f"{value * 1e9:g} ns"


def _series(report):
    """{series: {label: rows by length}}, series of at least two lengths, the longest first."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in _timed(report):
        found[reports.series_key(row.problem)][row.label].append(row)
    lines = {}
    for key, by_label in found.items():
        lengths = {r.problem.get("kv_sequence_length") for rows in by_label.values() for r in rows}
        if len(lengths) > 1:
            lines[key] = (len(lengths), by_label)
    ordered = sorted(lines.items(), key=lambda item: (-item[1][0], item[0]))
    return [by_label for _, (_, by_label) in ordered]


def _against_length(report, looks, value, band, axis_name, log, formatter=None):
    series = _series(report)
    if not series:
        return None, ""
    shown = series[:MOST_PANELS]
    figure, axes = _panels(len(shown))
    for axis, by_label in zip(axes, shown):
        any_row = next(iter(by_label.values()))[0]
        axis.set_title(reports.series_name(any_row.problem))
        for label, rows in sorted(by_label.items()):
            rows.sort(key=lambda row: row.problem["kv_sequence_length"])
            lengths = [row.problem["kv_sequence_length"] for row in rows]
            axis.plot(lengths, [value(row) for row in rows], label=label, markersize=4, linewidth=1.3, **looks[label])
            low, high = zip(*(band(row) for row in rows))
            axis.fill_between(lengths, low, high, color=looks[label]["color"], alpha=0.18, linewidth=0)
        axis.set_xscale("log", base=2)
        _logarithmic(axis.xaxis, lambda length, _: f"{length:.0f}")
        if log:
            axis.set_yscale("log")
            _logarithmic(axis.yaxis, formatter)
        else:
            axis.set_ylim(bottom=0)
        axis.set_xlabel("sequence length")
        axis.set_ylabel(axis_name)
    _legend(figure, axes, looks)
    left = len(series) - len(shown)
    return figure, f" {left} more groups of cells are in the table." if left > 0 else ""


def time_against_length(report, looks):
    """Median time of a call with the band from the 20th to the 80th percentile of the rounds."""
    return _against_length(
        report,
        looks,
        lambda r: r.median,
        lambda r: (r.p20 or r.median, r.p80 or r.median),
        "time of a call",
        True,
        _seconds,
    )


def rate_against_length(report, looks):
    """The same as arithmetic rate, beside the ceiling measured in the run."""

    def scaled(row, seconds):
        return (row.flops or 0) * row.median / seconds / 1e9

    figure, note = _against_length(
        report,
        looks,
        lambda r: (r.flops or 0) / 1e9,
        lambda r: (scaled(r, r.p80 or r.median), scaled(r, r.p20 or r.median)),
        "GFLOP/s",
        False,
    )
    peak = (report.ceilings.get("cpu") or {}).get("f32_fma_flops")
    if figure and peak:
        for axis in figure.axes:
            axis.axhline(peak / 1e9, color=style.INK, linewidth=0.8, linestyle=(0, (2, 3)))
        note += " Dotted: the CPU's f32 FMA rate measured in this run."
    return figure, note


def speed_up_matrix(report, looks):
    """Geometric mean, over the cells both have, of how much faster the row's result is than the column's."""
    times = collections.defaultdict(dict)
    for row in _timed(report):
        times[row.label][row.cell] = row.median
    names = [label for label in looks if label in times]
    if len(names) < 2:
        return None, ""
    matrix = numpy.full((len(names), len(names)), numpy.nan)
    for i, ours in enumerate(names):
        for j, theirs in enumerate(names):
            common = times[ours].keys() & times[theirs].keys()
            if common:
                ratios = [math.log(times[theirs][cell] / times[ours][cell]) for cell in common]
                matrix[i, j] = math.exp(sum(ratios) / len(ratios))
    size = 0.62 * len(names) + 2.2
    figure, axis = plt.subplots(figsize=(size + 1.2, size))
    shade = numpy.clip((numpy.log2(matrix) + 3) / 6, 0, 1)
    axis.imshow(shade, cmap="cividis", vmin=0, vmax=1)
    for (i, j), ratio in numpy.ndenumerate(matrix):
        if not math.isnan(ratio):
            axis.text(
                j, i, f"{ratio:.2f}" if ratio < 99 else f"{ratio:.0f}", ha="center", va="center", fontsize=7.5,
                color=style.contrast(shade[i, j]),
            )
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.grid(False)
    axis.set_xlabel("how many times as fast as")
    return figure, ""


def scaling(report, looks):
    """How many times as fast each result is as with the fewest threads, and the line it cannot pass."""
    rows = [row for row in report.rows if row.scaling]
    if not rows:
        return None, ""
    names = [label for label in looks if any(row.label == label for row in rows)]
    figure, axis = plt.subplots(figsize=(8, 0.36 * len(names) + 1.4))
    for i, label in enumerate(names):
        own = [row for row in rows if row.label == label]
        ratios = [row.scaling["ratio"] for row in own]
        spread = [i + 0.28 * math.sin(2.399 * n) for n in range(len(own))]
        axis.plot(ratios, spread, linestyle="", markersize=4, alpha=0.7, color=looks[label]["color"], marker=looks[label]["marker"])
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        axis.annotate(f"{mean:.2f}", (1, i), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)
        most = own[0].threads / own[0].scaling["from_threads"]
        axis.plot([most, most], [i - 0.45, i + 0.45], color="#D55E00", linewidth=1.4)
    axis.set_xlim(left=0)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    fewest = rows[0].scaling["from_threads"]
    axis.set_xlabel(f"times as fast as with {fewest} thread{'' if fewest == 1 else 's'} (right: geometric mean)")
    return figure, ""


def heat_maps(report, looks):
    """Share of the ceiling over sequence length and head size, a map for every label."""
    cells = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in _timed(report):
        if row.of_ceiling is not None:
            at = (row.problem.get("head_size"), row.problem.get("kv_sequence_length"))
            cells[row.label][at].append(row.of_ceiling)
    names = [label for label in looks if label in cells]
    sizes = sorted({at[0] for by in cells.values() for at in by})
    lengths = sorted({at[1] for by in cells.values() for at in by})
    if not names or len(sizes) * len(lengths) < 2:
        return None, ""
    shown = names[:MOST_PANELS]
    figure, axes = _panels(len(shown), height=0.5 * len(sizes) + 1.2)
    for axis, label in zip(axes, shown):
        shares = numpy.full((len(sizes), len(lengths)), numpy.nan)
        for (size, length), values in cells[label].items():
            shares[sizes.index(size), lengths.index(length)] = sum(values) / len(values)
        axis.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (i, j), share in numpy.ndenumerate(shares):
            if not math.isnan(share):
                axis.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=style.contrast(share))
        axis.set_xticks(range(len(lengths)), lengths, rotation=45)
        axis.set_yticks(range(len(sizes)), sizes)
        axis.grid(False)
        axis.set_title(label)
        axis.set_ylabel("head size")
    left = len(names) - len(shown)
    return figure, " Mean over the cells of a field, in %." + (f" {left} more results are in the table." if left else "")


def roofline(report, looks):
    """Rates against arithmetic intensity, below the ceilings measured in the run."""
    rows = [row for row in _timed(report) if row.flops and row.intensity]
    if not rows:
        return None, ""
    figure, axis = plt.subplots(figsize=(8, 4.6))
    for label in looks:
        own = [row for row in rows if row.label == label]
        if own:
            axis.plot(
                [row.intensity for row in own], [row.flops / 1e9 for row in own], linestyle="", markersize=5, alpha=0.85,
                label=label, color=looks[label]["color"], marker=looks[label]["marker"], rasterized=len(rows) > RASTER_FROM,
            )
    drawn = _draw_roof(axis, report, [row.intensity for row in rows])
    axis.set_xscale("log")
    axis.set_yscale("log")
    _logarithmic(axis.xaxis)
    _logarithmic(axis.yaxis)
    axis.set_xlabel("FLOP per byte that must be read or written")
    axis.set_ylabel("GFLOP/s")
    _legend(figure, [axis], looks)
    return figure, "" if drawn else " This report has no ceilings."


def _draw_roof(axis, report, intensities):
    drawn = False
    span = numpy.geomspace(min(intensities) / 2, max(intensities) * 2, 200)
    for name, ceiling in sorted(report.ceilings.items()):
        peak, read = ceiling.get("f32_fma_flops"), ceiling.get("read_bytes_per_second")
        if not peak or not read or "/" in name:
            continue
        axis.plot(span, numpy.minimum(peak, read * span) / 1e9, color=style.INK, linewidth=1.1)
        axis.annotate(
            f"{name}: {peak / 1e9:.0f} GFLOP/s f32, reads {read / 1e9:.0f} GB/s", (span[-1], peak / 1e9), fontsize=8,
            ha="right", va="bottom", xytext=(0, 2), textcoords="offset points",
        )
        drawn = True
    return drawn


def errors(report, looks):
    """Largest error of every result over its bound; above the line at 1 a result is wrong."""
    rows = [row for row in report.rows if row.error_over_bound is not None]
    if not rows:
        return None, ""
    names = [label for label in looks if any(row.label == label for row in rows)]
    figure, axis = plt.subplots(figsize=(8, 0.36 * len(names) + 1.6))
    finite = [row.error_over_bound for row in rows if 0 < row.error_over_bound < math.inf] or [1e-3]
    low, high = min(finite) / 3, max(max(finite), 1.0) * 3
    for i, label in enumerate(names):
        values = [min(max(row.error_over_bound, low), high) for row in rows if row.label == label]
        spread = [i + 0.28 * math.sin(2.399 * n) for n in range(len(values))]
        axis.plot(
            values, spread, linestyle="", markersize=4, alpha=0.7, color=looks[label]["color"],
            marker=looks[label]["marker"], rasterized=len(rows) > RASTER_FROM,
        )
    axis.axvline(1, color="#D55E00", linewidth=1.4)
    axis.set_xscale("log")
    _logarithmic(axis.xaxis)
    axis.set_xlim(low / 1.5, high * 1.5)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlabel("largest error / bound (1 = the most that its arithmetic allows)")
    return figure, ""


def studies(report, _looks):
    """What a suite study-* was measured for: a panel for each figure, of one backend that gave them."""
    if not report.studies:
        return None, ""
    study = report.studies[0]
    rows = [row for row in study.get("rows") or [] if row.get("figures")]
    if not rows:
        return None, ""
    categories = list(dict.fromkeys(row["category"] for row in rows))
    series = list(dict.fromkeys(row.get("series", "") for row in rows))
    names = [name for name in rows[0]["figures"] if not name.endswith("_nonfinite")]
    figure, axes = _panels(len(names), width=4.4)
    for axis, name in zip(axes, names):
        for n, label in enumerate(series):
            heights = {row["category"]: row["figures"].get(name) for row in rows if row.get("series", "") == label}
            at = numpy.arange(len(categories)) + (n - (len(series) - 1) / 2) * 0.4
            bars = axis.bar(at, [math.nan if heights.get(key) is None else heights[key] for key in categories], width=0.38, color=style.PALETTE[n], label=label)
            axis.bar_label(bars, fmt="%.2g", fontsize=6)
        axis.set_xticks(range(len(categories)), categories, fontsize=7)
        axis.set_title(name.replace("_", " "))
    if len(series) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(series))
    return figure, f"On {study.get('backend')}. {study.get('sentence')}"


ALL = [
    ("time", "Time against sequence length", time_against_length,
     "Median over rounds; the band spans the 20th to the 80th percentile."),
    ("rate", "Rate against sequence length", rate_against_length,
     "Multiply-adds of visible query-key pairs alone count."),
    ("speed-up", "How many times as fast", speed_up_matrix,
     "The row's result against the column's: geometric mean over the cells that both have."),
    ("scaling", "What more threads bring", scaling,
     "Each dot is one result, paired within rounds; the line is what its threads could bring."),
    ("heat", "Share of the ceiling", heat_maps,
     "Of what the machine was measured to reach in the same run, arithmetic or reads, whichever limits."),
    ("roofline", "Roofline", roofline,
     "Every verified result under the ceilings measured in the run."),
    ("errors", "Error over bound", errors,
     "Each dot is one result; right of the line it is wrong."),
    ("study", "What the study shows", studies, ""),
]
