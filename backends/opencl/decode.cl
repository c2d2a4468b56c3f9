// SPDX-License-Identifier: Apache-2.0
//
// Attention for few queries and many keys on CPU devices, where reading K and V once is the
// limit. The rows that read one kv head (its group of query heads times the queries) are stacked,
// STACK at a time; the keys are cut into splits. A work-item takes tasks (batch entry, kv head,
// stack, split) from an atomic counter and leaves an unnormalised output, m and l for each row;
// Merge joins the splits by their LSE; where there is one split, the work-item itself writes the
// output, and the second launch is saved. K and V are read where they lie, as vectors, where their
// rows allow it.
//
// Right for any number of queries, but K and V are read again for each stack. All of abi.h but
// WEIGHTS; NaN in V behind a mask may reach the output (0 x NaN). f16 and bf16 are widened as they
// are read: copying blocks as f32 first took two to three times as long.
// sdpa_shape.h, elements.cl, vector.cl and decode_tile.cl are pasted before this file; their options
// are given at build.

#define BLOCK_VECTORS (BLOCK / LANES)
#define COUNTER_FLOATS 16

// The rows of one stack.
typedef struct Stack {
  long head[STACK], query[STACK];  // query head in the batch entry, query in the sequence
  int begin[STACK], end[STACK];    // keys that the row sees
  float top[STACK];
  float16 sum[STACK];  // in parts
  int rows;
} Stack;

// Scores of one row's block to probabilities: rules, maximum, 2^x, sum; o is rescaled where the
// maximum grows. `mask` is of the row and the block's first key, `length` that of the streams, or 0.
INLINE void Softmax(const __global SdpaShape* shape, Stack* s, int g, int first_key, int keys,
                    int length, const __global uchar* mask, float* scores, __global float* o) {
  const long mask_key = shape->mask.strides[3];
  const long mask_step = length > 0 ? mask_key : STREAMS * mask_key;
  const long mask_gap = length > 0 ? length * mask_key : mask_key;
  float16 x[BLOCK_VECTORS];
  UNROLL for (int j = 0; j < BLOCK_VECTORS; ++j) {
    x[j] = vload16(j, scores);
    int16 visible = InSpan(first_key + j * LANES, s->begin[g], min(s->end[g], first_key + keys));
    if (SOFTCAP) x[j] = Capped(x[j], shape->softcap);
    if (MASK_KIND)
      x[j] += MaskOf(mask + j * LANES / STREAMS * mask_step * MASK_BYTES, mask_step, mask_gap,
                     STREAMS, keys - j * LANES, &visible);
    x[j] = visible ? x[j] : (float16)(-INFINITY);
  }
  float16 highest = x[0];
  UNROLL for (int j = 1; j < BLOCK_VECTORS; ++j) highest = x[j] > highest ? x[j] : highest;
  const float top = fmax(s->top[g], Max16(highest));
  if (top > s->top[g]) {
    const float rescale = s->top[g] == -INFINITY ? 0.0f : Exp2((float16)(s->top[g] - top)).s0;
    s->sum[g] *= rescale;
    s->top[g] = top;
    for (int c = 0; c < V_PAD; c += LANES) Write(Read(o + c) * rescale, o + c);
  }
  const float shift = top == -INFINITY ? 0.0f : top;
  UNROLL for (int j = 0; j < BLOCK_VECTORS; ++j) {
    x[j] = Exp2(x[j] - shift);
    vstore16(x[j], j, scores);
    s->sum[g] += x[j];
  }
}

// The stack of rows that begins at `first` of a kv head's stacked rows; q: their queries as f32,
// times the factor that Q K wants.
INLINE void MakeStack(const __global SdpaShape* shape, const __global uchar* query,
                      const Spans* spans, long b, long kv_head, long first, Stack* s,
                      __global float* q) {
  const long rows = shape->q_heads_per_kv_head * shape->q_sequence_length;
  const float factor = KeyFactor(shape);
  s->rows = (int)min((long)STACK, rows - first);
  for (int g = 0; g < STACK; ++g) {
    const long row = min(first + g, rows - 1);
    s->head[g] = kv_head * shape->q_heads_per_kv_head + row / shape->q_sequence_length;
    s->query[g] = row % shape->q_sequence_length;
    s->begin[g] = (int)min(BeginOf(spans, s->query[g]), shape->kv_sequence_length);
    s->end[g] = (int)max(EndOf(spans, s->query[g]), 0L);
    s->top[g] = -INFINITY;
    s->sum[g] = (float16)(0.0f);
    __global float* to = q + g * HEAD_VECTOR_PAD;
    StageRows((const __global Io*)RowOf(query, &shape->q, b, s->head[g], s->query[g], sizeof(Io)),
              0, shape->q.strides[3], 1, HEAD_SIZE, HEAD_VECTOR_PAD, to);
    for (int c = 0; c < HEAD_VECTOR_PAD; ++c) to[c] *= factor;
  }
}

