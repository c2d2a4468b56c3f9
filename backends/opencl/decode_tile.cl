// SPDX-License-Identifier: Apache-2.0
//
// The inner loops of decode.cl: scores of STACK rows against a block of keys, and its values added
// to their outputs. K and V are read once, in streams.
// sdpa_shape.h, elements.cl and vector.cl are pasted before this file; STACK (1 to 8), IN_PLACE
// (0, 1: rows of K and V are whole vectors, side by side), STREAMS and K_AHEAD_ROWS, V_AHEAD_ROWS
// (what is asked for ahead in each), AHEAD_LEVEL (3: into L1, 2: L2) are given at build.
//
// What counted: reading K and V in four streams, as the CPU wants it (attest/prefetch.hpp); the
// lanes of 16 sums added together, all vectors of a key written out for one row (5 to 13 %
// on a Zen 4; for two rows 5 % from the L3, but 10 % worse where that just does not hold K and V),
// weights kept in registers; blocks of 128 keys and not 64 (3 to 6 % for four rows; 256 are no
// faster).

#define BLOCK 128  // keys
// Keys of one register tile, whose 16 sums of products SumEach adds up.
#if STACK > 4
#define DOT_KEYS 2
typedef float2 KeyVector;
#elif STACK > 2
#define DOT_KEYS 4
typedef float4 KeyVector;
#elif STACK > 1
#define DOT_KEYS 8
typedef float8 KeyVector;
#else
#define DOT_KEYS 16
typedef float16 KeyVector;
#endif
#define VECTORS_WRITTEN_OUT (STACK > 1 ? 2 : HEAD_VECTOR_PAD / LANES)
#define VALUE_ROWS (STACK > 4 ? 4 : STACK)  // of one, with STREAMS keys

// Elements of rows of K and V where they are read: in the tensors, or staged.
#if IN_PLACE
typedef Io Element;
INLINE float16 ReadElements(const __global Element* p) { return Load16(p, 0); }
#else
typedef float Element;
INLINE float16 ReadElements(const __global Element* p) { return Read(p); }
#endif
#define LINE_ELEMENTS (64 / (int)sizeof(Element))
#define LINE_VECTORS (LINE_ELEMENTS / LANES)

// Rows of K or V of a block, read in STREAMS streams: row j is row j / STREAMS of stream
// j % STREAMS. `step`: elements from row to row of a stream, `gap`: from stream to stream.
typedef struct Rows {
  const __global Element* first;
  long step, gap;
} Rows;

INLINE const __global Element* RowAt(Rows rows, uint j) {
  return rows.first + j / STREAMS * rows.step + j % STREAMS * rows.gap;
}

// Columns from c on of a row; asks for the row `ahead` elements behind it, a line once.
INLINE float16 ReadAhead(const __global Element* row, int c, long ahead) {
  if (c % LINE_ELEMENTS == 0) PREFETCH(row + c + ahead, AHEAD_LEVEL);
  return ReadElements(row + c);
}

// Of a vector of one key with those of the stack's queries.
INLINE void AddProducts(const __global Element* k, int c, long ahead, const __global float* q,
                        float16 sum[STACK]) {
  const float16 values = ReadAhead(k, c, ahead);
  UNROLL for (int g = 0; g < STACK; ++g)
    sum[g] = fma(values, Read(q + g * HEAD_VECTOR_PAD + c), sum[g]);
}

// Stores the sums of a tile's products as scores of DOT_KEYS keys of each row.
INLINE void StoreScores(float16 sum[DOT_KEYS][STACK], float* scores) {
  union {
    float16 all;
    KeyVector of_row[LANES / DOT_KEYS];
  } tile;
  float16 sums[LANES];
  UNROLL for (int i = 0; i < LANES; ++i) {
    const int lane = i % 4 * 4 + i / 4, row = lane / DOT_KEYS;  // where SumEach leaves sum i
    sums[i] = row < STACK ? sum[lane % DOT_KEYS][row] : (float16)(0.0f);
  }
  tile.all = SumEach(sums);
  UNROLL for (int g = 0; g < STACK; ++g)
    *(KeyVector*)(scores + g * BLOCK) = tile.of_row[g];
}

