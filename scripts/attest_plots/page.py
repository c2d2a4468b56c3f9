# SPDX-License-Identifier: Apache-2.0
"""report.html: one file with plots, table and machine. Everything that comes from a report is
escaped, and the page's own policy lets no other script run and nothing be loaded."""

import base64
import hashlib
import html
import pathlib

from attest_plots import figures, reports, style

FOLDER = pathlib.Path(__file__).parent


def escape(value):
    return html.escape(str(value), quote=True)


def write(loaded, out, files=True):
    """Writes the plots (where `files`) and the page into the folder; returns the page's path. Plots
    are NAME.svg and NAME.png, those of one report among several NUMBER-REPORT-NAME."""
    out.mkdir(parents=True, exist_ok=True)
    looks = style.looks(reports.labels([row for report in loaded for row in report.rows]))
    plots = []
    for number, report in enumerate(loaded):
        prefix = f"{out}/{number}-{report.path.stem}-" if len(loaded) > 1 else f"{out}/"
        plots.append((report, draw(report, looks, number, prefix if files else None)))
    target = out / "report.html"
    temporary = target.with_suffix(".part")
    temporary.write_text(page(plots), encoding="utf-8")
    temporary.replace(target)
    return target


def _save(figure, svg, stem):
    pathlib.Path(f"{stem}.svg").write_text(svg, encoding="utf-8")
    figure.savefig(f"{stem}.png", dpi=150, facecolor="white")


def draw(report, looks, number, prefix):
    """[(title, caption, SVG to put into the page)] of every plot that has something to show. Saves
    each as a file, too, whose path begins with `prefix`, unless that is None."""
    drawn = []
    for name, title, make, caption in figures.ALL:
        figure, note = make(report, looks)
        if figure is None:
            continue
        text = style.svg(figure, f"{number}{name}")
        if prefix is not None:
            _save(figure, text, f"{prefix}{name}")
        figure.clear()
        style.plt.close(figure)
        drawn.append((title, caption + note, style.inline(text, f"r{number}-{name}", escape(title))))
    return drawn


def page(plots):
    """The whole document."""
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = "".join(_section(number, report, drawn) for number, (report, drawn) in enumerate(plots))
    return (FOLDER / "page.html").read_text(encoding="utf-8").format(
        digest=digest,
        css=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=script,
        title=escape(", ".join(report.name for report, _ in plots)),
        head="".join(_summary(number, report) for number, (report, _) in enumerate(plots)),
        table=_table([report for report, _ in plots]),
        sections=sections,
    )


def _summary(number, report):
    verdicts = (report.summary.get("verdicts") or {}).items()
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts if count)
    cpu = (report.machine.get("cpu") or {}).get("model", "")
    return (
        f'<li><a href="#report-{number}">{escape(report.name)}</a>: {escape(cpu)}, '
        f"{escape(report.machine.get('os', ''))}; {report.summary.get('cells', '?')} cells: {escape(counts)}</li>"
    )


def _section(number, report, drawn):
    plots = "".join(
        f"<figure><h3>{escape(title)}</h3>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for title, caption, svg in drawn
    )
    if not drawn:
        plots = "<p>This report has no verified time, so there is nothing to plot.</p>"
    return (
        f'<section id="report-{number}"><h2>{escape(report.name)}</h2>{_fastest(report)}{plots}'
        f"<details><summary>Machine, build, settings</summary>{_facts(report)}</details></section>"
    )


