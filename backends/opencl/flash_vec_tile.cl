// SPDX-License-Identifier: Apache-2.0
//
// The inner loops of flash_vec.cl: packing a panel of K, P = 2^(S - m) of a tile of ROWS queries
// against it in registers, O += P V. Exact to the f32 rounding of their sums and Exp2's error.
// sdpa_shape.h, elements.cl, vector.cl and pack.cl are pasted before this file; ROWS, KEY_VECTORS
// (of a panel) and VALUE_VECTORS (of a row of O at a time) are given at build.

#define PANEL (LANES * KEY_VECTORS)
// P of a score at its row's m. Were it 1, products of a small P with V would often be subnormal,
// and sums of them stay so while further P are 0.
#define UNIT 0x1p24f
#define LEAST_SUM 0x1p-60f  // what is below counts as nothing next to UNIT
#define SAFE_SUM 0x1p60f    // far from overflow
// Scores minus m, in units of log2: what stays between these needs no new m.
#define HIGHEST 30.0f
#define LOWEST_START -20.0f

// A tile of queries against a panel of keys.
typedef struct Tile {
  const __global float* q;
  long q_stride;
  __global float *p, *maxima, *sums;
  bool is_first;   // no panel before this one
  int begin, end;  // visible keys of the first row, from the panel's first; the next row's ends are
  int limit;       // one further, but none beyond the limit
  const __global uchar* mask;  // of the first row and key
  long mask_row_bytes, mask_key_bytes, mask_stride;
  int rows;  // that exist, the others repeat the last one
  int keys;  // that exist
  float softcap;
} Tile;

// Raises m of the rows whose scores leave the range above it to their maxima, and subtracts m;
// rescale = 2^(old - new), and m is whole, so that rescaling rounds nothing. A row that has seen no
// key keeps -inf, and 0 is subtracted.
INLINE void RaiseMaxima(const Tile* t, float16 s[ROWS][KEY_VECTORS], const int vectors,
                        float rescale[ROWS]) {
  UNROLL for (int i = 0; i < ROWS; ++i) {
    float16 top = s[i][0];
    UNROLL for (int j = 1; j < vectors; ++j) top = top > s[i][j] ? top : s[i][j];
    const float old = t->is_first ? -INFINITY : t->maxima[i];
    const float highest = Max16(top);
    const bool stays = highest - old <= HIGHEST;
    const float raised = stays ? old : fmax(old, ceil(highest));
    const float shift = raised == -INFINITY ? 0.0f : raised;
    UNROLL for (int j = 0; j < vectors; ++j) s[i][j] -= shift;
    t->maxima[i] = raised;
    const int exponent = (int)fmax(old - raised, -127.0f);  // -127: rescale = 0
    rescale[i] = old == -INFINITY ? 0.0f : as_float((exponent + 127) << 23);
  }
}

// Part of a row's sum times rescale, where that counts: sums that become subnormal stay so, and
// each addition to them takes a hundred times as long. With UNIT this took scores of 100 from 73 %
// of the speed on others to 93 % on a Xeon.
INLINE float16 Lowered(float16 sum, float rescale) {
  sum *= rescale;
  return sum < (float16)(LEAST_SUM) ? (float16)(0.0f) : sum;
}

// Whether the scores of a first panel need no shift: none is above HIGHEST, and every lane of
// every row has met one above LOWEST_START.
INLINE bool NearZero(float16 s[ROWS][KEY_VECTORS], const int vectors) {
  float16 highest = s[0][0], lowest = (float16)(HIGHEST);
  UNROLL for (int i = 0; i < ROWS; ++i) {
    float16 top = s[i][0];
    UNROLL for (int j = 1; j < vectors; ++j) top = top > s[i][j] ? top : s[i][j];
    highest = highest > top ? highest : top;
    lowest = lowest < top ? lowest : top;
  }
  return !AnyNotBelow(highest, HIGHEST) && !AnyNotBelow(-lowest, -LOWEST_START);
}

// Softcap and masks on the scores of row i, vector j: hidden keys become -inf.
INLINE float16 Ruled(const Tile* t, float16 s, int i, int j, const bool edge) {
  if (SOFTCAP) s = Capped(s, t->softcap);
  int16 visible = (int16)(-1);
  if (MASK_KIND) {
    s += MaskOf(t->mask + min(i, t->rows - 1) * t->mask_row_bytes + j * LANES * t->mask_key_bytes,
                t->mask_stride, 0, 1, t->keys - j * LANES, &visible);
  }
  if (edge) visible &= InSpan(j * LANES, t->begin + i, min(t->limit, t->end + i));
  return MASK_KIND || edge ? (visible ? s : (float16)(-INFINITY)) : s;
}

