# SPDX-License-Identifier: Apache-2.0
"""Reports as rows. Keys that a report lacks come out as None; keys it has in addition are ignored."""

import dataclasses
import json
import math
import pathlib
import re
import statistics

MAJOR = 1  # of the reports this reads


class Unusable(Exception):
    """The file is no report, or not one this version reads; the text says which and what to do."""


@dataclasses.dataclass
class Row:
    """One result: a backend's variant on one cell. Times in seconds, rates per second."""

    label: str
    cell: str
    problem: dict
    verdict: str
    reason: str
    reproduce: str
    implementation: str
    median: float | None
    p20: float | None
    p80: float | None
    noise: str
    rounds: str
    flops: float | None
    bytes: float | None
    of_ceiling: float | None
    intensity: float | None
    error_over_bound: float | None
    workspace: float | None
    threads: int | None
    scaling: dict
    speed_up: float | None = None

    @property
    def backend(self):
        return self.label.split(":")[0].split("@")[0]

    @property
    def fewer_threads(self):
        """How many a backend was started with that are fewer than the run's ("cpu-1t": 1); 0: not fewer."""
        found = re.search(r"-([1-9][0-9]*)t$", self.backend)
        return int(found[1]) if found else 0

    @property
    def any_threads(self):
        """The label without that."""
        plain = re.sub(r"-[1-9][0-9]*t$", "", self.backend)
        return plain + self.label[len(self.backend):]

    @property
    def is_verified(self):
        return self.verdict in ("pass", "suspicious")


@dataclasses.dataclass
class Report:
    """A report and its rows."""

    path: pathlib.Path
    name: str
    machine: dict
    build: dict
    policy: dict
    ceilings: dict
    backends: list
    summary: dict
    rows: list
    studies: list = dataclasses.field(default_factory=list)


def load(path):
    """The report in that file. Raises Unusable."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: not a text file") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(
            f"{path}: broken JSON at line {error.lineno} ({error.msg}); a killed sweep is finished by "
            "attest run --resume"
        ) from error
    attest = data.get("attest") if isinstance(data, dict) else None
    if not isinstance(attest, dict) or not isinstance(attest.get("cells"), list):
        raise Unusable(f"{path}: no report of Attest (it has no attest.cells); make one with attest run --out")
    version = str(attest.get("schema_version", ""))
    if not version.split(".")[0].isdigit() or int(version.split(".")[0]) > MAJOR:
        raise Unusable(
            f"{path}: schema version {version or 'missing'}, this scripts/plot reads {MAJOR}.x; "
            "use the one of the Attest that wrote it"
        )
    return _report(path, attest)


def _report(path, attest):
    baseline = (attest.get("policy") or {}).get("baseline", "")
    rows = [row for cell in attest["cells"] for row in _rows_of(cell, baseline)]
    machine = attest.get("machine") or {}
    commit = (attest.get("build") or {}).get("commit") or ""
    return Report(
        path=path,
        name=f"{machine.get('slug', 'unknown machine')} · {commit[:7] or path.stem}",
        machine=machine,
        build=attest.get("build") or {},
        policy=attest.get("policy") or {},
        ceilings=attest.get("ceilings") or {},
        backends=attest.get("backends") or [],
        summary=attest.get("summary") or {},
        rows=rows,
        studies=attest.get("studies") or [],
    )


def _rows_of(cell, baseline):
    rows = [_row(cell, result) for result in cell.get("results") or []]
    bases = {r.fewer_threads: r.median for r in rows if r.any_threads == baseline and r.is_verified and r.median}
    for row in rows:
        if row.median and row.fewer_threads in bases:  # as many threads as the row has
            row.speed_up = bases[row.fewer_threads] / row.median
    return rows


def _number(value):
    """A finite number, else None: reports write null for what is not finite."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _row(cell, result):
    timing = result.get("timing") or {}
    rates = result.get("rates") or {}
    verification = result.get("verification") or {}
    label = str(result.get("backend", "?"))
    if result.get("variant"):
        label += f":{result['variant']}"
    if result.get("device"):
        label += f"@{result['device']}"
    flops, least = _number(cell.get("flops")), _number(cell.get("bytes_min"))
    error = _number(verification.get("error_over_bound"))
    if verification.get("error_over_bound_nonfinite"):
        error = math.inf
    return Row(
        label=label,
        cell=str(cell.get("id", "?")),
        problem=cell.get("problem") or {},
        verdict=str(result.get("verdict", "?")),
        reason=str(result.get("reason") or ""),
        reproduce=str(result.get("reproduce") or ""),
        implementation=str(result.get("implementation") or ""),
        median=_number(timing.get("median_seconds")),
        p20=_number(timing.get("p20_seconds")),
        p80=_number(timing.get("p80_seconds")),
        noise=str(timing.get("noise_reason") or "") if timing.get("noisy") else "",
        rounds=_rounds(timing),
        flops=_number(rates.get("flops_per_second")),
        bytes=_number(rates.get("bytes_per_second")),
        of_ceiling=_number(rates.get("fraction_of_ceiling")),
        intensity=flops / least if flops and least else None,
        error_over_bound=error,
        workspace=_number(result.get("workspace_bytes")),
        threads=result.get("threads"),
        scaling=_scaling(result),
    )


