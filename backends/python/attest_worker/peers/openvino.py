# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's ScaledDotProductAttention on the CPU: a graph of that operator, with inputs and output
in the judge's memory. Its precision is set to f32: left alone, it would compute in bf16 where the
CPU has it. The library keeps the operator as one node in models with a state only; in others it
takes it apart and compiles the parts into `Subgraph`s. The report lists what ran. The operator has
no grouped heads: K and V are repeated by a Broadcast before it, as exported models do. The layer is
one graph, too, with the weights among its inputs.

Packages: openvino numpy.
"""
import numpy
import openvino
from openvino import opset13 as ops

from ..backend import (Backend, Contract, Plan, Variant, is_dense, is_top_left_causal,
                       layout_of_heads, refuse_boolean_mask, require, require_plain,
                       structure_as_mask, without_broadcast)
from ..layer import linear_maps, output_map, unmapped, widths
from ..memory import NUMPY_TYPES

TYPES = {"f32": openvino.Type.f32, "bool": openvino.Type.boolean}
SWAP = [0, 2, 1, 3]


class OpenVinoPlan(Plan):
    def __init__(self, problem, tensors, core, options):
        p = self._problem = problem
        self._shapes, self._inputs = {}, {}
        self._described = {d["role"]: d for d in tensors}
        self._top_left = is_top_left_causal(p)
        self._structure, self._empty_rows = structure_as_mask(p, self._top_left)
        out = self._sdpa(tensors) if p.op == "sdpa" else self._layer(tensors)
        model = openvino.Model([out], list(self._inputs.values()), "attention")
        compiled = core.compile_model(model, "CPU", {
            **options, "INFERENCE_PRECISION_HINT": TYPES[p.dtype]})
        self.implementation = self._kernels(compiled)
        self._request = compiled.create_infer_request()

    def _sdpa(self, tensors):
        swap = layout_of_heads(self._problem, tensors) == "bsnh"
        out = self._attend(*(self._heads(self._described[role], swap) for role in ("q", "k", "v")))
        shape = self._described["out"]["shape"]
        self._shapes["out"] = [shape[axis] for axis in SWAP] if swap else shape
        return ops.transpose(out, ops.constant(SWAP)) if swap else out

    def _layer(self, tensors):
        p, sizes = self._problem, widths(self._problem)
        require(all(is_dense(d) for d in tensors if d["role"] != "mask"),
                "rows with gaps: tensors must be contiguous")
        self._shapes["out"] = self._described["out"]["shape"]
        flat = {role: self._whole(x) for role, x in unmapped(p).items() if x}
        for role, (x, *rest) in linear_maps(p).items():
            flat[role] = self._linear(self._whole(x), *rest)
        for role in [role for role, x in unmapped(p).items() if not x]:
            rows, heads, size = sizes[role]
            flat[role] = ops.constant(numpy.zeros([p.batch_size, rows, heads * size], "float32"))
        flat.setdefault("k", flat["q"])

        def of_heads(role):
            shape = [p.batch_size, *sizes[role]]
            heads = ops.reshape(flat[role], ops.constant(shape), False)
            heads = ops.transpose(heads, ops.constant(SWAP))
            return heads if role == "q" else self._repeat(heads, [shape[axis] for axis in SWAP])
        out = ops.transpose(self._attend(*map(of_heads, ("q", "k", "v"))), ops.constant(SWAP))
        rows, heads, size = sizes["out"]
        out = ops.reshape(out, ops.constant([p.batch_size, rows, heads * size]), False)
        return self._linear(out, *output_map(p)) if output_map(p) else out

    def _whole(self, role):
        """An input as it is described; the same one for every use."""
        if role in self._inputs:
            return self._inputs[role]
        return self._input(role, self._described[role]["dtype"], self._described[role]["shape"])

    def _linear(self, x, weight, bias):
        y = ops.matmul(x, self._whole(weight), False, True)
        return ops.add(y, self._whole(bias)) if bias else y

    def _attend(self, q, k, v):
        """The output [B, H, Lq, d] of Q, K and V in that order of axes."""
        scale = ops.constant(numpy.float32(self._problem.scale), TYPES[self._problem.dtype])
        out = ops.scaled_dot_product_attention(q, k, v, self._mask(), scale, causal=self._top_left)
        if self._empty_rows is None:
            return out
        empty = ops.constant(self._empty_rows[None, None, :, None])
        return ops.select(empty, ops.constant(numpy.float32(0)), out)

    @staticmethod
    def _kernels(compiled):
        """Every node that computes, with the library's word for its kernel."""
        kernels = []
        for node in compiled.get_runtime_model().get_ops():
            info = node.get_rt_info()
            kind = str(info["layerType"].astype(str)) if "layerType" in info else ""
            if kind not in ("", "Input", "Output", "Const"):
                kernels.append(f"{kind}:{info['primitiveType'].astype(str)}")
        return " ".join(kernels)

    def _input(self, role, dtype, shape):
        self._shapes[role] = list(shape)
        self._inputs[role] = ops.parameter(list(shape), TYPES[dtype], name=role)
        return self._inputs[role]

    def _heads(self, description, swap):
        """Q, K or V, in memory [B, H, L, d] or [B, L, H, d], as [B, H, L, d]."""
        role, shape = description["role"], description["shape"]
        stored = [shape[axis] for axis in SWAP] if swap else shape
        heads = self._input(role, description["dtype"], stored)
        if swap:
            heads = ops.transpose(heads, ops.constant(SWAP))
        return heads if role == "q" else self._repeat(heads, shape)

    def _repeat(self, heads, shape):
        """K or V, [B, kv heads, L, d], for every query head."""
        group = self._problem.group
        if group == 1:
            return heads
        batch, count, length, size = shape
        heads = ops.unsqueeze(heads, ops.constant([2]))
        heads = ops.broadcast(heads, ops.constant([batch, count, group, length, size]))
        return ops.reshape(heads, ops.constant([batch, count * group, length, size]), False)

    def _mask(self):
        if self._structure is not None:
            self._structure = numpy.ascontiguousarray(self._structure[None, None])
            self._inputs["structure"] = ops.parameter(list(self._structure.shape), TYPES["bool"])
            return self._inputs["structure"]
        if self._problem.attn_mask == "none":
            return None
        require(not self._problem.is_causal, "a mask besides causality")
        mask = self._described["mask"]
        return self._input("mask", mask["dtype"], without_broadcast(mask))

    def bind(self, tensors):
        for index, role in enumerate(self._inputs):
            if role == "structure":
                tensor = openvino.Tensor(self._structure, shared_memory=True)
            else:
                tensor = self._view(tensors[role])
            self._request.set_input_tensor(index, tensor)
        self._request.set_output_tensor(0, self._view(tensors["out"]))

    def _view(self, tensor):
        """The tensor's memory with the shape of the graph's input or output: no copy."""
        flat = numpy.frombuffer(tensor.raw(), NUMPY_TYPES[tensor.dtype])
        return openvino.Tensor(flat, openvino.Shape(self._shapes[tensor.role]), TYPES[tensor.dtype])

    def run(self):
        self._request.infer()


class OpenVinoBackend(Backend):
    library = "OpenVINO"
    library_version = openvino.__version__
    runtime = "oneTBB"
    operations = ("sdpa", "self_attention")
    # No bf16: there the scale, Q times the scale, and the scores are all rounded to bf16, which no
    # contract describes; errors of large scores are 2.5 times the bound of bf16 scores.
    variants = (Variant("", "ScaledDotProductAttention, fused as the library chooses",
                        {"f32": Contract("f32")}),)

    def __init__(self, threads):
        self._core = openvino.Core()
        self._options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                         "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}

    def prepare(self, problem, variant, tensors):
        require_plain(problem, "OpenVINO")
        refuse_boolean_mask(problem, "OpenVINO")
        return OpenVinoPlan(problem, tensors, self._core, self._options)


BACKEND = OpenVinoBackend
