# SPDX-License-Identifier: Apache-2.0
"""The operation self_attention taken apart: linear maps before, the sdpa inside, a linear map after
it, as abi.h says of attest_problem. Which tensors meet, not how they are multiplied: that is each
library's."""
from .backend import Problem


def linear_maps(problem):
    """{"q": (X, weight, bias), ...} by role: Q, K and V are X W^T + b. Bias "": there is none. What
    is missing is not mapped: see `unmapped`; but K alone is Q, of the same map."""
    p = problem
    source = "x_kv" if p.is_cross else "x"

    def linear(x, letter):
        return x, "w" + letter, "b" + letter if p.has_bias else ""
    if p.structure == "parameter_free":
        return {}
    if p.structure == "mean_pool":
        return {"v": linear(source, "v")}
    maps = {"q": linear("x", "q"), "k": linear(source, "q" if p.structure == "tied_qk" else "k"),
            "v": linear(source, "v")}
    if maps["k"] == maps["q"]:
        del maps["k"]
    return maps


def unmapped(problem):
    """{"q": "x", ...} by role: what Q, K and V are without a map; "": zeros."""
    if problem.structure == "mean_pool":
        return {"q": "", "k": ""}
    if problem.structure != "parameter_free":
        return {}
    source = "x_kv" if problem.is_cross else "x"
    return {"q": "x", "k": source, "v": source}


def output_map(problem):
    """(weight, bias) of the map after the sdpa, or None."""
    if not problem.has_output_projection:
        return None
    return "wo", "bo" if problem.has_bias else ""


def sdpa_inside(problem):
    """The sdpa of the layer: the same heads, lengths, masks and outputs."""
    return Problem(**{**vars(problem), "op": "sdpa", "hidden_size": 0, "structure": "full",
                      "has_bias": False, "has_output_projection": False, "is_cross": False})


def widths(problem):
    """{role: (rows, heads, size of a head)} of Q, K, V and OUT of the sdpa inside."""
    p = problem
    return {"q": (p.q_sequence_length, p.q_num_heads, p.head_size),
            "k": (p.kv_sequence_length, p.kv_num_heads, p.head_size),
            "v": (p.kv_sequence_length, p.kv_num_heads, p.v_head_size),
            "out": (p.q_sequence_length, p.q_num_heads, p.v_head_size)}


def described(problem):
    """Descriptions of the sdpa's Q, K and V where each is a new array [B, L, heads d]."""
    descriptions = []
    for role, (rows, heads, size) in widths(problem).items():
        width = heads * size
        descriptions.append({"role": role, "dtype": problem.dtype,
                             "shape": [problem.batch_size, heads, rows, size],
                             "strides": [rows * width, size, width, 1]})
    return descriptions


def as_heads(array, heads):
    """[B, L, heads d] as [B, heads, L, d] of the same memory: of arrays with numpy's methods."""
    batch, length, width = array.shape
    return array.reshape(batch, length, heads, width // heads).swapaxes(1, 2)
