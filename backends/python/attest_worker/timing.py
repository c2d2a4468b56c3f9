# SPDX-License-Identifier: Apache-2.0
"""One round of timed calls. A call is `run` and `sync` between two readings of the steady clock;
what the readings and the two calls of Python cost (0.1 to 0.2 us) is part of the time, as it is for
whoever calls the library from Python. Nothing is checked or written inside but by the library."""
import gc
import resource
import time

from .protocol import OUTPUT_ROLES


def poison(tensors, pattern):
    """Fills every output from its first to its last element with a 32-bit pattern, repeated."""
    import numpy
    for tensor in tensors.values():
        if tensor.role in OUTPUT_ROLES:
            target = numpy.frombuffer(tensor.raw(), numpy.uint8)
            words = numpy.frombuffer(pattern.to_bytes(4, "little"), numpy.uint8)
            target[:] = numpy.resize(words, target.size)


class CacheEvictor:
    """Reads that many bytes, so that the caches hold them instead of the tensors."""
    WORDS_PER_LINE = 8

    def __init__(self, size):
        import numpy
        self._words = numpy.ones(int(size) // 8, numpy.int64)

    def evict(self):
        self._words[::self.WORDS_PER_LINE].sum()


def _off_clock(plan, tensors, request, evictor):
    """What stands before one call; its CPU seconds."""
    start = time.process_time()
    if tensors is not None:
        poison(tensors, request["poison_pattern"])
    plan.discard()
    if evictor:
        evictor.evict()
    return time.process_time() - start


def _warm_up(plan, seconds):
    """Untimed calls for so long, at least one: what ran in between left the caches something else."""
    start = time.perf_counter()
    while True:
        plan.discard()
        plan.run()
        plan.sync()
        if time.perf_counter() - start >= seconds:
            return


def measure_round(plan, tensors, request):
    """The body of the reply to a `measure` request, on a plan that is bound to the tensors."""
    iterations, poisoned = request["iterations"], request["poison_iteration"]
    evictor = CacheEvictor(request["cold_bytes"]) if request["cold_bytes"] > 0 else None
    run, sync, discard, clock = plan.run, plan.sync, plan.discard, time.perf_counter_ns
    total, least, most, off_clock = 0, 1 << 62, 0, 0.0
    gc.collect()
    gc.disable()  # a collection in a call would be taken for the library's time
    try:
        if not evictor and iterations > 1:
            _warm_up(plan, request["warm_up_seconds"])
        before = resource.getrusage(resource.RUSAGE_SELF)
        cpu = time.process_time()
        for index in range(iterations):
            if index == poisoned or evictor:
                off_clock += _off_clock(plan, tensors if index == poisoned else None, request,
                                        evictor)
            else:
                discard()
            start = clock()
            run()
            sync()
            elapsed = clock() - start
            total += elapsed
            least = min(least, elapsed)
            most = max(most, elapsed)
        cpu = time.process_time() - cpu - off_clock
        after = resource.getrusage(resource.RUSAGE_SELF)
    finally:
        gc.enable()
    seconds = total * 1e-9 / iterations
    return {"iterations": iterations, "seconds_per_call": seconds, "wall_seconds_per_call": seconds,
            "cpu_seconds_per_call": max(cpu, 0.0) / iterations, "min_seconds": least * 1e-9,
            "max_seconds": most * 1e-9, "timer": "wall",
            "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
            "voluntary_switches": after.ru_nvcsw - before.ru_nvcsw}
