// SPDX-License-Identifier: Apache-2.0
//
// Rows to columns, for the register tiles of CPU devices. sdpa_shape.h, elements.cl and vector.cl
// are pasted before this file.

#define PAIR_LOW(a, b) \
  (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, \
            a.sd, b.sd)
#define PAIR_HIGH(a, b) \
  (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se, \
            a.sf, b.sf)
#define QUAD_LOW(a, b) (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)
#define QUAD_HIGH(a, b) (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)

// panel[c][row] = factor * rows[row][c] for c in [0, depth), by 4 x 4 transposes inside 128-bit
// lanes; `width` floats from one c to the next. Rows from `count` on repeat the last one; whole
// vectors of them are left out. depth is a multiple of 4.
INLINE void PackRows(const __global float* rows, long stride, int count, float factor,
                     const int depth, const int width, __global float* panel) {
  for (int g = 0; g < count; g += LANES) {
    for (int c = 0; c < depth; c += 4) {
      float16 z[4];
      UNROLL for (int i = 0; i < 4; ++i) {
        const __global float* from = rows + c;
        const int row = g + i;
        z[i] = factor * (float16)(vload4(0, from + min(row, count - 1) * stride),
                                  vload4(0, from + min(row + 4, count - 1) * stride),
                                  vload4(0, from + min(row + 8, count - 1) * stride),
                                  vload4(0, from + min(row + 12, count - 1) * stride));
      }
      const float16 a = PAIR_LOW(z[0], z[1]), b = PAIR_HIGH(z[0], z[1]);
      const float16 d = PAIR_LOW(z[2], z[3]), e = PAIR_HIGH(z[2], z[3]);
      __global float* to = panel + c * width + g;
      Write(QUAD_LOW(a, d), to);
      Write(QUAD_HIGH(a, d), to + width);
      Write(QUAD_LOW(b, e), to + 2 * width);
      Write(QUAD_HIGH(b, e), to + 3 * width);
    }
  }
}
