// SPDX-License-Identifier: Apache-2.0
//
// The oracle's inner loops, compiled once per SIMD level and chosen at run time. Every level does
// the same operations on every element in the same order, without fused multiply-add, so all give
// the same bits. Sums run over one index in ascending order; vectors lie across the other index.
#ifndef ATTEST_REFERENCE_KERNELS_H_
#define ATTEST_REFERENCE_KERNELS_H_

#include <cstdint>

namespace attest::reference {

inline constexpr int64_t kQuad = 4;       // rows that share one load of K or V
inline constexpr int64_t kPanel = 16;     // keys of a panel of K, columns of a step over V
inline constexpr int64_t kKeyBlock = 64;  // keys whose K and V stay in the nearest cache

// Coefficients of E and of sigma_E^2 on their terms (reference/README.md).
struct ErrorCoefficients {
  double product, raw, score, shifted, constant;       // A, |s0|, |s|, |s - m|, 1
  double product2, raw2, score2, shifted2, constant2;  // squares of the same
  double maximum;                                      // m
  double moved = 0;                                    // D
};

// Per-key arrays of one row, all of the same length.
struct ErrorRow {
  const double* product;  // A
  const double* raw;      // s0
  const double* score;    // s, -inf = masked
  const double* p;
  double* weighted;               // out: p expm1(E)
  double* spread;                 // out: p expm1(lambda sigma_E) / lambda
  double* relative;               // out: expm1(E), or null
  const double* moved = nullptr;  // D, or null: none
};

struct ErrorSums {
  double rho;      // sum of weighted
  double largest;  // max E
};

// Rows of a quad: four pointers, each to an array over keys or columns.
struct Quad {
  double* row[kQuad];
};

struct Kernels {
  // out[r][j] = sum_t q[t][r] k[j][t] for `panels` panels of K ([panel][head_size][kPanel]); with
  // absolute and squares (or null) the sums of |q k| and (q k)^2.
  void (*dot)(const double* k, int64_t panels, int64_t head_size, const double* q, Quad out,
              const Quad* absolute, const Quad* squares);
  // x *= factor.
  void (*scale)(double* x, int64_t count, double factor);
  // x = cap tanh(x / cap); relative error of tanh below 8 units.
  void (*softcap)(double* x, int64_t count, double cap);
  // max of x; -inf where all are.
  double (*maximum)(const double* x, int64_t count);
  // p = exp(x - shift), x - shift <= 0; returns the sum. Relative error of exp below 4 units.
  double (*exponential)(const double* x, int64_t count, double shift, double* p);
  // o[r][c] += sum_j p[r][j] v[j][c] for `keys` rows of V, `columns` a multiple of kPanel; with
  // absolute and squares (or null) the sums of |p v| and (p v)^2.
  void (*accumulate)(const double* v, int64_t keys, int64_t columns, Quad p, Quad o,
                     const Quad* absolute, const Quad* squares);
  // E of every key of a row; counts are multiples of kPanel.
  ErrorSums (*errors)(const ErrorRow& row, int64_t count, const ErrorCoefficients& coefficients);
  // LongestMaximumChain of four rows of `count` scores, a multiple of 4. False where a chain is too
  // long for this way; then nothing is written.
  bool (*chains)(Quad score, int64_t count, int64_t* longest);
  // w[r][c] += sum_j weighted[r][j] |v - o|, f[r][c] += sum_j (spread[r][j] (v - o))^2.
  void (*spread)(const double* v, int64_t keys, int64_t columns, Quad weighted, Quad spread, Quad o,
                 Quad w, Quad f);
  // w[r][c] += sum_j weighted[r][j] |v - o|.
  void (*deviation)(const double* v, int64_t keys, int64_t columns, Quad weighted, Quad o, Quad w);
  // Least, greatest and absolute sum of each column over the listed rows of V, joined to the given.
  void (*hull)(const double* v, const int32_t* keys, int64_t count, int64_t columns, double* least,
               double* greatest, double* absolute);
};

// The lambda of the probabilistic bound.
inline constexpr double kLambda = 7;

// The best level this CPU has.
const Kernels& SelectKernels();

// Every level this CPU has, the baseline first.
struct KernelLevels {
  const Kernels* level[3];
  int count;
};
KernelLevels AvailableKernels();

namespace baseline {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_KERNELS_H_
