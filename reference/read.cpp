// SPDX-License-Identifier: Apache-2.0
//
// Element types and strides are dealt with here and nowhere else in the oracle.
#include "reference/read.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace attest::reference {
namespace {

[[noreturn]] void Refuse(int32_t role, const std::string& why) {
  throw std::invalid_argument("tensor of role " + std::to_string(role) + " " + why);
}

template <typename Element, typename Convert>
void ReadStrided(const attest_tensor& tensor, int64_t offset, int64_t first, int64_t last,
                 double* out, Convert convert) {
  const Element* data = static_cast<const Element*>(tensor.data) + offset;
  const int64_t stride = tensor.strides[3];
  for (int64_t n = first; n < last; ++n) out[n - first] = convert(data[n * stride]);
}

int64_t RowOffset(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i) {
  return b * tensor.strides[0] + h * tensor.strides[1] + i * tensor.strides[2];
}

}  // namespace

const attest_tensor& RequireTensor(Tensors tensors, int32_t role, int32_t dtype,
                                   std::span<const int64_t> shape) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [role](const attest_tensor* t) {
    return t != nullptr && t->role == role;
  });
  if (found == tensors.end()) Refuse(role, "is missing: the problem needs it");
  const attest_tensor& tensor = **found;
  if (tensor.dtype != dtype) {
    Refuse(role, "has element type " + std::to_string(tensor.dtype) + ", the problem says " +
                     std::to_string(dtype));
  }
  if (tensor.rank != static_cast<int32_t>(shape.size()) ||
      !std::equal(shape.begin(), shape.end(), tensor.shape)) {
    Refuse(role, "has another rank or shape than the problem says");
  }
  if (tensor.data == nullptr) Refuse(role, "has no data");
  return tensor;
}

double HalfToDouble(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  if (exponent == 0) return sign * fraction * 0x1p-24;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  // 1023 - 15 re-biases the exponent; 52 - 10 aligns the fraction.
  const uint64_t wide =
      (static_cast<uint64_t>(exponent + 1008) << 52) | (static_cast<uint64_t>(fraction) << 42);
  return sign * std::bit_cast<double>(wide);
}

double BfloatToDouble(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

void ReadRow(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i, int64_t first,
             int64_t last, double* out) {
  const int64_t offset = RowOffset(tensor, b, h, i);
  switch (tensor.dtype) {
    case ATTEST_F32:
      return ReadStrided<float>(tensor, offset, first, last, out, [](float x) { return x; });
    case ATTEST_F64:
      return ReadStrided<double>(tensor, offset, first, last, out, [](double x) { return x; });
    case ATTEST_F16:
      return ReadStrided<uint16_t>(tensor, offset, first, last, out, HalfToDouble);
    case ATTEST_BF16:
      return ReadStrided<uint16_t>(tensor, offset, first, last, out, BfloatToDouble);
    default:
      Refuse(tensor.role, "has no floating-point element type");
  }
}

const uint8_t* BoolRow(const attest_tensor& tensor, int64_t b, int64_t h, int64_t i) {
  return static_cast<const uint8_t*>(tensor.data) + RowOffset(tensor, b, h, i);
}

}  // namespace attest::reference
