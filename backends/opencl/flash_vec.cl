// SPDX-License-Identifier: Apache-2.0
//
// Attention forward for CPU devices, one work-item per work-group: what vectorises is written in
// vectors, not left to the compiler. A work-item takes tasks (batch entry, head, up to block_rows
// queries) from an atomic counter. For each panel of PANEL keys, K is packed to [d][PANEL] with
// scale x log2(e) folded in; for each tile of ROWS queries S stays in registers, P = 2^(S - m) goes
// through a few KB, O += P V with V and O in place where their rows can be read as vectors.
//
// m starts at 0 where a tile's first panel allows it, else at its true maximum, and is kept until a
// row sum leaves the safe range; the tile is then redone, and from then on always does, the step
// that raises m and rescales O.
// Any length and stride, head sizes to 256; all of abi.h but WEIGHTS. NaN in V behind a mask may
// reach the output (0 x NaN). Not for GPUs.
//
// f32, PoCL 3.1, two threads of an Emerald Rapids Xeon that others used too, per second of
// processor time, of the multiply-adds measured likewise (373 GFLOP/s): d = 64 86 %, d = 128 90 %,
// causal 83 %, L = 128 65 %, L = 197 68 %; Q and K x 3: 95 % of the speed on normal values, rising
// scores 87 %. Compiled for AVX2 (Intel's runtime, a Zen 4): d = 64 79 %, d = 128 82 %.
// Lost: unpacked K under 8 x 32 tiles, a search for the maximum in every panel, vstore16, subnormal
// probabilities (a fifth of the speed on peaky scores), a host that yields until the kernel is done
// (its yields keep a CPU from the kernel's threads).
// sdpa_shape.h, elements.cl, vector.cl, pack.cl and flash_vec_tile.cl are pasted before this file;
// GROUP, the tiles whose scores are computed before their outputs, is given at build, and DENSE: 1
// where rows of Q and V, where tiles read them, follow each other without gaps (1 % of the time).

// A row of O is done in parts of nearly equal size, each at most VALUE_VECTORS.
#define O_VECTORS (V_PAD / LANES)
#define PARTS ((O_VECTORS + VALUE_VECTORS - 1) / VALUE_VECTORS)
#define PART_VECTORS (O_VECTORS / PARTS)
#define LARGER_PARTS (O_VECTORS % PARTS)  // the first ones, by one vector
#define PART_BEGIN(part) (LANES * ((part) * PART_VECTORS + min((part), LARGER_PARTS)))
#define CACHE_LINE 64
#define COUNTER_FLOATS 16  // at the start of the scratch: next task, finished workers

enum TileState { UNTOUCHED = 0, KEEPS_MAX = 1, RAISES_MAX = 2 };

// A worker's scratch; flash_vec.cpp allocates it.
typedef struct Scratch {
  __global float *panel, *p, *k, *v, *q, *o, *sums, *maxima;
  __global int* states;
} Scratch;

INLINE Scratch Carve(__global float* base, int block_rows) {
  Scratch s;
  s.panel = base;
  s.p = s.panel + HEAD_PAD * PANEL;
  s.k = s.p + GROUP * ROWS * PANEL;
  s.v = s.k + PANEL * HEAD_PAD;
  s.q = s.v + PANEL * V_PAD;
  s.o = s.q + block_rows * HEAD_SIZE;
  s.sums = s.o + block_rows * V_PAD;
  s.maxima = s.sums + block_rows * LANES;
  s.states = (__global int*)(s.maxima + block_rows);
  return s;
}

// One head's tensors, and the rows of queries of one task.
typedef struct Task {
  long first_row;
  int rows;
  Spans spans;
  const __global Io *q, *k, *v;  // q: of first_row
  const __global uchar* mask;    // of first_row
  __global Io* out;              // of first_row
  __global float* lse;
} Task;

// Scores of a tile by the cheapest step that is right; true where m was raised.
INLINE bool Probabilities(const Tile* t, const __global float* panel, bool edge, int visible_keys,
                          __global int* state, float rescale[ROWS]) {
  if (*state == KEEPS_MAX) {
    bool safe;
    if (!edge)
      safe = ScoreTile(t, panel, KEY_VECTORS, false, false, rescale);
#if KEY_VECTORS == 4
    else if (visible_keys <= LANES)
      safe = ScoreTile(t, panel, 1, true, false, rescale);
    else if (visible_keys <= 2 * LANES)
      safe = ScoreTile(t, panel, 2, true, false, rescale);
    else if (visible_keys <= 3 * LANES)
      safe = ScoreTile(t, panel, 3, true, false, rescale);
#endif
    else
      safe = ScoreTile(t, panel, KEY_VECTORS, true, false, rescale);
    if (safe) return false;
  }
  if (!edge)
    ScoreTile(t, panel, KEY_VECTORS, false, true, rescale);
  else
    ScoreTile(t, panel, KEY_VECTORS, true, true, rescale);
  *state = *state == UNTOUCHED ? KEEPS_MAX : RAISES_MAX;
  return true;
}