// Scores of keys [key, key + DOT_KEYS).
INLINE void DotTile(const __global float* q, Rows k, int key, float* scores) {
  const long ahead = K_AHEAD_ROWS * k.step;
  float16 sum[DOT_KEYS][STACK];
  const __global Element* row[DOT_KEYS];
  UNROLL for (int i = 0; i < DOT_KEYS; ++i) {
    row[i] = RowAt(k, key + i);
    UNROLL for (int g = 0; g < STACK; ++g) sum[i][g] = (float16)(0.0f);
  }
#if STACK > 2 && WIDE_REGISTERS
#pragma unroll LINE_VECTORS
  for (int c = 0; c < HEAD_VECTOR_PAD; c += LANES)
    UNROLL for (int i = 0; i < DOT_KEYS; ++i) AddProducts(row[i], c, ahead, q, sum[i]);
#else
  UNROLL for (int i = 0; i < DOT_KEYS; ++i)
#pragma unroll VECTORS_WRITTEN_OUT
    for (int c = 0; c < HEAD_VECTOR_PAD; c += LANES)
      AddProducts(row[i], c, ahead, q, sum[i]);
#endif
  StoreScores(sum, scores + key);
}

// scores[row][key] of up to BLOCK keys, in units of log2; 0 behind them.
INLINE void Dots(const __global float* q, Rows k, uint keys, float scores[STACK * BLOCK]) {
  uint key = 0;
  for (; key + DOT_KEYS <= keys; key += DOT_KEYS) DotTile(q, k, key, scores);
  for (; key < keys; ++key) {
    float16 sum[STACK];
    UNROLL for (int g = 0; g < STACK; ++g) sum[g] = (float16)(0.0f);
    for (int c = 0; c < HEAD_VECTOR_PAD; c += LANES) AddProducts(RowAt(k, key), c, 0, q, sum);
    UNROLL for (int g = 0; g < STACK; ++g) scores[g * BLOCK + key] = Sum16(sum[g]);
  }
  for (; key < BLOCK; ++key)
    UNROLL for (int g = 0; g < STACK; ++g) scores[g * BLOCK + key] = 0.0f;
}

// o[row] += scores[row] v of `rows` rows and STREAMS keys from `key` on; o goes through L1 once for
// them.
INLINE void AddStreams(const float* scores, Rows v, uint key, __global float* o, const int rows,
                       const long ahead) {
  float16 weights[VALUE_ROWS][STREAMS];
  const __global Element* row[STREAMS];
  UNROLL for (int i = 0; i < STREAMS; ++i) {
    row[i] = RowAt(v, key + i);
    EACH_OF(g, rows, VALUE_ROWS) weights[g][i] = (float16)(scores[g * BLOCK + key + i]);
  }
#pragma unroll LINE_VECTORS
  for (int c = 0; c < V_PAD; c += LANES) {
    float16 values[STREAMS];
    UNROLL for (int i = 0; i < STREAMS; ++i) values[i] = ReadAhead(row[i], c, ahead);
    EACH_OF(g, rows, VALUE_ROWS) {
      float16 sum = Read(o + g * V_PAD + c);
      UNROLL for (int i = 0; i < STREAMS; ++i) sum = fma(weights[g][i], values[i], sum);
      Write(sum, o + g * V_PAD + c);
    }
  }
}

// The same of all rows and one key.
INLINE void AddKey(const float* scores, const __global Element* v, __global float* o) {
  for (int c = 0; c < V_PAD; c += LANES) {
    const float16 values = ReadElements(v + c);
    for (int g = 0; g < STACK; ++g) {
      __global float* to = o + g * V_PAD + c;
      Write(fma((float16)(scores[g * BLOCK]), values, Read(to)), to);
    }
  }
}

INLINE void AddValues(const float scores[STACK * BLOCK], Rows v, uint keys, __global float* o) {
  uint key = 0;
  for (; key + STREAMS <= keys; key += STREAMS) {
    AddStreams(scores, v, key, o, VALUE_ROWS, V_AHEAD_ROWS * v.step);
#if STACK > VALUE_ROWS  // these find V in L1
    AddStreams(scores + VALUE_ROWS * BLOCK, v, key, o + VALUE_ROWS * V_PAD, STACK - VALUE_ROWS, 0);
#endif
  }
  for (; key < keys; ++key) AddKey(scores + key, RowAt(v, key), o);
}
