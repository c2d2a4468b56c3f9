// SPDX-License-Identifier: Apache-2.0
//
// Attention forward for GPU devices: a work-group holds BLOCK_ROWS queries of one head and walks
// over the keys BLOCK_KEYS at a time with an online softmax. Q, K and V pass through local memory,
// a work-item keeps ROWS x KEYS scores and ROWS x COLUMNS sums in registers; rows and keys of a
// work-item lie TY and TX apart, so that neighbours read neighbouring local words. Every write to a
// local tile comes after a barrier behind its last reads.
//
// Any length and stride, head sizes to 256, all of abi.h but WEIGHTS; key blocks that no query of
// the work-group sees are skipped. exp2 is OpenCL's (at most 3 ulp in the full profile). NaN in V
// behind a mask may reach the output (0 x NaN). Right on CPU devices, where it is slow: a
// work-group is a loop there. Speed on a GPU: not measured.
// sdpa_shape.h and elements.cl are pasted before this file; TX, TY (TX * TY work-items), HEAD_SIZE,
// V_HEAD_SIZE and MASK_KIND are given at build.

#define ROWS 4  // of a work-item
#define KEYS 4
#define COLUMNS ((V_HEAD_SIZE + TX - 1) / TX)
#define BLOCK_ROWS (TY * ROWS)
#define BLOCK_KEYS (TX * KEYS)
#define CHUNK 16       // of the head size, staged at a time
#define VALUE_KEYS 16  // rows of V staged at a time; divides BLOCK_KEYS
#define ITEMS (TX * TY)
#define QK_FLOATS (CHUNK * (BLOCK_ROWS + 1 + BLOCK_KEYS + 1))
#define V_FLOATS (VALUE_KEYS * V_HEAD_SIZE)
#define STAGE_FLOATS (QK_FLOATS > V_FLOATS ? QK_FLOATS : V_FLOATS)
#define LOG2_E 1.44269504089f
#define LN_2 0.69314718056f
#define MASK_BYTES (MASK_KIND == MASK_BOOLEAN ? 1L : (long)sizeof(Io))
#define UNROLL _Pragma("unroll")

// A block of queries of one head.
typedef struct Block {
  long b, h, kv_head, first_row;
  Spans spans;
} Block;

// tile[c][row] = factor * rows[first + row][from + c], 0 beyond `count` rows and the head size.
INLINE void StageTransposed(const __global Io* rows, long row_stride, long stride, long count,
                            int from, float factor, const int block, int item,
                            __local float* tile) {
  for (int i = item; i < block * CHUNK; i += ITEMS) {
    const int row = i / CHUNK, c = i % CHUNK;
    const bool exists = row < count && from + c < HEAD_SIZE;
    tile[c * (block + 1) + row] =
        exists ? factor * Load(rows, row * row_stride + (from + c) * stride) : 0.0f;
  }
}

// s = factor * q k for the work-item's rows and keys.
INLINE void Scores(const __global SdpaShape* shape, const __global Io* q, long rows,
                   const __global Io* k, long keys, float factor, int item, __local float* stage,
                   float s[ROWS][KEYS]) {
  const int tx = item % TX, ty = item / TX;
  __local float *q_tile = stage, *k_tile = stage + CHUNK * (BLOCK_ROWS + 1);
  UNROLL for (int r = 0; r < ROWS; ++r)
    UNROLL for (int n = 0; n < KEYS; ++n) s[r][n] = 0.0f;
  for (int from = 0; from < HEAD_SIZE; from += CHUNK) {
    barrier(CLK_LOCAL_MEM_FENCE);
    StageTransposed(q, shape->q.strides[2], shape->q.strides[3], rows, from, factor, BLOCK_ROWS,
                    item, q_tile);
    StageTransposed(k, shape->k.strides[2], shape->k.strides[3], keys, from, 1.0f, BLOCK_KEYS,
                    item, k_tile);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int c = 0; c < CHUNK; ++c) {
      float a[ROWS], b[KEYS];
      UNROLL for (int r = 0; r < ROWS; ++r) a[r] = q_tile[c * (BLOCK_ROWS + 1) + ty + r * TY];
      UNROLL for (int n = 0; n < KEYS; ++n) b[n] = k_tile[c * (BLOCK_KEYS + 1) + tx + n * TX];
      UNROLL for (int r = 0; r < ROWS; ++r)
        UNROLL for (int n = 0; n < KEYS; ++n) s[r][n] = fma(a[r], b[n], s[r][n]);
    }
  }
}

