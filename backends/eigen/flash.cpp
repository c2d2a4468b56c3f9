// SPDX-License-Identifier: Apache-2.0
//
// eigen:flash. The products of attest/flash.hpp by Eigen, on f32 rows; rows of other types are
// converted one block at a time.
#include "attest/flash.hpp"

#include <vector>

#include "gemm.h"
#include "plans.h"
#include "rows.h"

namespace attest::eigen {
namespace {

// Eigen packs K and V in every product, so blocks are tall, and works on 48 keys at a time. On a
// Xeon with AVX-512, 2 MiB of L2 and two threads that others used too, L = 2048: 512 x 192 is 0 to
// 5 % faster than 1024 x 192, 2048 x 192, 512 x 384 and 1024 x 384 with head sizes 40 to 128, and
// 256 or 384 rows are no faster. (On an idle EPYC with 1 MiB, 1024 x 192 was 1 to 5 % faster than
// 512.) Causal, parts of 32 to 64 rows are 3 to 10 % faster than 128 x 384 as a whole.
flash::BlockSizes BlockOf(const attest_problem& problem, unsigned threads) {
  return flash::BlockSizesFor(problem, threads, {512, 192, 1, 64});
}

template <typename Io>
class EigenProducts {
 public:
  using Operand = float;
  static constexpr int64_t kAlign = 1;

  EigenProducts(const Request& request, flash::BlockSizes block)
      : block_keys_(block.keys),
        k_rows_(ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys)),
        v_rows_(ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys)) {}

  static uint64_t BytesOf(const Request& request, flash::BlockSizes block) {
    return sizeof(float) *
           (ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_K), block.keys) +
            ScratchFloats<Io>(GetTensor(request.tensors, ATTEST_ROLE_V), block.keys));
  }

  void Bind(const attest_tensor& k, const attest_tensor& v) {
    k_ = k;
    v_ = v;
  }

  int64_t StepKeys(int64_t first, int64_t end) const { return std::min(block_keys_, end - first); }

  void Prepare(int64_t b, int64_t kv_head, int64_t first, int64_t keys) {
    step_k_ = RowsOf<Io>(k_, b, kv_head, first, keys, k_rows_);
    step_v_ = RowsOf<Io>(v_, b, kv_head, first, keys, v_rows_);
  }

  void Scores(int64_t rows, KeySpan keys, const float* q, float* s) const {
    const ConstMatrixView k = Of(step_k_, keys);
    MultiplyTransposed({q, rows, k.cols, k.cols}, k, {s, rows, k.rows, k.rows});
  }

  void Accumulate(int64_t rows, KeySpan keys, const float* p, float* o, bool clear) const {
    const ConstMatrixView v = Of(step_v_, keys);
    if (clear) std::fill_n(o, rows * v.cols, 0.0f);
    MultiplyAdd({p, rows, v.rows, v.rows}, v, {o, rows, v.cols, v.cols});
  }

 private:
  static ConstMatrixView Of(ConstMatrixView step, KeySpan keys) {
    return {step.data + keys.begin * step.stride, keys.end - keys.begin, step.cols, step.stride};
  }

  int64_t block_keys_;
  AlignedBuffer<float> k_rows_;  // [block keys, head_size] where K cannot be used in place
  AlignedBuffer<float> v_rows_;
  ConstMatrixView step_k_{}, step_v_{};
  attest_tensor k_{}, v_{};
};

}  // namespace

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool) {
  const flash::BlockSizes block = BlockOf(request.problem, pool.threads());
  PlanInfo info{"flash " + std::to_string(block.rows) + "x" + std::to_string(block.keys) + " (" +
                    EigenInstructionSets() + ")",
                FlashBytes(request, pool.threads()), 0};
  return WithIoType(request.problem.dtype, [&](auto io) -> std::unique_ptr<Plan> {
    using Io = decltype(io);
    std::vector<EigenProducts<Io>> products;
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      products.emplace_back(request, block);
    return std::make_unique<flash::FlashPlan<Io, EigenProducts<Io>>>(
        request, pool, block, std::move(products), std::move(info));
  });
}

uint64_t FlashBytes(const Request& request, unsigned threads) {
  const flash::BlockSizes block = BlockOf(request.problem, threads);
  return threads * (flash::Scratch<float>::BytesOf(request, block) +
                    WithIoType(request.problem.dtype, [&](auto io) {
                      return EigenProducts<decltype(io)>::BytesOf(request, block);
                    }));
}

}  // namespace attest::eigen
