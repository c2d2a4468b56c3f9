// SPDX-License-Identifier: Apache-2.0
#include "harm.h"

#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "attest/half.hpp"

namespace mutants {
namespace {

size_t ElementBytes(const attest_tensor& tensor) { return tensor.dtype == ATTEST_F32 ? 4 : 2; }

unsigned char* At(const attest_tensor& tensor, int64_t offset) {
  return static_cast<unsigned char*>(tensor.data) +
         offset * static_cast<int64_t>(ElementBytes(tensor));
}

// Towards zero: what a conversion gives that cuts the mantissa off.
float Truncate(double value) {
  const float nearest = static_cast<float>(value);
  return std::fabs(static_cast<double>(nearest)) > std::fabs(value) ? std::nextafter(nearest, 0.0f)
                                                                    : nearest;
}

using Shape = std::vector<int64_t>;
Shape ShapeOf(const attest_problem& p) {
  return {p.dtype,     p.batch_size,         p.q_num_heads, p.kv_num_heads, p.q_sequence_length,
          p.is_causal, p.kv_sequence_length, p.head_size,   p.v_head_size};
}
std::map<Shape, std::vector<unsigned char>>& Cache() {
  static std::map<Shape, std::vector<unsigned char>> cache;
  return cache;
}

void ScaleElement(const attest_tensor& out, int64_t offset, float factor) {
  if (out.dtype == ATTEST_F32) {
    static_cast<float*>(out.data)[offset] *= factor;
  } else if (out.dtype == ATTEST_F16) {
    auto& value = static_cast<attest::Half*>(out.data)[offset];
    value = attest::ToHalf(attest::ToFloat(value) * factor);
  } else {
    auto& value = static_cast<attest::Bfloat16*>(out.data)[offset];
    value = attest::ToBfloat16(attest::ToFloat(value) * factor);
  }
}

// Row 1 becomes row 0, of the last batch entry and head.
void CopyRow(const attest_problem& problem, const attest_tensor& out) {
  const int64_t first =
      (problem.batch_size - 1) * out.strides[0] + (problem.q_num_heads - 1) * out.strides[1];
  if (problem.q_sequence_length < 2) return;
  for (int64_t c = 0; c < problem.v_head_size; ++c)
    std::memcpy(At(out, first + out.strides[2] + c * out.strides[3]),
                At(out, first + c * out.strides[3]), ElementBytes(out));
}

// The last bits of the first row count the calls, as an atomic sum's do by chance.
void ChangeLastBits(const attest_problem& problem, const attest_tensor& out) {
  static unsigned char calls = 0;
  ++calls;
  for (int64_t c = 0; c < problem.v_head_size; ++c) *At(out, c * out.strides[3]) ^= calls & 3;
}

}  // namespace

bool SkipsRow(const Mutant& mutant, const attest_problem& problem, int64_t i) {
  return mutant.fault == Fault::kPartialTileUnwritten && i >= problem.q_sequence_length / 16 * 16;
}

void StoreOutput(const Mutant& mutant, double value, const attest_tensor& out, int64_t offset) {
  const float nearest = static_cast<float>(value);
  if (out.dtype == ATTEST_F16)
    static_cast<attest::Half*>(out.data)[offset] = attest::ToHalf(nearest);
  else if (out.dtype == ATTEST_BF16)
    static_cast<attest::Bfloat16*>(out.data)[offset] = attest::ToBfloat16(nearest);
  else
    static_cast<float*>(out.data)[offset] =
        mutant.fault == Fault::kTruncated ? Truncate(value) : nearest;
}

bool AnswerFromCache(const attest_problem& problem, const attest_tensor& out) {
  const auto found = Cache().find(ShapeOf(problem));
  if (found == Cache().end() || found->second.size() != out.extent_bytes) return false;
  std::memcpy(out.data, found->second.data(), out.extent_bytes);
  return true;
}

void KeepInCache(const attest_problem& problem, const attest_tensor& out) {
  const unsigned char* data = At(out, 0);
  Cache()[ShapeOf(problem)].assign(data, data + out.extent_bytes);
}

void HarmAfter(const Mutant& mutant, const attest_problem& problem, const attest_tensor& out,
               const attest_tensor& k) {
  switch (mutant.fault) {
    case Fault::kOneElementOff:
      return ScaleElement(out, 0, 1.05f);
    case Fault::kRowCopied:
      return CopyRow(problem, out);
    case Fault::kWritesPastEnd:
      *const_cast<volatile unsigned char*>(At(out, 0) + out.extent_bytes) = 1;
      return;
    case Fault::kWritesGaps:
      if (out.strides[2] > out.shape[3])
        *const_cast<volatile unsigned char*>(At(out, out.shape[3])) = 1;
      return;
    case Fault::kWritesKeys:
      *const_cast<volatile unsigned char*>(At(k, 0)) = 0;
      return;
    case Fault::kNondeterministicRow:
      return ChangeLastBits(problem, out);
    default:
      return;
  }
}

}  // namespace mutants
