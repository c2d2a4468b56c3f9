// SPDX-License-Identifier: Apache-2.0
#include "harness/core/tensors.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <stdexcept>

#include "reference/oracle.h"

namespace attest {
namespace {

int64_t CheckedMultiply(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw std::invalid_argument("a tensor has more than 2^63 elements: make the sizes smaller");
  return product;
}

attest_tensor Dense(int32_t role, int32_t dtype, std::initializer_list<int64_t> shape) {
  attest_tensor tensor{};
  tensor.size = sizeof tensor;
  tensor.role = role;
  tensor.dtype = dtype;
  for (int64_t extent : shape) tensor.shape[tensor.rank++] = extent;
  int64_t stride = 1;
  for (int axis = tensor.rank - 1; axis >= 0; --axis) {
    tensor.strides[axis] = stride;
    stride = CheckedMultiply(stride, tensor.shape[axis]);
  }
  tensor.extent_bytes =
      static_cast<uint64_t>(CheckedMultiply(stride, static_cast<int64_t>(DtypeBytes(dtype))));
  return tensor;
}

// Elements between a padded row and the next: odd, so that no row but the first is aligned.
constexpr int64_t kRowGap = 5;

bool IsPadded(Layout layout) {
  return layout == Layout::kBnshPadded || layout == Layout::kBsnhPadded;
}

// Axes from the innermost outwards with their strides, gaps behind rows, heads and batch entries.
// Axes that are not `stored` are broadcast.
attest_tensor Strided(attest_tensor tensor, const std::array<int, 4>& inwards,
                      const std::array<bool, 4>& stored, int64_t gap) {
  int64_t stride = 1;
  for (int n = 0; n < 4; ++n) {
    const int axis = inwards[static_cast<size_t>(n)];
    if (!stored[static_cast<size_t>(axis)]) {
      tensor.strides[axis] = 0;
      continue;
    }
    tensor.strides[axis] = stride;
    stride = CheckedMultiply(stride, tensor.shape[axis]) + gap;
  }
  tensor.extent_bytes = static_cast<uint64_t>(
      CheckedMultiply(ExtentElements(tensor), static_cast<int64_t>(DtypeBytes(tensor.dtype))));
  return tensor;
}

// [B, H, L, d], in memory as `layout` says.
attest_tensor Heads(int32_t role, int32_t dtype, Layout layout, int64_t batch, int64_t heads,
                    int64_t length, int64_t size) {
  const bool sequence_first = layout == Layout::kBsnh || layout == Layout::kBsnhPadded;
  const std::array<int, 4> inwards =
      sequence_first ? std::array<int, 4>{3, 1, 2, 0} : std::array<int, 4>{3, 2, 1, 0};
  return Strided(Dense(role, dtype, {batch, heads, length, size}), inwards,
                 {true, true, true, true}, IsPadded(layout) ? kRowGap : 0);
}

// [B, H, Lq, Lk] of which `shape` is stored; never sequence first.
attest_tensor MaskTensor(const attest_problem& p, Layout layout, MaskShape shape) {
  const int32_t type = p.attn_mask == ATTEST_MASK_BOOLEAN ? ATTEST_BOOL : p.dtype;
  const bool by_batch = shape != MaskShape::kShared && shape != MaskShape::kHead;
  const bool by_head = shape == MaskShape::kHead || shape == MaskShape::kFull;
  const bool by_row = shape != MaskShape::kKeys;
  return Strided(Dense(ATTEST_ROLE_MASK, type,
                       {p.batch_size, p.q_num_heads, p.q_sequence_length, p.kv_sequence_length}),
                 {3, 2, 1, 0}, {by_batch, by_head, by_row, true}, IsPadded(layout) ? kRowGap : 0);
}

// Row-major, gaps behind rows where the layout is padded.
attest_tensor RowMajor(int32_t role, int32_t dtype, Layout layout,
                       std::initializer_list<int64_t> shape) {
  attest_tensor tensor = Dense(role, dtype, shape);
  if (!IsPadded(layout)) return tensor;
  int64_t stride = 1;
  for (int axis = tensor.rank - 1; axis >= 0; --axis) {
    tensor.strides[axis] = stride;
    stride = CheckedMultiply(stride, tensor.shape[axis]) + kRowGap;
  }
  tensor.extent_bytes = static_cast<uint64_t>(
      CheckedMultiply(ExtentElements(tensor), static_cast<int64_t>(DtypeBytes(dtype))));
  return tensor;
}

// X, X_KV, weights and biases that the layer's structure has (abi.h, attest_problem).
void AddProjections(std::vector<attest_tensor>& tensors, const attest_problem& p, Layout layout) {
  const int64_t q_rows = p.q_num_heads * p.head_size, k_rows = p.kv_num_heads * p.head_size;
  const int64_t v_rows = p.kv_num_heads * p.v_head_size, o_columns = p.q_num_heads * p.v_head_size;
  const bool has_v = p.structure != ATTEST_STRUCTURE_PARAMETER_FREE;
  const bool has_q = has_v && p.structure != ATTEST_STRUCTURE_MEAN_POOL;
  const bool has_k = has_q && p.structure != ATTEST_STRUCTURE_TIED_QK;
  auto add = [&](bool is_there, int32_t role, std::initializer_list<int64_t> shape) {
    if (is_there) tensors.push_back(RowMajor(role, p.dtype, layout, shape));
  };
  const bool has_bias = p.has_bias != 0, has_o = p.has_output_projection != 0;
  add(true, ATTEST_ROLE_X, {p.batch_size, p.q_sequence_length, p.hidden_size});
  add(p.is_cross != 0, ATTEST_ROLE_X_KV, {p.batch_size, p.kv_sequence_length, p.hidden_size});
  add(has_q, ATTEST_ROLE_WQ, {q_rows, p.hidden_size});
  add(has_k, ATTEST_ROLE_WK, {k_rows, p.hidden_size});
  add(has_v, ATTEST_ROLE_WV, {v_rows, p.hidden_size});
  add(has_o, ATTEST_ROLE_WO, {p.hidden_size, o_columns});
  add(has_q && has_bias, ATTEST_ROLE_BQ, {q_rows});
  add(has_k && has_bias, ATTEST_ROLE_BK, {k_rows});
  add(has_v && has_bias, ATTEST_ROLE_BV, {v_rows});
  add(has_o && has_bias, ATTEST_ROLE_BO, {p.hidden_size});
}

}  // namespace

std::vector<attest_tensor> DescribeTensors(const attest_problem& p, Layout layout,
                                           MaskShape mask_shape) {
  std::vector<attest_tensor> tensors;
  const bool layer = p.op == ATTEST_OP_SELF_ATTENTION;
  auto heads = [&](int32_t role, int64_t count, int64_t length, int64_t size) {
    return Heads(role, p.dtype, layout, p.batch_size, count, length, size);
  };
  if (!layer) {
    tensors.push_back(heads(ATTEST_ROLE_Q, p.q_num_heads, p.q_sequence_length, p.head_size));
    tensors.push_back(heads(ATTEST_ROLE_K, p.kv_num_heads, p.kv_sequence_length, p.head_size));
    tensors.push_back(heads(ATTEST_ROLE_V, p.kv_num_heads, p.kv_sequence_length, p.v_head_size));
  }
  if (p.attn_mask != ATTEST_MASK_NONE) tensors.push_back(MaskTensor(p, layout, mask_shape));
  if (p.has_kv_lengths)
    tensors.push_back(Dense(ATTEST_ROLE_KV_LENGTHS, ATTEST_I64, {p.batch_size}));
  if (layer) AddProjections(tensors, p, layout);
  if (!layer) {
    tensors.push_back(heads(ATTEST_ROLE_OUT, p.q_num_heads, p.q_sequence_length, p.v_head_size));
  } else {
    const int64_t width = p.has_output_projection ? p.hidden_size : p.q_num_heads * p.v_head_size;
    tensors.push_back(
        RowMajor(ATTEST_ROLE_OUT, p.dtype, layout, {p.batch_size, p.q_sequence_length, width}));
  }
  const int32_t lse_type = p.dtype == ATTEST_F64 ? ATTEST_F64 : ATTEST_F32;
  if (p.outputs & ATTEST_OUTPUT_LSE)
    tensors.push_back(
        Dense(ATTEST_ROLE_LSE, lse_type, {p.batch_size, p.q_num_heads, p.q_sequence_length}));
  if (p.outputs & ATTEST_OUTPUT_WEIGHTS)
    tensors.push_back(Heads(ATTEST_ROLE_WEIGHTS, p.dtype,
                            IsPadded(layout) ? Layout::kBnshPadded : Layout::kBnsh, p.batch_size,
                            p.q_num_heads, p.q_sequence_length, p.kv_sequence_length));
  return tensors;
}

attest_tensor OutputRows(const attest_problem& problem, const attest_tensor& out) {
  if (problem.op != ATTEST_OP_SELF_ATTENTION) return out;
  attest_tensor rows = out;
  const int64_t heads = reference::OutputHeads(problem), columns = out.shape[2] / heads;
  const int64_t shape[] = {out.shape[0], heads, out.shape[1], columns};
  const int64_t strides[] = {out.strides[0], columns * out.strides[2], out.strides[1],
                             out.strides[2]};
  rows.rank = 4;
  for (int axis = 0; axis < 4; ++axis) {
    rows.shape[axis] = shape[axis];
    rows.strides[axis] = strides[axis];
  }
  return rows;
}

int64_t ExtentElements(const attest_tensor& tensor) {
  int64_t last = 0;
  for (int axis = 0; axis < tensor.rank; ++axis)
    last += (tensor.shape[axis] - 1) * tensor.strides[axis];
  return last + 1;
}

int64_t StoredElements(const attest_tensor& tensor) {
  int64_t count = 1;
  for (int axis = 0; axis < tensor.rank; ++axis)
    if (tensor.strides[axis] != 0) count *= tensor.shape[axis];
  return count;
}

int64_t ElementOffset(const attest_tensor& tensor, int64_t index) {
  int64_t offset = 0;
  for (int axis = tensor.rank - 1; axis >= 0; --axis) {
    offset += index % tensor.shape[axis] * tensor.strides[axis];
    index /= tensor.shape[axis];
  }
  return offset;
}

void AppendElements(const attest_tensor& tensor, std::vector<std::byte>& bytes) {
  const auto* data = static_cast<const std::byte*>(tensor.data);
  if (StoredElements(tensor) == ExtentElements(tensor)) {
    bytes.insert(bytes.end(), data, data + tensor.extent_bytes);
    return;
  }
  const auto size = static_cast<int64_t>(DtypeBytes(tensor.dtype));
  const int64_t count = StoredElements(tensor);
  for (int64_t index = 0; index < count; ++index) {
    const std::byte* element = data + ElementOffset(tensor, index) * size;
    bytes.insert(bytes.end(), element, element + size);
  }
}

std::vector<const attest_tensor*> Pointers(const std::vector<attest_tensor>& tensors) {
  std::vector<const attest_tensor*> pointers;
  for (const attest_tensor& tensor : tensors) pointers.push_back(&tensor);
  return pointers;
}

}  // namespace attest
