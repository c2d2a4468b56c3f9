# SPDX-License-Identifier: Apache-2.0
"""Shared buffers between inaccessible pages, and the tensors that lie in them. The mmap of Python's
library cannot place a mapping between guard pages, so the C library's is called."""
import ctypes
import mmap
import os

from .protocol import OUTPUT_ROLES, ProtocolError

ITEM_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "f64": 8, "i64": 8, "bool": 1}
# bf16 is not a type of numpy: its bits are.
NUMPY_TYPES = {"f32": "float32", "f16": "float16", "bf16": "uint16", "f64": "float64",
               "i64": "int64", "bool": "bool"}
PROT_NONE, MAP_FIXED, MAP_POPULATE, MAP_NORESERVE = 0, 0x10, 0x8000, 0x4000
PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                       ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def _map(address, size, protection, flags, descriptor):
    mapped = _libc.mmap(address, size, protection, flags, descriptor, 0)
    if mapped == ctypes.c_void_p(-1).value:
        error = ctypes.get_errno()
        raise OSError(error, f"mmap of {size} bytes: {os.strerror(error)}")
    return mapped


class Buffer:
    """One shared buffer, mapped read-only unless the judge says it is writable."""

    def __init__(self, spec, descriptor):
        self.bytes, self.writable = spec["bytes"], spec["writable"]
        has = os.fstat(descriptor).st_size
        if not 0 < self.bytes <= has or self.bytes % PAGE:
            raise ProtocolError(f"buffer {spec['id']}: {self.bytes} bytes are not a whole number "
                                f"of pages of its {has}")
        reserved = _map(None, self.bytes + 2 * PAGE, PROT_NONE,
                        mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, -1)
        self.address = reserved + PAGE
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if self.writable else 0)
        # Populated, so that the first timed call pays for no page fault.
        _map(self.address, self.bytes, protection, mmap.MAP_SHARED | MAP_FIXED | MAP_POPULATE,
             descriptor)

    def unmap(self):
        _libc.munmap(self.address - PAGE, self.bytes + 2 * PAGE)


class Tensor:
    """A described tensor at its place in memory. `shape`, `strides` (in elements, 0 = broadcast)
    and `dtype` as in the protocol; `address` is that of the first element."""

    def __init__(self, description, address):
        self.role, self.dtype = description["role"], description["dtype"]
        self.shape, self.strides = tuple(description["shape"]), tuple(description["strides"])
        self.address = address

    @property
    def extent_bytes(self):
        """From the first element to the end of the last."""
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        return (last + 1) * ITEM_BYTES[self.dtype]

    def raw(self):
        """The bytes as a ctypes array: no copy."""
        return (ctypes.c_char * self.extent_bytes).from_address(self.address)

    def numpy(self, claim_writable=False):
        """A view of the memory with the described shape: no copy; bf16 as its bits in uint16.
        Inputs are read-only. For libraries that refuse such arrays `claim_writable` says otherwise:
        the pages stay read-only, and a write ends the process."""
        import numpy
        item = ITEM_BYTES[self.dtype]
        view = numpy.ndarray(self.shape, NUMPY_TYPES[self.dtype], self.raw(), 0,
                             [stride * item for stride in self.strides])
        view.flags.writeable = claim_writable or self.role in OUTPUT_ROLES
        return view


class Buffers:
    """The attached buffers, by the judge's numbers."""

    def __init__(self):
        self._buffers = {}

    def attach(self, specs, descriptors):
        try:
            if len(specs) != len(descriptors):
                raise ProtocolError(f"buffers: {len(specs)} named, {len(descriptors)} descriptors "
                                    "came")
            for spec, descriptor in zip(specs, descriptors):
                if spec["id"] in self._buffers:
                    raise ProtocolError(f"buffers: {spec['id']} is in use")
                self._buffers[spec["id"]] = Buffer(spec, descriptor)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def detach(self, numbers):
        for number in numbers:
            self._get(number)
            self._buffers.pop(number).unmap()

    def place(self, descriptions, binding):
        """{role: Tensor} of a plan's descriptions at the binding's places."""
        places = {place["role"]: place for place in binding}
        if len(places) != len(descriptions) or len(binding) != len(descriptions):
            raise ProtocolError(f"binding: {len(binding)} placements for {len(descriptions)} "
                                "tensors")
        return {d["role"]: self._place(d, places) for d in descriptions}

    def _place(self, description, places):
        role = description["role"]
        if role not in places:
            raise ProtocolError(f"binding: no place for {role}")
        place = places[role]
        buffer, offset = self._get(place["buffer"]), place["offset_bytes"]
        tensor = Tensor(description, buffer.address + offset)
        before, after = place["margin_before_bytes"], place["margin_after_bytes"]
        if min(offset, before, after) < 0 or before > offset or \
                offset + tensor.extent_bytes + after > buffer.bytes:
            raise ProtocolError(f"binding: {role} does not fit in buffer {place['buffer']}")
        if role in OUTPUT_ROLES and not buffer.writable:
            raise ProtocolError(f"binding: {role} needs a writable buffer, {place['buffer']} is "
                                "read-only")
        return tensor

    def _get(self, number):
        if number not in self._buffers:
            raise ProtocolError(f"buffer {number} is not attached")
        return self._buffers[number]
