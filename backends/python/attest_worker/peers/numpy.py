# SPDX-License-Identifier: Apache-2.0
"""Attention as people write it with numpy, and the worked example of a backend in Python: scores of
one group of heads [group, Lq, Lk] as a whole, two matrix products by numpy's BLAS, softmax as array
operations. Everything of sdpa; f32 and f64 as they are, f16 and bf16 widened to f32 and rounded
once on store. Memory O(L^2). The matrix products use the BLAS's threads, all else one thread.

Packages: numpy.
"""
import numpy

from ..backend import LSE, WEIGHTS, Backend, Contract, Plan, Variant, structure_of_mask


def _widen(array, dtype):
    """As numbers that numpy computes with; bf16 comes as its bits."""
    if dtype == "bf16":
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.astype(numpy.float32) if dtype == "f16" else array


def _store(values, target, dtype):
    """Rounds to the nearest, ties to even, and writes. bf16: the bits of f32 without the lower 16;
    NaN is kept by its quiet bit."""
    if dtype != "bf16":
        target[...] = values
        return
    bits = values.view(numpy.uint32)
    rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16
    target[...] = numpy.where(numpy.isnan(values), bits >> 16 | 0x40, rounded)


class NumpyPlan(Plan):
    def __init__(self, problem, implementation):
        self._problem = problem
        self.implementation = implementation
        self._real = numpy.float64 if problem.dtype == "f64" else numpy.float32
        p = problem
        self._scores = numpy.empty((p.group, p.q_sequence_length, p.kv_sequence_length), self._real)
        self.workspace_bytes = self._scores.nbytes
        visible = None if p.has_kv_lengths else structure_of_mask(p)
        self._hidden = None if visible is None else ~visible

    def bind(self, tensors):
        self._arrays = {role: tensor.numpy() for role, tensor in tensors.items()}

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
        q = _widen(arrays["q"][batch, heads], p.dtype)
        k = _widen(arrays["k"][batch, kv_head], p.dtype)
        v = _widen(arrays["v"][batch, kv_head], p.dtype)
        scores = self._scores
        numpy.matmul(q, k.T, out=scores)
        scores *= self._real(p.scale)
        if p.softcap:
            scores /= self._real(p.softcap)
            numpy.tanh(scores, out=scores)
            scores *= self._real(p.softcap)
        self._mask(scores, batch, heads, hidden)
        self._softmax(scores, (batch, heads))
        _store(numpy.matmul(scores, v), arrays["out"][batch, heads], p.dtype)

    def _mask(self, scores, batch, heads, hidden):
        kind = self._problem.attn_mask
        if kind == "additive":
            scores += _widen(self._arrays["mask"][batch, heads], self._problem.dtype)
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
            _store(scores, self._arrays["weights"][place], self._problem.dtype)


class NumpyBackend(Backend):
    library = "NumPy"
    variants = (Variant("", "matrix products by BLAS, softmax as array operations, O(L^2) memory",
                        {"bf16": Contract("f32"), "f16": Contract("f32"), "f32": Contract("f32"),
                         "f64": Contract("f64")}),)

    def __init__(self, threads):
        blas = numpy.__config__.CONFIG["Build Dependencies"]["blas"]
        self.library_version = numpy.__version__
        self.runtime = f"threads of {blas['name']}"
        self._implementation = f"matmul by {blas['name']} {blas['version']}"

    def prepare(self, problem, variant, tensors):
        return NumpyPlan(problem, self._implementation)


BACKEND = NumpyBackend
