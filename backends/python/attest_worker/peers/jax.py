# SPDX-License-Identifier: Apache-2.0
"""jax.nn.dot_product_attention on the CPU, compiled by XLA before the clock starts. Inputs are
views of the judge's memory; the output is a new array at every call and is copied to the judge's
memory off the clock. The function wants [B, L, H, d]: from [B, H, L, d] its axes are swapped inside
the compiled program, where XLA may fuse it. The layer is one compiled program, too: matrix products
with a bias around that function.

Packages: jax numpy.
"""
import functools
import os

import jax
import jax.numpy as jnp
import numpy

from ..backend import (Backend, Contract, Plan, Variant, is_dense, is_top_left_causal,
                       layout_of_heads, refuse_boolean_mask, require, require_plain,
                       structure_as_mask, without_broadcast)
from ..layer import linear_maps, output_map, unmapped, widths

NUMPY_TYPES = {"f32": numpy.float32, "bf16": jnp.bfloat16}


def _attend(of, structure, empty_rows, *, scale, is_causal):
    """The output [B, Lq, H, d] of Q, K and V in that order of axes."""
    out = jax.nn.dot_product_attention(of["q"], of["k"], of["v"], bias=of.get("mask"),
                                       mask=structure, scale=scale, is_causal=is_causal)
    return out if empty_rows is None else jnp.where(empty_rows[None, :, None, None], 0, out)


def _sdpa(of, *masks, swap, **options):
    if not swap:
        return _attend(of, *masks, **options)
    of = {**of, **{role: jnp.swapaxes(of[role], 1, 2) for role in ("q", "k", "v")}}
    return jnp.swapaxes(_attend(of, *masks, **options), 1, 2)


def _layer(of, *masks, problem, **options):
    def linear(x, weight, bias):
        # Summed in f32: rounded to bf16 before the bias, a sum near 0 would keep few of its digits.
        y = jnp.matmul(x, of[weight].T, preferred_element_type=jnp.float32)
        return (y + of[bias] if bias else y).astype(x.dtype)
    flat = {role: of[x] for role, x in unmapped(problem).items() if x}
    flat |= {role: linear(of[x], *rest) for role, (x, *rest) in linear_maps(problem).items()}
    shapes = {role: (problem.batch_size, *shape) for role, shape in widths(problem).items()}
    if problem.structure == "mean_pool":
        flat |= {role: jnp.zeros(shapes[role], of["x"].dtype) for role in ("q", "k")}
    flat.setdefault("k", flat["q"])
    heads = {role: flat[role].reshape(shapes[role]) for role in ("q", "k", "v")}
    out = _attend({**of, **heads}, *masks, **options)
    out = out.reshape(*out.shape[:2], -1)
    return linear(out, *output_map(problem)) if output_map(problem) else out


class JaxPlan(Plan):
    def __init__(self, problem, tensors):
        p = problem
        require(p.v_head_size == p.head_size, "v_head_size: JAX wants that of Q and K")
        self._described = {d["role"]: d for d in tensors}
        self._swap, top_left = False, is_top_left_causal(p)
        visible, empty = structure_as_mask(p, top_left)
        self._masks = (None if visible is None else jnp.asarray(visible[None, None]),
                       None if empty is None else jnp.asarray(empty))
        options = {"scale": p.scale, "is_causal": top_left}
        if p.op == "sdpa":
            self._swap = layout_of_heads(p, tensors) == "bnsh"
            function = functools.partial(_sdpa, swap=self._swap, **options)
        else:
            require(all(is_dense(d) for d in tensors if d["role"] != "mask"),
                    "rows with gaps: tensors must be contiguous")
            function = functools.partial(_layer, problem=p, **options)
        self._compiled = jax.jit(function).lower(*self._arguments(self._abstract)).compile()
        self.implementation = f"XLA {jax.devices()[0].platform}"
        analysis = self._compiled.memory_analysis()
        self.workspace_bytes = analysis.temp_size_in_bytes if analysis else 0
        self._result = None

    def _stored_shape(self, role):
        shape = self._described[role]["shape"]
        if role == "mask":
            return tuple(without_broadcast(self._described[role]))
        if self._swap or role not in ("q", "k", "v", "out") or len(shape) == 3:
            return tuple(shape)
        return tuple(shape[axis] for axis in (0, 2, 1, 3))

    def _abstract(self, role):
        return jax.ShapeDtypeStruct(self._stored_shape(role),
                                    NUMPY_TYPES[self._described[role]["dtype"]])

    def _arguments(self, of_role):
        """Those of the compiled function: inputs by role, structure, empty rows."""
        return ({role: of_role(role) for role in self._described if role != "out"}, *self._masks)

    def bind(self, tensors):
        def view(role):
            flat = numpy.frombuffer(tensors[role].raw(), NUMPY_TYPES[tensors[role].dtype])
            return jax.device_put(flat.reshape(self._stored_shape(role)), may_alias=True)
        self._bound = jax.block_until_ready(self._arguments(view))
        self._out = numpy.frombuffer(
            tensors["out"].raw(),
            NUMPY_TYPES[tensors["out"].dtype]).reshape(self._stored_shape("out"))

    def discard(self):
        self._result = None

    def run(self):
        self._result = self._compiled(*self._bound)

    def sync(self):
        self._result.block_until_ready()

    def download(self):
        numpy.copyto(self._out, numpy.asarray(self._result))


class JaxBackend(Backend):
    library = "JAX"
    library_version = jax.__version__
    runtime = "Eigen's thread pool"
    operations = ("sdpa", "self_attention")
    variants = (Variant("", "jax.nn.dot_product_attention, compiled by XLA, O(L^2) memory",
                        {"bf16": Contract("f32", probabilities="bf16", projections="bf16"),
                         "f32": Contract("f32")}),)  # no f16: XLA has no product of it here

    def __init__(self, threads):
        # XLA asks these two for the size of its pool, when its client is made.
        os.environ["NPROC"] = str(threads)
        cpus = sorted(os.sched_getaffinity(0))
        if threads < len(cpus):
            os.sched_setaffinity(0, cpus[:threads])
        jax.config.update("jax_platforms", "cpu")
        jax.devices()

    def prepare(self, problem, variant, tensors):
        require_plain(problem, "JAX")
        refuse_boolean_mask(problem, "JAX")
        return JaxPlan(problem, tensors)


BACKEND = JaxBackend
