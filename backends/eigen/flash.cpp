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

// Eigen's kernel computes 4 query rows by 48 keys (AVX-512); S, K and V of a block stay in L2.
constexpr flash::BlockSizes kMostOfABlock = {128, 384};

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

  void Scores(const flash::Task& task, int64_t first, int64_t keys, const float* q, float* s) {
    const int64_t size = k_.shape[3];
    MultiplyTransposed({q, task.count, size, size},
                       RowsOf<Io>(k_, task.b, task.kv_head, first, keys, k_rows_),
                       {s, task.count, keys, keys});
  }

  void Accumulate(const flash::Task& task, int64_t first, int64_t keys, const float* p, float* o,
                  bool clear) {
    const int64_t size = v_.shape[3];
    if (clear) std::fill_n(o, task.count * size, 0.0f);
    MultiplyAdd({p, task.count, keys, keys},
                RowsOf<Io>(v_, task.b, task.kv_head, first, keys, v_rows_),
                {o, task.count, size, size});
  }

 private:
  int64_t block_keys_;
  AlignedBuffer<float> k_rows_;  // [block keys, head_size] where K cannot be used in place
  AlignedBuffer<float> v_rows_;
  attest_tensor k_{}, v_{};
};

}  // namespace

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool) {
  const flash::BlockSizes block =
      flash::BlockSizesFor(request.problem, pool.threads(), kMostOfABlock);
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
  const flash::BlockSizes block = flash::BlockSizesFor(request.problem, threads, kMostOfABlock);
  return threads * (flash::Scratch<float>::BytesOf(request.problem, block) +
                    WithIoType(request.problem.dtype, [&](auto io) {
                      return EigenProducts<decltype(io)>::BytesOf(request, block);
                    }));
}

}  // namespace attest::eigen
