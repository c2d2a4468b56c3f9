// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/masked_nan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "harness/core/convert.h"
#include "harness/judge/visibility.h"

#ifdef __FAST_MATH__
#error "the verifier must not be compiled with fast-math: NaN and rounding are its business"
#endif

namespace attest::judge {
namespace {

// seen[j] = 1 where some row of a query head that reads the kv head sees key j.
std::vector<uint8_t> SeenKeys(const attest_problem& p, const Visibility& visibility, int64_t b,
                              int64_t kv_head) {
  std::vector<uint8_t> seen(static_cast<size_t>(p.kv_sequence_length), 0), flags;
  const int64_t sharing = p.q_num_heads / p.kv_num_heads;
  const int64_t heads = visibility.differs_by_head() ? sharing : 1;
  for (int64_t h = kv_head * sharing; h < kv_head * sharing + heads; ++h)
    for (int64_t i = 0; i < p.q_sequence_length; ++i) {
      const KeyRange range = visibility.RangeOf(b, i);
      if (visibility.masked()) (void)visibility.Row(b, h, i, flags);
      for (int64_t j = range.first; j < range.last; ++j)
        seen[static_cast<size_t>(j)] |= visibility.masked() ? flags[static_cast<size_t>(j)] : 1;
    }
  return seen;
}

struct Hidden {
  int64_t batch, kv_head, key;
};

std::vector<Hidden> HiddenKeys(const attest_problem& p, const Visibility& visibility) {
  std::vector<Hidden> hidden;
  for (int64_t b = 0; b < p.batch_size; ++b)
    for (int64_t h = 0; h < p.kv_num_heads; ++h) {
      const std::vector<uint8_t> seen = SeenKeys(p, visibility, b, h);
      for (int64_t j = 0; j < p.kv_sequence_length; ++j)
        if (seen[static_cast<size_t>(j)] == 0) hidden.push_back({b, h, j});
    }
  return hidden;
}

// The tensor of set 0 with NaN at the hidden keys.
Buffer Planted(const InputBuffer& source, attest_tensor tensor, const std::vector<Hidden>& hidden) {
  Buffer buffer(source.buffer.bytes());
  std::memcpy(buffer.data(), source.buffer.data(), source.buffer.bytes());
  tensor.data = buffer.data();
  for (const Hidden& at : hidden)
    for (int64_t c = 0; c < tensor.shape[3]; ++c)
      StoreElement(tensor.data, tensor.dtype, OffsetOf(tensor, at.batch, at.kv_head, at.key, c),
                   std::numeric_limits<double>::quiet_NaN());
  buffer.Seal();
  return buffer;
}

int64_t CountNan(const attest_tensor& tensor) {
  std::vector<std::byte> bytes;
  AppendElements(tensor, bytes);
  const auto count = static_cast<int64_t>(bytes.size() / DtypeBytes(tensor.dtype));
  int64_t nan = 0;
  for (int64_t at = 0; at < count; ++at) nan += IsNan(LoadElement(bytes.data(), tensor.dtype, at));
  return nan;
}

}  // namespace

void PlantMaskedNan(CellData& data) {
  const attest_problem& p = data.cell.problem;
  MaskedNan& result = data.masked_nan;
  if (p.op != ATTEST_OP_SDPA) {
    result.reason = "Q, K and V are no inputs of this operation";
    return;
  }
  const auto tensors = InputTensors(data, 0);
  const std::vector<Hidden> hidden = HiddenKeys(p, Visibility(p, Pointers(tensors)));
  result.keys = static_cast<int64_t>(hidden.size());
  if (hidden.empty()) {
    result.reason = "every key is seen by some row";
    return;
  }
  const size_t sources = data.inputs.size();
  for (size_t n = 0; n < sources; ++n) {
    const InputBuffer& source = data.inputs[n];
    const attest_tensor& tensor = data.tensors[source.tensor];
    const bool wanted = tensor.role == ATTEST_ROLE_K || tensor.role == ATTEST_ROLE_V;
    if (!wanted || source.set != 0 || source.alignment != Alignment::kStart) continue;
    Buffer planted = Planted(source, tensor, hidden);
    const size_t index = source.tensor;  // `source` does not outlive the next line
    data.inputs.push_back({static_cast<uint32_t>(data.inputs.size() + 1), index, MaskedNan::kSet,
                           Alignment::kStart, std::move(planted)});
  }
}

std::string LeakOf(const CellData& data, size_t rounding, const std::vector<Output>& outputs,
                   uint32_t poison) {
  for (const Output& output : outputs)
    if (const int64_t nan = CountNan(output.tensor); nan > 0)
      return fmt::format("NaN at {} keys that no row sees became NaN in {} of {} elements of {}",
                         data.masked_nan.keys, nan, StoredElements(output.tensor),
                         RoleName(output.tensor.role));
  const Comparison found = Compare(data, 0, rounding, outputs, poison);
  if (found.outside > 0)
    return fmt::format("NaN at {} keys that no row sees moved {} of {} elements beyond the bound",
                       data.masked_nan.keys, found.outside, found.elements);
  return found.failure;
}

}  // namespace attest::judge
