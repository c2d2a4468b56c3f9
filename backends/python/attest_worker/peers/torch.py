# SPDX-License-Identifier: Apache-2.0
"""PyTorch's torch.nn.functional.scaled_dot_product_attention on the CPU. Its inputs are views of
the judge's memory; its output is a new tensor at every call, as for every user of it, and is copied
to the judge's memory off the clock. Which kernel may run is set by torch's own switches before the
clock starts, and asked back for the report.

Packages: torch numpy.
"""
import torch
from torch.nn.attention import SDPBackend

from ..backend import (Backend, Contract, Plan, Variant, is_top_left_causal, require,
                       require_plain, structure_of_mask)
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


class TorchPlan(Plan):
    def __init__(self, problem, kernel):
        self._kernel, self._result = kernel, None
        p = problem
        top_left = is_top_left_causal(p)
        visible = None if top_left else structure_of_mask(p)
        self._structure, self._empty_rows = None, None
        if visible is not None:
            require(p.attn_mask == "none", "a mask besides causality or a window")
            self._structure = torch.from_numpy(visible)
            empty = ~visible.any(axis=-1)
            self._empty_rows = torch.from_numpy(empty.nonzero()[0]) if empty.any() else None
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
        views = {role: as_torch(tensor) for role, tensor in tensors.items()}
        self._q, self._k, self._v, self._out = (views[role] for role in ("q", "k", "v", "out"))
        self._mask = views.get("mask", self._structure)
        _allow_only(self._kernel)

    def discard(self):
        self._result = None

    def run(self):
        self._result = torch.nn.functional.scaled_dot_product_attention(
            self._q, self._k, self._v, self._mask, **self._options)
        if self._empty_rows is not None:
            self._result.index_fill_(2, self._empty_rows, 0)

    def download(self):
        self._out.copy_(self._result)


class TorchBackend(Backend):
    library = "PyTorch"
    library_version = torch.__version__
    runtime = "OpenMP"
    variants = (
        Variant("flash", "scaled_dot_product_attention, its flash kernel, O(L) memory",
                {"bf16": Contract("f32", probabilities="bf16"),
                 "f16": Contract("f32", probabilities="f16"),
                 "f32": Contract("f32"), "f64": Contract("f64")}, "FLASH_ATTENTION"),
        Variant("math", "scaled_dot_product_attention, its unfused path, O(L^2) memory",
                {"bf16": Contract("f32"), "f16": Contract("f32"), "f32": Contract("f32"),
                 "f64": Contract("f64")}, "MATH"))

    def __init__(self, threads):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self, problem, variant, tensors):
        require_plain(problem, "torch")
        kernel = variant.expected_implementations
        plan = TorchPlan(problem, kernel)
        plan.implementation = plan.choose(tensors)
        require(plan.implementation == kernel,
                f"torch's {kernel} does not take these tensors: it would run {plan.implementation}")
        return plan


BACKEND = TorchBackend
