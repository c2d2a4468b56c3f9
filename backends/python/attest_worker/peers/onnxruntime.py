# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: a graph of one attention operator, with inputs and outputs bound to the
judge's memory. `attention` is ONNX's operator (opset 23), which takes [B, H, L, d] and [B, L, H d];
`multihead` is com.microsoft.MultiHeadAttention, whose fast path needs Q as [B, L, H d]: from other
layouts its graph transposes Q and the output, on the clock, as every user of it must. The layer is
one graph around either, with the weights among its inputs.

Packages: onnxruntime onnx numpy.
"""
import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..backend import (Backend, Contract, Plan, Variant, is_dense, is_top_left_causal,
                       layout_of_heads, require, require_plain, structure_as_mask,
                       without_broadcast)
from ..layer import described, linear_maps, output_map, unmapped
from ..protocol import Unsupported

OPSETS = {"": 23, "com.microsoft": 1}
NUMPY_TYPES = {"f32": numpy.float32, "bool": numpy.bool_}
FIRST_IR_VERSION = 11  # the first with opset 23


class _Graph:
    """A model under construction: inputs named as roles, one output `out`."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.constants = [], [], [], []

    def input(self, name, shape, boolean=False):
        kind = TensorProto.BOOL if boolean else TensorProto.FLOAT
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def add(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def reshape(self, value, shape, output):
        name = output + "_shape"
        self.constants.append(helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape))
        return self.add("Reshape", [value, name], output)

    def session(self, out_shape, options):
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, list(out_shape))
        graph = helper.make_graph(self.nodes, "attention", self.inputs, [out], self.constants)
        model = helper.make_model(
            graph, ir_version=FIRST_IR_VERSION,
            opset_imports=[helper.make_opsetid(*pair) for pair in OPSETS.items()])
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common type
            raise Unsupported(f"ONNX Runtime: {error}") from None


