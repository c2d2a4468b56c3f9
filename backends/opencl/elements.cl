// SPDX-License-Identifier: Apache-2.0
//
// Elements of the io type (IO_F32, IO_F16 or IO_BF16, one of them is defined at build) as f32,
// their addresses in a tensor, and which keys the position rules let a query see (abi.h). Reading
// is exact, storing rounds to nearest even. Not an arithmetic in f16: half is a storage type here,
// so no driver needs cl_khr_fp16. sdpa_shape.h is pasted before this file.

#define MASK_BOOLEAN 1
#define MASK_ADDITIVE 2
#define INLINE __attribute__((always_inline)) static inline

#if defined(IO_F32)
typedef float Io;
INLINE float Load(const __global Io* p, long i) { return p[i]; }
INLINE float16 Load16(const __global Io* p, long i) { return vload16(0, p + i); }
INLINE void Store(float x, __global Io* p, long i) { p[i] = x; }
#elif defined(IO_F16)
// vload_half and vstore_half need no cl_khr_fp16: half is only a storage type here.
typedef half Io;
INLINE float Load(const __global Io* p, long i) { return vload_half(i, p); }
INLINE float16 Load16(const __global Io* p, long i) { return vload_half16(0, p + i); }
INLINE void Store(float x, __global Io* p, long i) { vstore_half_rte(x, i, p); }
#elif defined(IO_BF16)
typedef ushort Io;
INLINE float Load(const __global Io* p, long i) { return as_float((uint)p[i] << 16); }
INLINE float16 Load16(const __global Io* p, long i) {
  return as_float16(convert_uint16(vload16(0, p + i)) << 16);
}
// Round to nearest even; a NaN keeps its sign and stays a NaN.
INLINE void Store(float x, __global Io* p, long i) {
  const uint bits = as_uint(x);
  const uint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  p[i] = (ushort)(isnan(x) ? (bits >> 16) | 0x40u : rounded);
}
#endif

INLINE float Sum16(float16 x) {
  const float8 a = x.lo + x.hi;
  const float4 b = a.lo + a.hi;
  const float2 c = b.lo + b.hi;
  return c.x + c.y;
}

INLINE const __global uchar* RowOf(const __global uchar* base,
                                    const __global TensorPlace* place, long b, long h, long l,
                                    long element_bytes) {
  return base + place->data_bytes +
         (b * place->strides[0] + h * place->strides[1] + l * place->strides[2]) * element_bytes;
}

// Query i of a batch entry may see the keys [max(0, i + begin_shift), min(limit, i + end_shift)):
// none where that is empty. Both ends grow with i.
typedef struct Spans {
  long begin_shift, end_shift, limit;
} Spans;

#define NO_SHIFT (1L << 60)

INLINE Spans SpansOf(const __global SdpaShape* shape, const __global uchar* kv_lengths, long b) {
  Spans spans = {-NO_SHIFT, NO_SHIFT, shape->kv_sequence_length};
  long offset = shape->causal_offset;
  if (shape->has_kv_lengths) {
    const __global long* lengths =
        (const __global long*)(kv_lengths + shape->kv_lengths.data_bytes);
    const long length = lengths[b * shape->kv_lengths.strides[0]];
    offset = length - shape->q_sequence_length;
    spans.limit = min(spans.limit, length);
  }
  if (shape->is_causal) spans.end_shift = offset + 1;
  if (shape->right_window_size >= 0)
    spans.end_shift = min(spans.end_shift, offset + shape->right_window_size + 1);
  if (shape->left_window_size >= 0) spans.begin_shift = offset - shape->left_window_size;
  return spans;
}

INLINE long BeginOf(const Spans* spans, long i) { return max(0L, i + spans->begin_shift); }
INLINE long EndOf(const Spans* spans, long i) { return min(spans->limit, i + spans->end_shift); }
