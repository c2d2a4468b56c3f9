// SPDX-License-Identifier: Apache-2.0
//
// Tables of words; a number's place is its value in abi.h.
#include "harness/core/names.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <stdexcept>

namespace attest {
namespace {

using Words = std::span<const std::string_view>;

std::string_view Word(Words words, int64_t value, const char* what) {
  if (value < 0 || value >= static_cast<int64_t>(words.size()) || words[value].empty())
    throw std::invalid_argument(fmt::format("no {} has the number {}", what, value));
  return words[value];
}

constexpr std::array<std::string_view, 3> kOps = {"", "sdpa", "self_attention"};
constexpr std::array<std::string_view, 7> kDtypes = {"",    "f32", "f16", "bf16",
                                                     "f64", "i64", "bool"};
constexpr std::array<std::string_view, 6> kFormats = {"none", "f64", "f32", "tf32", "f16", "bf16"};
constexpr std::array<std::string_view, 3> kMasks = {"none", "boolean", "additive"};
constexpr std::array<std::string_view, 4> kStructures = {"full", "tied_qk", "parameter_free",
                                                         "mean_pool"};
constexpr std::array<std::string_view, kLayoutCount> kLayouts = {"bnsh", "bsnh", "bnsh_padded",
                                                                 "bsnh_padded"};
constexpr std::array<std::string_view, kMaskShapeCount> kMaskShapes = {"shared", "head", "batch",
                                                                       "full", "keys"};
constexpr std::array<std::string_view, 19> kRoles = {
    "",   "q",  "k",  "v",  "mask", "kv_lengths", "x",   "x_kv", "wq",     "wk",
    "wv", "wo", "bq", "bk", "bv",   "bo",         "out", "lse",  "weights"};
constexpr std::array<size_t, 7> kDtypeBytes = {0, 4, 2, 2, 8, 8, 1};

}  // namespace

std::string_view OpName(int32_t op) { return Word(kOps, op, "operation"); }
std::string_view DtypeName(int32_t dtype) { return Word(kDtypes, dtype, "element type"); }
std::string_view FormatName(int32_t format) { return Word(kFormats, format, "format"); }
std::string_view MaskName(int32_t mask) { return Word(kMasks, mask, "mask kind"); }
std::string_view StructureName(int32_t structure) {
  return Word(kStructures, structure, "structure");
}
std::string_view RoleName(int32_t role) { return Word(kRoles, role, "tensor role"); }
std::string_view LayoutName(Layout layout) {
  return Word(kLayouts, static_cast<int64_t>(layout), "memory layout");
}
std::string_view MaskShapeName(MaskShape shape) {
  return Word(kMaskShapes, static_cast<int64_t>(shape), "mask shape");
}

int32_t DtypeFromName(std::string_view name) {
  for (size_t i = 1; i < kDtypes.size(); ++i)
    if (kDtypes[i] == name) return static_cast<int32_t>(i);
  throw std::invalid_argument(
      fmt::format("'{}' is no element type: use f32, f16, bf16 or f64", name));
}

size_t DtypeBytes(int32_t dtype) {
  (void)DtypeName(dtype);
  return kDtypeBytes[dtype];
}

bool IsOutput(int32_t role) { return role >= ATTEST_ROLE_OUT; }

}  // namespace attest
