# SPDX-License-Identifier: Apache-2.0
"""What the worker's process owes the judge: the control page, an end with the judge, its peak
memory, and the floating-point modes it found."""
import contextlib
import ctypes
import faulthandler
import mmap
import os
import resource
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
PHASES = ("idle dlopen attest_backend_entry configure backend_info device_count variant_info "
          "supports plan_workspace plan_create plan_bind plan_run plan_sync plan_download "
          "plan_info plan_destroy ceiling").split()
_CALLS_OFFSET = 20  # of the page's uint32 "plan_run calls so far"
_libm = ctypes.CDLL("libm.so.6")


class ControlPage:
    """The page that the judge reads when the worker has died."""

    def __init__(self, descriptor):
        self._page = mmap.mmap(descriptor, mmap.PAGESIZE)
        os.close(descriptor)
        self.phase = "idle"

    @contextlib.contextmanager
    def during(self, phase):
        """Names the phase while it lasts, and in what is raised in it."""
        previous, self.phase = self.phase, phase
        self._put(0, PHASES.index(phase))
        yield
        # Not in `finally`: who catches the exception wants to know where it was raised.
        self.phase = previous
        self._put(0, PHASES.index(previous))

    def rest(self):
        """Between requests."""
        self.phase = "idle"
        self._put(0, 0)

    def count_calls(self, count):
        so_far, = struct.unpack_from("=I", self._page, _CALLS_OFFSET)
        self._put(_CALLS_OFFSET, (so_far + count) & 0xffffffff)

    def _put(self, offset, value):
        struct.pack_into("=I", self._page, offset, value)


def limit_life():
    """The worker does not outlive the judge, a crash writes no core of all the tensors but the
    Python lines it came from, on stderr, of which the judge keeps the end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(file=sys.stderr, all_threads=False)


def reset_peak_memory():
    """proc(5): "5" written to clear_refs resets VmHWM."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_memory_bytes():
    """Since the reset, without what is mapped of the shared tensors."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    of = {key: int(lines[key].split()[0]) * 1024 for key in ("VmHWM", "RssShmem") if key in lines}
    return max(of.get("VmHWM", 0) - of.get("RssShmem", 0), 0)


class FloatingPointGuard:
    """Libraries linked for fast arithmetic turn denormal numbers off in the thread that loads
    them, which would change every backend's results: noted, and turned on again."""

    def __init__(self):
        self._changes = []

    def restore(self):
        changes = self._find()
        if changes:
            self._changes += [change for change in changes if change not in self._changes]
            _libm.fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV of glibc

    def report(self):
        return "restored: " + ", ".join(self._changes) if self._changes else "unchanged"

    @staticmethod
    def _find():
        smallest_normal, smallest = sys.float_info.min, 5e-324
        changes = []
        if smallest_normal / 2 == 0:
            changes.append("flush-to-zero")
        if smallest * 2.0**60 == 0:
            changes.append("denormals-are-zero")
        if _libm.fegetround() != 0:
            changes.append("rounding direction")
        return changes
