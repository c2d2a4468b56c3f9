# SPDX-License-Identifier: Apache-2.0
"""Messages of the worker protocol: packets with file descriptors, and the check of every
request."""
import array
import json
import socket

MAX_MESSAGE_BYTES = 1 << 20
MAX_DESCRIPTORS = 253
CLOSE_ON_EXEC = 0x40000000  # MSG_CMSG_CLOEXEC, which the module socket does not name

DTYPES = frozenset("f32 f16 bf16 f64 i64 bool".split())
ROLES = frozenset("q k v mask kv_lengths x x_kv wq wk wv wo bq bk bv bo out lse weights".split())
OUTPUT_ROLES = frozenset(("out", "lse", "weights"))

PROBLEM = {
    "op": frozenset(("sdpa", "self_attention")), "dtype": DTYPES, "batch_size": int,
    "q_num_heads": int, "kv_num_heads": int, "q_sequence_length": int, "kv_sequence_length": int,
    "head_size": int, "v_head_size": int, "scale": float, "softcap": float, "is_causal": bool,
    "attn_mask": frozenset(("none", "boolean", "additive")), "causal_offset": int,
    "left_window_size": int, "right_window_size": int, "has_kv_lengths": bool, "outputs": int,
    "hidden_size": int,
    "structure": frozenset(("full", "tied_qk", "parameter_free", "mean_pool")),
    "has_bias": bool, "has_output_projection": bool, "is_cross": bool}
TENSOR = {"role": ROLES, "dtype": DTYPES, "shape": [int], "strides": [int]}
BINDING = [{"role": ROLES, "buffer": int, "offset_bytes": int, "margin_before_bytes": int,
            "margin_after_bytes": int}]
REQUESTS = {
    "load": {"path": str, "threads": int, "device": int, "cache_directory": str},
    "attach": {"buffers": [{"id": int, "bytes": int, "writable": bool}]},
    "detach": {"buffers": [int]},
    "prepare": {"plan": int, "variant": int, "host_bytes_limit": int, "problem": PROBLEM,
                "tensors": [TENSOR]},
    "run": {"plan": int, "binding": BINDING},
    "measure": {"plan": int, "binding": BINDING, "iterations": int, "poison_iteration": int,
                "poison_pattern": int, "cold_bytes": float, "warm_up_seconds": float},
    "release": {"plan": int},
    "ceilings": {"footprint_bytes": int},
    "quit": {},
}


class Refusal(Exception):
    """An answer other than `ok`; its text is the reply's message."""
    status = "internal_error"


class Unsupported(Refusal):
    status = "unsupported"


class Unavailable(Refusal):
    status = "unavailable"


class OutOfMemory(Refusal):
    status = "out_of_memory"


class ProtocolError(Refusal):
    status = "protocol_error"


def check(value, schema, where):
    """Raises ProtocolError naming the key, unless `value` has the schema's form: a type, a set of
    words, [schema of every element], or {key: schema}, where unknown keys are allowed."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            raise ProtocolError(f"{where or 'message'}: is not an object")
        for key, part in schema.items():
            place = f"{where}.{key}" if where else key
            if key not in value:
                raise ProtocolError(f"{place}: is missing")
            check(value[key], part, place)
    elif isinstance(schema, list):
        if not isinstance(value, list):
            raise ProtocolError(f"{where}: is not an array")
        for index, element in enumerate(value):
            check(element, schema[0], f"{where}[{index}]")
    elif isinstance(schema, frozenset):
        if value not in schema:
            raise ProtocolError(f"{where}: unknown word {value!r}")
    elif isinstance(value, bool) is not (schema is bool) or \
            not isinstance(value, (int, float) if schema is float else schema):
        raise ProtocolError(f"{where}: {value!r} is not of type {schema.__name__}")


def decode(packet):
    """(id, request) of a packet. Raises ProtocolError, with the id where it could be read."""
    number = 0
    try:
        request = json.loads(packet)
        check(request, {"id": int}, "")
        number = request["id"]
        check(request, {"op": frozenset(REQUESTS)}, "")
        check(request, REQUESTS[request["op"]], "")
    except ValueError as error:
        raise ProtocolError(f"message is not JSON: {error}") from None
    except ProtocolError as error:
        error.id = number
        raise
    return number, request


class Channel:
    """The worker's end of the SOCK_SEQPACKET socket pair: one packet is one message."""

    def __init__(self, descriptor):
        self._socket = socket.socket(fileno=descriptor)

    def receive(self):
        """(bytes, descriptors), the descriptors the caller's to close; None: the judge is gone."""
        space = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
        try:
            packet, parts, _, _ = self._socket.recvmsg(MAX_MESSAGE_BYTES, space, CLOSE_ON_EXEC)
        except ConnectionResetError:
            return None
        descriptors = array.array("i")
        for level, kind, data in parts:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[:len(data) - len(data) % descriptors.itemsize])
        return (packet, list(descriptors)) if packet else None

    def send(self, reply):
        self._socket.send(json.dumps(reply, allow_nan=False).encode())