// Softcap, spans and masks on the score of query i and key j, in units of log2; hidden: -inf.
INLINE float Ruled(const __global SdpaShape* shape, const Block* block,
                   const __global uchar* mask, long i, long j, float s) {
  if (i >= shape->q_sequence_length || j < BeginOf(&block->spans, i) ||
      j >= EndOf(&block->spans, i))
    return -INFINITY;
  if (shape->softcap > 0.0f) s = shape->softcap * LOG2_E * tanh(s);
#if MASK_KIND
  const __global uchar* place = RowOf(mask, &shape->mask, block->b, block->h, i, MASK_BYTES) +
                                j * shape->mask.strides[3] * MASK_BYTES;
#if MASK_KIND == MASK_BOOLEAN
  if (!*place) return -INFINITY;
#else
  s += Load((const __global Io*)place, 0) * LOG2_E;
#endif
#endif
  return s;
}

// What a work-item keeps of its rows.
typedef struct State {
  float top[ROWS], sum[ROWS], o[ROWS][COLUMNS];
} State;

// Scores to probabilities in `p`, with the maximum and the sum over the work-items of a row.
INLINE void Softmax(float s[ROWS][KEYS], int item, State* state, __local float* p,
                    __local float* tops, __local float* totals) {
  const int tx = item % TX, ty = item / TX;
  UNROLL for (int r = 0; r < ROWS; ++r) {
    float largest = s[r][0];
    UNROLL for (int n = 1; n < KEYS; ++n) largest = fmax(largest, s[r][n]);
    tops[(ty + r * TY) * TX + tx] = largest;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  UNROLL for (int r = 0; r < ROWS; ++r) {
    const int row = ty + r * TY;
    const float old = state->top[r];
    for (int t = 0; t < TX; ++t) state->top[r] = fmax(state->top[r], tops[row * TX + t]);
    const float shift = state->top[r] == -INFINITY ? 0.0f : state->top[r];
    const float rescale = exp2(old - shift);  // 0 before the first visible key
    float total = 0.0f;
    UNROLL for (int n = 0; n < KEYS; ++n) {
      const float weight = exp2(s[r][n] - shift);
      p[row * (BLOCK_KEYS + 1) + tx + n * TX] = weight;
      total += weight;
    }
    totals[row * TX + tx] = total;
    state->sum[r] *= rescale;
    UNROLL for (int c = 0; c < COLUMNS; ++c) state->o[r][c] *= rescale;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  UNROLL for (int r = 0; r < ROWS; ++r)
    for (int t = 0; t < TX; ++t) state->sum[r] += totals[(ty + r * TY) * TX + t];
}

// o += p v over the keys of a block, of which `count` exist.
INLINE void AddValues(const __global SdpaShape* shape, const __global Io* v, long count, int item,
                      const __local float* p, __local float* stage, State* state) {
  const int tx = item % TX, ty = item / TX;
  for (int first = 0; first < BLOCK_KEYS; first += VALUE_KEYS) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = item; i < V_FLOATS; i += ITEMS) {
      const int row = first + i / V_HEAD_SIZE, column = i % V_HEAD_SIZE;
      stage[i] = row < count
                     ? Load(v, row * shape->v.strides[2] + column * shape->v.strides[3])
                     : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int t = 0; t < VALUE_KEYS; ++t) {
      float weight[ROWS];
      UNROLL for (int r = 0; r < ROWS; ++r)
        weight[r] = p[(ty + r * TY) * (BLOCK_KEYS + 1) + first + t];
      UNROLL for (int c = 0; c < COLUMNS; ++c) {
        const float value = stage[t * V_HEAD_SIZE + min(tx + c * TX, V_HEAD_SIZE - 1)];
        UNROLL for (int r = 0; r < ROWS; ++r)
          state->o[r][c] = fma(weight[r], value, state->o[r][c]);
      }
    }
  }
}

