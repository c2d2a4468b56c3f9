// SPDX-License-Identifier: Apache-2.0
//
// A linear map y = x W^T + b on CPU devices: a task is a block of rows against a panel of columns.
// DEPTH of `in` at a time, W is packed to [DEPTH][PANEL], which stays in L1, and tiles of ROWS x
// PANEL sums are held in registers, 24 of 16 floats with AVX-512. Between those steps the sums of a
// task lie in scratch; the bias is what they start from. Any length, width, stride and io type; f32
// sums. For work-groups of one work-item, which take tasks in turn.
// BERT-base's layer at L = 512 in f32 (hidden 768), two threads of a Zen 4, PoCL 3.1, of the FMA
// rate measured in the run: flash_vec 79 %. CLBlast 1.5.3 multiplies 512 x 768 x 768 there at 7 %.
// sdpa_shape.h, linear_shape.h, elements.cl, vector.cl and pack.cl are pasted before this file;
// ROWS and COLUMN_VECTORS are given at build.

#define PANEL (LANES * COLUMN_VECTORS)
#define DEPTH 128
#define DEPTH_PAD(depth) (((depth) + 3) / 4 * 4)

typedef struct Scratch {
  __global float* panel;  // [DEPTH][PANEL]
  __global float* w;      // [PANEL][DEPTH], where W cannot be read in place
  __global float* x;      // [block rows][DEPTH], likewise
  __global float* sums;   // [block rows][PANEL]
} Scratch;

INLINE Scratch Carve(__global float* memory, int block_rows) {
  Scratch s;
  s.panel = memory;
  s.w = s.panel + DEPTH * PANEL;
  s.x = s.w + PANEL * DEPTH;
  s.sums = s.x + (long)block_rows * DEPTH;
  return s;
}

// to = from + x panel^T over `depth`, summed up by itself first (one chain over 768 had five times
// the error of PyTorch's), of `rows` <= ROWS rows and that many vectors of columns.
INLINE void AddTile(const __global float* x, long x_stride, int rows, const __global float* panel,
                    int depth, const int vectors, const __global float* from, long from_stride,
                    __global float* to, long to_stride) {
  float16 sum[ROWS][COLUMN_VECTORS];
  long row[ROWS];
  UNROLL for (int i = 0; i < ROWS; ++i) row[i] = min(i, rows - 1) * x_stride;
  UNROLL for (int i = 0; i < ROWS; ++i)
    EACH_OF(j, vectors, COLUMN_VECTORS) sum[i][j] = (float16)(0.0f);
#pragma unroll 2
  for (int c = 0; c < depth; ++c) {
    float16 w[COLUMN_VECTORS];
    EACH_OF(j, vectors, COLUMN_VECTORS) w[j] = Read(panel + c * PANEL + j * LANES);
    UNROLL for (int i = 0; i < ROWS; ++i) {
      const float16 value = (float16)(x[row[i] + c]);
      EACH_OF(j, vectors, COLUMN_VECTORS) sum[i][j] = fma(value, w[j], sum[i][j]);
    }
  }
  UNROLL for (int i = ROWS - 1; i >= 0; --i)  // the first row may be what all start from
    if (i < rows)
      EACH_OF(j, vectors, COLUMN_VECTORS)
        Write(Read(from + i * from_stride + j * LANES) + sum[i][j], to + i * to_stride + j * LANES);
}

// A task: rows [first_row, first_row + rows) of a matrix, columns [first, first + columns).
typedef struct Task {
  const __global Io *x, *weight, *bias;
  __global Io* y;
  int rows, columns;
} Task;

INLINE void StartSums(const __global LinearShape* shape, const Task* task, const Scratch* s) {
  for (int c = 0; c < PANEL; ++c)
    s->sums[c] = shape->has_bias && c < task->columns
                     ? Load(task->bias, c * shape->bias.strides[0])
                     : 0.0f;
}

