# SPDX-License-Identifier: Apache-2.0
"""Workers in Python that are broken on purpose: the backend `numpy` with one fault, which shows in
its calls unless it says otherwise."""
import ctypes
import os
import signal
import socket
import sys
import time

from attest_worker import launch


def _socket():
    return socket.socket(fileno=int(sys.argv[sys.argv.index("--socket-fd") + 1]))


def _past_end(tensor):
    return tensor.address + tensor.extent_bytes


def _fill_with_zeros(tensor):
    ctypes.memset(tensor.address, 0, tensor.extent_bytes)


def _raise():
    raise ValueError("broken on purpose")


# What a call does in place of computing, or (returning True) before it computes. `plan` is bound.
CALLS = {
    "peer_correct": lambda plan: True,
    "peer_dies": lambda plan: os.kill(os.getpid(), signal.SIGKILL),
    "peer_exits": lambda plan: os._exit(3),
    "peer_garbage": lambda plan: _socket().send(b"Traceback: not JSON"),
    "peer_hangs": lambda plan: time.sleep(60),
    "peer_prints": lambda plan: print("x" * 100000) or True,
    "peer_raises": lambda plan: _raise(),
    "peer_reads_past_end": lambda plan: ctypes.string_at(_past_end(plan.tensors["k"]), 8192),
    "peer_wrong": lambda plan: _fill_with_zeros(plan.tensors["out"]),
    "peer_writes_input": lambda plan: ctypes.memset(plan.tensors["q"].address, 0, 1),
    "peer_writes_nothing": lambda plan: None,
    "peer_writes_past_end": lambda plan: ctypes.memset(_past_end(plan.tensors["out"]), 0, 1),
}


def _make_backend(fault, threads):
    if fault == "peer_import_error":
        raise ImportError("libmissing.so.1: cannot open shared object file")
    from attest_worker.peers.numpy import NumpyBackend, NumpySdpa

    class Plan(NumpySdpa):
        def bind(self, tensors):
            self.tensors = tensors
            super().bind(tensors)

        def run(self):
            if CALLS[fault](self):
                super().run()

    class Broken(NumpyBackend):
        def prepare(self, problem, variant, tensors):
            if fault == "peer_prepare_raises":
                raise RuntimeError("no kernel for this shape")
            return Plan(problem, "")

    return Broken(threads)


def serve(fault):
    launch.serve(fault, lambda threads: _make_backend(fault, threads))
