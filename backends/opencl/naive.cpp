// SPDX-License-Identifier: Apache-2.0
//
// Binds tensors to naive.cl and enqueues it. Tensors that a problem does not have are null
// arguments, which the kernel never touches.
#include "naive.h"

#include <algorithm>
#include <list>

#include "buffer.h"
#include "error.h"
#include "program.h"
#include "sdpa_shape.h"

namespace attest::opencl {
namespace {

// Order of the kernel's tensor arguments, which follow the shape.
constexpr int32_t kArguments[] = {ATTEST_ROLE_Q,    ATTEST_ROLE_K,          ATTEST_ROLE_V,
                                  ATTEST_ROLE_MASK, ATTEST_ROLE_KV_LENGTHS, ATTEST_ROLE_OUT,
                                  ATTEST_ROLE_LSE,  ATTEST_ROLE_WEIGHTS};
constexpr cl_uint kScratchArgument = 9;

bool IsOutput(int32_t role) {
  return role == ATTEST_ROLE_OUT || role == ATTEST_ROLE_LSE || role == ATTEST_ROLE_WEIGHTS;
}

const char* IoOption(int32_t dtype) {
  if (dtype == ATTEST_F16) return "-DIO_F16";
  return dtype == ATTEST_BF16 ? "-DIO_BF16" : "-DIO_F32";
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

int64_t RowsOf(const attest_problem& problem) {
  return problem.batch_size * problem.q_num_heads * problem.q_sequence_length;
}

const cl::Program& ProgramOf(Session& session, const std::string& options) {
  cl::Program& program = session.programs[options];
  if (program() == nullptr)
    program = BuildProgram(session.context, session.device.handle, {"sdpa_shape.h", "naive.cl"},
                           options, session.cache_directory);
  return program;
}

class NaivePlan : public TimedPlan {
 public:
  NaivePlan(const Request& request, Session& session)
      : session_(session), shape_(ShapeOf(request.problem)) {
    Checked("preparing opencl:naive", [&] {
      const std::string options = OptionsOf(request.problem.dtype);
      kernel_ = cl::Kernel(ProgramOf(session, options), "Sdpa");
      const size_t most =
          kernel_.getWorkGroupInfo<CL_KERNEL_WORK_GROUP_SIZE>(session.device.handle);
      // A CPU's work-group is a loop on one thread, so a small one balances causal rows; a GPU's
      // fills at least one of its warps or waves.
      const size_t work_group = std::min<size_t>(session.device.IsCpu() ? 4 : 64, most);
      const size_t rows = static_cast<size_t>(RowsOf(request.problem));
      local_ = cl::NDRange(work_group);
      global_ = cl::NDRange((rows + work_group - 1) / work_group * work_group);
      scratch_bytes_ = NaiveScratchBytes(request.problem);
      scratch_ = cl::Buffer(session.context, CL_MEM_READ_WRITE | CL_MEM_HOST_NO_ACCESS,
                            scratch_bytes_ - sizeof(SdpaShape));
      shape_buffer_ = cl::Buffer(session.context, CL_MEM_READ_ONLY, sizeof(SdpaShape));
      WarmUp();
      implementation_ = "naive.cl " + options + " on " + session.device.description.name +
                        ", work-group " + std::to_string(work_group);
    });
  }

  void Bind(Tensors tensors) override {
    Checked("binding tensors", [&] {
      bound_.clear();
      for (cl_uint i = 0; i < std::size(kArguments); ++i) BindOne(tensors, i);
      session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof shape_, &shape_);
      kernel_.setArg(0, shape_buffer_);
      kernel_.setArg(kScratchArgument, scratch_);
    });
  }

  void Run() override { Enqueue(nullptr); }

  void Sync() override {
    Checked("waiting for the device", [&] { session_.queue.finish(); });
  }

  double RunTimed() override {
    return Checked("timing opencl:naive", [&] {
      cl::Event event;
      Enqueue(&event);
      event.wait();
      const cl_ulong start = event.getProfilingInfo<CL_PROFILING_COMMAND_START>();
      return static_cast<double>(event.getProfilingInfo<CL_PROFILING_COMMAND_END>() - start) * 1e-9;
    });
  }

  void Download() override {
    Checked("downloading outputs", [&] {
      for (const Bound& bound : bound_)
        if (IsOutput(bound.role)) bound.buffer.Download(session_.queue);
    });
  }

  PlanInfo Info() override {
    uint64_t bytes = scratch_bytes_;
    for (const Bound& bound : bound_) bytes += bound.buffer.size_bytes();
    // A CPU device's memory is the host's.
    if (session_.device.IsCpu()) return {implementation_, scratch_bytes_, 0};
    return {implementation_, 0, bytes};
  }

 private:
  struct Bound {
    int32_t role;
    TensorBuffer buffer;
  };

  std::string OptionsOf(int32_t dtype) const {
    std::string options = std::string("-cl-std=CL1.2 ") + IoOption(dtype);
    if (session_.device.rounds_division) options += " -cl-fp32-correctly-rounded-divide-sqrt";
    return options;
  }

  // PoCL compiles a kernel for its work-group size at the first launch: here, with a shape of no
  // rows, so that no timed launch does. Every work-item returns before it touches a tensor.
  void WarmUp() {
    const SdpaShape nothing{};
    session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof nothing, &nothing);
    kernel_.setArg(0, shape_buffer_);
    for (cl_uint i = 0; i < std::size(kArguments); ++i)
      kernel_.setArg(i + 1, sizeof(cl_mem), nullptr);
    kernel_.setArg(kScratchArgument, scratch_);
    Enqueue(nullptr);
    session_.queue.finish();
  }

  void BindOne(Tensors tensors, cl_uint index) {
    const int32_t role = kArguments[index];
    const attest_tensor* tensor = FindTensor(tensors, role);
    if (tensor == nullptr) {
      kernel_.setArg(index + 1, sizeof(cl_mem), nullptr);
      return;
    }
    bound_.push_back({role, TensorBuffer(session_.context, session_.queue, *tensor, IsOutput(role),
                                         session_.device.IsCpu())});
    kernel_.setArg(index + 1, bound_.back().buffer.buffer());
    TensorPlace* place = PlaceOf(shape_, role);
    place->data_bytes = bound_.back().buffer.data_bytes();
    std::copy_n(tensor->strides, std::size(place->strides), place->strides);
  }

  void Enqueue(cl::Event* event) {
    Checked("enqueueing naive.cl", [&] {
      session_.queue.enqueueNDRangeKernel(kernel_, cl::NullRange, global_, local_, nullptr, event);
      session_.queue.flush();
    });
  }

  Session& session_;
  SdpaShape shape_;
  cl::Kernel kernel_;
  cl::NDRange global_, local_;
  cl::Buffer scratch_, shape_buffer_;
  uint64_t scratch_bytes_ = 0;
  std::list<Bound> bound_;
  std::string implementation_;
};

}  // namespace

uint64_t NaiveScratchBytes(const attest_problem& problem) {
  return sizeof(SdpaShape) +
         static_cast<uint64_t>(RowsOf(problem)) * problem.v_head_size * sizeof(float);
}

std::unique_ptr<TimedPlan> MakeNaivePlan(const Request& request, Session& session) {
  return std::make_unique<NaivePlan>(request, session);
}

}  // namespace attest::opencl