// Vector of columns from c on of a row's output.
INLINE void StoreColumns(const __global SdpaShape* shape, float16 total, float sum, int c,
                         __global Io* o) {
  float columns[LANES];
  vstore16(sum == 0.0f ? (float16)(0.0f) : total / sum, 0, columns);
  for (int t = 0; t < LANES && c + t < V_HEAD_SIZE; ++t)
    Store(columns[t], o, (c + t) * shape->out.strides[3]);
}

INLINE void StoreLse(const __global SdpaShape* shape, float top, float sum, __global uchar* lse,
                     long b, long h, long i) {
  if (shape->has_lse)
    *(__global float*)RowOf(lse, &shape->lse, b, h, i, sizeof(float)) =
        sum == 0.0f ? -INFINITY : top * LN_2 + log(sum);
}

// Output of a stack whose keys were not split.
INLINE void StoreStack(const __global SdpaShape* shape, const Stack* s, long b,
                       const __global float* o, __global uchar* out, __global uchar* lse) {
  for (int g = 0; g < s->rows; ++g) {
    const float sum = Sum16(s->sum[g]);
    __global Io* to = (__global Io*)RowOf(out, &shape->out, b, s->head[g], s->query[g], sizeof(Io));
    for (int c = 0; c < V_PAD; c += LANES)
      StoreColumns(shape, Read(o + g * V_PAD + c), sum, c, to);
    StoreLse(shape, s->top[g], sum, lse, b, s->head[g], s->query[g]);
  }
}

// The keys of a split that some row sees, and of them whole blocks that all rows see, masks aside:
// those that are read as STREAMS streams of `length` keys, from `streamed` on.
typedef struct Walk {
  int begin, end, streamed, length;
} Walk;

INLINE Walk WalkOf(const Stack* s, int first, int last) {
  Walk walk = {s->begin[0], s->end[0], max(first, s->begin[0]), 0};
  int all_end = min(last, s->end[0]);
  for (int g = 1; g < STACK; ++g) {
    walk.begin = min(walk.begin, s->begin[g]);
    walk.end = max(walk.end, s->end[g]);
    walk.streamed = max(walk.streamed, s->begin[g]);
    all_end = min(all_end, s->end[g]);
  }
  walk.begin = max(walk.begin, first);
  walk.end = min(walk.end, last);
  if (IN_PLACE && all_end > walk.streamed)
    walk.length = (all_end - walk.streamed) / BLOCK * (BLOCK / STREAMS);
  else
    walk.streamed = walk.begin;
  return walk;
}

// Rows from `first` on, in streams of `length` rows or, where it is 0, `count` of them one behind
// the other.
INLINE Rows RowsFor(const __global uchar* data, const __global TensorPlace* tensor, long b, long head,
                    long first, int count, int length, const int columns, const int padded,
                    __global float* staged) {
  const __global Io* io = (const __global Io*)RowOf(data, tensor, b, head, first, sizeof(Io));
  const long stride = tensor->strides[2];
#if IN_PLACE
  return length > 0 ? (Rows){io, stride, length * stride} : (Rows){io, STREAMS * stride, stride};
#else
  StageRows(io, stride, tensor->strides[3], count, columns, padded, staged);
  return (Rows){staged, STREAMS * padded, padded};
#endif
}

__attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(float16))) __kernel void Decode(
    const __global SdpaShape* restrict shape, const __global uchar* restrict query,
    const __global uchar* restrict keys, const __global uchar* restrict values,
    const __global uchar* restrict mask, const __global uchar* restrict kv_lengths,
    __global uchar* out, __global uchar* lse, __global uchar* weights, __global float* scratch,
    int stacks, int splits, int split_keys, long partials, long worker_floats) {
  __global int* counters = (__global int*)scratch;
  __global float* partial = scratch + COUNTER_FLOATS;
  __global float* q = partial + partials * (V_PAD + 2) + get_group_id(0) * worker_floats;
  __global float *staged_k = q + STACK * HEAD_VECTOR_PAD,
                 *staged_v = staged_k + BLOCK * HEAD_VECTOR_PAD;
  const long kv_heads = shape->q_heads_per_kv_head == 0
                            ? 0
                            : shape->q_num_heads / shape->q_heads_per_kv_head;
  const long tasks = shape->batch_size * kv_heads * stacks * splits;
  for (long task; (task = atomic_inc(counters)) < tasks;) {
    const long split = task % splits, stack = task / splits % stacks;
    const long kv_head = task / splits / stacks % kv_heads, b = task / splits / stacks / kv_heads;
    const Spans spans = SpansOf(shape, kv_lengths, b);
    Stack s;
    MakeStack(shape, query, &spans, b, kv_head, stack * STACK, &s, q);
    __global float* o = partial + task * STACK * V_PAD;
    for (int c = 0; c < STACK * V_PAD; c += LANES) Write((float16)(0.0f), o + c);
    const Walk walk = WalkOf(&s, (int)split * split_keys, ((int)split + 1) * split_keys);
    for (int key = walk.begin, count; key < walk.end; key += count) {
      count = min(BLOCK, (key < walk.streamed ? walk.streamed : walk.end) - key);
      const bool streams = key >= walk.streamed && key < walk.streamed + STREAMS * walk.length;
      const long first = streams ? walk.streamed + (key - walk.streamed) / STREAMS : key;
      const Rows k = RowsFor(keys, &shape->k, b, kv_head, first, count,
                             streams ? walk.length : 0, HEAD_SIZE, HEAD_VECTOR_PAD, staged_k);
      const Rows v = RowsFor(values, &shape->v, b, kv_head, first, count,
                             streams ? walk.length : 0, V_HEAD_SIZE, V_PAD, staged_v);
      float scores[STACK * BLOCK] __attribute__((aligned(64)));
      Dots(q, k, count, scores);
      for (int g = 0; g < STACK; ++g)
        Softmax(shape, &s, g, streams ? walk.streamed : key, count, streams ? walk.length : 0,
                RowOf(mask, &shape->mask, b, s.head[g], s.query[g], MASK_BYTES) +
                    first * shape->mask.strides[3] * MASK_BYTES,
                scores + g * BLOCK, o + g * V_PAD);
      AddValues(scores, v, count, o);
    }
    if (splits == 1) {
      StoreStack(shape, &s, b, o, out, lse);
      continue;
    }
    __global float* state = partial + partials * V_PAD + task * STACK * 2;
    for (int g = 0; g < STACK; ++g) {
      state[2 * g] = s.top[g];
      state[2 * g + 1] = Sum16(s.sum[g]);
    }
  }
  if (atomic_inc(counters + 1) == (int)get_num_groups(0) - 1) counters[0] = counters[1] = 0;
}

// One work-item joins the splits of one query row.
__attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(float16))) __kernel void Merge(
    const __global SdpaShape* restrict shape, const __global uchar* query,
    const __global uchar* keys, const __global uchar* values, const __global uchar* mask,
    const __global uchar* kv_lengths, __global uchar* out, __global uchar* lse,
    __global uchar* weights, const __global float* restrict scratch, int stacks, int splits,
    long partials) {
  const long row = get_global_id(0);
  if (row >= shape->batch_size * shape->q_num_heads * shape->q_sequence_length) return;
  const long rows = shape->q_heads_per_kv_head * shape->q_sequence_length;  // of one kv head
  const long i = row % shape->q_sequence_length;
  const long h = row / shape->q_sequence_length % shape->q_num_heads;
  const long b = row / shape->q_sequence_length / shape->q_num_heads;
  const long first_task = (row / rows * stacks + row % rows / STACK) * splits;
  const long slot = row % rows % STACK;
  const __global float* partial = scratch + COUNTER_FLOATS;
  const __global float* states = partial + partials * V_PAD;
  float top = -INFINITY, sum = 0.0f;
  for (int split = 0; split < splits; ++split)
    top = fmax(top, states[((first_task + split) * STACK + slot) * 2]);
  const float shift = top == -INFINITY ? 0.0f : top;
  for (int split = 0; split < splits; ++split) {
    const __global float* state = states + ((first_task + split) * STACK + slot) * 2;
    sum += Exp2((float16)(state[0] - shift)).s0 * state[1];
  }
  __global Io* o = (__global Io*)RowOf(out, &shape->out, b, h, i, sizeof(Io));
  for (int c = 0; c < V_PAD; c += LANES) {
    float16 total = (float16)(0.0f);
    for (int split = 0; split < splits; ++split) {
      const long part = (first_task + split) * STACK + slot;
      total += Exp2((float16)(states[part * 2] - shift)) * Read(partial + part * V_PAD + c);
    }
    StoreColumns(shape, total, sum, c, o);
  }
  StoreLse(shape, top, sum, lse, b, h, i);
}
