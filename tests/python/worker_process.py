# SPDX-License-Identifier: Apache-2.0
"""A real worker for tests, with the judge's end of its socket; and one head of attention for it."""
import array
import json
import math
import mmap
import os
import socket
import struct
import subprocess

WORKERS = os.path.join(os.environ["ATTEST_BUILD_DIR"], "lib", "attest", "peers")
LENGTH, SIZE = 5, 4
BYTES = LENGTH * SIZE * 4


class Worker:
    """attest_NAME.worker as a child process."""

    def __init__(self, name, environment=None):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.page = os.memfd_create("control")
        os.ftruncate(self.page, mmap.PAGESIZE)
        self.process = subprocess.Popen(
            [os.path.join(WORKERS, f"attest_{name}.worker"), "--socket-fd", str(theirs.fileno()),
             "--control-fd", str(self.page)],
            pass_fds=(theirs.fileno(), self.page), stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})})
        theirs.close()
        self._id = 0

    def ask(self, op, descriptors=(), **fields):
        """The reply to a request; {} where the worker died instead."""
        self._id += 1
        return self.ask_raw(json.dumps({"id": self._id, "op": op, **fields}), descriptors)

    def ask_raw(self, text, descriptors=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.socket.sendmsg([text.encode()], rights if descriptors else [])
        try:
            reply = self.socket.recv(1 << 20)
        except ConnectionResetError:
            reply = b""
        return json.loads(reply) if reply else {}

    def load(self, **fields):
        return self.ask("load", **{"path": "", "threads": 1, "device": 0, "cache_directory": "",
                                   **fields})

    def control(self):
        """(phase, calls) of the control page."""
        page = os.pread(self.page, 24, 0)
        return struct.unpack_from("=I", page, 0)[0], struct.unpack_from("=I", page, 20)[0]

    def end(self):
        """The exit status and what was said on stderr, once the judge's end is closed."""
        self.socket.close()
        said = self.process.communicate(timeout=60)[1].decode()
        os.close(self.page)
        return self.process.returncode, said


class OneHead:
    """One head of self-attention of 5 tokens, head size 4, in shared pages, outputs last."""
    ROLES = ("q", "k", "v", "out")

    def __init__(self, offset=0):
        self.offset = offset
        self.files = [os.memfd_create(role) for role in self.ROLES]
        for number, file in enumerate(self.files):
            os.ftruncate(file, mmap.PAGESIZE)
            os.pwrite(file, self.values(number), offset)
        self.binding = [{"role": role, "buffer": number, "offset_bytes": offset,
                         "margin_before_bytes": offset, "margin_after_bytes": 0}
                        for number, role in enumerate(self.ROLES)]

    @staticmethod
    def values(number):
        return struct.pack(f"{LENGTH * SIZE}f", *(math.sin(i * (number + 2))
                                                  for i in range(LENGTH * SIZE)))

    def attach(self, worker):
        buffers = [{"id": number, "bytes": mmap.PAGESIZE, "writable": role == "out"}
                   for number, role in enumerate(self.ROLES)]
        # As the judge does: what must not be written is handed over by a read-only descriptor.
        files = [os.open(f"/proc/self/fd/{file}", os.O_RDWR if spec["writable"] else os.O_RDONLY)
                 for file, spec in zip(self.files, buffers)]
        reply = worker.ask("attach", files, buffers=buffers)
        for file in files:
            os.close(file)
        return reply

    @staticmethod
    def request(**changes):
        """The fields of a `prepare` request but `op`; `changes` are to its problem."""
        problem = {
            "op": "sdpa", "dtype": "f32", "batch_size": 1, "q_num_heads": 1, "kv_num_heads": 1,
            "q_sequence_length": LENGTH, "kv_sequence_length": LENGTH, "head_size": SIZE,
            "v_head_size": SIZE, "scale": 0.5, "softcap": 0.0, "is_causal": False,
            "attn_mask": "none", "causal_offset": 0, "left_window_size": -1,
            "right_window_size": -1, "has_kv_lengths": False, "outputs": 0, "hidden_size": 0,
            "structure": "full", "has_bias": False, "has_output_projection": False,
            "is_cross": False, **changes}
        tensors = [{"role": role, "dtype": problem["dtype"], "shape": [1, 1, LENGTH, SIZE],
                    "strides": [LENGTH * SIZE, LENGTH * SIZE, SIZE, 1]} for role in OneHead.ROLES]
        return {"plan": 1, "variant": 0, "host_bytes_limit": 0, "problem": problem,
                "tensors": tensors}

    def out(self):
        return struct.unpack(f"{LENGTH * SIZE}f", os.pread(self.files[3], BYTES, self.offset))

    def expected(self):
        q, k, v = (struct.unpack(f"{LENGTH * SIZE}f", self.values(number)) for number in range(3))
        rows = []
        for i in range(LENGTH):
            scores = [0.5 * sum(q[i * SIZE + c] * k[j * SIZE + c] for c in range(SIZE))
                      for j in range(LENGTH)]
            weights = [math.exp(score) for score in scores]
            rows += [sum(weights[j] * v[j * SIZE + c] for j in range(LENGTH)) / sum(weights)
                     for c in range(SIZE)]
        return rows

    def close(self):
        for file in self.files:
            os.close(file)
