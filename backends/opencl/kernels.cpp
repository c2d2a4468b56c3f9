// SPDX-License-Identifier: Apache-2.0
#include "kernels.h"

#include "program.h"

namespace attest::opencl {
namespace {

bool IsOutput(int32_t role) {
  return role == ATTEST_ROLE_OUT || role == ATTEST_ROLE_LSE || role == ATTEST_ROLE_WEIGHTS;
}

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

void Enqueue(const cl::CommandQueue& queue, const Launch& launch, cl::Event* event) {
  queue.enqueueNDRangeKernel(launch.kernel, cl::NullRange, launch.global, launch.local, nullptr,
                             event);
}

void Places::Bind(Tensors tensors) {
  tensors_.clear();
  bound_.clear();
  for (const attest_tensor* tensor : tensors) {
    const bool is_output = IsOutput(tensor->role);
    bound_.push_back({is_output, TensorBuffer(session_.context, session_.queue, *tensor, is_output,
                                              session_.device.IsCpu())});
    const TensorBuffer& buffer = bound_.back().buffer;
    tensors_[tensor->data] = {buffer.buffer(), buffer.data_bytes()};
  }
}

const Place& Places::At(const void* address) const {
  const auto own = own_.find(address);
  return own != own_.end() ? own->second : tensors_.at(address);
}

void Places::Download() const {
  for (const Bound& bound : bound_)
    if (bound.is_output) bound.buffer.Download(session_.queue);
}

uint64_t Places::bytes() const {
  uint64_t bytes = 0;
  for (const Bound& bound : bound_) bytes += bound.buffer.size_bytes();
  return bytes;
}

}  // namespace attest::opencl
