# SPDX-License-Identifier: Apache-2.0
"""The worker library through the worker of numpy: every request, and every mistake of a judge."""
import os
import signal
import tempfile
import time
import unittest
import unittest.mock

from worker_process import OneHead, Worker

POISON = 0xffc0dead
NEVER = 1 << 40


class Loaded(unittest.TestCase):
    """A worker that has loaded, attached and prepared plan 1."""

    def setUp(self):
        self.worker, self.head = Worker("numpy"), OneHead(offset=128)
        self.addCleanup(self.finish)
        self.assertEqual(self.worker.load()["status"], "ok")
        self.assertEqual(self.head.attach(self.worker), {"id": 2, "status": "ok", "op": "done"})

    def finish(self):
        if self.worker.process.returncode is None:
            self.worker.end()
        self.head.close()

    def prepare(self, **changes):
        return self.worker.ask("prepare", **self.head.request(**changes))

    def measure(self, **fields):
        return self.worker.ask("measure", **{
            "plan": 1, "binding": self.head.binding, "iterations": 3, "poison_iteration": NEVER,
            "poison_pattern": POISON, "cold_bytes": 0.0, "warm_up_seconds": 0.0,
            **fields})

    def assert_computed(self):
        for got, expected in zip(self.head.out(), self.head.expected()):
            self.assertAlmostEqual(got, expected, delta=1e-6)

    def test_a_checked_call_computes_and_reports(self):
        prepared = self.prepare()
        self.assertEqual((prepared["status"], prepared["op"]), ("ok", "prepare"))
        self.assertEqual(prepared["workspace_bytes"], 5 * 5 * 4)
        self.assertIn("matmul", prepared["implementation"])
        reply = self.worker.ask("run", plan=1, binding=self.head.binding)
        self.assert_computed()
        self.assertGreater(reply["seconds"], 0)
        self.assertGreater(reply["peak_memory_bytes"], 1 << 20)
        self.assertEqual(reply["floating_point_environment"], "unchanged")
        self.assertEqual(self.worker.control(), (0, 1))

    def test_a_round_is_timed_and_computes_after_its_poison(self):
        self.prepare()
        reply = self.measure(poison_iteration=2)
        self.assert_computed()
        self.assertEqual((reply["iterations"], reply["timer"]), (3, "wall"))
        self.assertLessEqual(reply["min_seconds"], reply["seconds_per_call"])
        self.assertLessEqual(reply["seconds_per_call"], reply["max_seconds"])
        self.assertGreater(reply["min_seconds"], 0)
        self.assertEqual(self.worker.control(), (0, 3))

    def test_cold_rounds_read_other_memory_off_the_clock(self):
        self.prepare()
        reply = self.measure(cold_bytes=float(1 << 20))
        self.assertEqual(reply["status"], "ok")
        self.assert_computed()

    def test_a_round_is_warmed_up_for_so_long(self):
        self.prepare()
        start = time.monotonic()
        reply = self.measure(warm_up_seconds=0.2)
        self.assertGreater(time.monotonic() - start, 0.2)
        self.assertEqual(reply["iterations"], 3)
        self.assertLess(reply["wall_seconds_per_call"] * 3, 0.2)

    def test_poison_fills_the_output_and_no_margin(self):
        import numpy
        from attest_worker.memory import Tensor
        from attest_worker.timing import poison
        memory = numpy.zeros(24, numpy.uint8)
        tensor = Tensor({"role": "out", "dtype": "f16", "shape": [7], "strides": [1]},
                        memory.ctypes.data + 4)
        poison({"out": tensor}, POISON)
        self.assertEqual(memory.tobytes(), b"\0" * 4 + (POISON.to_bytes(4, "little") * 4)[:14] +
                         b"\0" * 6)

    def test_what_it_does_not_do_is_unsupported_with_the_reason(self):
        reply = self.prepare(dtype="i64")
        self.assertEqual(reply["status"], "unsupported")
        self.assertIn("i64", reply["message"])
        self.assertEqual(self.worker.ask("ceilings", footprint_bytes=1)["status"], "unsupported")

    def test_an_operation_that_the_library_lacks_is_unsupported(self):
        from attest_worker.backend import Backend, Contract, Variant
        from attest_worker.protocol import Unsupported
        from attest_worker.session import Session

        class SdpaAlone(Backend):
            variants = (Variant("", "", {"f32": Contract("f32")}),)
        session = Session("x", lambda threads: SdpaAlone(), None, unittest.mock.MagicMock())
        session._load({"threads": 1})
        request = self.head.request()
        request = {**request, "problem": {**request["problem"], "op": "self_attention"}}
        with self.assertRaisesRegex(Unsupported, "self_attention"):
            session._prepare(request)

    def test_workspace_above_the_limit_is_out_of_memory(self):
        request = {**self.head.request(), "host_bytes_limit": 99}
        reply = self.worker.ask("prepare", **request)
        self.assertEqual(reply["status"], "out_of_memory")
        self.assertIn("100 bytes", reply["message"])

    def test_mistakes_of_the_judge_are_named_and_survived(self):
        self.prepare()
        wrong_role = [{**self.head.binding[0], "role": "qq"}, *self.head.binding[1:]]
        outside = [{**self.head.binding[0], "offset_bytes": 4096}, *self.head.binding[1:]]
        read_only = [*self.head.binding[:3], {**self.head.binding[3], "buffer": 0}]
        cases = [
            (("run", {"plan": 1, "binding": wrong_role}), "binding[0].role: unknown word 'qq'"),
            (("run", {"plan": 1, "binding": outside}), "q does not fit in buffer 0"),
            (("run", {"plan": 1, "binding": read_only}), "out needs a writable buffer"),
            (("run", {"plan": 1, "binding": self.head.binding[:3]}), "3 placements for 4"),
            (("run", {"plan": 2, "binding": []}), "there is no 2"),
            (("run", {"plan": "x", "binding": []}), "plan: 'x' is not of type int"),
            (("run", {"plan": True, "binding": []}), "plan: True is not of type int"),
            (("run", {"plan": 1}), "binding: is missing"),
            (("prepare", self.head.request()), "plan: 1 is in use"),
            (("prepare", {**self.head.request(), "plan": 3, "variant": 1}), "there is no 1"),
            (("release", {"plan": 7}), "there is no 7"),
            (("detach", {"buffers": [9]}), "buffer 9 is not attached"),
            (("attach", {"buffers": [{"id": 9, "bytes": 4096, "writable": True}]}),
             "1 named, 0 descriptors came"),
            (("fly", {}), "op: unknown word 'fly'"),
        ]
        for (op, fields), message in cases:
            with self.subTest(message=message):
                reply = self.worker.ask(op, **fields)
                self.assertEqual(reply["status"], "protocol_error")
                self.assertIn(message, reply["message"])
        self.assertEqual(self.worker.load()["status"], "protocol_error")
        for text in ("", "{", "[]", '{"op": "quit"}', '{"id": 1.5, "op": "quit"}'):
            if text:
                reply = self.worker.ask_raw(text)
                self.assertEqual((reply["status"], reply["id"]), ("protocol_error", 0), text)
        self.assertEqual(self.worker.ask("run", plan=1, binding=self.head.binding)["status"], "ok")

    def test_buffers_that_are_no_whole_pages_are_refused(self):
        file = os.memfd_create("small")
        os.ftruncate(file, 100)
        for size in (0, 100, 4096):
            reply = self.worker.ask("attach", [file],
                                    buffers=[{"id": 9, "bytes": size, "writable": True}])
            self.assertIn("whole number of pages", reply["message"])
        os.close(file)

    def test_released_plans_and_detached_buffers_are_gone(self):
        self.prepare()
        self.assertEqual(self.worker.ask("release", plan=1)["status"], "ok")
        self.assertEqual(self.worker.ask("detach", buffers=[0, 1, 2, 3])["status"], "ok")
        self.assertEqual(self.prepare()["status"], "ok")
        reply = self.worker.ask("run", plan=1, binding=self.head.binding)
        self.assertIn("is not attached", reply["message"])

    def test_quit_is_answered_and_ends_with_0(self):
        self.assertEqual(self.worker.ask("quit")["status"], "ok")
        self.assertEqual(self.worker.end(), (0, ""))

    def test_it_ends_when_the_judge_is_gone(self):
        self.assertEqual(self.worker.end()[0], 0)

    def test_pages_before_and_behind_a_buffer_are_inaccessible(self):
        import ctypes
        from attest_worker.memory import Buffer
        file = os.memfd_create("guarded")
        os.ftruncate(file, 4096)
        for offset in (-1, 4096):
            child = os.fork()
            if child == 0:
                buffer = Buffer({"id": 0, "bytes": 4096, "writable": True}, file)
                ctypes.string_at(buffer.address, 4096)
                ctypes.string_at(buffer.address + offset, 1)
                os._exit(0)
            self.assertEqual(os.WTERMSIG(os.waitpid(child, 0)[1]), signal.SIGSEGV)
        os.close(file)


