# SPDX-License-Identifier: Apache-2.0
"""jax.nn.dot_product_attention on the CPU, compiled by XLA before the clock starts. Inputs are
views of the judge's memory; the output is a new array at every call and is copied to the judge's
memory off the clock. The function wants [B, L, H, d]: from [B, H, L, d] its axes are swapped inside
the compiled program, where XLA may fuse it.

Packages: jax numpy.
"""
import functools
import os

import jax
import jax.numpy as jnp
import numpy

from ..backend import (Backend, Contract, Plan, Variant, is_top_left_causal, layout_of_heads,
                       refuse_boolean_mask, require, require_plain, structure_as_mask,
                       without_broadcast)

NUMPY_TYPES = {"f32": numpy.float32, "bf16": jnp.bfloat16}


def _attention(q, k, v, mask, bias, empty_rows, *, swap, scale, is_causal):
    if swap:
        q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    out = jax.nn.dot_product_attention(q, k, v, bias=bias, mask=mask, scale=scale,
                                       is_causal=is_causal)
    if empty_rows is not None:
        out = jnp.where(empty_rows[None, :, None, None], 0, out)
    return jnp.swapaxes(out, 1, 2) if swap else out


class JaxPlan(Plan):
    def __init__(self, problem, tensors):
        p = problem
        require(p.v_head_size == p.head_size, "v_head_size: JAX wants that of Q and K")
        self._described = {d["role"]: d for d in tensors}
        self._swap = layout_of_heads(p, tensors) == "bnsh"
        top_left = is_top_left_causal(p)
        visible, empty = structure_as_mask(p, top_left)
        self._structure = None if visible is None else jnp.asarray(visible[None, None])
        self._empty_rows = None if empty is None else jnp.asarray(empty)
        function = functools.partial(_attention, swap=self._swap, scale=p.scale, is_causal=top_left)
        self._compiled = jax.jit(function).lower(*self._arguments(self._abstract)).compile()
        self.implementation = f"XLA {jax.devices()[0].platform}"
        analysis = self._compiled.memory_analysis()
        self.workspace_bytes = analysis.temp_size_in_bytes if analysis else 0
        self._result = None

    def _stored_shape(self, role):
        shape = self._described[role]["shape"]
        if role == "mask":
            return tuple(without_broadcast(self._described[role]))
        return tuple(shape) if self._swap else tuple(shape[axis] for axis in (0, 2, 1, 3))

    def _abstract(self, role):
        return jax.ShapeDtypeStruct(self._stored_shape(role),
                                    NUMPY_TYPES[self._described[role]["dtype"]])

    def _arguments(self, of_role):
        """q, k, v, mask, bias, empty_rows of the compiled function."""
        bias = of_role("mask") if "mask" in self._described else None
        return (*(of_role(role) for role in ("q", "k", "v")), self._structure, bias,
                self._empty_rows)

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
    variants = (Variant("", "jax.nn.dot_product_attention, compiled by XLA, O(L^2) memory",
                        {"bf16": Contract("f32", probabilities="bf16"),
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
