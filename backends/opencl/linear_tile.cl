// SPDX-License-Identifier: Apache-2.0
//
// A linear map y = x W^T + b for GPU devices: a work-group of SIDE x SIDE computes a tile of y, a
// work-item 4 x 4 of it in registers; x and W pass through local memory CHUNK columns at a time.
// Rows and columns of a work-item lie SIDE apart, so that neighbours read and write neighbouring
// words. Any length, width, stride and io type; f32 sums, which start from the bias. Right on CPU
// devices, where it is slow: a work-group is a loop there. Speed on a GPU: not measured.
// sdpa_shape.h, linear_shape.h and elements.cl are pasted before this file; SIDE is given at build.

#define PART 4  // rows, and columns, of a work-item
#define BLOCK (SIDE * PART)
#define CHUNK 16
#define ITEMS (SIDE * SIDE)
#define UNROLL _Pragma("unroll")

// tile[c][row] = rows[row][c], 0 beyond `count` rows and `columns` columns.
INLINE void StageTransposed(const __global Io* rows, long row_stride, long stride, long count,
                            long columns, int item, __local float* tile) {
  for (int i = item; i < BLOCK * CHUNK; i += ITEMS) {
    const int row = i / CHUNK, c = i % CHUNK;
    tile[c * (BLOCK + 1) + row] =
        row < count && c < columns ? Load(rows, row * row_stride + c * stride) : 0.0f;
  }
}

__attribute__((reqd_work_group_size(SIDE * SIDE, 1, 1))) __kernel void LinearTile(
    const __global LinearShape* restrict shape, const __global uchar* restrict x,
    const __global uchar* restrict weight, const __global uchar* restrict bias,
    __global uchar* restrict y) {
  __local float x_tile[CHUNK * (BLOCK + 1)], w_tile[CHUNK * (BLOCK + 1)];
  const int item = get_local_id(0), tx = item % SIDE, ty = item / SIDE;
  const long across = (shape->out + BLOCK - 1) / BLOCK, down = (shape->rows + BLOCK - 1) / BLOCK;
  const long number = get_group_id(0);
  if (number >= shape->matrices * down * across) return;  // the whole work-group
  const long matrix = number / across / down;
  const long first_row = number / across % down * BLOCK, first = number % across * BLOCK;
  const __global Io* rows = (const __global Io*)(x + shape->x.data_bytes) +
                            matrix * shape->x.strides[0] + first_row * shape->x.strides[1];
  const __global Io* weights = (const __global Io*)(weight + shape->weight.data_bytes) +
                               first * shape->weight.strides[0];
  const __global Io* biases = (const __global Io*)(bias + shape->bias.data_bytes);

  float sum[PART][PART];
  UNROLL for (int n = 0; n < PART; ++n) {
    const long column = first + tx + n * SIDE;
    const bool exists = shape->has_bias && column < shape->out;
    const float start = exists ? Load(biases, column * shape->bias.strides[0]) : 0.0f;
    UNROLL for (int r = 0; r < PART; ++r) sum[r][n] = start;
  }
  for (long from = 0; from < shape->in; from += CHUNK) {
    barrier(CLK_LOCAL_MEM_FENCE);
    StageTransposed(rows + from * shape->x.strides[2], shape->x.strides[1], shape->x.strides[2],
                    shape->rows - first_row, shape->in - from, item, x_tile);
    StageTransposed(weights + from * shape->weight.strides[1], shape->weight.strides[0],
                    shape->weight.strides[1], shape->out - first, shape->in - from, item, w_tile);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int c = 0; c < CHUNK; ++c) {
      float a[PART], b[PART];
      UNROLL for (int r = 0; r < PART; ++r) a[r] = x_tile[c * (BLOCK + 1) + ty + r * SIDE];
      UNROLL for (int n = 0; n < PART; ++n) b[n] = w_tile[c * (BLOCK + 1) + tx + n * SIDE];
      UNROLL for (int r = 0; r < PART; ++r)
        UNROLL for (int n = 0; n < PART; ++n) sum[r][n] = fma(a[r], b[n], sum[r][n]);
    }
  }
  UNROLL for (int r = 0; r < PART; ++r) {
    const long row = first_row + ty + r * SIDE;
    if (row >= shape->rows) continue;
    __global Io* to = (__global Io*)(y + shape->y.data_bytes) + matrix * shape->y.strides[0] +
                      row * shape->y.strides[1];
    UNROLL for (int n = 0; n < PART; ++n) {
      const long column = first + tx + n * SIDE;
      if (column < shape->out) Store(sum[r][n], to, column * shape->y.strides[2]);
    }
  }
}