class Absent(unittest.TestCase):
    def test_a_library_that_is_not_installed_is_unavailable_with_the_command(self):
        import attest_worker.launch as launch
        from attest_worker.protocol import Unavailable
        with self.assertRaisesRegex(Unavailable, "pip install no_such_package, or scripts/peers"):
            launch._make_backend("numpy", "no_such_package", 1)

    def test_so_is_one_without_a_package_that_it_needs(self):
        import attest_worker.launch as launch
        from attest_worker.protocol import Unavailable
        absent = ModuleNotFoundError("No module named 'onnx'", name="onnx")
        with unittest.mock.patch("importlib.import_module", side_effect=absent):
            with self.assertRaisesRegex(Unavailable, "no Python package onnx: pip install onnx"):
                launch._make_backend("numpy", "numpy", 1)


class Environments(unittest.TestCase):
    """Which Python a worker goes on in; a stub in place of it says so and ends."""

    def start(self, package):
        with tempfile.TemporaryDirectory() as folder:
            python = os.path.join(folder, "bin", "python3")
            os.makedirs(os.path.dirname(python))
            os.makedirs(os.path.join(folder, "lib", "python3.99", "site-packages", package))
            with open(python, "w", encoding="ascii") as stub:
                stub.write("#!/bin/sh\necho moved >&2; exit 9\n")
            os.chmod(python, 0o755)
            worker = Worker("numpy", {"ATTEST_PEERS": folder})
            loaded = worker.load() if package != "numpy" else {}
            if not loaded:
                worker.process.wait(timeout=60)
            return loaded.get("status"), *worker.end()

    def test_the_one_that_is_asked_for_where_it_has_the_package(self):
        self.assertEqual(self.start("numpy"), (None, 9, "moved\n"))

    def test_another_where_it_has_not(self):
        self.assertEqual(self.start("scipy"), ("ok", 0, ""))


if __name__ == "__main__":
    unittest.main()
