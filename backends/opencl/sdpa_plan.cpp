// SPDX-License-Identifier: Apache-2.0
//
// Tensors that a problem does not have are null arguments, which the kernels never touch.
#include "sdpa_plan.h"

#include <algorithm>
#include <list>

#include "buffer.h"
#include "error.h"
#include "program.h"
#include "sdpa_shape.h"

namespace attest::opencl {
namespace {

// Order of the kernels' tensor arguments, which follow the shape.
constexpr int32_t kArguments[] = {ATTEST_ROLE_Q,    ATTEST_ROLE_K,          ATTEST_ROLE_V,
                                  ATTEST_ROLE_MASK, ATTEST_ROLE_KV_LENGTHS, ATTEST_ROLE_OUT,
                                  ATTEST_ROLE_LSE,  ATTEST_ROLE_WEIGHTS};
constexpr cl_uint kScratchArgument = kFirstOwnArgument - 1;

bool IsOutput(int32_t role) {
  return role == ATTEST_ROLE_OUT || role == ATTEST_ROLE_LSE || role == ATTEST_ROLE_WEIGHTS;
}

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

cl_ulong ProfiledAt(const cl::Event& event, cl_profiling_info what) {
  cl_ulong nanoseconds = 0;
  event.getProfilingInfo(what, &nanoseconds);
  return nanoseconds;
}

class SdpaPlan : public TimedPlan {
 public:
  SdpaPlan(const Request& request, Session& session, Recipe recipe)
      : session_(session), recipe_(std::move(recipe)), shape_(ShapeOf(request.problem)) {
    Checked("allocating scratch", [&] {
      scratch_ = cl::Buffer(session.context, CL_MEM_READ_WRITE, recipe_.scratch_bytes);
      session.queue.enqueueFillBuffer(scratch_, cl_uint{0}, 0, recipe_.scratch_bytes);
      shape_buffer_ = cl::Buffer(session.context, CL_MEM_READ_ONLY, sizeof(SdpaShape));
    });
    Checked("launching for the first time", [&] { WarmUp(); });
  }

  void Bind(Tensors tensors) override {
    Checked("binding tensors", [&] {
      bound_.clear();
      for (cl_uint i = 0; i < std::size(kArguments); ++i) BindOne(tensors, i);
      session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof shape_, &shape_);
    });
  }

  void Run() override {
    Checked("enqueueing", [&] {
      for (const Launch& launch : recipe_.launches) Enqueue(launch, nullptr);
      session_.queue.flush();
    });
  }

  void Sync() override {
    Checked("waiting for the device", [&] { session_.queue.finish(); });
  }

  double RunTimed() override {
    return Checked("timing", [&] {
      cl::Event first, last;
      for (const Launch& launch : recipe_.launches)
        Enqueue(launch, &launch == &recipe_.launches.front() ? &first : &last);
      if (recipe_.launches.size() == 1) last = first;
      session_.queue.finish();
      return static_cast<double>(ProfiledAt(last, CL_PROFILING_COMMAND_END) -
                                 ProfiledAt(first, CL_PROFILING_COMMAND_START)) *
             1e-9;
    });
  }

  void Download() override {
    Checked("downloading outputs", [&] {
      for (const Bound& bound : bound_)
        if (IsOutput(bound.role)) bound.buffer.Download(session_.queue);
    });
  }

  PlanInfo Info() override {
    const uint64_t own = PlanBytes(recipe_.scratch_bytes);
    // A CPU device's memory is the host's.
    if (session_.device.IsCpu()) return {recipe_.implementation, own, 0};
    uint64_t bytes = own;
    for (const Bound& bound : bound_) bytes += bound.buffer.size_bytes();
    return {recipe_.implementation, 0, bytes};
  }

 private:
  struct Bound {
    int32_t role;
    TensorBuffer buffer;
  };

  // PoCL compiles a kernel for its work-group size at the first launch: here, with a shape of no
  // rows, so that no timed launch does. No work-item touches a tensor then.
  void WarmUp() {
    const SdpaShape nothing{};
    session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof nothing, &nothing);
    for (Launch& launch : recipe_.launches) {
      launch.kernel.setArg(0, shape_buffer_);
      for (cl_uint i = 0; i < std::size(kArguments); ++i)
        launch.kernel.setArg(i + 1, sizeof(cl_mem), nullptr);
      launch.kernel.setArg(kScratchArgument, scratch_);
      Enqueue(launch, nullptr);
    }
    session_.queue.finish();
  }

  void BindOne(Tensors tensors, cl_uint index) {
    const int32_t role = kArguments[index];
    const attest_tensor* tensor = FindTensor(tensors, role);
    if (tensor == nullptr) {
      for (Launch& launch : recipe_.launches)
        launch.kernel.setArg(index + 1, sizeof(cl_mem), nullptr);
      return;
    }
    bound_.push_back({role, TensorBuffer(session_.context, session_.queue, *tensor, IsOutput(role),
                                         session_.device.IsCpu())});
    for (Launch& launch : recipe_.launches)
      launch.kernel.setArg(index + 1, bound_.back().buffer.buffer());
    TensorPlace* place = PlaceOf(shape_, role);
    place->data_bytes = bound_.back().buffer.data_bytes();
    std::copy_n(tensor->strides, std::size(place->strides), place->strides);
  }

  void Enqueue(const Launch& launch, cl::Event* event) {
    session_.queue.enqueueNDRangeKernel(launch.kernel, cl::NullRange, launch.global, launch.local,
                                        nullptr, event);
  }

  Session& session_;
  Recipe recipe_;
  SdpaShape shape_;
  cl::Buffer scratch_, shape_buffer_;
  std::list<Bound> bound_;
};

}  // namespace

std::string IoOption(int32_t dtype) {
  if (dtype == ATTEST_F16) return "-DIO_F16";
  return dtype == ATTEST_BF16 ? "-DIO_BF16" : "-DIO_F32";
}

const cl::Program& ProgramOf(Session& session, const std::vector<std::string>& files,
                             const std::string& options) {
  std::string all = "-cl-std=CL1.2 " + options;
  if (session.device.rounds_division) all += " -cl-fp32-correctly-rounded-divide-sqrt";
  std::string key = all;
  for (const std::string& file : files) key += " " + file;
  cl::Program& program = session.programs[key];
  if (program() == nullptr)
    program =
        BuildProgram(session.context, session.device.handle, files, all, session.cache_directory);
  return program;
}

uint64_t PlanBytes(uint64_t scratch_bytes) { return scratch_bytes + sizeof(SdpaShape); }

std::unique_ptr<TimedPlan> MakeSdpaPlan(const Request& request, Session& session, Recipe recipe) {
  return std::make_unique<SdpaPlan>(request, session, std::move(recipe));
}

}  // namespace attest::opencl
