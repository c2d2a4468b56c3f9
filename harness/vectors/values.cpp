// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "harness/core/convert.h"
#include "harness/core/names.h"
#include "harness/core/tensors.h"

namespace attest::vectors {
namespace {

constexpr int kKeyAxis = 3;

[[noreturn]] void RefuseMask(const Tensor& given, const attest_tensor& mask) {
  throw std::invalid_argument(fmt::format(
      "attn_mask of shape [{}] does not broadcast to [{}, {}, {}, {}]",
      fmt::join(given.shape, ", "), mask.shape[0], mask.shape[1], mask.shape[2], mask.shape[3]));
}

// The mask's extents along [B, H, Lq, Lk], 1 where it has no such axis.
std::array<int64_t, 4> AlignRight(const Tensor& given, const attest_tensor& mask) {
  std::array<int64_t, 4> extents = {1, 1, 1, 1};
  const size_t rank = given.shape.size();
  if (rank < 1 || rank > 4) RefuseMask(given, mask);
  for (size_t i = 0; i < rank; ++i) extents[4 - rank + i] = given.shape[i];
  for (int axis = 0; axis < kKeyAxis; ++axis)
    if (extents[axis] != 1 && extents[axis] != mask.shape[axis]) RefuseMask(given, mask);
  if (extents[kKeyAxis] > mask.shape[kKeyAxis]) RefuseMask(given, mask);
  return extents;
}

void Hide(std::vector<std::byte>& values, int32_t dtype, int64_t index) {
  if (dtype == ATTEST_BOOL)
    values[static_cast<size_t>(index)] = std::byte{0};
  else
    StoreElement(values.data(), dtype, index, -std::numeric_limits<double>::infinity());
}

}  // namespace

HeadSizes SizesOf(const Tensor& tensor, int64_t heads) {
  const auto& shape = tensor.shape;
  if (shape.size() == 4) return {shape[0], shape[1], shape[2], shape[3]};
  if (shape.size() != 3)
    throw std::invalid_argument(
        fmt::format("'{}' has {} axes, but must have 3 or 4", tensor.name, shape.size()));
  if (heads < 1 || shape[2] % heads != 0)
    throw std::invalid_argument(fmt::format("'{}' of shape [{}] cannot be split into {} heads",
                                            tensor.name, fmt::join(shape, ", "), heads));
  return {shape[0], heads, shape[1], shape[2] / heads};
}

int64_t HeadIndex(const Tensor& tensor, const HeadSizes& sizes, int64_t b, int64_t h, int64_t l,
                  int64_t c) {
  if (tensor.shape.size() == 3) return ((b * sizes.length + l) * sizes.heads + h) * sizes.size + c;
  return ((b * sizes.heads + h) * sizes.length + l) * sizes.size + c;
}

std::vector<std::byte> JoinHeads(const attest_tensor& described,
                                 const std::vector<const Tensor*>& parts) {
  const size_t bytes = DtypeBytes(described.dtype);
  std::vector<std::byte> values(described.extent_bytes);
  int64_t before = 0;
  for (const Tensor* part : parts) {
    const HeadSizes sizes = SizesOf(*part, described.shape[1]);
    for (int64_t b = 0; b < sizes.batch; ++b)
      for (int64_t h = 0; h < sizes.heads; ++h)
        for (int64_t l = 0; l < sizes.length; ++l) {
          const int64_t to = b * described.strides[0] + h * described.strides[1] +
                             (before + l) * described.strides[2];
          const int64_t from = HeadIndex(*part, sizes, b, h, l, 0);
          std::memcpy(values.data() + static_cast<size_t>(to) * bytes,
                      part->bytes.data() + static_cast<size_t>(from) * bytes,
                      static_cast<size_t>(sizes.size) * bytes);
        }
    before += sizes.length;
  }
  return values;
}

std::vector<std::byte> FillMask(const Tensor& given, attest_tensor& mask) {
  const std::array<int64_t, 4> extents = AlignRight(given, mask);
  const int64_t keys = mask.shape[kKeyAxis], given_keys = extents[kKeyAxis];
  int64_t stride = keys;
  mask.strides[kKeyAxis] = 1;
  for (int axis = kKeyAxis - 1; axis >= 0; --axis) {
    mask.strides[axis] = extents[axis] == 1 ? 0 : stride;
    stride *= extents[axis];
  }
  const size_t bytes = DtypeBytes(mask.dtype);
  mask.extent_bytes = static_cast<uint64_t>(stride) * bytes;
  std::vector<std::byte> values(mask.extent_bytes);
  for (int64_t row = 0; row < stride / keys; ++row) {
    std::memcpy(values.data() + static_cast<size_t>(row * keys) * bytes,
                given.bytes.data() + static_cast<size_t>(row * given_keys) * bytes,
                static_cast<size_t>(given_keys) * bytes);
    for (int64_t j = given_keys; j < keys; ++j) Hide(values, mask.dtype, row * keys + j);
  }
  return values;
}

}  // namespace attest::vectors
