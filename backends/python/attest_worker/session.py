# SPDX-License-Identifier: Apache-2.0
"""Answers the judge: one method for each request of the protocol."""
import re
import sys
import time
import traceback

from .backend import Problem
from .memory import Buffers
from .process import FloatingPointGuard, peak_memory_bytes, reset_peak_memory
from .protocol import OutOfMemory, ProtocolError, Refusal, Unsupported, decode
from .timing import measure_round

ABI_VERSION = 1 << 16  # of the meaning of problems, roles and contracts: 1.0


def _cpu_name():
    with open("/proc/cpuinfo") as info:
        found = re.search(r"^model name\s*:\s*(.*)$", info.read(), re.MULTILINE)
    return found.group(1) if found else "CPU"


class _PlanState:
    def __init__(self, plan, descriptions):
        self.plan, self.descriptions = plan, descriptions


class Session:
    """One backend, from `load` to `quit`. `make_backend(threads)` is called once, by `load`."""

    def __init__(self, name, make_backend, channel, page):
        self._name, self._make_backend = name, make_backend
        self._channel, self._page = channel, page
        self._buffers, self._plans = Buffers(), {}
        self._backend, self._descriptors = None, []
        self._floating_point = FloatingPointGuard()
        self._done = False

    def serve(self):
        """Until the judge quits or is gone."""
        while not self._done:
            received = self._channel.receive()
            if received is None:
                return
            packet, self._descriptors = received
            self._channel.send(self._reply(packet))

    def _reply(self, packet):
        number, refusal = 0, None
        try:
            number, request = decode(packet)
            body = getattr(self, "_" + request["op"])(request)
            op = request["op"] if body else "done"
            return {"id": number, "status": "ok", "op": op, **(body or {})}
        except Refusal as error:
            number, refusal = getattr(error, "id", number), error
        except MemoryError as error:
            refusal = OutOfMemory(f"{self._page.phase}: {error or 'out of memory'}")
        except Exception as error:  # whatever a library raises costs this request only
            traceback.print_exc(file=sys.stderr)
            refusal = Refusal(f"{self._page.phase} raised {type(error).__name__}: {error}")
        finally:
            self._page.rest()
        return {"id": number, "status": refusal.status, "message": str(refusal)}

    def _load(self, request):
        if self._backend is not None:
            raise ProtocolError("load: this worker has loaded already")
        with self._page.during("dlopen"):
            self._backend = self._make_backend(max(request["threads"], 1))
        self._floating_point.restore()
        backend = self._backend
        return {"abi_version": ABI_VERSION, "backend": self._name, "library": backend.library,
                "library_version": backend.library_version, "runtime": backend.runtime,
                "devices": [{"name": _cpu_name(), "driver": "host", "kind": "cpu",
                             "memory_bytes": 0, "extensions": ""}],
                "variants": [self._describe(variant) for variant in backend.variants],
                "floating_point_environment": self._floating_point.report(), "device_timer": False}

    @staticmethod
    def _describe(variant):
        return {"name": variant.name, "description": variant.description,
                "expected_implementations": variant.expected_implementations,
                "contracts": [{"dtype": dtype, **vars(contract)}
                              for dtype, contract in variant.contracts.items()]}

    def _attach(self, request):
        self._buffers.attach(request["buffers"], self._descriptors)

    def _detach(self, request):
        self._buffers.detach(request["buffers"])

    def _prepare(self, request):
        if request["plan"] in self._plans:
            raise ProtocolError(f"plan: {request['plan']} is in use")
        if not 0 <= request["variant"] < len(self._loaded().variants):
            raise ProtocolError(f"variant: there is no {request['variant']}")
        variant = self._backend.variants[request["variant"]]
        problem = Problem(**request["problem"])
        if problem.op not in self._backend.operations:
            raise Unsupported(f"op {problem.op}")
        if problem.dtype not in variant.contracts:
            raise Unsupported(f"tensors of {problem.dtype}")
        reset_peak_memory()
        start = time.perf_counter()
        with self._page.during("plan_create"):
            plan = self._backend.prepare(problem, variant, request["tensors"])
        seconds = time.perf_counter() - start
        limit = request["host_bytes_limit"]
        if 0 < limit < plan.workspace_bytes:
            raise OutOfMemory(f"the plan needs {plan.workspace_bytes} bytes, {limit} are allowed")
        self._plans[request["plan"]] = _PlanState(plan, request["tensors"])
        return {"workspace_bytes": plan.workspace_bytes, "device_bytes": 0,
                "setup_seconds": seconds, "implementation": plan.implementation}

    def _bind(self, request):
        state = self._plan(request["plan"])
        tensors = self._buffers.place(state.descriptions, request["binding"])
        with self._page.during("plan_bind"):
            state.plan.discard()
            state.plan.bind(tensors)
        return state.plan, tensors

    def _run(self, request):
        plan, _ = self._bind(request)
        self._page.count_calls(1)
        start = time.perf_counter()
        with self._page.during("plan_run"):
            plan.run()
            plan.sync()
        seconds = time.perf_counter() - start
        with self._page.during("plan_download"):
            plan.download()
        self._floating_point.restore()
        return {"seconds": seconds, "peak_memory_bytes": peak_memory_bytes(),
                "workspace_bytes": plan.workspace_bytes, "device_bytes": 0,
                "implementation": plan.implementation,
                "floating_point_environment": self._floating_point.report()}

    def _measure(self, request):
        if request["iterations"] < 1:
            raise ProtocolError("iterations: must be at least 1")
        plan, tensors = self._bind(request)
        self._page.count_calls(request["iterations"])
        with self._page.during("plan_run"):
            body = measure_round(plan, tensors, request)
        with self._page.during("plan_download"):
            plan.download()
        self._floating_point.restore()
        return body

    def _release(self, request):
        self._plan(request["plan"])
        with self._page.during("plan_destroy"):
            del self._plans[request["plan"]]

    def _ceilings(self, request):
        raise Unsupported("a worker in Python measures no ceilings")

    def _quit(self, request):
        self._done = True

    def _loaded(self):
        if self._backend is None:
            raise ProtocolError("nothing is loaded")
        return self._backend

    def _plan(self, number):
        if number not in self._plans:
            raise ProtocolError(f"plan: there is no {number}")
        return self._plans[number]
