// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/side_case.h"

#include <algorithm>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"
#include "harness/judge/cell_data.h"

namespace attest::judge {
namespace {

constexpr double kMostWork = 0x1p30;  // multiply-adds of one call
constexpr double kMostPairs = 0x1p24;
constexpr int64_t kFewestRows = 16;
constexpr int64_t kLeastAnswered = 32;  // rows

const attest_tensor* Find(std::span<const attest_tensor* const> tensors, int32_t role) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const attest_tensor* t) { return t->role == role; });
  return found == tensors.end() ? nullptr : *found;
}

double ElementOf(const attest_tensor& t, int64_t b, int64_t h, int64_t i, int64_t c) {
  const int64_t at = OffsetOf(t, b, h, i, c);
  return t.dtype == ATTEST_BOOL ? static_cast<const uint8_t*>(t.data)[at]
                                : LoadElement(t.data, t.dtype, at);
}

std::vector<double> Rows(const attest_tensor& t, int64_t b, int64_t h, int64_t first, int64_t last,
                         int64_t columns) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>((last - first) * columns));
  for (int64_t i = first; i < last; ++i)
    for (int64_t c = 0; c < columns; ++c) values.push_back(ElementOf(t, b, h, i, c));
  return values;
}

// How many of the last rows keep a call small.
int64_t RowsTaken(const attest_problem& p) {
  const auto keys = static_cast<double>(p.kv_sequence_length);
  const double work = kMostWork / (keys * static_cast<double>(p.head_size + p.v_head_size));
  const auto rows = static_cast<int64_t>(std::min(work, kMostPairs / keys));
  return std::min(p.q_sequence_length, std::max(rows, kFewestRows));
}

// The problem of the last `rows` rows of one head of the batch entry.
attest_problem ProblemOf(const attest_problem& whole, const attest_tensor* lengths, int64_t batch,
                         int64_t rows) {
  attest_problem p = whole;
  p.batch_size = p.q_num_heads = p.kv_num_heads = 1;
  p.outputs = 0;
  if (lengths != nullptr) {
    const int64_t length = static_cast<const int64_t*>(lengths->data)[batch * lengths->strides[0]];
    p.causal_offset = length - p.q_sequence_length;
    p.kv_sequence_length = length;
    p.has_kv_lengths = 0;
  }
  p.causal_offset += whole.q_sequence_length - rows;
  p.q_sequence_length = rows;
  return p;
}

const std::vector<double>& ValuesOf(const HeadProblem& head, int32_t role) {
  return role == ATTEST_ROLE_Q   ? head.q
         : role == ATTEST_ROLE_K ? head.k
         : role == ATTEST_ROLE_V ? head.v
                                 : head.mask;
}

Buffer MakeInput(const HeadProblem& head, attest_tensor tensor) {
  Buffer buffer(BufferBytes(tensor));
  FillPoison(buffer, kPoisons[1]);
  tensor.data = buffer.data();
  const std::vector<double>& values = ValuesOf(head, tensor.role);
  const int64_t columns = tensor.shape[3];
  for (size_t n = 0; n < values.size(); ++n) {
    const auto index = static_cast<int64_t>(n);
    const int64_t at = OffsetOf(tensor, 0, 0, index / columns, index % columns);
    if (tensor.dtype == ATTEST_BOOL)
      static_cast<uint8_t*>(tensor.data)[at] = values[n] != 0;
    else
      StoreElement(tensor.data, tensor.dtype, at, values[n]);
  }
  buffer.Seal();
  return buffer;
}

reference::Answer AnswerOf(const SideCase& side, const SideOptions& options) {
  std::vector<attest_tensor> tensors;
  for (const auto& [index, buffer] : side.inputs) {
    tensors.push_back(side.tensors[index]);
    tensors.back().data = const_cast<std::byte*>(buffer.data());
  }
  const double rows = options.oracle_budget / RowWork(side.problem, options.roundings.size());
  reference::Options wanted;
  wanted.threads = options.threads;
  wanted.roundings = options.roundings;
  wanted.rows = options.rows;
  if (wanted.rows.empty() && rows < static_cast<double>(reference::RowCount(side.problem)))
    wanted.rows = reference::SampleRows(side.problem,
                                        std::max(static_cast<int64_t>(rows), kLeastAnswered), 1);
  return reference::ComputeSdpa(side.problem, Pointers(tensors), wanted);
}

}  // namespace

HeadProblem TakeHead(const Cell& cell, std::span<const attest_tensor* const> tensors) {
  const attest_problem& p = cell.problem;
  const uint64_t hash = HashBits(cell.seed, 130, 0);
  HeadProblem head;
  head.layout = cell.layout;
  head.mask_shape = cell.mask_shape == MaskShape::kKeys ? MaskShape::kKeys : MaskShape::kShared;
  head.batch = static_cast<int64_t>((hash >> 32) % static_cast<uint64_t>(p.batch_size));
  head.head = static_cast<int64_t>((hash & 0xffffffff) % static_cast<uint64_t>(p.q_num_heads));
  const int64_t rows = RowsTaken(p), kv_head = head.head / (p.q_num_heads / p.kv_num_heads);
  head.first_row = p.q_sequence_length - rows;
  head.problem = ProblemOf(p, Find(tensors, ATTEST_ROLE_KV_LENGTHS), head.batch, rows);
  const int64_t keys = head.keys();
  head.q = Rows(*Find(tensors, ATTEST_ROLE_Q), head.batch, head.head, head.first_row,
                p.q_sequence_length, p.head_size);
  head.k = Rows(*Find(tensors, ATTEST_ROLE_K), head.batch, kv_head, 0, keys, p.head_size);
  head.v = Rows(*Find(tensors, ATTEST_ROLE_V), head.batch, kv_head, 0, keys, p.v_head_size);
  if (p.attn_mask == ATTEST_MASK_NONE) return head;
  const bool same = head.mask_shape == MaskShape::kKeys;  // for every row
  head.mask = Rows(*Find(tensors, ATTEST_ROLE_MASK), head.batch, head.head, head.first_row,
                   same ? head.first_row + 1 : p.q_sequence_length, keys);
  return head;
}

HeadProblem TakeKeys(const HeadProblem& whole, int64_t first, int64_t last) {
  HeadProblem part = whole;
  part.problem.kv_sequence_length = last - first;
  part.problem.causal_offset -= first;
  part.problem.outputs = ATTEST_OUTPUT_LSE;
  const auto take = [&](std::vector<double>& values, int64_t width) {
    values.erase(values.begin() + last * width, values.end());
    values.erase(values.begin(), values.begin() + first * width);
  };
  take(part.k, whole.problem.head_size);
  take(part.v, whole.problem.v_head_size);
  part.mask.clear();
  for (auto row = whole.mask.begin(); row != whole.mask.end(); row += whole.keys())
    part.mask.insert(part.mask.end(), row + first, row + last);
  return part;
}

SideCase MakeSideCase(const HeadProblem& head, const SideOptions& options) {
  SideCase side;
  side.problem = head.problem;
  side.tensors = DescribeTensors(head.problem, head.layout, head.mask_shape);
  for (size_t n = 0; n < side.tensors.size(); ++n)
    if (!IsOutput(side.tensors[n].role))
      side.inputs.emplace_back(n, MakeInput(head, side.tensors[n]));
  if (options.oracle_budget > 0) side.answer = AnswerOf(side, options);
  return side;
}

}  // namespace attest::judge
