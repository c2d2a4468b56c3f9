// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of CPU devices share: vectors of 16 floats, 2^x, rows as f32, the rules
// that act on a vector of scores. For work-groups of one work-item. Exp2 is within 3 units of 2^-24
// on the path of AVX-512 and on the portable one.
// sdpa_shape.h and elements.cl are pasted before this file; HEAD_SIZE, V_HEAD_SIZE, MASK_KIND (as
// attn_mask) and SOFTCAP (0, 1) are given at build.

#pragma OPENCL FP_CONTRACT ON
#define UNROLL _Pragma("unroll")
// The first `count` of at most `most`, both known at build. A loop that ends at an argument, PoCL's
// LLVM unrolls too late where it has several values, and keeps on the stack what it indexes.
#define EACH_OF(i, count, most) \
  UNROLL for (int i = 0; i < (most); ++i) \
    if (i < (count))
#define LANES 16
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define LOG2_E 1.44269504089f
#define LN_2 0.69314718056f
// Rows of K and V in scratch are padded to whole steps of what reads them.
#define MASK_BYTES (MASK_KIND == MASK_BOOLEAN ? 1L : (long)sizeof(Io))
#define HEAD_PAD ((HEAD_SIZE + 3) / 4 * 4)
#define HEAD_VECTOR_PAD ((HEAD_SIZE + LANES - 1) / LANES * LANES)
#define V_PAD ((V_HEAD_SIZE + LANES - 1) / LANES * LANES)

// PoCL 3.1 splits vstore16 into four stores and the extracts that feed them; not so an assignment.
typedef float16 Vector __attribute__((aligned(4)));
INLINE float16 Read(const __global float* p) { return vload16(0, p); }
INLINE void Write(float16 x, __global float* p) { *(__global Vector*)p = x; }

// OpenCL's own prefetch is nothing in PoCL. A build option may define it away, for interpreters.
#if defined(__has_builtin) && !defined(PREFETCH)
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p, level) __builtin_prefetch((const __private void*)(size_t)(p), 0, level)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p, level) prefetch((const __global char*)(p), 64)
#endif

// Two instructions for what the portable path does in ten: the fraction of x and the scaling by a
// power of two.
#if WIDE_REGISTERS && defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__has_builtin)
#if __has_builtin(__builtin_ia32_reduceps512_mask) && __has_builtin(__builtin_ia32_scalefps512_mask)
#define HAS_AVX512
#endif
#endif

// unit x 2^r for 0 <= r < 1: minimax polynomial of degree 5.
INLINE float16 ScaledFraction(float16 r, const float unit) {
  float16 p = fma(r, (float16)(unit * 0.0018775766948238015f),
                  (float16)(unit * 0.008989340625703335f));
  p = fma(p, r, (float16)(unit * 0.05582631751894951f));
  p = fma(p, r, (float16)(unit * 0.24015361070632935f));
  p = fma(p, r, (float16)(unit * 0.6931530833244324f));
  return fma(p, r, (float16)(unit * 0.9999999403953552f));
}

// unit x 2^x, 0 below the least exponent, for a unit of 1 to 2^24. NaN stays NaN: that is how
// scores less a maximum are found whose row has seen no key (-inf less -inf). A product with a
// subnormal number takes a hundred times as long, and scores as far as that below the maximum are
// common where softmax is nearly one-hot.
#define LEAST_EXPONENT -125.0f
#define MOST_EXPONENT 100.0f  // of the portable path, far beyond what anything keeps
INLINE float16 ScaledExp2(float16 x, const float unit) {
#ifdef HAS_AVX512
  typedef float V16 __attribute__((vector_size(64)));
  const V16 v = __builtin_astype(x, V16), zero = __builtin_astype((float16)(0.0f), V16);
  const V16 r = __builtin_ia32_reduceps512_mask(v, 9, zero, (ushort)-1, 4);
  const V16 p = __builtin_astype(ScaledFraction(__builtin_astype(r, float16), unit), V16);
  const V16 least = __builtin_astype((float16)(LEAST_EXPONENT), V16);
  const ushort kept = __builtin_ia32_cmpps512_mask(v, least, 21, (ushort)-1, 4);  // or NaN
  return __builtin_astype(__builtin_ia32_scalefps512_mask(p, v, zero, kept, 4), float16);
#else
  const int16 is_zero = x < (float16)(LEAST_EXPONENT);
  const float16 whole = floor(clamp(x, LEAST_EXPONENT, MOST_EXPONENT));  // any number for NaN
  const float16 p = ScaledFraction(x - whole, unit);  // beyond the most exponent: large
  const float16 power = as_float16((convert_int16(whole) + 127) << 23);
  return select(p * power, (float16)(0.0f), is_zero);
#endif
}
INLINE float16 Exp2(float16 x) { return ScaledExp2(x, 1.0f); }

