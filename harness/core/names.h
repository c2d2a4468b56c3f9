// SPDX-License-Identifier: Apache-2.0
//
// The words for the interface's numbers, as they stand in options, names and reports.
#ifndef ATTEST_HARNESS_CORE_NAMES_H_
#define ATTEST_HARNESS_CORE_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "attest/abi.h"

namespace attest {

// [B, H, L, d] or [B, L, H, d] in memory, dense or with gaps behind rows.
enum class Layout { kBnsh, kBsnh, kBnshPadded, kBsnhPadded };
inline constexpr int kLayoutCount = 4;

// What of a mask [B, H, Lq, Lk] is stored; the rest is broadcast.
enum class MaskShape {
  kShared,  // [Lq, Lk]: one for all batch entries and heads
  kHead,    // [H, Lq, Lk]
  kBatch,   // [B, Lq, Lk]
  kFull,    // [B, H, Lq, Lk]
  kKeys     // [B, Lk]: the same for every row of a batch entry, as padded sequences have it
};
inline constexpr int kMaskShapeCount = 5;

// Each throws std::invalid_argument for a number or word that has no counterpart.
std::string_view OpName(int32_t op);        // "sdpa", "self_attention"
std::string_view DtypeName(int32_t dtype);  // "f32", "f16", "bf16", "f64", "i64", "bool"
int32_t DtypeFromName(std::string_view name);
std::string_view FormatName(int32_t format);  // "none", "f64", "f32", "tf32", "f16", "bf16"
std::string_view MaskName(int32_t mask);      // "none", "boolean", "additive"
std::string_view StructureName(
    int32_t structure);                      // "full", "tied_qk", "parameter_free", "mean_pool"
std::string_view LayoutName(Layout layout);  // "bnsh", "bsnh", "bnsh_padded", "bsnh_padded"
std::string_view MaskShapeName(MaskShape shape);  // "shared", "head", "batch", "full", "keys"
std::string_view RoleName(int32_t role);          // "q", "k", ..., "out", "lse", "weights"
size_t DtypeBytes(int32_t dtype);
bool IsOutput(int32_t role);

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_NAMES_H_
