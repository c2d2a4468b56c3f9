// SPDX-License-Identifier: Apache-2.0
//
// Scaled dot-product attention, one work-item per query row: online softmax over blocks of 16
// visible keys, f32 arithmetic, io in f32, f16 or bf16.
// Memory beyond the tensors: one f32 output row per query row. Any length, head size, stride; every
// rule of attest_problem. Masked keys are never read by the arithmetic, so NaN there stays there.
//
// exp is OpenCL's (at most 3 ulp in the full profile), no native_ or fast-math variant.
// Not tiled, no local memory, K and V are read again by every row: the portable yardstick.
// sdpa_shape.h and elements.cl are pasted before this file.

#define BLOCK 16

// Dot product of two rows of `size` elements.
float Dot(const __global Io* x, long x_stride, const __global Io* y, long y_stride, long size) {
  float sum = 0.0f;
  long c = 0;
  if (x_stride == 1 && y_stride == 1) {
    float16 partial = (float16)(0.0f);
    for (; c + 16 <= size; c += 16) partial += Load16(x, c) * Load16(y, c);
    sum = Sum16(partial);
  }
  for (; c < size; ++c) sum += Load(x, c * x_stride) * Load(y, c * y_stride);
  return sum;
}

// One query row: its number in batch, head and sequence, and the keys [begin, end) it may see.
typedef struct Row {
  long b, h, i, begin, end;
} Row;

Row MakeRow(const __global SdpaShape* shape, const __global uchar* kv_lengths, long row) {
  Row r;
  r.i = row % shape->q_sequence_length;
  r.h = row / shape->q_sequence_length % shape->q_num_heads;
  r.b = row / shape->q_sequence_length / shape->q_num_heads;
  const Spans spans = SpansOf(shape, kv_lengths, r.b);
  r.begin = BeginOf(&spans, r.i);
  r.end = EndOf(&spans, r.i);
  return r;
}

// The score of key j, or -inf where the mask hides it; then neither Q nor K is read.
float Score(const __global SdpaShape* shape, const Row* r, const __global Io* q,
            const __global uchar* keys, const __global uchar* mask, long j) {
  float bias = 0.0f;
  if (shape->attn_mask == MASK_BOOLEAN) {
    const __global uchar* row = RowOf(mask, &shape->mask, r->b, r->h, r->i, 1);
    if (!row[j * shape->mask.strides[3]]) return -INFINITY;
  } else if (shape->attn_mask == MASK_ADDITIVE) {
    const __global uchar* row = RowOf(mask, &shape->mask, r->b, r->h, r->i, sizeof(Io));
    bias = Load((const __global Io*)row, j * shape->mask.strides[3]);
    if (bias == -INFINITY) return bias;
  }
  const __global Io* k = (const __global Io*)RowOf(
      keys, &shape->k, r->b, r->h / shape->q_heads_per_kv_head, j, sizeof(Io));
  float s = shape->scale * Dot(q, shape->q.strides[3], k, shape->k.strides[3], shape->head_size);
  if (shape->softcap > 0.0f) s = shape->softcap * tanh(s / shape->softcap);
  return s + bias;
}

// sums[c] = sums[c] * rescale + sum over t < count of p[t] V[key[t]][c]
void AddValues(const __global SdpaShape* shape, const __global uchar* v, const long* key,
               const float* p, int count, float rescale, __global float* sums) {
  const long stride = shape->v.strides[3];
  const long row_stride = shape->v.strides[2];
  const __global Io* values = (const __global Io*)v;
  long c = 0;
  if (stride == 1) {
    for (; c + 16 <= shape->v_head_size; c += 16) {
      float16 sum = vload16(0, sums + c) * rescale;
      for (int t = 0; t < count; ++t) sum += p[t] * Load16(values, key[t] * row_stride + c);
      vstore16(sum, 0, sums + c);
    }
  }
  for (; c < shape->v_head_size; ++c) {
    float sum = sums[c] * rescale;
    for (int t = 0; t < count; ++t) sum += p[t] * Load(values, key[t] * row_stride + c * stride);
    sums[c] = sum;
  }
}

// Writes the row's outputs from its maximum m, its sum l of exponentials and its unscaled values.
void Finish(const __global SdpaShape* shape, const Row* r, float m, float l,
            const __global float* sums, __global uchar* out, __global uchar* lse) {
  __global Io* o = (__global Io*)RowOf(out, &shape->out, r->b, r->h, r->i, sizeof(Io));
  const bool dead = l == 0.0f;  // no visible key
  for (long c = 0; c < shape->v_head_size; ++c)
    Store(dead ? 0.0f : sums[c] / l, o, c * shape->out.strides[3]);
  if (shape->has_lse) {
    __global float* place =
        (__global float*)RowOf(lse, &shape->lse, r->b, r->h, r->i, sizeof(float));
    *place = dead ? -INFINITY : m + log(l);
  }
}

__kernel void Sdpa(const __global SdpaShape* shape, const __global uchar* query,
                   const __global uchar* keys, const __global uchar* values,
                   const __global uchar* mask, const __global uchar* kv_lengths,
                   __global uchar* out, __global uchar* lse, __global uchar* weights,
                   __global float* scratch) {
  const long row = get_global_id(0);
  if (row >= shape->batch_size * shape->q_num_heads * shape->q_sequence_length) return;
  const Row r = MakeRow(shape, kv_lengths, row);
  const __global Io* q = (const __global Io*)RowOf(query, &shape->q, r.b, r.h, r.i, sizeof(Io));
  const __global uchar* v =
      RowOf(values, &shape->v, r.b, r.h / shape->q_heads_per_kv_head, 0, sizeof(Io));
  __global float* sums = scratch + row * shape->v_head_size;
  for (long c = 0; c < shape->v_head_size; ++c) sums[c] = 0.0f;

  float m = -INFINITY;  // largest score so far
  float l = 0.0f;       // sum of exp(score - m) so far
  for (long j = r.begin; j < r.end;) {
    long key[BLOCK];
    float p[BLOCK];
    float top = m;
    int count = 0;
    for (; j < r.end && count < BLOCK; ++j) {
      const float s = Score(shape, &r, q, keys, mask, j);
      if (s == -INFINITY) continue;
      top = fmax(top, s);
      key[count] = j;
      p[count++] = s;
    }
    if (count == 0) break;
    for (int t = count; t < BLOCK; ++t) p[t] = -INFINITY;
    const float16 exponentials = exp(vload16(0, p) - top);
    vstore16(exponentials, 0, p);
    const float rescale = exp(m - top);
    l = l * rescale + Sum16(exponentials);
    m = top;
    AddValues(shape, v, key, p, count, rescale, sums);
  }
  Finish(shape, &r, m, l, sums, out, lse);

  if (!shape->has_weights) return;
  __global Io* w = (__global Io*)RowOf(weights, &shape->weights, r.b, r.h, r.i, sizeof(Io));
  for (long j = 0; j < shape->kv_sequence_length; ++j) {
    const bool visible = l != 0.0f && j >= r.begin && j < r.end;
    const float s = visible ? Score(shape, &r, q, keys, mask, j) : -INFINITY;
    Store(s == -INFINITY ? 0.0f : exp(s - m) / l, w, j * shape->weights.strides[3]);
  }
}
