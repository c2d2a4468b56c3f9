# SPDX-License-Identifier: Apache-2.0
"""Colours, markers and dashes: the Okabe-Ito palette, which readers with any colour vision can tell
apart, and a marker and a dash beside each colour. Sequential maps are cividis."""

import io
import itertools
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

INK = "#1b1b1f"  # replaced by the page's own text colour where a plot is part of it
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c8c94", "#b5a900"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">"]
DASHES = ["-", "--", "-.", ":"]

plt.rcParams.update(
    {
        "font.family": "sans-serif",
        "font.size": 9,
        "text.parse_math": False,  # labels are data, never formulas
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#8c8c94",
        "grid.alpha": 0.25,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "figure.constrained_layout.use": True,
    }
)


def looks(labels):
    """Colour, marker and dash of every label; the same label looks the same in every plot."""
    colours = itertools.cycle(PALETTE)
    return {
        label: {
            "color": next(colours),
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": DASHES[(i // len(PALETTE)) % len(DASHES)],
        }
        for i, label in enumerate(labels)
    }


def contrast(fraction):
    """Text colour on a cividis field of that shade, 0 to 1."""
    return "#ffffff" if fraction < 0.55 else "#111111"


def svg(figure, name):
    """The figure as SVG text; `name` keeps its ids apart from those of other figures."""
    buffer = io.StringIO()
    with plt.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def inline(text, name, description):
    """SVG to put into a page: no prologue, text in the page's colour, ids of its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(INK, "currentColor")
    ids = set(re.findall(r' id="([^"]+)"', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m.group(1)}"', text)
    for found in ids:
        text = text.replace(f'"#{found}"', f'"#{name}-{found}"').replace(f"url(#{found})", f"url(#{name}-{found})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
