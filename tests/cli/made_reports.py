# SPDX-License-Identifier: Apache-2.0
"""Reports made up for the tests beside this file: the golden report's head over cells and times
of our choice. The times are noise of a known size: no claim about any machine.
"""
import copy
import json
import pathlib
import random

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "report" / "golden_report.json").read_text())
LABELS = ("eigen:flash", "eigen:unfused", "naive:", "onednn:primitives", "opencl:naive")


def result(label, samples):
    backend, variant = label.split(":", 1)
    made = copy.deepcopy(GOLDEN["attest"]["cells"][0]["results"][0])
    made.update(backend=backend, variant=variant, device=0)
    made["timing"] = {"timer": "wall", "samples_seconds": samples, "wall_samples_seconds": samples,
                      "cpu_samples_seconds": [2 * sample for sample in samples],
                      "iterations": [16] * len(samples)}
    del made["rates"], made["scaling"]
    return made


def cell(q_length, results, **problem):
    made = copy.deepcopy(GOLDEN["attest"]["cells"][0])
    made["problem"].update(q_sequence_length=q_length, kv_sequence_length=q_length, **problem)
    made["id"] = "sdpa/f32/b1/h12/kv12/q%d/k%d/d64" % (q_length, q_length)
    made["results"] = results
    return made


def report(cells=12, labels=LABELS, rounds=12, seed=1, noise=0.01, slow=None, drift=1.0):
    """`slow`: label -> factor of its times; `drift`: of all."""
    source = random.Random(seed)
    made = copy.deepcopy(GOLDEN)
    part = made["attest"]
    part["cells"] = []
    for index in range(cells):
        results = []
        for number, label in enumerate(labels):
            centre = 1e-4 * (index + 1) * (number + 1) * (slow or {}).get(label, 1) * drift
            results.append(result(label, [centre * (1 + noise * abs(source.gauss(0, 1)))
                                          for _ in range(rounds)]))
        part["cells"].append(cell(64 + index, results))
    made["benchmarks"] = []
    return made


def write(folder, name, made):
    path = pathlib.Path(folder) / name
    path.write_text(json.dumps(made))
    return path