// Rows [r, r + count) of a task are complete: their output, where it is not written yet, and LSE.
INLINE void Finish(const __global SdpaShape* shape, const Task* task, const Scratch* s, int r,
                   int count, bool seen, bool staged) {
  for (int i = r; i < r + count; ++i) {
    const float sum = seen ? Sum16(Read(s->sums + i * LANES)) : 0.0f;
    if (!seen || staged) {
      __global Io* out = task->out + i * shape->out.strides[2];
      for (int c = 0; c < V_HEAD_SIZE; ++c)
        Store(seen ? s->o[i * V_PAD + c] : 0.0f, out, c * shape->out.strides[3]);
    }
    if (task->lse)
      task->lse[i * shape->lse.strides[2]] =
          sum > 0.0f ? s->maxima[i] * LN_2 + log(sum / UNIT) : -INFINITY;
  }
}

// Asks the cache for rows [from, to) of the next panel, ahead of the packing.
INLINE void PrefetchRows(const __global Io* first, long stride, const int size, int from, int to) {
  const int bytes = size * (int)sizeof(Io);
  for (int i = from; i < to; ++i) {
    const __global uchar* row = (const __global uchar*)(first + i * stride);
    UNROLL for (int at = 0; at < bytes; at += CACHE_LINE) PREFETCH(row + at, 2);
  }
}

// The keys and values of a panel, where a tile reads them; the keys are packed in the scratch.
typedef struct Panel {
  long first_key;
  int keys;  // that exist
  const __global float* v;
  long v_stride;
} Panel;

INLINE Panel LoadPanel(const __global SdpaShape* shape, const Task* task, const Scratch* s,
                       long first_key) {
  Panel panel;
  panel.first_key = first_key;
  panel.keys = (int)min((long)PANEL, shape->kv_sequence_length - first_key);
  const __global Io* k = task->k + first_key * shape->k.strides[2];
  const __global Io* v = task->v + first_key * shape->v.strides[2];
  const __global float* k_rows = (const __global float*)k;
  long k_stride = shape->k.strides[2];
  if (!InPlace(shape->k.strides[3], HEAD_SIZE, 4)) {
    StageRows(k, k_stride, shape->k.strides[3], panel.keys, HEAD_SIZE, HEAD_PAD, s->k);
    k_rows = s->k;
    k_stride = HEAD_PAD;
  }
  panel.v = (const __global float*)v;
  panel.v_stride = shape->v.strides[2];
  if (!InPlace(shape->v.strides[3], V_HEAD_SIZE, LANES)) {
    StageRows(v, panel.v_stride, shape->v.strides[3], panel.keys, V_HEAD_SIZE, V_PAD, s->v);
    panel.v = s->v;
    panel.v_stride = V_PAD;
  }
  PackRows(k_rows, k_stride, panel.keys, KeyFactor(shape), HEAD_PAD, PANEL, s->panel);
  return panel;
}

// Whether the tile of rows from r on sees keys of the panel.
INLINE bool SeesPanel(const Task* task, const Panel* panel, int r) {
  const long row = task->first_row + r, last = row + min(ROWS, task->rows - r) - 1;
  return BeginOf(&task->spans, row) < panel->first_key + PANEL &&
         EndOf(&task->spans, last) > panel->first_key;
}

// What the scores of a tile leave to its output.
typedef struct Step {
  bool is_first, raised;
  float rescale[ROWS];
} Step;

