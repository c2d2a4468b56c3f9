// SPDX-License-Identifier: Apache-2.0
//
// Scaled dot-product attention, one warp per query row and per 128 value columns: online softmax
// over 32 keys at a time (a lane computes one key's score), sums of 4 columns a lane in registers.
// f32 arithmetic on f32, f16 or bf16 io, expf (no fast math). No memory beyond the tensors, any
// length, head size and stride; head sizes of V above 128 compute the scores again per 128 columns.
// Masked keys are not read, so NaN there stays there.
//
// No tiles, no shared memory, no tensor cores: K is read uncoalesced and by every row again. The
// readable yardstick, not a fast kernel.
#include "elements.cuh"

namespace attest::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kWarpsPerBlock = 4;
constexpr int kColumnsPerLane = 4;
constexpr int kColumns = kWarp * kColumnsPerLane;
constexpr unsigned kAllLanes = 0xffffffffu;

// -inf where the mask hides key j; then neither Q nor K is read.
template <typename Io>
__device__ float Score(const SdpaShape& shape, const SdpaPointers& tensors, const Row& r,
                       int64_t j) {
  const float bias = MaskBias<Io>(shape, tensors.mask, r, j);
  if (bias == -INFINITY) return bias;
  const Io* q = static_cast<const Io*>(tensors.q) + Offset(shape.q, r.b, r.h, r.i, 0);
  const Io* k = static_cast<const Io*>(tensors.k) + Offset(shape.k, r.b, KvHead(shape, r.h), j, 0);
  float sum = 0.0f;
  for (int64_t c = 0; c < shape.head_size; ++c)
    sum += ToFloat(q[c * shape.q.c]) * ToFloat(k[c * shape.k.c]);
  return Softcapped(shape, shape.scale * sum) + bias;
}

// sums[t] += p of each visible lane times that key's V, for this lane's columns.
template <typename Io>
__device__ void AddValues(const SdpaShape& shape, const SdpaPointers& tensors, const Row& r,
                          int64_t first_key, unsigned visible, float p, int64_t column,
                          float (&sums)[kColumnsPerLane]) {
  for (int lane = 0; lane < kWarp; ++lane) {
    if (!(visible >> lane & 1u)) continue;
    const float weight = __shfl_sync(kAllLanes, p, lane);
    const Io* v = static_cast<const Io*>(tensors.v) +
                  Offset(shape.v, r.b, KvHead(shape, r.h), first_key + lane, 0);
#pragma unroll
    for (int t = 0; t < kColumnsPerLane; ++t) {
      const int64_t c = column + t * kWarp;
      if (c < shape.v_head_size) sums[t] += weight * ToFloat(v[c * shape.v.c]);
    }
  }
}

// LSE and WEIGHTS of a row whose scores have maximum m and sum of exponentials l.
template <typename Io>
__device__ void WriteExtras(const SdpaShape& shape, const SdpaPointers& tensors, const Row& r,
                            const KeyRange& keys, int lane, float m, float l) {
  const bool dead = l == 0.0f;
  if (tensors.lse != nullptr && lane == 0)
    tensors.lse[Offset(shape.lse, r.b, r.h, r.i, 0)] = dead ? -INFINITY : m + logf(l);
  if (tensors.weights == nullptr) return;
  for (int64_t j = lane; j < shape.kv_sequence_length; j += kWarp) {
    const bool visible = !dead && j >= keys.begin && j < keys.end;
    const float s = visible ? Score<Io>(shape, tensors, r, j) : -INFINITY;
    Assign(static_cast<Io*>(tensors.weights)[Offset(shape.weights, r.b, r.h, r.i, j)],
           s == -INFINITY ? 0.0f : expf(s - m) / l);
  }
}

template <typename Io>
__global__ void __launch_bounds__(kWarp* kWarpsPerBlock)
    NaiveKernel(const __grid_constant__ SdpaShape shape,
                const __grid_constant__ SdpaPointers tensors) {
  const int lane = threadIdx.x % kWarp;
  const int64_t row = int64_t{blockIdx.x} * kWarpsPerBlock + threadIdx.x / kWarp;
  if (row >= RowCount(shape)) return;  // the whole warp
  const Row r = RowOf(shape, row);
  const KeyRange keys = VisibleKeys(shape, r.i, KvLength(shape, tensors, r.b));
  const int64_t column = int64_t{blockIdx.y} * kColumns + lane;

  float m = -INFINITY;  // largest score so far
  float l = 0.0f;       // sum of exp(score - m) so far
  float sums[kColumnsPerLane] = {};
  for (int64_t first = keys.begin; first < keys.end; first += kWarp) {
    const bool in_range = first + lane < keys.end;
    const float score = in_range ? Score<Io>(shape, tensors, r, first + lane) : -INFINITY;
    const unsigned visible = __ballot_sync(kAllLanes, score != -INFINITY);
    if (visible == 0) continue;
    const float top = fmaxf(m, WarpMax(score));
    const float rescale = expf(m - top);
    const float p = score == -INFINITY ? 0.0f : expf(score - top);
    l = l * rescale + WarpSum(p);
    m = top;
#pragma unroll
    for (int t = 0; t < kColumnsPerLane; ++t) sums[t] *= rescale;
    AddValues<Io>(shape, tensors, r, first, visible, p, column, sums);
  }

  Io* out = static_cast<Io*>(tensors.out) + Offset(shape.out, r.b, r.h, r.i, 0);
#pragma unroll
  for (int t = 0; t < kColumnsPerLane; ++t) {
    const int64_t c = column + t * kWarp;
    if (c < shape.v_head_size) Assign(out[c * shape.out.c], l == 0.0f ? 0.0f : sums[t] / l);
  }
  if (blockIdx.y == 0) WriteExtras<Io>(shape, tensors, r, keys, lane, m, l);
}

template <typename Io>
cudaError_t Launch(const SdpaShape& shape, const SdpaPointers& tensors, cudaStream_t stream) {
  const int64_t blocks = (RowCount(shape) + kWarpsPerBlock - 1) / kWarpsPerBlock;
  const int64_t chunks = (shape.v_head_size + kColumns - 1) / kColumns;
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks));
  NaiveKernel<Io><<<grid, kWarp * kWarpsPerBlock, 0, stream>>>(shape, tensors);
  return cudaGetLastError();
}

}  // namespace

cudaError_t LaunchNaive(int32_t dtype, const SdpaShape& shape, const SdpaPointers& tensors,
                        cudaStream_t stream) {
  if (dtype == ATTEST_F16) return Launch<__half>(shape, tensors, stream);
  if (dtype == ATTEST_BF16) return Launch<__nv_bfloat16>(shape, tensors, stream);
  return Launch<float>(shape, tensors, stream);
}

cudaError_t ProbeKernels() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, NaiveKernel<float>);
}

}  // namespace attest::cuda