// Outputs of the work-item's rows, of which the block has `rows`.
INLINE void Finish(const __global SdpaShape* shape, const Block* block, const State* state,
                   long rows, int item, __global uchar* out, __global uchar* lse) {
  const int tx = item % TX, ty = item / TX;
  UNROLL for (int r = 0; r < ROWS; ++r) {
    const long row = ty + r * TY, i = block->first_row + row;
    if (row >= rows) continue;
    __global Io* to = (__global Io*)RowOf(out, &shape->out, block->b, block->h, i, sizeof(Io));
    const bool dead = state->sum[r] == 0.0f;
    UNROLL for (int c = 0; c < COLUMNS; ++c)
      if (tx + c * TX < V_HEAD_SIZE)
        Store(dead ? 0.0f : state->o[r][c] / state->sum[r], to,
              (tx + c * TX) * shape->out.strides[3]);
    if (shape->has_lse && tx == 0)
      *(__global float*)RowOf(lse, &shape->lse, block->b, block->h, i, sizeof(float)) =
          dead ? -INFINITY : state->top[r] * LN_2 + log(state->sum[r]);
  }
}

__attribute__((reqd_work_group_size(TX * TY, 1, 1))) __kernel void FlashTile(
    const __global SdpaShape* restrict shape, const __global uchar* restrict query,
    const __global uchar* restrict keys, const __global uchar* restrict values,
    const __global uchar* restrict mask, const __global uchar* restrict kv_lengths,
    __global uchar* restrict out, __global uchar* restrict lse, __global uchar* weights,
    __global float* scratch, long blocks) {
  __local float stage[STAGE_FLOATS];
  __local float p[BLOCK_ROWS * (BLOCK_KEYS + 1)];
  __local float tops[BLOCK_ROWS * TX], totals[BLOCK_ROWS * TX];
  const int item = get_local_id(0);
  const long heads = shape->batch_size * shape->q_num_heads;
  const long number = get_group_id(0);
  if (number >= heads * blocks) return;  // the whole work-group: no barrier is missed
  Block block;
  block.first_row = (blocks - 1 - number / heads) * BLOCK_ROWS;  // with causal, longest first
  block.b = number % heads / shape->q_num_heads;
  block.h = number % heads % shape->q_num_heads;
  block.kv_head = block.h / shape->q_heads_per_kv_head;
  block.spans = SpansOf(shape, kv_lengths, block.b);
  const long rows = min((long)BLOCK_ROWS, shape->q_sequence_length - block.first_row);
  const float factor =
      shape->softcap > 0.0f ? shape->scale / shape->softcap : shape->scale * LOG2_E;
  const __global Io* q =
      (const __global Io*)RowOf(query, &shape->q, block.b, block.h, block.first_row, sizeof(Io));

  State state;
  UNROLL for (int r = 0; r < ROWS; ++r) {
    state.top[r] = -INFINITY;
    state.sum[r] = 0.0f;
    UNROLL for (int c = 0; c < COLUMNS; ++c) state.o[r][c] = 0.0f;
  }
  const long end = EndOf(&block.spans, block.first_row + rows - 1);
  for (long key = BeginOf(&block.spans, block.first_row); key < end; key += BLOCK_KEYS) {
    const long count = min((long)BLOCK_KEYS, end - key);
    const __global Io* k =
        (const __global Io*)RowOf(keys, &shape->k, block.b, block.kv_head, key, sizeof(Io));
    const __global Io* v =
        (const __global Io*)RowOf(values, &shape->v, block.b, block.kv_head, key, sizeof(Io));
    float s[ROWS][KEYS];
    Scores(shape, q, rows, k, count, factor, item, stage, s);
    UNROLL for (int r = 0; r < ROWS; ++r)
      UNROLL for (int n = 0; n < KEYS; ++n)
        s[r][n] = Ruled(shape, &block, mask, block.first_row + item / TX + r * TY,
                        key + item % TX + n * TX, s[r][n]);
    Softmax(s, item, &state, p, tops, totals);
    AddValues(shape, v, count, item, p, stage, &state);
  }
  Finish(shape, &block, &state, rows, item, out, lse);
}
