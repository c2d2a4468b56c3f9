// SPDX-License-Identifier: Apache-2.0
//
// fork and exec of the worker; descriptors 3 and 4 are its socket and control page.
#include "tests/worker/worker_process.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <system_error>

namespace attest {
namespace {

uint64_t RoundToPage(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

int MakeMemory(uint64_t bytes) {
  const int fd = memfd_create("test", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(bytes)) != 0)
    throw std::system_error(errno, std::generic_category(), "memfd_create");
  return fd;
}

void* MapMemory(int fd, uint64_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return data;
}

attest_tensor Describe(int32_t role, int64_t length) {
  attest_tensor tensor{};
  tensor.size = sizeof tensor;
  tensor.role = role;
  tensor.dtype = ATTEST_F32;
  tensor.rank = 4;
  const int64_t shape[] = {1, 1, length, OneHead::kHeadSize};
  const int64_t strides[] = {length * OneHead::kHeadSize, length * OneHead::kHeadSize,
                             OneHead::kHeadSize, 1};
  for (int axis = 0; axis < 4; ++axis) {
    tensor.shape[axis] = shape[axis];
    tensor.strides[axis] = strides[axis];
  }
  return tensor;
}

}  // namespace

SharedBuffer::SharedBuffer(uint64_t bytes)
    : fd_(MakeMemory(bytes)), data_(MapMemory(fd_.get(), bytes)), bytes_(bytes) {}
SharedBuffer::~SharedBuffer() { munmap(data_, bytes_); }

std::string BuildFolder() {
  const char* folder = std::getenv("ATTEST_BUILD_DIR");
  if (folder == nullptr) throw std::runtime_error("set ATTEST_BUILD_DIR to the build folder");
  return folder;
}

std::string StubPath(const std::string& stub) {
  return BuildFolder() + "/tests/stubs/" + stub + "/attest_" + stub + ".so";
}

WorkerProcess::WorkerProcess(const std::vector<std::string>& environment) : channel_(Descriptor()) {
  auto [mine, theirs] = protocol::Channel::Pair();
  channel_ = std::move(mine);
  const Descriptor page(MakeMemory(4096));
  control_ = static_cast<protocol::ControlPage*>(MapMemory(page.get(), 4096));
  const std::string path = BuildFolder() + "/bin/attest-worker";
  pid_ = fork();
  if (pid_ == 0) {
    // Through high numbers, so that neither target is overwritten before it is copied.
    dup2(theirs.fd(), 100);
    dup2(page.get(), 101);
    dup2(100, 3);
    dup2(101, 4);
    close(100);
    close(101);
    for (const std::string& variable : environment) putenv(const_cast<char*>(variable.c_str()));
    execl(path.c_str(), path.c_str(), "--socket-fd", "3", "--control-fd", "4", nullptr);
    _exit(127);
  }
}

WorkerProcess::~WorkerProcess() {
  if (!has_ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  munmap(control_, 4096);
}

protocol::Reply WorkerProcess::Ask(const protocol::Request& request, std::vector<int> descriptors) {
  channel_.Send(protocol::Encode(++id_, request), descriptors);
  const auto packet = channel_.Receive();
  if (!packet) return {"dead", "", protocol::Done{}};
  uint64_t id = 0;
  const protocol::Reply reply = protocol::DecodeReply(packet->text, &id);
  if (id != id_) throw std::runtime_error("a reply to another request");
  return reply;
}

std::string WorkerProcess::AskRaw(const std::string& text) {
  channel_.Send(text);
  const auto packet = channel_.Receive();
  return packet ? packet->text : "dead";
}

int WorkerProcess::Wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  has_ended_ = true;
  return status;
}

OneHead::OneHead(int64_t length, bool at_end)
    : length_(length),
      tensor_bytes_(static_cast<uint64_t>(length * kHeadSize) * sizeof(float)),
      offset_bytes_(at_end ? RoundToPage(tensor_bytes_) - tensor_bytes_ : 0),
      q_(RoundToPage(tensor_bytes_)),
      k_(q_.bytes()),
      v_(q_.bytes()),
      out_(q_.bytes()) {
  const uint64_t after = q_.bytes() - offset_bytes_ - tensor_bytes_;
  const int32_t roles[] = {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V, ATTEST_ROLE_OUT};
  for (uint32_t i = 0; i < 4; ++i)
    binding_.push_back({roles[i], i, offset_bytes_, offset_bytes_, after});
  const SharedBuffer* inputs[] = {&q_, &k_, &v_};
  for (int input = 0; input < 3; ++input)
    for (int64_t i = 0; i < out_count(); ++i)
      (inputs[input]->floats() + offset_bytes_ / sizeof(float))[i] =
          std::sin(static_cast<float>(i * (input + 2)));
}

protocol::Reply OneHead::Prepare(WorkerProcess& worker) {
  protocol::Attach attach;
  for (uint32_t i = 0; i < 4; ++i) attach.buffers.push_back({i, q_.bytes(), i == 3});
  const protocol::Reply attached = worker.Ask(attach, {q_.fd(), k_.fd(), v_.fd(), out_.fd()});
  if (attached.status != "ok") return attached;
  protocol::Prepare prepare;
  prepare.plan = 1;
  attest_problem& p = prepare.problem;
  p.size = sizeof p;
  p.op = ATTEST_OP_SDPA;
  p.dtype = ATTEST_F32;
  p.batch_size = p.q_num_heads = p.kv_num_heads = 1;
  p.q_sequence_length = p.kv_sequence_length = length_;
  p.head_size = p.v_head_size = kHeadSize;
  p.scale = 0.25;
  p.left_window_size = p.right_window_size = -1;
  for (int32_t role : {ATTEST_ROLE_Q, ATTEST_ROLE_K, ATTEST_ROLE_V, ATTEST_ROLE_OUT})
    prepare.tensors.push_back(Describe(role, length_));
  return worker.Ask(prepare);
}

float* OneHead::out() const { return out_.floats() + offset_bytes_ / sizeof(float); }

double OneHead::LargestError() const {
  const float* q = q_.floats() + offset_bytes_ / sizeof(float);
  const float* k = k_.floats() + offset_bytes_ / sizeof(float);
  const float* v = v_.floats() + offset_bytes_ / sizeof(float);
  double largest = 0;
  for (int64_t i = 0; i < length_; ++i) {
    std::vector<double> row(kHeadSize);
    double sum = 0;
    for (int64_t j = 0; j < length_; ++j) {
      double score = 0;
      for (int64_t c = 0; c < kHeadSize; ++c)
        score += static_cast<double>(q[i * kHeadSize + c]) * k[j * kHeadSize + c];
      const double p = std::exp(0.25 * score);  // |score| <= 32: no overflow without the maximum
      sum += p;
      for (int64_t c = 0; c < kHeadSize; ++c) row[c] += p * v[j * kHeadSize + c];
    }
    for (int64_t c = 0; c < kHeadSize; ++c) {
      const double error = std::abs(out()[i * kHeadSize + c] - row[c] / sum);
      if (!(error <= largest)) largest = error;
      if (std::isnan(error)) return std::numeric_limits<double>::quiet_NaN();
    }
  }
  return largest;
}

}  // namespace attest