// Lane 4 i + j: the sum of the lanes of x[4 j + i]. Halves, quarters, pairs and single lanes of two
// vectors are added in turn, 15 additions in all, by shuffles that AVX-512 has as one instruction;
// x is overwritten.
INLINE float16 SumEach(float16 x[LANES]) {
  UNROLL for (int i = 0; i < 8; ++i)
    x[i] = (float16)(x[2 * i].lo, x[2 * i + 1].lo) + (float16)(x[2 * i].hi, x[2 * i + 1].hi);
  UNROLL for (int i = 0; i < 4; ++i) {
    const float16 a = x[2 * i], b = x[2 * i + 1];
    x[i] = (float16)(a.s0123, a.s89ab, b.s0123, b.s89ab) +
           (float16)(a.s4567, a.scdef, b.s4567, b.scdef);
  }
  UNROLL for (int i = 0; i < 2; ++i) {
    const long8 a = as_long8(x[2 * i]), b = as_long8(x[2 * i + 1]);
    x[i] = as_float16((long8)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6)) +
           as_float16((long8)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7));
  }
  const float16 a = x[0], b = x[1];
  return (float16)(a.s02, b.s02, a.s46, b.s46, a.s8a, b.s8a, a.sce, b.sce) +
         (float16)(a.s13, b.s13, a.s57, b.s57, a.s9b, b.s9b, a.sdf, b.sdf);
}

// Comparisons instead of fmax: they are one instruction.
INLINE float Max16(float16 x) {
  const float8 a = x.lo > x.hi ? x.lo : x.hi;
  const float4 b = a.lo > a.hi ? a.lo : a.hi;
  const float2 c = b.lo > b.hi ? b.lo : b.hi;
  return c.x > c.y ? c.x : c.y;
}

// True where a lane is negative (its sign bit is set).
INLINE bool AnyNegative(int16 x) {
  const int8 a = x.lo | x.hi;
  const int4 b = a.lo | a.hi;
  const int2 c = b.lo | b.hi;
  return (c.x | c.y) < 0;
}

// True where a lane is not below `limit`: above, equal, infinite or NaN. limit > 0.
INLINE bool AnyNotBelow(float16 x, float limit) {
  return AnyNegative(~(x < (float16)(limit)));
}

// `count` rows of `size` elements as f32 rows of `padded` floats, the rest of which are 0.
INLINE void StageRows(const __global Io* from, long row_stride, long stride, int count,
                      const int size, const int padded, __global float* to) {
  for (int i = 0; i < count; ++i, from += row_stride, to += padded) {
    int c = 0;
    if (stride == 1)
      for (; c + LANES <= size; c += LANES) Write(Load16(from, c), to + c);
    for (; c < size; ++c) to[c] = Load(from, c * stride);
    for (; c < padded; ++c) to[c] = 0.0f;
  }
}

// True where rows of `size` elements can be read, or written, as vectors where they lie.
INLINE bool InPlace(long stride, const int size, const int step) {
#ifdef IO_F32
  return (stride == 1 || size == 1) && size % step == 0;
#else
  return false;
#endif
}

// Key rules of one query row that are not spans, from key j on. Hidden keys get false lanes in
// *visible, others what is added to their score in units of log2. Keys from `count` on are not
// read. Key t is key t / streams of stream t % streams: `stride` from key to key of a stream, `gap`
// from stream to stream.
INLINE float16 MaskOf(const __global uchar* row, long stride, long gap, const int streams,
                      int count, int16* visible) {
  float16 bias = (float16)(0.0f);
#define PLACE(t) ((t) / streams * stride + (t) % streams * gap)
#if MASK_KIND == MASK_BOOLEAN
  int allowed[LANES];
  for (int t = 0; t < LANES; ++t) allowed[t] = t < count && row[PLACE(t)] ? -1 : 0;
  *visible &= vload16(0, allowed);
#elif MASK_KIND == MASK_ADDITIVE
  const __global Io* values = (const __global Io*)row;
  float added[LANES];
  if (streams == 1 && stride == 1 && count >= LANES) {
    bias = Load16(values, 0);
  } else {
    for (int t = 0; t < LANES; ++t) added[t] = t < count ? Load(values, PLACE(t)) : 0.0f;
    bias = vload16(0, added);
  }
  *visible &= ~(bias == -INFINITY);
  bias = (bias == -INFINITY ? (float16)(0.0f) : bias) * LOG2_E;
#endif
#undef PLACE
  return bias;
}

// The keys j.. of a vector that a row sees whose span is [begin, end).
INLINE int16 InSpan(int j, int begin, int end) {
  const int16 key = LANE_NUMBERS + j;
  return (key >= (int16)(begin)) & (key < (int16)(end));
}

// softcap tanh(s / softcap) in units of log2, from s / softcap in units of 2 log2(e): then
// tanh(x) = 1 - 2 / (2^y + 1), whose error is a few units of 1, that is of softcap.
INLINE float16 Capped(float16 y, float softcap) {
  return softcap * LOG2_E * (1.0f - 2.0f / (Exp2(y) + 1.0f));
}

// What K is multiplied by, so that Q K is in the units that Exp2 or Capped want.
INLINE float KeyFactor(const __global SdpaShape* shape) {
  const float factor = shape->scale * LOG2_E;
  return SOFTCAP ? factor * 2.0f / shape->softcap : factor;
}