// s += q k of one column of the head. (Under "unroll 2" PoCL 3.1 writes out all columns where they
// are odd in number: with 41 it compiled for a minute.)
INLINE void AddColumn(const Tile* t, const __global float* panel, int c, const int vectors,
                      float16 s[ROWS][KEY_VECTORS]) {
  float16 k[KEY_VECTORS];
  UNROLL for (int j = 0; j < vectors; ++j) k[j] = Read(panel + c * PANEL + j * LANES);
  UNROLL for (int i = 0; i < ROWS; ++i) {
    const float16 q = (float16)(t->q[i * (DENSE ? HEAD_SIZE : t->q_stride) + c]);
    UNROLL for (int j = 0; j < vectors; ++j) s[i][j] = fma(q, k[j], s[i][j]);
  }
}

// p = UNIT x 2^(q k - m) of a tile, and its row sums. `raise`: with m raised to what is found.
// Otherwise returns false, and changes no sum, where a sum is not safe.
INLINE bool ScoreTile(const Tile* t, const __global float* panel, const int vectors,
                      const bool edge, const bool raise, float rescale[ROWS]) {
  const bool shifted = !raise && !MASK_KIND && !SOFTCAP;  // the sums start at -m
  float16 s[ROWS][KEY_VECTORS], sum[ROWS];
  UNROLL for (int i = 0; i < ROWS; ++i)
    UNROLL for (int j = 0; j < vectors; ++j) s[i][j] = (float16)(shifted ? -t->maxima[i] : 0.0f);
  for (int c = 0; c + 2 <= HEAD_SIZE; c += 2)
    UNROLL for (int i = 0; i < 2; ++i) AddColumn(t, panel, c + i, vectors, s);
  if (HEAD_SIZE % 2) AddColumn(t, panel, HEAD_SIZE - 1, vectors, s);
  if (edge || MASK_KIND || SOFTCAP) {
    UNROLL for (int i = 0; i < ROWS; ++i)
      UNROLL for (int j = 0; j < vectors; ++j) s[i][j] = Ruled(t, s[i][j], i, j, edge);
  }
  if (raise && t->is_first && NearZero(s, vectors)) {
    UNROLL for (int i = 0; i < ROWS; ++i) t->maxima[i] = 0.0f;
  } else if (raise) {
    RaiseMaxima(t, s, vectors, rescale);
  } else if (!shifted) {
    UNROLL for (int i = 0; i < ROWS; ++i)
      UNROLL for (int j = 0; j < vectors; ++j) s[i][j] -= t->maxima[i];
  }
  UNROLL for (int j = 0; j < vectors; ++j) {
    UNROLL for (int i = 0; i < ROWS; ++i) {
      const float16 p = ScaledExp2(s[i][j], UNIT);
      Write(p, t->p + i * PANEL + j * LANES);
      sum[i] = j == 0 ? p : sum[i] + p;
    }
  }
  if (!raise) {
    float16 total = sum[0];
    UNROLL for (int i = 1; i < ROWS; ++i) total += sum[i];
    if (AnyNotBelow(total, SAFE_SUM)) return false;
  }
  UNROLL for (int i = 0; i < ROWS; ++i) {
    __global float* place = t->sums + i * LANES;
    if (!t->is_first) sum[i] += raise ? Lowered(Read(place), rescale[i]) : Read(place);
    Write(sum[i], place);
  }
  return true;
}

// o = (o * rescale + p v) * inverse over one part of the columns, p v summed up by itself first;
// first, raised and last say which of the three are there.
INLINE void ValueTile(const __global float* p, const __global float* v, long v_stride, int keys,
                      __global float* o, long o_stride, const int vectors, bool is_first,
                      bool raised, bool is_last, const float* rescale, const float* inverse) {
  if (raised && !is_first) {  // in memory: as a factor of every sum it cost 1 % of the time
    UNROLL for (int i = 0; i < ROWS; ++i)
      EACH_OF(j, vectors, VALUE_VECTORS) {
        __global float* place = o + i * o_stride + j * LANES;
        Write(Read(place) * rescale[i], place);
      }
  }
  float16 sum[ROWS][VALUE_VECTORS];
  UNROLL for (int i = 0; i < ROWS; ++i)
    EACH_OF(j, vectors, VALUE_VECTORS) sum[i][j] = (float16)(0.0f);
#pragma unroll 2
  for (int key = 0; key < keys; ++key) {
    float16 row[VALUE_VECTORS];
    EACH_OF(j, vectors, VALUE_VECTORS) row[j] = Read(v + key * v_stride + j * LANES);
    UNROLL for (int i = 0; i < ROWS; ++i) {
      const float16 weight = (float16)(p[i * PANEL + key]);
      EACH_OF(j, vectors, VALUE_VECTORS) sum[i][j] = fma(weight, row[j], sum[i][j]);
    }
  }
  if (!is_first) {
    UNROLL for (int i = 0; i < ROWS; ++i)
      EACH_OF(j, vectors, VALUE_VECTORS) sum[i][j] += Read(o + i * o_stride + j * LANES);
  }
  if (is_last) {
    UNROLL for (int i = 0; i < ROWS; ++i)
      EACH_OF(j, vectors, VALUE_VECTORS) sum[i][j] *= inverse[i];
  }
  UNROLL for (int i = 0; i < ROWS; ++i)
    EACH_OF(j, vectors, VALUE_VECTORS) Write(sum[i][j], o + i * o_stride + j * LANES);
}