INLINE void TileScores(const __global SdpaShape* shape, const Task* task, const Scratch* s,
                       const Panel* panel, int r, __global float* p, Step* step) {
  const int rows = min(ROWS, task->rows - r);
  const long row = task->first_row + r, first_key = panel->first_key;
  const long end = EndOf(&task->spans, row + rows - 1);
  const int visible_keys = (int)min((long)panel->keys, end - first_key);
  const bool edge = panel->keys < PANEL || EndOf(&task->spans, row) < first_key + PANEL ||
                    BeginOf(&task->spans, row + rows - 1) > first_key;
  const bool in_place = InPlace(shape->q.strides[3], HEAD_SIZE, 1) && rows == ROWS;
  Tile t;
  t.q = in_place ? (const __global float*)task->q + r * shape->q.strides[2] : s->q + r * HEAD_SIZE;
  t.q_stride = in_place ? shape->q.strides[2] : HEAD_SIZE;
  t.p = p;
  t.maxima = s->maxima + r;
  t.sums = s->sums + r * LANES;
  t.is_first = s->states[r / ROWS] == UNTOUCHED;
  t.begin = (int)clamp(row + task->spans.begin_shift - first_key, -4096L, 4096L);
  t.end = (int)clamp(row + task->spans.end_shift - first_key, -4096L, 4096L);
  t.limit = (int)min(task->spans.limit - first_key, (long)panel->keys);
  t.mask_row_bytes = shape->mask.strides[2] * MASK_BYTES;
  t.mask_key_bytes = shape->mask.strides[3] * MASK_BYTES;
  t.mask_stride = shape->mask.strides[3];
  t.mask = task->mask + r * t.mask_row_bytes + first_key * t.mask_key_bytes;
  t.rows = rows;
  t.keys = panel->keys;
  t.softcap = shape->softcap;
  step->is_first = t.is_first;
  step->raised =
      Probabilities(&t, s->panel, edge, visible_keys, s->states + r / ROWS, step->rescale);
}

INLINE void TileOutput(const __global SdpaShape* shape, const Task* task, const Scratch* s,
                       const Panel* panel, int r, const __global float* p, const Step* step) {
  const int rows = min(ROWS, task->rows - r);
  const long end = EndOf(&task->spans, task->first_row + r + rows - 1);
  const int visible_keys = (int)min((long)panel->keys, end - panel->first_key);
  const bool is_last = end <= panel->first_key + PANEL;
  float inverse[ROWS];
  if (is_last) {
    UNROLL for (int i = 0; i < ROWS; ++i) {
      const float sum = Sum16(Read(s->sums + (r + i) * LANES));
      inverse[i] = sum > 0.0f ? 1.0f / sum : sum == 0.0f ? 0.0f : sum;
    }
  }
  const bool staged = !InPlace(shape->out.strides[3], V_HEAD_SIZE, LANES) || rows < ROWS;
  __global float* o = staged ? s->o + r * V_PAD
                             : (__global float*)task->out + r * shape->out.strides[2];
  const long o_stride = staged ? V_PAD : shape->out.strides[2];
  const long v_stride = DENSE ? V_PAD : panel->v_stride;
  for (int part = 0; part < LARGER_PARTS; ++part)
    ValueTile(p, panel->v + PART_BEGIN(part), v_stride, visible_keys, o + PART_BEGIN(part),
              o_stride, min(PART_VECTORS + 1, VALUE_VECTORS), step->is_first, step->raised, is_last,
              step->rescale, inverse);
  for (int part = LARGER_PARTS; part < PARTS; ++part)
    ValueTile(p, panel->v + PART_BEGIN(part), v_stride, visible_keys, o + PART_BEGIN(part),
              o_stride, PART_VECTORS, step->is_first, step->raised, is_last, step->rescale,
              inverse);
  if (is_last) Finish(shape, task, s, r, rows, true, staged);
}

// All tiles of a task against the keys [first_key, first_key + PANEL): of GROUP tiles first the
// scores, then the outputs.
INLINE void RunPanel(const __global SdpaShape* shape, const Task* task, const Scratch* s,
                     long first_key, bool has_next) {
  const Panel panel = LoadPanel(shape, task, s, first_key);
  const long next = first_key + PANEL;
  const long k_stride = shape->k.strides[2], v_stride = shape->v.strides[2];
  const __global Io* next_k = task->k + next * k_stride;
  const __global Io* next_v = task->v + next * v_stride;
  const int next_keys =
      has_next ? (int)min((long)PANEL, shape->kv_sequence_length - next) : 0;
  const int share = (PANEL * ROWS + task->rows - 1) / task->rows;  // of a tile
  int asked = 0;
  Step steps[GROUP];
  for (int first = 0; first < task->rows; first += GROUP * ROWS) {
    const int end = min(first + GROUP * ROWS, task->rows);
    for (int r = first; r < end; r += ROWS) {
      if (!SeesPanel(task, &panel, r)) continue;
      if (asked < next_keys) {
        const int to = min(asked + share, next_keys);
        PrefetchRows(next_k, k_stride, HEAD_SIZE, asked, to);
        PrefetchRows(next_v, v_stride, V_HEAD_SIZE, asked, to);
        asked = to;
      }
      TileScores(shape, task, s, &panel, r, s->p + (r - first) * PANEL, &steps[(r - first) / ROWS]);
    }
    for (int r = first; r < end; r += ROWS)
      if (SeesPanel(task, &panel, r))
        TileOutput(shape, task, s, &panel, r, s->p + (r - first) * PANEL,
                   &steps[(r - first) / ROWS]);
  }
}