class OnnxRuntimePlan(Plan):
    def __init__(self, problem, variant, tensors, options):
        p = self._problem = problem
        self._descriptions = {d["role"]: d for d in tensors}
        is_layer = p.op == "self_attention"
        self._heads_of = {d["role"]: d for d in (described(p) if is_layer else tensors)}
        self._layout = "bsnh" if is_layer else layout_of_heads(p, tensors)
        # MultiHeadAttention shows every key to the last query, which is right for Lq = Lk alone.
        square = p.q_sequence_length == p.kv_sequence_length
        self._causal = is_top_left_causal(p) and (variant.name == "attention" or square)
        self._structure, self._empty_rows = structure_as_mask(p, self._causal)
        self._graph, self._shapes = _Graph(), {}
        make = self._attention if variant.name == "attention" else self._multihead
        if is_layer:
            self._layer(make, tensors)
        else:
            make("out")
        self._session = self._graph.session(self._shapes["out"], options)
        self._binding = self._session.io_binding()
        provider = self._session.get_providers()[0]
        self.implementation = f"{provider} {variant.expected_implementations}"

    def _flat(self, role):
        batch, heads, length, size = self._heads_of[role]["shape"]
        return [batch, length, heads * size]

    def _shape(self, role, shape):
        """The name of the role's input, which is one for all its uses."""
        if role not in self._shapes:
            self._shapes[role] = list(shape)
            self._graph.input(role, shape, self._descriptions[role]["dtype"] == "bool")
        return role

    def _heads(self, role):
        """Q, K or V as it lies in memory, or as the layer makes it, [B, L, H d]."""
        if self._problem.op == "self_attention":
            return self._mapped(role)
        bnsh = self._layout == "bnsh"
        return self._shape(role, self._descriptions[role]["shape"] if bnsh else self._flat(role))

    def _layer(self, make, tensors):
        require(all(is_dense(d) for d in tensors if d["role"] != "mask"),
                "rows with gaps: tensors must be contiguous")
        graph, value = self._graph, "heads"
        make(value)
        if self._empty_rows is not None:
            empty = graph.constant("empty_rows", self._empty_rows[None, :, None])
            zero = graph.constant("zero", numpy.float32(0))
            value, self._empty_rows = graph.add("Where", [empty, zero, value], "full_heads"), None
        if output_map(self._problem):
            self._linear(value, *output_map(self._problem), "out")
        else:
            graph.add("Identity", [value], "out")
        self._shapes["out"] = list(self._descriptions["out"]["shape"])

    def _mapped(self, role):
        maps, free = linear_maps(self._problem), unmapped(self._problem)
        if role in free:
            zeros = numpy.zeros(self._flat(role), numpy.float32)
            return self._whole(free[role]) if free[role] else self._graph.constant(role, zeros)
        if role not in maps:
            return "q"
        x, weight, bias = maps[role]
        return self._linear(self._whole(x), weight, bias, role)

    def _whole(self, role):
        return self._shape(role, self._descriptions[role]["shape"])

    def _linear(self, x, weight, bias, output):
        graph = self._graph
        columns = graph.add("Transpose", [self._whole(weight)], output + "_weight", perm=[1, 0])
        if not bias:
            return graph.add("MatMul", [x, columns], output)
        product = graph.add("MatMul", [x, columns], output + "_product")
        return graph.add("Add", [product, self._whole(bias)], output)

    def _mask(self, boolean):
        """The name of the mask's input, or "" for none."""
        if self._structure is not None:
            if not boolean:
                self._structure = numpy.where(self._structure, numpy.float32(0),
                                              numpy.float32(-numpy.inf))
            shape = (1, 1, *self._structure.shape)
            return self._graph.input("structure", shape, boolean)
        if self._problem.attn_mask == "none":
            return ""
        shape = without_broadcast(self._descriptions["mask"])
        require(shape[2] == self._problem.q_sequence_length, "a mask without rows")
        return self._shape("mask", shape)

    def _attention(self, out):
        p = self._problem
        inputs = [self._heads(role) for role in ("q", "k", "v")] + [self._mask(boolean=True)]
        heads = {} if self._layout == "bnsh" else {"q_num_heads": p.q_num_heads,
                                                   "kv_num_heads": p.kv_num_heads}
        self._graph.add("Attention", inputs if inputs[-1] else inputs[:3], out, scale=p.scale,
                        softcap=p.softcap, is_causal=int(self._causal), **heads)
        shape = self._heads_of["out"]["shape"] if self._layout == "bnsh" else self._flat("out")
        self._shapes["out"] = list(shape)

    def _multihead(self, out):
        p, graph = self._problem, self._graph
        require(p.group == 1, "grouped heads: MultiHeadAttention has none")
        require(p.softcap == 0, "softcap: MultiHeadAttention has none")
        require(p.attn_mask != "boolean", "boolean masks: MultiHeadAttention adds its mask")
        q, k, v = (self._heads(role) for role in ("q", "k", "v"))
        transposed = self._layout == "bnsh"
        require(p.v_head_size == p.head_size or not transposed,
                "v_head_size: MultiHeadAttention takes it as [B, L, H d] only")
        if transposed:
            q = graph.add("Transpose", [q], "q_bsnh", perm=[0, 2, 1, 3])
            q = graph.reshape(q, self._flat("q"), "q_flat")
        name = "flat" if transposed else out
        inputs = [q, k, v, "", "", self._mask(boolean=False)]
        graph.add("MultiHeadAttention", inputs if inputs[-1] else inputs[:3], name,
                  domain="com.microsoft", num_heads=p.q_num_heads, scale=p.scale,
                  unidirectional=int(self._causal))
        shape = self._heads_of["out"]["shape"]
        if transposed:
            batch, heads, length, size = shape
            graph.reshape("flat", [batch, length, heads, size], "out_bsnh")
            graph.add("Transpose", ["out_bsnh"], out, perm=[0, 2, 1, 3])
        self._shapes["out"] = list(shape if transposed else self._flat("out"))

    def bind(self, tensors):
        self._binding.clear_binding_inputs()
        self._binding.clear_binding_outputs()
        for role, shape in self._shapes.items():
            bind = self._binding.bind_output if role == "out" else self._binding.bind_input
            bind(role, "cpu", 0, NUMPY_TYPES[tensors[role].dtype], shape, tensors[role].address)
        if self._structure is not None:
            mask = self._structure
            self._binding.bind_input("structure", "cpu", 0, mask.dtype.type, (1, 1, *mask.shape),
                                     mask.ctypes.data)
        self._out = tensors["out"].numpy()

    def run(self):
        self._session.run_with_iobinding(self._binding)
        if self._empty_rows is not None:
            self._out[:, :, self._empty_rows] = 0


class OnnxRuntimeBackend(Backend):
    library = "ONNX Runtime"
    library_version = onnxruntime.__version__
    runtime = "its own threads"
    operations = ("sdpa", "self_attention")
    variants = (
        Variant("attention", "the operator Attention of ONNX, O(L^2) memory",
                {"f32": Contract("f32")}, "ai.onnx Attention"),
        Variant("multihead", "com.microsoft.MultiHeadAttention, blocked where it can",
                {"f32": Contract("f32")}, "com.microsoft MultiHeadAttention"))

    def __init__(self, threads):
        onnxruntime.set_default_logger_severity(3)
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1

    def prepare(self, problem, variant, tensors):
        require_plain(problem, "ONNX Runtime", softcap=True)
        return OnnxRuntimePlan(problem, variant, tensors, self._options)


BACKEND = OnnxRuntimeBackend
