// SPDX-License-Identifier: Apache-2.0
#include "operands.h"

#include <cmath>

#include "attest/half.hpp"
#include "attest/sdpa.hpp"
#include "formats.h"

namespace mutants {
namespace {

float Load(const attest_tensor& tensor, int64_t offset) {
  switch (tensor.dtype) {
    case ATTEST_F16:
      return attest::ToFloat(static_cast<const attest::Half*>(tensor.data)[offset]);
    case ATTEST_BF16:
      return attest::ToFloat(static_cast<const attest::Bfloat16*>(tensor.data)[offset]);
    case ATTEST_BOOL:
      return static_cast<const uint8_t*>(tensor.data)[offset];
  }
  return static_cast<const float*>(tensor.data)[offset];
}

// All elements of a tensor of rank 4, in logical order, each passed through `change`.
template <typename Change>
void Widen(const attest_tensor& tensor, std::vector<float>& dense, Change&& change) {
  auto next = dense.begin();
  for (int64_t b = 0; b < tensor.shape[0]; ++b)
    for (int64_t h = 0; h < tensor.shape[1]; ++h)
      for (int64_t i = 0; i < tensor.shape[2]; ++i)
        for (int64_t c = 0; c < tensor.shape[3]; ++c)
          *next++ = change(Load(tensor, b * tensor.strides[0] + h * tensor.strides[1] +
                                            i * tensor.strides[2] + c * tensor.strides[3]));
}

int32_t OperandFormat(const attest_problem& problem, const Mutant& mutant) {
  const bool single = problem.batch_size * problem.q_num_heads == 1;
  if (mutant.fault == Fault::kSingleHeadInBf16 && single) return ATTEST_FORMAT_BF16;
  if (mutant.fault == Fault::kHiddenTf32) return ATTEST_FORMAT_TF32;
  if (mutant.fault == Fault::kHiddenBf16) return ATTEST_FORMAT_BF16;
  return mutant.algorithm.operands;
}

int64_t MaskElements(const attest_problem& p) {
  if (p.attn_mask == ATTEST_MASK_NONE) return 0;
  return p.batch_size * p.q_num_heads * p.q_sequence_length * p.kv_sequence_length;
}

}  // namespace

Operands::Operands(const attest_problem& problem, const Mutant& mutant)
    : problem_(problem),
      format_(OperandFormat(problem, mutant)),
      factor_(mutant.algorithm.sqrt_scale ? static_cast<float>(std::sqrt(std::fabs(problem.scale)))
                                          : 1.0f),
      q_(problem.batch_size * problem.q_num_heads * problem.q_sequence_length * problem.head_size),
      k_(problem.batch_size * problem.kv_num_heads * problem.kv_sequence_length *
         problem.head_size),
      v_(problem.batch_size * problem.kv_num_heads * problem.kv_sequence_length *
         problem.v_head_size),
      mask_(MaskElements(problem)),
      lengths_(problem.batch_size) {}

uint64_t Operands::BytesOf(const attest_problem& p) {
  const int64_t query = p.q_num_heads * p.q_sequence_length * p.head_size;
  const int64_t key = p.kv_num_heads * p.kv_sequence_length * (p.head_size + p.v_head_size);
  return sizeof(float) * (p.batch_size * (query + key) + MaskElements(p));
}

void Operands::Read(attest::Tensors tensors) {
  const auto operand = [&](float value) { return RoundTo(format_, value * factor_); };
  Widen(attest::GetTensor(tensors, ATTEST_ROLE_Q), q_, operand);
  Widen(attest::GetTensor(tensors, ATTEST_ROLE_K), k_, operand);
  Widen(attest::GetTensor(tensors, ATTEST_ROLE_V), v_,
        [&](float value) { return RoundTo(format_, value); });
  if (!mask_.empty())
    Widen(attest::GetTensor(tensors, ATTEST_ROLE_MASK), mask_, [](float value) { return value; });
  const attest_tensor* lengths = attest::FindTensor(tensors, ATTEST_ROLE_KV_LENGTHS);
  for (int64_t b = 0; b < problem_.batch_size; ++b)
    lengths_[b] = attest::KvLength(problem_, lengths, b);
}

const float* Operands::Query(int64_t b, int64_t h, int64_t i) const {
  const int64_t row = (b * problem_.q_num_heads + h) * problem_.q_sequence_length + i;
  return &q_[row * problem_.head_size];
}

const float* Operands::Key(int64_t b, int64_t h, int64_t j) const {
  const int64_t row = (b * problem_.kv_num_heads + h) * problem_.kv_sequence_length + j;
  return &k_[row * problem_.head_size];
}

const float* Operands::Value(int64_t b, int64_t h, int64_t j) const {
  const int64_t row = (b * problem_.kv_num_heads + h) * problem_.kv_sequence_length + j;
  return &v_[row * problem_.v_head_size];
}

float Operands::MaskValue(int64_t b, int64_t h, int64_t i, int64_t j) const {
  const int64_t row = (b * problem_.q_num_heads + h) * problem_.q_sequence_length + i;
  return mask_[row * problem_.kv_sequence_length + j];
}

float Operands::Bias(int64_t b, int64_t h, int64_t i, int64_t j) const {
  return problem_.attn_mask == ATTEST_MASK_ADDITIVE ? MaskValue(b, h, i, j) : 0;
}

bool Operands::Attends(int64_t b, int64_t h, int64_t i, int64_t j) const {
  return problem_.attn_mask != ATTEST_MASK_BOOLEAN || MaskValue(b, h, i, j) != 0;
}

}  // namespace mutants