// Queries that cannot be read where they lie, as f32; the last tile's missing rows repeat the last.
INLINE void StageQueries(const __global SdpaShape* shape, const Task* task, const Scratch* s) {
  const bool in_place = InPlace(shape->q.strides[3], HEAD_SIZE, 1);
  const int tail = task->rows % ROWS;
  const int from = in_place ? task->rows - tail : 0;
  StageRows(task->q + from * shape->q.strides[2], shape->q.strides[2], shape->q.strides[3],
            task->rows - from, HEAD_SIZE, HEAD_SIZE, s->q + from * HEAD_SIZE);
  if (tail == 0) return;
  for (int i = task->rows; i < task->rows - tail + ROWS; ++i)
    for (int c = 0; c < HEAD_SIZE; ++c)
      s->q[i * HEAD_SIZE + c] = s->q[(task->rows - 1) * HEAD_SIZE + c];
}

__attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(float16))) __kernel void FlashVec(
    const __global SdpaShape* restrict shape, const __global uchar* restrict query,
    const __global uchar* restrict keys, const __global uchar* restrict values,
    const __global uchar* restrict mask, const __global uchar* restrict kv_lengths,
    __global uchar* out, __global uchar* lse, __global uchar* weights,
    __global float* scratch, int block_rows, int blocks, long worker_floats) {
  __global int* counters = (__global int*)scratch;
  const Scratch s =
      Carve(scratch + COUNTER_FLOATS + get_group_id(0) * worker_floats, block_rows);
  const long heads = shape->batch_size * shape->q_num_heads;
  const bool longest_first = shape->is_causal;  // later blocks see more keys
  for (long number; (number = atomic_inc(counters)) < heads * blocks;) {
    const long head = longest_first ? number % heads : number / blocks;
    const long block = longest_first ? blocks - 1 - number / heads : number % blocks;
    const long b = head / shape->q_num_heads, h = head % shape->q_num_heads;
    const long kv_head = h / shape->q_heads_per_kv_head;
    Task task;
    task.first_row = block * block_rows;
    task.rows = (int)min((long)block_rows, shape->q_sequence_length - task.first_row);
    task.spans = SpansOf(shape, kv_lengths, b);
    task.q = (const __global Io*)RowOf(query, &shape->q, b, h, task.first_row, sizeof(Io));
    task.k = (const __global Io*)RowOf(keys, &shape->k, b, kv_head, 0, sizeof(Io));
    task.v = (const __global Io*)RowOf(values, &shape->v, b, kv_head, 0, sizeof(Io));
    task.mask = RowOf(mask, &shape->mask, b, h, task.first_row, MASK_BYTES);
    task.out = (__global Io*)RowOf(out, &shape->out, b, h, task.first_row, sizeof(Io));
    task.lse = shape->has_lse
                   ? (__global float*)RowOf(lse, &shape->lse, b, h, task.first_row, sizeof(float))
                   : 0;
    StageQueries(shape, &task, &s);
    const int tiles = (task.rows + ROWS - 1) / ROWS;
    for (int tile = 0; tile < tiles; ++tile) s.states[tile] = UNTOUCHED;
    const long end = EndOf(&task.spans, task.first_row + task.rows - 1);
    for (long key = BeginOf(&task.spans, task.first_row); key < end; key += PANEL)
      RunPanel(shape, &task, &s, key, key + PANEL < end);
    for (int tile = 0; tile < tiles; ++tile)
      if (s.states[tile] == UNTOUCHED)
        Finish(shape, &task, &s, tile * ROWS, min(ROWS, task.rows - tile * ROWS), false, false);
  }
  // The last worker leaves the counters as the next launch wants them.
  if (atomic_inc(counters + 1) == (int)get_num_groups(0) - 1) counters[0] = counters[1] = 0;
}