def _scaling(result):
    """What more threads bring; {} where it is not known."""
    scaling = result.get("scaling") or {}
    known = {key: _number(value) for key, value in scaling.items()}
    needed = [known.get("ratio"), known.get("efficiency"), known.get("from_threads"), _number(result.get("threads"))]
    return scaling if all(value is not None and value > 0 for value in needed) else {}


def _rounds(timing):
    """What is known of the rounds behind a median, in words; "" without a time."""
    if not timing:
        return ""
    spread, drift = _number(timing.get("spread")), _number(timing.get("drift"))
    words = [f"{len(timing.get('samples_seconds') or [])} rounds"]
    if spread is not None:
        words.append(f"middle 60 % within {100 * spread:.1f} % of the median")
    if drift is not None:
        words.append(f"later half {100 * drift:+.1f} %")
    for key, text in (("outliers", "outliers"), ("voluntary_switches", "times waited"),
                      ("involuntary_switches", "times put off the CPU")):
        if _number(timing.get(key)) is not None:
            words.append(f"{timing[key]} {text}")
    at_work = _device_share(timing)
    if at_work is not None:
        words.append(f"device at work {100 * at_work:.0f} % of the wall time")
    return ", ".join(words)


def _device_share(timing):
    """The part of a call in which the device was at work by its own clock, median over rounds; None: unknown."""
    device, wall = timing.get("device_samples_seconds") or [], timing.get("wall_samples_seconds") or []
    if not device or not all(_number(value) for value in (*device, *wall)):
        return None
    return statistics.median(part / whole for part, whole in zip(device, wall))


def fastest(report):
    """[(fastest row, the next one of another backend, the fastest of a peer)] of each cell with a time, in
    order; None where there is none. Peers are the libraries that other people maintain."""
    peers = {row.get("name") for row in report.backends if pathlib.Path(row.get("path") or "").parent.name == "peers"}
    by_cell = {}
    for row in report.rows:
        if row.is_verified and row.median and not row.fewer_threads:
            by_cell.setdefault(row.cell, []).append(row)
    found = []
    for timed in by_cell.values():
        first, *others = sorted(timed, key=lambda row: row.median)
        found.append((first, next((row for row in others if row.backend != first.backend), None),
                      next((row for row in [first, *others] if row.backend in peers), None)))
    return found


def labels(rows):
    """The results' labels, in alphabetical order, for stable colours; those of fewer threads behind the others."""
    return [label for _, label in sorted({(row.fewer_threads, row.label) for row in rows})]


def series_key(problem):
    """What two cells of one line share: everything but the sequence lengths."""
    return tuple(
        (key, str(value))
        for key, value in sorted(problem.items())
        if key not in ("q_sequence_length", "kv_sequence_length", "causal_offset", "scale")
    )


def series_name(problem):
    """A line's or panel's problem in a few words."""
    heads, kv = problem.get("q_num_heads"), problem.get("kv_num_heads")
    words = [str(problem.get("dtype", "?")), f"{heads}{'' if heads == kv else f'/{kv}'} heads"]
    words.append(f"d {problem.get('head_size')}")
    if problem.get("op") == "self_attention":
        words.insert(0, f"layer, hidden {problem.get('hidden_size')}")
    if problem.get("batch_size", 1) != 1:
        words.append(f"batch {problem['batch_size']}")
    if problem.get("is_causal"):
        words.append("causal")
    if (problem.get("left_window_size") or -1) >= 0:
        words.append(f"window {problem['left_window_size']}")
    if problem.get("attn_mask", "none") != "none":
        words.append(f"{problem['attn_mask']} mask")
    if problem.get("softcap"):
        words.append(f"softcap {problem['softcap']:g}")
    return ", ".join(words)
