// SPDX-License-Identifier: Apache-2.0
//
// Bodies of the oracle's inner loops. Included once by each kernels_<level>.cpp, which names the
// namespace and sets the instruction set; no include guard for that reason. Everything has internal
// linkage: a function shared between levels could be the one of a level the CPU lacks.
#if defined(__FAST_MATH__)
#error "The oracle must not be compiled with -ffast-math: it would lose NaN and the order of sums."
#endif

#include "reference/kernels.h"

namespace attest::reference {
namespace ATTEST_KERNEL_LEVEL {
namespace {

constexpr int kLanes = ATTEST_KERNEL_LANES;
// Aligned to one element only, so that rows may start anywhere.
typedef double Vec __attribute__((vector_size(kLanes * 8), aligned(8), may_alias));
typedef long long Int __attribute__((vector_size(kLanes * 8), may_alias));
// Vectors per step: with four rows, eight accumulators fill but do not spill sixteen registers.
constexpr int kStep = 2;
constexpr int kSumLanes = 8;  // lanes of a sum over keys: the same on every level

inline Vec Load(const double* x) { return *reinterpret_cast<const Vec*>(x); }
inline void Store(double* x, Vec v) { *reinterpret_cast<Vec*>(x) = v; }
inline Vec Splat(double x) { return x - Vec{}; }
inline Vec Abs(Vec x) { return (Vec)((Int)x & 0x7fffffffffffffffLL); }
inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec Min(Vec a, Vec b) { return a < b ? a : b; }

// sum_k x^k / k! without its first term, |x| <= ln(2) / 2: 1e-17 relative truncation.
inline Vec ExpSeries(Vec x) {
  constexpr double kInverseFactorial[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
      1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
  Vec sum = Splat(kInverseFactorial[0]);
  for (int k = 1; k < 12; ++k) sum = sum * x + kInverseFactorial[k];
  return x + x * x * sum;
}

inline Vec PowerOfTwo(Int exponent) { return (Vec)((exponent + 1023) << 52); }

// exp for x <= 700. Cody and Waite's reduction x = n ln 2 + r with ln 2 in two parts, the first
// short enough for n times it to be exact.
inline Vec Exp(Vec x) {
  constexpr double kRound = 0x1.8p52;
  x = x < -760.0 ? Splat(-760.0) : x;
  const Vec shifted = x * 0x1.71547652b82fep0 + kRound;
  const Int n = (Int)shifted - (Int)Splat(kRound);
  const Vec whole = shifted - kRound;
  const Vec r = (x - whole * 0x1.62e42fee00000p-1) - whole * 0x1.a39ef35793c76p-33;
  const Int half = (Int)(((n + 4096) & 0x3ffeLL) >> 1) - 2048;  // floor(n / 2)
  // Two factors, so that a subnormal result is rounded once and not lost.
  return (ExpSeries(r) + 1.0) * PowerOfTwo(half) * PowerOfTwo(n - half);
}

inline Vec ExpMinusOne(Vec x) { return Abs(x) < 0.34 ? ExpSeries(x) : Exp(x) - 1.0; }

template <bool kAbsolute, bool kSquares>
inline __attribute__((always_inline)) void DotPanels(const double* k, int64_t panels,
                                                     int64_t head_size, const double* q, Quad out,
                                                     const Quad* absolute, const Quad* squares) {
  constexpr int kWidth = kAbsolute || kSquares ? 1 : kStep;
  for (int64_t j = 0; j < panels * kPanel; j += kWidth * kLanes) {
    const double* panel = k + (j / kPanel) * kPanel * head_size + j % kPanel;
    Vec sum[kQuad][kWidth] = {}, sum_abs[kQuad][kWidth] = {}, sum_sq[kQuad][kWidth] = {};
    for (int64_t t = 0; t < head_size; ++t) {
      for (int u = 0; u < kWidth; ++u) {
        const Vec key = Load(panel + t * kPanel + u * kLanes);
        for (int r = 0; r < kQuad; ++r) {
          const Vec product = key * q[t * kQuad + r];
          sum[r][u] += product;
          if (kAbsolute) sum_abs[r][u] += Abs(product);
          if (kSquares) sum_sq[r][u] += product * product;
        }
      }
    }
    for (int r = 0; r < kQuad; ++r) {
      for (int u = 0; u < kWidth; ++u) {
        Store(out.row[r] + j + u * kLanes, sum[r][u]);
        if (kAbsolute) Store(absolute->row[r] + j + u * kLanes, sum_abs[r][u]);
        if (kSquares) Store(squares->row[r] + j + u * kLanes, sum_sq[r][u]);
      }
    }
  }
}

void Dot(const double* k, int64_t panels, int64_t head_size, const double* q, Quad out,
         const Quad* absolute, const Quad* squares) {
  if (absolute == nullptr) {
    DotPanels<false, false>(k, panels, head_size, q, out, nullptr, nullptr);
  } else if (squares == nullptr) {
    DotPanels<true, false>(k, panels, head_size, q, out, absolute, nullptr);
  } else {
    DotPanels<true, true>(k, panels, head_size, q, out, absolute, squares);
  }
}

void Scale(double* x, int64_t count, double factor) {
  for (int64_t j = 0; j < count; j += kLanes) Store(x + j, Load(x + j) * factor);
}

// tanh y = -e / (2 + e) with e = exp(-2 y) - 1, y >= 0: no cancellation near 0.
void Softcap(double* x, int64_t count, double cap) {
  for (int64_t j = 0; j < count; j += kLanes) {
    const Vec y = Load(x + j) / cap;
    const Vec e = ExpMinusOne(Abs(y) * -2.0);
    const Vec magnitude = e / (e + 2.0) * -cap;
    Store(x + j, y < 0.0 ? -magnitude : magnitude);
  }
}

double Maximum(const double* x, int64_t count) {
  Vec best = Splat(-__builtin_inf());
  for (int64_t j = 0; j < count; j += kLanes) best = Max(Load(x + j), best);
  double m = best[0];
  for (int l = 1; l < kLanes; ++l) m = best[l] > m ? best[l] : m;
  return m;
}

// Adds lane by lane in an order that does not depend on the vector length.
inline double SumLanes(const Vec* sums) {
  double total = 0;
  for (int n = 0; n < kSumLanes; ++n) total += sums[n / kLanes][n % kLanes];
  return total;
}

double Exponential(const double* x, int64_t count, double shift, double* p) {
  Vec sums[kSumLanes / kLanes] = {};
  for (int64_t j = 0; j < count; j += kSumLanes) {
    for (int u = 0; u < kSumLanes / kLanes; ++u) {
      const Vec e = Exp(Load(x + j + u * kLanes) - shift);
      Store(p + j + u * kLanes, e);
      sums[u] += e;
    }
  }
  return SumLanes(sums);
}

template <bool kAbsolute, bool kSquares>
inline __attribute__((always_inline)) void AccumulateColumns(const double* v, int64_t keys,
                                                             int64_t columns, Quad p, Quad o,
                                                             const Quad* absolute,
                                                             const Quad* squares) {
  constexpr int kWidth = kAbsolute || kSquares ? 1 : kStep;
  for (int64_t c = 0; c < columns; c += kWidth * kLanes) {
    Vec sum[kQuad][kWidth], sum_abs[kQuad][kWidth] = {}, sum_sq[kQuad][kWidth] = {};
    for (int r = 0; r < kQuad; ++r) {
      for (int u = 0; u < kWidth; ++u) {
        sum[r][u] = Load(o.row[r] + c + u * kLanes);
        if (kAbsolute) sum_abs[r][u] = Load(absolute->row[r] + c + u * kLanes);
        if (kSquares) sum_sq[r][u] = Load(squares->row[r] + c + u * kLanes);
      }
    }
    for (int64_t j = 0; j < keys; ++j) {
      for (int u = 0; u < kWidth; ++u) {
        const Vec value = Load(v + j * columns + c + u * kLanes);
        for (int r = 0; r < kQuad; ++r) {
          const Vec product = value * p.row[r][j];
          sum[r][u] += product;
          if (kAbsolute) sum_abs[r][u] += Abs(product);
          if (kSquares) sum_sq[r][u] += product * product;
        }
      }
    }
    for (int r = 0; r < kQuad; ++r) {
      for (int u = 0; u < kWidth; ++u) {
        Store(o.row[r] + c + u * kLanes, sum[r][u]);
        if (kAbsolute) Store(absolute->row[r] + c + u * kLanes, sum_abs[r][u]);
        if (kSquares) Store(squares->row[r] + c + u * kLanes, sum_sq[r][u]);
      }
    }
  }
}

void Accumulate(const double* v, int64_t keys, int64_t columns, Quad p, Quad o,
                const Quad* absolute, const Quad* squares) {
  if (absolute == nullptr) {
    AccumulateColumns<false, false>(v, keys, columns, p, o, nullptr, nullptr);
  } else if (squares == nullptr) {
    AccumulateColumns<true, false>(v, keys, columns, p, o, absolute, nullptr);
  } else {
    AccumulateColumns<true, true>(v, keys, columns, p, o, absolute, squares);
  }
}

// sqrt by the hardware's correctly rounded instruction, lane by lane for the compiler to join.
inline Vec Sqrt(Vec x) {
  Vec root;
  for (int l = 0; l < kLanes; ++l) root[l] = __builtin_sqrt(x[l]);
  return root;
}

// E and lambda sigma_E of one row, cut off at kLargest, 0 where masked. Returns the greater of
// their maxima in `any`, and the largest E.
struct LargestErrors {
  double e, any;
};

inline double LargestLane(Vec x) {
  double largest = x[0];
  for (int l = 1; l < kLanes; ++l) largest = x[l] > largest ? x[l] : largest;
  return largest;
}

template <bool kMoved>
LargestErrors RelativeErrors(const ErrorRow& row, int64_t count, const ErrorCoefficients& k) {
  // exp(100) already makes every bound useless, and leaves room for sums without infinities.
  constexpr double kLargest = 100;
  Vec largest_e = {}, largest_sigma = {};
  for (int64_t j = 0; j < count; j += kLanes) {
    const Vec score = Load(row.score + j), product = Load(row.product + j);
    const Vec raw = Abs(Load(row.raw + j)), size = Abs(score), below = Abs(score - k.maximum);
    const Int masked = score == -__builtin_inf();
    Vec e = product * k.product + raw * k.raw + size * k.score + below * k.shifted + k.constant;
    const Vec variance = product * product * k.product2 + raw * raw * k.raw2 +
                         size * size * k.score2 + below * below * k.shifted2 + k.constant2;
    if (kMoved) e += Load(row.moved + j) * k.moved;
    e = masked ? Vec{} : (e > kLargest ? Splat(kLargest) : e);
    Vec sigma = Sqrt(masked ? Vec{} : variance) * kLambda;
    sigma = sigma > kLargest ? Splat(kLargest) : sigma;
    Store(row.weighted + j, e);
    Store(row.spread + j, sigma);
    largest_e = Max(e, largest_e);
    largest_sigma = Max(sigma, largest_sigma);
  }
  return {LargestLane(largest_e), LargestLane(Max(largest_e, largest_sigma))};
}

// exp(x) - 1 for 0 <= x <= 2^-10 up to 1e-14 of it.
inline Vec ShortExpMinusOne(Vec x) { return x + x * x * ((x * (1.0 / 24) + 1.0 / 6) * x + 0.5); }

template <bool kShort>
inline __attribute__((always_inline)) double WeightErrors(const ErrorRow& row, int64_t count) {
  Vec rho[kSumLanes / kLanes] = {};
  for (int64_t j = 0; j < count; j += kSumLanes) {
    for (int u = 0; u < kSumLanes / kLanes; ++u) {
      const int64_t n = j + u * kLanes;
      const Vec e = Load(row.weighted + n), sigma = Load(row.spread + n), p = Load(row.p + n);
      const Vec relative = kShort ? ShortExpMinusOne(e) : ExpMinusOne(e);
      const Vec likely = kShort ? ShortExpMinusOne(sigma) : ExpMinusOne(sigma);
      Store(row.weighted + n, p * relative);
      Store(row.spread + n, p * likely * (1 / kLambda));
      if (row.relative != nullptr) Store(row.relative + n, relative);
      rho[u] += p * relative;
    }
  }
  return SumLanes(rho);
}

ErrorSums Errors(const ErrorRow& row, int64_t count, const ErrorCoefficients& k) {
  const LargestErrors largest = row.moved != nullptr ? RelativeErrors<true>(row, count, k)
                                                     : RelativeErrors<false>(row, count, k);
  const bool is_short = largest.any <= 0x1p-10;
  const double rho = is_short ? WeightErrors<true>(row, count) : WeightErrors<false>(row, count);
  return {rho, largest.e};
}

// The stacks of chains.cpp, one per lane: four rows, each read in both directions. Where a lane's
// new score covers the stack from level k on, it becomes level k and the rest is emptied.
bool Chains(Quad score, int64_t count, int64_t* longest) {
  constexpr double kEmpty = -__builtin_inf();
  constexpr int kDepth = 40;
  constexpr int kKeys =
      4;  // keys between two looks at the height, which they can raise by one each
  constexpr int kParts = 2 * kQuad / kLanes;
  Vec level[kDepth][kParts];
  for (auto& part : level) {
    for (Vec& lanes : part) lanes = Splat(kEmpty);
  }
  Int highest[kParts] = {};
  int64_t used = 0;
  for (int64_t start = 0; start < count; start += kKeys) {
    const int64_t depth = used + kKeys;
    if (depth > kDepth) return false;
    used = 0;
    Int height[kParts];
    for (int64_t j = start; j < start + kKeys; ++j) {
      for (int u = 0; u < kParts; ++u) {
        Vec s;
        for (int l = 0; l < kLanes; ++l) {
          const int lane = u * kLanes + l;
          s[l] = score.row[lane % kQuad][lane < kQuad ? j : count - 1 - j];
        }
        Int kept_above = Int{} - 1, kept_count = {};
        for (int64_t k = 0; k < depth; ++k) {
          const Vec e = level[k][u];
          const Int kept = e > s;
          level[k][u] = kept ? e : (kept_above ? s : Splat(kEmpty));
          kept_above = kept;
          kept_count -= kept;
        }
        height[u] = kept_count - (Int)(s > kEmpty);
        highest[u] = height[u] > highest[u] ? height[u] : highest[u];
      }
    }
    for (int lane = 0; lane < 2 * kQuad; ++lane) {
      const int64_t h = height[lane / kLanes][lane % kLanes];
      used = h > used ? h : used;
    }
  }
  for (int r = 0; r < kQuad; ++r) {
    const int64_t forward = highest[r / kLanes][r % kLanes];
    const int64_t backward = highest[(r + kQuad) / kLanes][(r + kQuad) % kLanes];
    longest[r] = forward > backward ? forward : backward;
  }
  return true;
}

void Spread(const double* v, int64_t keys, int64_t columns, Quad weighted, Quad spread, Quad o,
            Quad w, Quad f) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec center[kQuad], sum_w[kQuad], sum_f[kQuad];
    for (int r = 0; r < kQuad; ++r) {
      center[r] = Load(o.row[r] + c);
      sum_w[r] = Load(w.row[r] + c);
      sum_f[r] = Load(f.row[r] + c);
    }
    for (int64_t j = 0; j < keys; ++j) {
      const Vec value = Load(v + j * columns + c);
      for (int r = 0; r < kQuad; ++r) {
        const Vec distance = value - center[r];
        const Vec part = distance * spread.row[r][j];
        sum_w[r] += Abs(distance) * weighted.row[r][j];
        sum_f[r] += part * part;
      }
    }
    for (int r = 0; r < kQuad; ++r) {
      Store(w.row[r] + c, sum_w[r]);
      Store(f.row[r] + c, sum_f[r]);
    }
  }
}

void Deviation(const double* v, int64_t keys, int64_t columns, Quad weighted, Quad o, Quad w) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec center[kQuad], sum[kQuad];
    for (int r = 0; r < kQuad; ++r) {
      center[r] = Load(o.row[r] + c);
      sum[r] = Load(w.row[r] + c);
    }
    for (int64_t j = 0; j < keys; ++j) {
      const Vec value = Load(v + j * columns + c);
      for (int r = 0; r < kQuad; ++r) sum[r] += Abs(value - center[r]) * weighted.row[r][j];
    }
    for (int r = 0; r < kQuad; ++r) Store(w.row[r] + c, sum[r]);
  }
}

void Hull(const double* v, const int32_t* keys, int64_t count, int64_t columns, double* least,
          double* greatest, double* absolute) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec low = Load(least + c), high = Load(greatest + c), sum = Load(absolute + c);
    for (int64_t n = 0; n < count; ++n) {
      const Vec value = Load(v + keys[n] * columns + c);
      low = Min(value, low);
      high = Max(value, high);
      sum += Abs(value);
    }
    Store(least + c, low);
    Store(greatest + c, high);
    Store(absolute + c, sum);
  }
}

}  // namespace

const Kernels kKernels = {Dot,    Scale,  Softcap, Maximum,   Exponential, Accumulate,
                          Errors, Chains, Spread,  Deviation, Hull};

}  // namespace ATTEST_KERNEL_LEVEL
}  // namespace attest::reference
