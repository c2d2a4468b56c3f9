# SPDX-License-Identifier: Apache-2.0
"""Attention as people write it with numpy, and the worked example of a backend in Python: scores of
one group of heads [group, Lq, Lk] as a whole, two matrix products by numpy's BLAS, softmax as array
operations. Everything of sdpa, and the layer with Q, K, V and the heads' outputs in the type that
is computed with; f32 and f64 as they are, f16 and bf16 widened to f32 and rounded
once on store. Memory O(L^2). The matrix products use the BLAS's threads, all else one thread.

Packages: numpy.
"""
import numpy

from ..backend import LSE, WEIGHTS, Backend, Contract, Plan, Variant, structure_of_mask
from ..layer import as_heads, linear_maps, output_map, sdpa_inside, unmapped, widths


def _widen(array):
    """As numbers that numpy computes with; bf16 comes as its bits."""
    if array.dtype == numpy.uint16:
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.astype(numpy.float32) if array.dtype == numpy.float16 else array


def _store(values, target):
    """Rounds to the nearest, ties to even, and writes. bf16: the bits of f32 without the lower 16;
    NaN is kept by its quiet bit."""
    if target.dtype != numpy.uint16:
        target[...] = values
        return
    bits = values.view(numpy.uint32)
    rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16
    target[...] = numpy.where(numpy.isnan(values), bits >> 16 | 0x40, rounded)


def _real(problem):
    return numpy.float64 if problem.dtype == "f64" else numpy.float32


class NumpySdpa(Plan):
    def __init__(self, problem, implementation):
        self._problem = problem
        self.implementation = implementation
        self._real = _real(problem)
        p = problem
        self._scores = numpy.empty((p.group, p.q_sequence_length, p.kv_sequence_length), self._real)
        self.workspace_bytes = self._scores.nbytes
        visible = None if p.has_kv_lengths else structure_of_mask(p)
        self._hidden = None if visible is None else ~visible

    def bind(self, tensors):
        self.bind_arrays({role: tensor.numpy() for role, tensor in tensors.items()})

    def bind_arrays(self, arrays):
        self._arrays = arrays

    def run(self):
        hidden = self._hidden
        if self._problem.has_kv_lengths:
            hidden = ~structure_of_mask(self._problem, self._arrays["kv_lengths"])
        for batch in range(self._problem.batch_size):
            of_batch = hidden[batch, 0] if hidden is not None and hidden.ndim == 4 else hidden
            for head in range(self._problem.kv_num_heads):
                self._run_group(batch, head, of_batch)

    def _run_group(self, batch, kv_head, hidden):
        """The query heads that share one head of K and V."""
        p, arrays = self._problem, self._arrays
        heads = slice(kv_head * p.group, (kv_head + 1) * p.group)
        q = _widen(arrays["q"][batch, heads])
        k = _widen(arrays["k"][batch, kv_head])
        v = _widen(arrays["v"][batch, kv_head])
        scores = self._scores
        numpy.matmul(q, k.T, out=scores)
        scores *= self._real(p.scale)
        if p.softcap:
            scores /= self._real(p.softcap)
            numpy.tanh(scores, out=scores)
            scores *= self._real(p.softcap)
        self._mask(scores, batch, heads, hidden)
        self._softmax(scores, (batch, heads))
        _store(numpy.matmul(scores, v), arrays["out"][batch, heads])

    def _mask(self, scores, batch, heads, hidden):
        kind = self._problem.attn_mask
        if kind == "additive":
            scores += _widen(self._arrays["mask"][batch, heads])
        elif kind == "boolean":
            numpy.copyto(scores, -numpy.inf, where=~self._arrays["mask"][batch, heads])
        if hidden is not None:
            numpy.copyto(scores, -numpy.inf, where=hidden)

    def _softmax(self, scores, place):
        """Scores become weights, in place; a row that sees no key becomes 0."""
        outputs = self._problem.outputs
        maximum = scores.max(axis=-1, keepdims=True)
        maximum[maximum == -numpy.inf] = 0
        scores -= maximum
        numpy.exp(scores, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        scores /= numpy.where(total == 0, self._real(1), total)
        if outputs & LSE:
            with numpy.errstate(divide="ignore"):
                self._arrays["lse"][place] = (maximum + numpy.log(total))[..., 0]
        if outputs & WEIGHTS:
            _store(scores, self._arrays["weights"][place])


class NumpyLayer(Plan):
    """The linear maps are matrix products of all rows of a batch at once."""

    def __init__(self, problem, implementation):
        self._problem, self._after = problem, output_map(problem)
        self._sdpa = NumpySdpa(sdpa_inside(problem), implementation)
        self.implementation = implementation
        kept = {*linear_maps(problem), *(role for role, x in unmapped(problem).items() if not x)}
        if self._after:
            kept.add("out")
        self._heads = {role: heads for role, (_, heads, _) in widths(problem).items()}
        self._stored = {role: numpy.zeros((problem.batch_size, rows, heads * size), _real(problem))
                        for role, (rows, heads, size) in widths(problem).items() if role in kept}
        self.workspace_bytes = self._sdpa.workspace_bytes + sum(
            array.nbytes for array in self._stored.values())

    def bind(self, tensors):
        arrays = self._arrays = {role: tensor.numpy() for role, tensor in tensors.items()}
        sources = {"out": "out", **unmapped(self._problem)}
        flat = {**{role: arrays[x] for role, x in sources.items() if x}, **self._stored}
        flat.setdefault("k", flat["q"])
        self._sdpa.bind_arrays({**arrays, **{role: as_heads(array, self._heads[role])
                                             for role, array in flat.items()}})

    def run(self):
        for role, (x, weight, bias) in linear_maps(self._problem).items():
            self._map(_widen(self._arrays[x]), weight, bias, self._stored[role])
        self._sdpa.run()
        if self._after:
            _store(self._map(self._stored["out"], *self._after), self._arrays["out"])

    def _map(self, x, weight, bias, out=None):
        """x W^T + b, [B, L, out]."""
        y = numpy.matmul(x, _widen(self._arrays[weight]).T, out=out)
        if bias:
            y += _widen(self._arrays[bias])
        return y


class NumpyBackend(Backend):
    library = "NumPy"
    operations = ("sdpa", "self_attention")
    variants = (Variant("", "matrix products by BLAS, softmax as array operations, O(L^2) memory",
                        {"bf16": Contract("f32"), "f16": Contract("f32"), "f32": Contract("f32"),
                         "f64": Contract("f64")}),)

    def __init__(self, threads):
        blas = numpy.__config__.CONFIG["Build Dependencies"]["blas"]
        self.library_version = numpy.__version__
        self.runtime = f"threads of {blas['name']}"
        self._implementation = f"matmul by {blas['name']} {blas['version']}"

    def prepare(self, problem, variant, tensors):
        make = NumpySdpa if problem.op == "sdpa" else NumpyLayer
        return make(problem, self._implementation)


BACKEND = NumpyBackend
