// SPDX-License-Identifier: Apache-2.0
//
// A real attest-worker for tests: started, asked, watched dying. Not how the judge does it: no
// timeout but the test's, no log kept.
#ifndef ATTEST_TESTS_WORKER_WORKER_PROCESS_H_
#define ATTEST_TESTS_WORKER_WORKER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/worker/channel.h"
#include "harness/worker/protocol.h"

namespace attest {

// Shared memory as the judge makes it, mapped here for reading and writing.
class SharedBuffer {
 public:
  explicit SharedBuffer(uint64_t bytes);
  ~SharedBuffer();
  SharedBuffer(const SharedBuffer&) = delete;
  SharedBuffer& operator=(const SharedBuffer&) = delete;
  float* floats() const { return static_cast<float*>(data_); }
  uint64_t bytes() const { return bytes_; }
  int fd() const { return fd_.get(); }

 private:
  Descriptor fd_;
  void* data_;
  uint64_t bytes_;
};

// The folder that holds bin/ and tests/stubs/.
std::string BuildFolder();
std::string StubPath(const std::string& stub);

class WorkerProcess {
 public:
  // `environment` is added to the worker's, as NAME=value.
  explicit WorkerProcess(const std::vector<std::string>& environment = {});
  ~WorkerProcess();
  // A reply; status "dead" where the worker died instead.
  protocol::Reply Ask(const protocol::Request& request, std::vector<int> descriptors = {});
  // Any text; the raw reply.
  std::string AskRaw(const std::string& text);
  // The wait status once the process has ended.
  int Wait();
  const protocol::ControlPage& control() const { return *control_; }
  pid_t pid() const { return pid_; }

 private:
  protocol::Channel channel_;
  protocol::ControlPage* control_;
  pid_t pid_ = -1;
  bool has_ended_ = false;
  uint64_t id_ = 0;
};

// One head of self-attention of `length` tokens, head size 32, on a worker with a stub: its
// tensors, their description and placement, and the answer in double precision.
class OneHead {
 public:
  explicit OneHead(int64_t length, bool at_end = false);
  protocol::Reply Prepare(WorkerProcess& worker);  // attaches, then prepares plan 1
  const protocol::Binding& binding() const { return binding_; }
  float* out() const;
  int64_t out_count() const { return length_ * kHeadSize; }
  double LargestError() const;  // NaN where any output is
  static constexpr int64_t kHeadSize = 32;

 private:
  int64_t length_;
  uint64_t tensor_bytes_;
  uint64_t offset_bytes_;
  SharedBuffer q_, k_, v_, out_;
  protocol::Binding binding_;
};

}  // namespace attest

#endif  // ATTEST_TESTS_WORKER_WORKER_PROCESS_H_