def _fastest(report):
    """Who is fastest where; "" where fewer than two backends have times."""
    found = reports.fastest(report)
    if not any(second for _, second, _ in found):
        return ""
    names = ["problem", "fastest", "median", "% ceiling", "next of another backend", "takes"]
    if any(peer for _, _, peer in found):
        names += ["fastest peer", "takes"]
    head = "".join(f"<th scope=col>{name}</th>" for name in names)
    lines = "".join(
        f"<tr><td>{escape(first.cell)}</td><td>{escape(first.label)}</td>{_median(first)}{_of_ceiling(first)}"
        f"{_against(first, second)}{_against(first, peer) if len(names) > 6 else ''}</tr>"
        for first, second, peer in found
    )
    return (
        "<h3>Who is fastest where</h3><p>By medians; what others take, in times of the fastest. "
        "Noisy ones (~) differ by chance, too.</p>"
        f'<div class="scroll short" tabindex="0" role="region" aria-label="Who is fastest where"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _against(first, other):
    if other is None:
        return "<td></td><td></td>"
    ratio = other.median / first.median
    return f"<td>{escape(other.label)}</td>{_number(ratio, f'{ratio:.2f}×')}"


def _facts(report):
    machine, cpu = report.machine, report.machine.get("cpu") or {}
    facts = [
        ("CPU", f"{cpu.get('model', '?')}, {cpu.get('cores', '?')} cores, {cpu.get('threads', '?')} threads"),
        ("instruction sets", " ".join(cpu.get("isa") or [])),
        ("system", f"{machine.get('os', '?')}, Linux {machine.get('kernel', '?')}, {machine.get('virtualization') or 'no virtualization found'}"),
        ("GPUs", ", ".join(str(gpu.get("name")) for gpu in machine.get("gpus") or []) or "none"),
        ("build", f"{report.build.get('commit', '?')}{' (with changes)' if report.build.get('dirty') else ''}, {report.build.get('compiler', '?')}"),
        ("settings", ", ".join(f"{key} {value}" for key, value in report.policy.items() if isinstance(value, (int, float, str)) and value != "")),
    ]
    for name, ceiling in sorted(report.ceilings.items()):
        figures_of = ", ".join(
            f"{words} {ceiling[key] / 1e9:.0f} {unit}"
            for key, words, unit in (
                ("f32_fma_flops", "f32 FMA", "GFLOP/s"), ("bf16_dot_flops", "bf16 dot", "GFLOP/s"),
                ("read_bytes_per_second", "reads", "GB/s"),
            )
            if ceiling.get(key)
        )
        facts.append((f"ceiling {name}", figures_of))
    for backend in report.backends:
        devices = ", ".join(str(device.get("name")) for device in backend.get("devices") or [])
        words = " ".join(str(backend.get(key) or "") for key in ("state", "library", "library_version", "reason"))
        facts.append((f"backend {backend.get('name')}", f"{words} {devices}"))
    lines = "".join(f"<tr><th scope=row>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table class=facts>{lines}</table>"


def _columns(with_machine, with_scaling):
    return [
        *([("machine", "")] if with_machine else []),
        ("result", ""), ("cell", ""), ("verdict", ""), ("median", "number"), ("rate", "number"), ("% ceiling", "number"),
        ("speed-up", "number"), *([("scaling", "number")] if with_scaling else []), ("error/bound", "number"),
        ("workspace", "number"), ("reason, noise, implementation", ""),
    ]


def _table(loaded):
    with_scaling = any(row.scaling for report in loaded for row in report.rows)
    columns = _columns(len(loaded) > 1, with_scaling)
    head = "".join(
        f'<th scope=col class="{kind}" aria-sort=none><button type=button>{escape(name)}</button></th>'
        for name, kind in columns
    )
    body = "".join(
        _line(report, row, len(loaded) > 1, with_scaling) for report in loaded for row in report.rows
    )
    return f"<table id=results><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _scaled(value, units):
    """Three digits with a unit: [(factor, unit)], the largest unit first."""
    for factor, unit in units:
        if value >= factor:
            break
    return f"{value / factor:.3g} {unit}"


SECONDS = [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
RATES = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1, "")]
BYTES = [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]


def _number(value, text, hint=""):
    """A cell that sorts by its value; `hint` shows where the pointer rests on it."""
    if value is None:
        return "<td class=number></td>"
    title = f' title="{escape(hint)}"' if hint else ""
    return f'<td class=number data-v="{value!r}"{title}>{escape(text)}</td>'


def _median(row):
    return _number(row.median, row.median and _scaled(row.median, SECONDS) + ("~" if row.noise else ""), row.rounds)


def _of_ceiling(row):
    return _number(row.of_ceiling, row.of_ceiling is not None and f"{100 * row.of_ceiling:.1f} %")


def _scaling(row):
    """How many times as fast as with the fewest threads; the interval shows where the pointer rests on it."""
    if not row.scaling:
        return _number(None, "")
    ratio, low, high = (row.scaling.get(key) for key in ("ratio", "low", "high"))
    words = [f"with {row.threads} threads instead of {row.scaling['from_threads']}", f"efficiency {row.scaling['efficiency']:.0%}"]
    if low is not None and high is not None:
        words.append(f"95 % interval {low:.3g} to {high:.3g}")
    return _number(ratio, f"{ratio:.2f}×", ", ".join(words))


def _line(report, row, with_machine, with_scaling):
    bound_by_reads = row.flops and row.intensity and row.intensity < 4 and row.bytes
    rate, unit = (row.bytes, "B/s") if bound_by_reads else (row.flops, "FLOP/s")
    reason = "; ".join(text for text in (row.reason, row.noise and f"noisy: {row.noise}", row.implementation) if text)
    if row.reproduce:
        reason += f"; reproduce: {row.reproduce}"
    cells = [f"<td>{escape(report.name)}</td>"] if with_machine else []
    cells += [
        f"<td>{escape(row.label)}</td>",
        f"<td>{escape(row.cell)}</td>",
        f"<td><span class=\"verdict {'good' if row.is_verified else 'none' if row.verdict in ('unsupported', 'skipped') else 'bad'}\">{escape(row.verdict)}</span></td>",
        _median(row),
        _number(rate, rate and _scaled(rate, RATES) + unit),
        _of_ceiling(row),
        _number(row.speed_up, row.speed_up and f"{row.speed_up:.3g}×"),
        *([_scaling(row)] if with_scaling else []),
        _number(row.error_over_bound, row.error_over_bound is not None and f"{row.error_over_bound:.2g}"),
        _number(row.workspace, row.workspace is not None and _scaled(row.workspace, BYTES)),
        f"<td class=reason>{escape(reason)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"
