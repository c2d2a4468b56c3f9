# SPDX-License-Identifier: Apache-2.0
"""Masks, roundings and views of the worker library, each against a slow second way."""
import itertools
import struct
import types
import unittest

import numpy

from attest_worker.backend import is_dense, structure_of_mask
from attest_worker.memory import Tensor
from attest_worker.peers.numpy import _store, _widen


def problem(**fields):
    return types.SimpleNamespace(**{"q_sequence_length": 4, "kv_sequence_length": 6,
                                    "is_causal": False, "causal_offset": 0, "left_window_size": -1,
                                    "right_window_size": -1, **fields})


def sees(p, i, j, offset, length):
    """The rules of abi.h, word by word."""
    return ((not p.is_causal or j <= i + offset) and
            (p.left_window_size < 0 or j >= i + offset - p.left_window_size) and
            (p.right_window_size < 0 or j <= i + offset + p.right_window_size) and j < length)


class Masks(unittest.TestCase):
    def test_all_rules_together(self):
        for causal, offset, left, right in itertools.product((False, True), (-3, 0, 2),
                                                             (-1, 0, 2), (-1, 0, 1)):
            p = problem(is_causal=causal, causal_offset=offset, left_window_size=left,
                        right_window_size=right)
            visible = structure_of_mask(p)
            if visible is None:
                self.assertEqual((causal, left, right), (False, -1, -1))
                continue
            expected = [[sees(p, i, j, offset, 6) for j in range(6)] for i in range(4)]
            self.assertEqual(visible.tolist(), expected)

    def test_lengths_move_the_offset_of_each_entry(self):
        p = problem(is_causal=True, left_window_size=2)
        visible = structure_of_mask(p, numpy.array([1, 6, 4]))
        self.assertEqual(visible.shape, (3, 1, 4, 6))
        for entry, length in enumerate((1, 6, 4)):
            expected = [[sees(p, i, j, length - 4, length) for j in range(6)] for i in range(4)]
            self.assertEqual(visible[entry, 0].tolist(), expected)


class Formats(unittest.TestCase):
    def test_bf16_rounds_to_the_nearest_even(self):
        values = numpy.array([1, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-9,
                              numpy.inf, -numpy.inf, 3.4e38, 2.0**-133, 0], numpy.float32)
        stored = numpy.zeros(values.size, numpy.uint16)
        _store(values, stored, "bf16")
        back = _widen(stored, "bf16")
        self.assertEqual(back.tolist(), [1, 1, 1 + 2**-6, 1 + 2**-7, -1, numpy.inf, -numpy.inf,
                                         numpy.inf, 2.0**-133, 0])

    def test_nan_stays_nan_whatever_its_bits(self):
        values = numpy.array([0x7f800001, 0xffffffff, 0x7fc00000], numpy.uint32).view(numpy.float32)
        stored = numpy.zeros(3, numpy.uint16)
        _store(values, stored, "bf16")
        self.assertTrue(numpy.isnan(_widen(stored, "bf16")).all())


class Views(unittest.TestCase):
    def test_strides_and_broadcast(self):
        memory = numpy.array(struct.unpack("8f", struct.pack("8f", *range(8))), numpy.float32)
        view = Tensor({"role": "k", "dtype": "f32", "shape": [2, 3, 2], "strides": [4, 0, 1]},
                      memory.ctypes.data)
        self.assertEqual(view.numpy().tolist(), [[[0, 1]] * 3, [[4, 5]] * 3])
        self.assertEqual(view.extent_bytes, 6 * 4)
        self.assertFalse(view.numpy().flags.writeable)

    def test_outputs_are_written_in_place(self):
        memory = numpy.zeros(6, numpy.float32)
        out = Tensor({"role": "out", "dtype": "f32", "shape": [2, 2], "strides": [4, 1]},
                     memory.ctypes.data)
        out.numpy()[...] = 7
        self.assertEqual(memory.tolist(), [7, 7, 0, 0, 7, 7])

    def test_dense(self):
        self.assertTrue(is_dense({"shape": [2, 1, 3], "strides": [3, 99, 1]}))
        self.assertFalse(is_dense({"shape": [2, 3], "strides": [4, 1]}))
        self.assertFalse(is_dense({"shape": [2, 3], "strides": [1, 2]}))


if __name__ == "__main__":
    unittest.main()