// The products of columns [from, from + depth) of x and W. Sums go to `y` where it is given.
INLINE void AddProducts(const __global LinearShape* shape, const Task* task, const Scratch* s,
                        long from, int depth, __global float* y) {
  const long w_row = shape->weight.strides[0], w_step = shape->weight.strides[1];
  const long x_row = shape->x.strides[1], x_step = shape->x.strides[2];
  const __global Io* weight = task->weight + from * w_step;
  if (InPlace(w_step, depth, 4)) {
    PackRows((const __global float*)weight, w_row, task->columns, 1.0f, depth, PANEL, s->panel);
  } else {
    StageRows(weight, w_row, w_step, task->columns, depth, DEPTH_PAD(depth), s->w);
    PackRows(s->w, DEPTH_PAD(depth), task->columns, 1.0f, DEPTH_PAD(depth), PANEL, s->panel);
  }
  const __global float* x = (const __global float*)(task->x + from * x_step);
  long x_stride = x_row;
  if (!InPlace(x_step, depth, 1)) {
    StageRows(task->x + from * x_step, x_row, x_step, task->rows, depth, depth, s->x);
    x = s->x;
    x_stride = depth;
  }
  const long to_stride = y ? shape->y.strides[1] : PANEL;
  __global float* to = y ? y : s->sums;
  // The sums start from one row, the bias: it is the first one, which is overwritten last.
  const long from_stride = from == 0 ? 0 : PANEL;
  for (int r = (task->rows - 1) / ROWS * ROWS; r >= 0; r -= ROWS) {
    const int rows = min(ROWS, task->rows - r);
    const __global float* sums = s->sums + r * from_stride;
    if (task->columns > PANEL - LANES) {
      AddTile(x + r * x_stride, x_stride, rows, s->panel, depth, COLUMN_VECTORS, sums, from_stride,
              to + r * to_stride, to_stride);
      continue;
    }
    for (int c = 0; c < task->columns; c += LANES)
      AddTile(x + r * x_stride, x_stride, rows, s->panel + c, depth, 1, sums + c, from_stride,
              to + r * to_stride + c, to_stride);
  }
}

INLINE void StoreSums(const __global LinearShape* shape, const Task* task, const Scratch* s) {
  for (int r = 0; r < task->rows; ++r)
    for (int c = 0; c < task->columns; ++c)
      Store(s->sums[r * PANEL + c], task->y + r * shape->y.strides[1], c * shape->y.strides[2]);
}

__attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(float16))) __kernel void LinearVec(
    const __global LinearShape* restrict shape, const __global uchar* restrict x,
    const __global uchar* restrict weight, const __global uchar* restrict bias,
    __global uchar* restrict y, __global float* scratch, int block_rows, long worker_floats) {
  const Scratch s = Carve(scratch + get_group_id(0) * worker_floats, block_rows);
  const long panels = (shape->out + PANEL - 1) / PANEL;
  const long blocks = (shape->rows + block_rows - 1) / block_rows;
  const long tasks = shape->matrices * blocks * panels;
  for (long number = get_group_id(0); number < tasks; number += get_num_groups(0)) {
    const long matrix = number / panels / blocks;
    const long row = number / panels % blocks * block_rows, column = number % panels * PANEL;
    Task task;
    task.x = (const __global Io*)(x + shape->x.data_bytes) + matrix * shape->x.strides[0] +
             row * shape->x.strides[1];
    task.weight =
        (const __global Io*)(weight + shape->weight.data_bytes) + column * shape->weight.strides[0];
    task.bias =
        (const __global Io*)(bias + shape->bias.data_bytes) + column * shape->bias.strides[0];
    task.y = (__global Io*)(y + shape->y.data_bytes) + matrix * shape->y.strides[0] +
             row * shape->y.strides[1] + column * shape->y.strides[2];
    task.rows = (int)min((long)block_rows, shape->rows - row);
    task.columns = (int)min((long)PANEL, shape->out - column);
    const bool in_place = task.columns == PANEL && InPlace(shape->y.strides[2], PANEL, 1);
    StartSums(shape, &task, &s);
    for (long from = 0; from < shape->in; from += DEPTH) {
      const int depth = (int)min((long)DEPTH, shape->in - from);
      const bool is_last = from + depth == shape->in;
      AddProducts(shape, &task, &s, from, depth,
                  is_last && in_place ? (__global float*)task.y : (__global float*)0);
    }
    if (!in_place) StoreSums(shape, &task, &s);
  }
}
