# SPDX-License-Identifier: Apache-2.0
"""What a backend in Python derives from, and the rules of attention that several need."""
import dataclasses
import types

from .protocol import Unsupported

LSE, WEIGHTS = 1, 2  # bits of problem.outputs
NONDETERMINISTIC, MASKED_NAN_SAFE, FLUSHES_SUBNORMALS = 1, 2, 4  # flags of a contract


@dataclasses.dataclass(frozen=True)
class Contract:
    """The arithmetic a variant promises for one type of its tensors; the error bound of every
    output element follows from it. Formats: none f64 f32 tf32 f16 bf16; none = rounds nothing
    beyond the accumulation."""
    accumulate: str               # of both matmuls and of the softmax sums
    operands: str = "none"        # what Q, K and V are rounded to on their way into a matmul
    scores: str = "none"          # in which scores are stored between the steps
    probabilities: str = "none"   # in which P enters the second matmul
    exp_relative_error: float = 0.0  # of its exp; 0 = 4 units of the accumulation format
    flags: int = 0
    projections: str = "none"     # in which a layer stores Q, K, V and the heads' outputs


@dataclasses.dataclass(frozen=True)
class Variant:
    """One implementation of a backend, with a contract for every type it has."""
    name: str                     # [a-z0-9_]+, alphabetical; "" for a backend with just one
    description: str
    contracts: dict               # {"f32": Contract(...)}
    expected_implementations: str = ""  # "a|b": a plan's implementation must hold one of them


class Problem(types.SimpleNamespace):
    """The problem of a `prepare` request with the protocol's field names."""

    @property
    def group(self):
        """Query heads that share a head of K and V."""
        return self.q_num_heads // self.kv_num_heads


class Plan:
    """One problem on one variant."""
    implementation = ""   # what really ran, in the library's own words
    workspace_bytes = 0   # what the plan holds beyond the tensors

    def bind(self, tensors):
        """Works on these from now on: {role: memory.Tensor}. Off the clock."""
        raise NotImplementedError

    def discard(self):
        """Drops the last call's results where the library allocates them. Off the clock."""

    def run(self):
        """Computes. On the clock."""
        raise NotImplementedError

    def sync(self):
        """Waits until the work of `run` is done. On the clock."""

    def download(self):
        """Brings results that the library allocated into the bound outputs. Off the clock."""


class Backend:
    """A library. The constructor imports it, after telling it how many threads it may use, and
    raises protocol.Unavailable where it is missing."""
    library = ""
    library_version = ""
    runtime = ""      # its threads: "OpenMP", ...
    variants = ()     # of Variant, by name
    operations = ("sdpa",)  # and "self_attention", the whole layer: layer.py takes it apart

    def prepare(self, problem, variant, tensors):
        """A Plan for the problem on that Variant; raises protocol.Unsupported with the reason.
        `tensors` are the descriptions of what will be bound."""
        raise NotImplementedError


def require(condition, reason):
    """Refuses a problem that the library cannot compute."""
    if not condition:
        raise Unsupported(reason)


def is_dense(description):
    """Whether a tensor has no gap and its axes are in order."""
    expected = 1
    for size, stride in reversed(list(zip(description["shape"], description["strides"]))):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def without_broadcast(description):
    """The shape that is stored: 1 where the stride is 0."""
    return [size if stride else 1
            for size, stride in zip(description["shape"], description["strides"])]


def layout_of_heads(problem, tensors):
    """"bnsh" or "bsnh": the order in memory of Q, K, V and OUT, [B, H, L, d] or [B, L, H, d].
    Refuses tensors with gaps, of which these libraries take no view."""
    heads = [d for d in tensors if d["role"] in ("q", "k", "v", "out")]
    if all(is_dense(d) for d in heads):
        return "bnsh"

    def swapped(d):
        return {key: [d[key][axis] for axis in (0, 2, 1, 3)] for key in ("shape", "strides")}
    require(all(is_dense(swapped(d)) for d in heads), "rows with gaps: tensors must be contiguous")
    return "bsnh"


def is_top_left_causal(problem):
    """Causal with no offset and no window: what libraries call `is_causal`."""
    p = problem
    return bool(p.is_causal and p.causal_offset == 0 and p.left_window_size < 0 and
                p.right_window_size < 0)


def require_plain(problem, library, softcap=False):
    """Refuses what the attention of common frameworks does not have."""
    require(softcap or problem.softcap == 0, f"softcap: {library} has none")
    require(not problem.has_kv_lengths, f"lengths of batch entries: {library} has none")
    require(problem.outputs == 0, f"LSE and weights: {library} gives the output only")


def refuse_boolean_mask(problem, library):
    """For libraries whose softmax of a row that sees no key is not 0; which rows those are, only
    the mask's values tell."""
    require(problem.attn_mask != "boolean",
            f"boolean masks: {library} gives rows that see no key other values than 0")


def structure_as_mask(problem, is_causal):
    """(visible [Lq, Lk], rows that see no key [Lq]), None where there is none: a mask in place of
    the structure that the library has no word for. `is_causal`: it has one for all there is."""
    visible = None if is_causal else structure_of_mask(problem)
    if visible is None:
        return None, None
    require(problem.attn_mask == "none", "a mask besides causality or a window")
    empty = ~visible.any(axis=-1)
    return visible, empty if empty.any() else None


def structure_of_mask(problem, lengths=None):
    """Which keys a query sees by causality, windows and lengths, as a boolean array [Lq, Lk], or
    [B, 1, Lq, Lk] where `lengths` (valid keys of each batch entry) are given; None = all."""
    import numpy
    p = problem
    windows = p.left_window_size >= 0 or p.right_window_size >= 0
    if not (p.is_causal or windows or lengths is not None):
        return None
    offset = p.causal_offset
    if lengths is not None:
        lengths = lengths.reshape(-1, 1, 1, 1)
        offset = lengths - p.q_sequence_length
    keys = numpy.arange(p.kv_sequence_length)
    diagonal = numpy.arange(p.q_sequence_length)[:, None] + offset
    visible = numpy.ones(numpy.broadcast_shapes(diagonal.shape, keys.shape), bool)
    if p.is_causal:
        visible &= keys <= diagonal
    if p.left_window_size >= 0:
        visible &= keys >= diagonal - p.left_window_size
    if p.right_window_size >= 0:
        visible &= keys <= diagonal + p.right_window_size
    if lengths is not None:
        visible &= keys < lengths
    return visible
