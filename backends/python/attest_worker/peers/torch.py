# SPDX-License-Identifier: Apache-2.0
"""PyTorch's torch.nn.functional.scaled_dot_product_attention on the CPU, and the layer as its users
write it: torch.nn.functional.linear before and after it. Its inputs are views of
the judge's memory; its output is a new tensor at every call, as for every user of it, and is copied
to the judge's memory off the clock. Which kernel may run is set by torch's own switches before the
clock starts, and asked back for the report.

Packages: torch numpy.
"""
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend

from ..backend import (Backend, Contract, Plan, Variant, is_top_left_causal, require,
                       require_plain, structure_as_mask)
from ..layer import as_heads, described, linear_maps, output_map, sdpa_inside, unmapped, widths
from ..protocol import Unsupported

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64,
         "bool": torch.bool}


def as_torch(tensor):
    """A view of a memory.Tensor."""
    flat = torch.frombuffer(tensor.raw(), dtype=TYPES[tensor.dtype])
    return flat.as_strided(tensor.shape, tensor.strides)


def _allow_only(kernel):
    """torch's switches are named after CUDA and hold for the CPU, too."""
    torch.backends.cuda.enable_flash_sdp(kernel == "FLASH_ATTENTION")
    torch.backends.cuda.enable_math_sdp(kernel == "MATH")


class TorchSdpa(Plan):
    def __init__(self, problem, kernel):
        self._kernel, self._result = kernel, None
        p = problem
        top_left = is_top_left_causal(p)
        visible, empty = structure_as_mask(p, top_left)
        self._structure = None if visible is None else torch.from_numpy(visible)
        self._empty_rows = None if empty is None else torch.from_numpy(empty.nonzero()[0])
        require(not (top_left and p.attn_mask != "none"), "a mask besides causality")
        self._options = {"dropout_p": 0.0, "is_causal": top_left, "scale": p.scale,
                         "enable_gqa": p.group > 1}

    def choose(self, tensors):
        """Which kernel torch takes for tensors of these descriptions: "FLASH_ATTENTION", ..."""
        def empty(description):
            last = sum((n - 1) * s for n, s in zip(description["shape"], description["strides"]))
            flat = torch.empty(last + 1, dtype=TYPES[description["dtype"]])
            return flat.as_strided(description["shape"], description["strides"])
        of = {d["role"]: empty(d) for d in tensors if d["role"] in ("q", "k", "v", "mask")}
        _allow_only(self._kernel)
        try:
            number = torch._fused_sdp_choice(of["q"], of["k"], of["v"],
                                             of.get("mask", self._structure), **self._options)
        except RuntimeError as error:
            raise Unsupported(f"torch's {self._kernel}: {error}") from None
        return next((name for name, kernel in SDPBackend.__members__.items()
                     if int(kernel) == number), str(number))

    def bind(self, tensors):
        self._views = {role: as_torch(tensor) for role, tensor in tensors.items()}
        self.allow(self._views.get("mask"))

    def allow(self, mask):
        """Makes torch take this plan's kernel, and `attend` this mask, from now on."""
        self._mask = self._structure if mask is None else mask
        _allow_only(self._kernel)

    def discard(self):
        self._result = None

    def attend(self, q, k, v):
        """A new tensor [B, H, Lq, v_head_size]."""
        result = functional.scaled_dot_product_attention(q, k, v, self._mask, **self._options)
        if self._empty_rows is not None:
            result.index_fill_(2, self._empty_rows, 0)
        return result

    def run(self):
        self._result = self.attend(*(self._views[role] for role in ("q", "k", "v")))

    def download(self):
        self._views["out"].copy_(self._result)


class TorchLayer(TorchSdpa):
    """Q, K, V and the heads' outputs are new tensors of the io type."""

    def __init__(self, problem, kernel):
        p = problem
        super().__init__(sdpa_inside(p), kernel)
        self._maps, self._unmapped, self._after = linear_maps(p), unmapped(p), output_map(p)
        self._heads = {role: heads for role, (_, heads, _) in widths(p).items()}
        self._zeros = {role: torch.zeros(p.batch_size, rows, heads * size, dtype=TYPES[p.dtype])
                       for role, (rows, heads, size) in widths(p).items()
                       if self._unmapped.get(role) == ""}

    def run(self):
        flat = {role: self._views[x] if x else self._zeros[role]
                for role, x in self._unmapped.items()}
        for role, (x, weight, bias) in self._maps.items():
            flat[role] = self._linear(self._views[x], weight, bias)
        flat.setdefault("k", flat["q"])
        out = self.attend(*(as_heads(flat[role], self._heads[role]) for role in ("q", "k", "v")))
        out = out.swapaxes(1, 2).flatten(2)
        self._result = self._linear(out, *self._after) if self._after else out

    def _linear(self, x, weight, bias):
        return functional.linear(x, self._views[weight], self._views[bias] if bias else None)


class TorchBackend(Backend):
    library = "PyTorch"
    library_version = torch.__version__
    runtime = "OpenMP"
    operations = ("sdpa", "self_attention")
    variants = (
        Variant("flash", "scaled_dot_product_attention, its flash kernel, O(L) memory",
                {"bf16": Contract("f32", probabilities="bf16", projections="bf16"),
                 "f16": Contract("f32", probabilities="f16", projections="f16"),
                 "f32": Contract("f32"), "f64": Contract("f64")}, "FLASH_ATTENTION"),
        Variant("math", "scaled_dot_product_attention, its unfused path, O(L^2) memory",
                {"bf16": Contract("f32", projections="bf16"),
                 "f16": Contract("f32", projections="f16"), "f32": Contract("f32"),
                 "f64": Contract("f64")}, "MATH"))

    def __init__(self, threads):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self, problem, variant, tensors):
        require_plain(problem, "torch")
        kernel = variant.expected_implementations
        if problem.op == "sdpa":
            plan = TorchSdpa(problem, kernel)
        else:
            plan = TorchLayer(problem, kernel)
            tensors = described(problem) + [d for d in tensors if d["role"] == "mask"]
        plan.implementation = plan.choose(tensors)
        require(plan.implementation == kernel,
                f"torch's {kernel} does not take these tensors: it would run {plan.implementation}")
        return plan


BACKEND = TorchBackend
