# SPDX-License-Identifier: Apache-2.0
"""Masks, roundings and views of the worker library, each against a slow second way."""
import itertools
import struct
import unittest

import numpy

from attest_worker.backend import Problem, Unsupported, is_dense, structure_as_mask, structure_of_mask
from attest_worker.layer import as_heads, described, linear_maps, output_map, sdpa_inside, unmapped
from attest_worker.memory import Tensor
from attest_worker.peers.numpy import _store, _widen


def problem(**fields):
    return Problem(**{"q_sequence_length": 4, "kv_sequence_length": 6,
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

    def test_structure_in_place_of_a_mask(self):
        p = problem(is_causal=True, causal_offset=-1, attn_mask="none")
        visible, empty = structure_as_mask(p, is_causal=False)
        self.assertEqual(visible.tolist(), structure_of_mask(p).tolist())
        self.assertEqual(empty.tolist(), [True, False, False, False])
        self.assertEqual(structure_as_mask(p, is_causal=True), (None, None), "the library's own word")
        self.assertIsNone(structure_as_mask(problem(is_causal=True, attn_mask="none"), False)[1])
        p.attn_mask = "boolean"
        with self.assertRaises(Unsupported):
            structure_as_mask(p, is_causal=False)

    def test_lengths_move_the_offset_of_each_entry(self):
        p = problem(is_causal=True, left_window_size=2)
        visible = structure_of_mask(p, numpy.array([1, 6, 4]))
        self.assertEqual(visible.shape, (3, 1, 4, 6))
        for entry, length in enumerate((1, 6, 4)):
            expected = [[sees(p, i, j, length - 4, length) for j in range(6)] for i in range(4)]
            self.assertEqual(visible[entry, 0].tolist(), expected)


class Layers(unittest.TestCase):
    """What abi.h lists at attest_problem."""

    def layer(self, structure="full", **fields):
        return problem(op="self_attention", structure=structure, batch_size=2, q_num_heads=4, kv_num_heads=2,
                       head_size=3, v_head_size=5, dtype="f32", outputs=3, is_cross=False, has_bias=False,
                       has_output_projection=False, hidden_size=12, **fields)

    def test_maps_of_each_structure(self):
        full = self.layer()
        self.assertEqual(linear_maps(full), {"q": ("x", "wq", ""), "k": ("x", "wk", ""), "v": ("x", "wv", "")})
        self.assertEqual((unmapped(full), output_map(full)), ({}, None))
        full.is_cross = full.has_bias = full.has_output_projection = True
        self.assertEqual(linear_maps(full), {"q": ("x", "wq", "bq"), "k": ("x_kv", "wk", "bk"), "v": ("x_kv", "wv", "bv")})
        self.assertEqual(output_map(full), ("wo", "bo"))
        tied = self.layer("tied_qk")
        self.assertEqual(linear_maps(tied), {"q": ("x", "wq", ""), "v": ("x", "wv", "")}, "K is Q")
        tied.is_cross = True
        self.assertEqual(linear_maps(tied)["k"], ("x_kv", "wq", ""))
        pool = self.layer("mean_pool")
        self.assertEqual((linear_maps(pool), unmapped(pool)), ({"v": ("x", "wv", "")}, {"q": "", "k": ""}))
        free = self.layer("parameter_free")
        self.assertEqual((linear_maps(free), unmapped(free)), ({}, {"q": "x", "k": "x", "v": "x"}))
        free.is_cross = True
        self.assertEqual(unmapped(free), {"q": "x", "k": "x_kv", "v": "x_kv"})

    def test_the_sdpa_inside_has_the_heads_and_the_outputs(self):
        inside = sdpa_inside(self.layer("tied_qk"))
        self.assertEqual((inside.op, inside.structure, inside.outputs, inside.group), ("sdpa", "full", 3, 2))

    def test_columns_are_heads(self):
        flat = numpy.arange(2 * 4 * 12).reshape(2, 4, 12)
        heads = as_heads(flat, 4)
        self.assertTrue(numpy.shares_memory(flat, heads))
        self.assertEqual(heads[1, 2, 3].tolist(), flat[1, 3, 6:9].tolist())
        q = described(self.layer())[0]
        self.assertEqual((q["role"], tuple(q["shape"])), ("q", heads.shape))
        self.assertEqual([stride * flat.itemsize for stride in q["strides"]], list(heads.strides))


class Formats(unittest.TestCase):
    def test_bf16_rounds_to_the_nearest_even(self):
        values = numpy.array([1, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-9,
                              numpy.inf, -numpy.inf, 3.4e38, 2.0**-133, 0], numpy.float32)
        stored = numpy.zeros(values.size, numpy.uint16)
        _store(values, stored)
        back = _widen(stored)
        self.assertEqual(back.tolist(), [1, 1, 1 + 2**-6, 1 + 2**-7, -1, numpy.inf, -numpy.inf,
                                         numpy.inf, 2.0**-133, 0])

    def test_nan_stays_nan_whatever_its_bits(self):
        values = numpy.array([0x7f800001, 0xffffffff, 0x7fc00000], numpy.uint32).view(numpy.float32)
        stored = numpy.zeros(3, numpy.uint16)
        _store(values, stored)
        self.assertTrue(numpy.isnan(_widen(stored)).all())


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
