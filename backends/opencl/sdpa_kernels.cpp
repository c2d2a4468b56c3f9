// SPDX-License-Identifier: Apache-2.0
//
// Tensors that a problem does not have are null arguments, which the kernels never touch.
#include "sdpa_kernels.h"

#include <algorithm>

#include "error.h"
#include "sdpa_shape.h"

namespace attest::opencl {
namespace {

// Order of the kernels' tensor arguments, which follow the shape.
constexpr int32_t kArguments[] = {ATTEST_ROLE_Q,    ATTEST_ROLE_K,          ATTEST_ROLE_V,
                                  ATTEST_ROLE_MASK, ATTEST_ROLE_KV_LENGTHS, ATTEST_ROLE_OUT,
                                  ATTEST_ROLE_LSE,  ATTEST_ROLE_WEIGHTS};
constexpr cl_uint kScratchArgument = kFirstOwnArgument - 1;

TensorPlace* PlaceOf(SdpaShape& shape, int32_t role) {
  switch (role) {
    case ATTEST_ROLE_Q:
      return &shape.q;
    case ATTEST_ROLE_K:
      return &shape.k;
    case ATTEST_ROLE_V:
      return &shape.v;
    case ATTEST_ROLE_MASK:
      return &shape.mask;
    case ATTEST_ROLE_KV_LENGTHS:
      return &shape.kv_lengths;
    case ATTEST_ROLE_LSE:
      return &shape.lse;
    case ATTEST_ROLE_WEIGHTS:
      return &shape.weights;
    default:
      return &shape.out;
  }
}

SdpaShape ShapeOf(const attest_problem& problem) {
  SdpaShape shape{};
  shape.batch_size = problem.batch_size;
  shape.q_num_heads = problem.q_num_heads;
  shape.q_heads_per_kv_head = problem.q_num_heads / problem.kv_num_heads;
  shape.q_sequence_length = problem.q_sequence_length;
  shape.kv_sequence_length = problem.kv_sequence_length;
  shape.head_size = problem.head_size;
  shape.v_head_size = problem.v_head_size;
  shape.causal_offset = problem.causal_offset;
  shape.left_window_size = problem.left_window_size;
  shape.right_window_size = problem.right_window_size;
  shape.is_causal = problem.is_causal;
  shape.attn_mask = problem.attn_mask;
  shape.has_kv_lengths = problem.has_kv_lengths;
  shape.has_lse = (problem.outputs & ATTEST_OUTPUT_LSE) != 0;
  shape.has_weights = (problem.outputs & ATTEST_OUTPUT_WEIGHTS) != 0;
  shape.scale = static_cast<float>(problem.scale);
  shape.softcap = static_cast<float>(problem.softcap);
  return shape;
}

}  // namespace

SdpaKernels::SdpaKernels(const attest_problem& problem, Session& session, Recipe recipe)
    : session_(session), recipe_(std::move(recipe)), shape_(ShapeOf(problem)) {
  Checked("allocating scratch", [&] {
    scratch_ = cl::Buffer(session.context, CL_MEM_READ_WRITE, recipe_.scratch_bytes);
    session.queue.enqueueFillBuffer(scratch_, cl_uint{0}, 0, recipe_.scratch_bytes);
    shape_buffer_ = cl::Buffer(session.context, CL_MEM_READ_ONLY, sizeof(SdpaShape));
  });
  Checked("launching for the first time", [&] { WarmUp(); });
}

uint64_t SdpaKernels::BytesWith(uint64_t scratch_bytes) {
  return scratch_bytes + sizeof(SdpaShape);
}

void SdpaKernels::Bind(Tensors tensors, const Places& places) {
  for (cl_uint i = 0; i < std::size(kArguments); ++i) BindOne(tensors, i, places);
  session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof shape_, &shape_);
}

// PoCL compiles a kernel for its work-group size at the first launch: here, with a shape of no
// rows, so that no timed launch does. No work-item touches a tensor then.
void SdpaKernels::WarmUp() {
  const SdpaShape nothing{};
  session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof nothing, &nothing);
  for (Launch& launch : recipe_.launches) {
    launch.kernel.setArg(0, shape_buffer_);
    for (cl_uint i = 0; i < std::size(kArguments); ++i)
      launch.kernel.setArg(i + 1, sizeof(cl_mem), nullptr);
    launch.kernel.setArg(kScratchArgument, scratch_);
    Enqueue(session_.queue, launch);
  }
  session_.queue.finish();
}

void SdpaKernels::BindOne(Tensors tensors, cl_uint index, const Places& places) {
  const int32_t role = kArguments[index];
  const attest_tensor* tensor = FindTensor(tensors, role);
  if (tensor == nullptr) {
    for (Launch& launch : recipe_.launches)
      launch.kernel.setArg(index + 1, sizeof(cl_mem), nullptr);
    return;
  }
  const Place& place = places.At(tensor->data);
  for (Launch& launch : recipe_.launches) launch.kernel.setArg(index + 1, place.buffer);
  TensorPlace* where = PlaceOf(shape_, role);
  where->data_bytes = place.data_bytes;
  std::copy_n(tensor->strides, std::size(where->strides), where->strides);
}

}  // namespace attest::opencl
