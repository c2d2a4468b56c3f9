// SPDX-License-Identifier: Apache-2.0
//
// A worker as a child process: start it, ask it, put it to sleep, and learn how it died.
#ifndef ATTEST_HARNESS_JUDGE_WORKER_PROCESS_H_
#define ATTEST_HARNESS_JUDGE_WORKER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "harness/core/buffer.h"
#include "harness/judge/environment.h"
#include "harness/report/model.h"
#include "harness/worker/channel.h"
#include "harness/worker/protocol.h"

namespace attest::judge {

// The worker is gone (crashed, exited, or killed because it took too long). what() is the verdict's
// reason.
struct WorkerLost : std::runtime_error {
  WorkerLost(report::Verdict lost_verdict, const std::string& reason)
      : std::runtime_error(reason), verdict(lost_verdict) {}
  report::Verdict verdict;
};

class WorkerProcess {
 public:
  // Starts `executable` with the judge's environment, changed so. Throws std::runtime_error with
  // the path where that is impossible.
  explicit WorkerProcess(const std::string& executable, const Environment& changes = {});
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();  // SIGKILL: libraries catch the others

  // Sends the request and waits for its reply, computing nothing meanwhile. Throws WorkerLost.
  protocol::Reply Ask(const protocol::Request& request, double timeout_seconds,
                      std::span<const int> descriptors = {});

  // A sleeping worker (SIGSTOP) burns no CPU: thread pools spin for milliseconds to for ever.
  void Sleep();
  void Wake();
  bool alive() const { return pid_ > 0; }

 private:
  protocol::Reply Receive(uint64_t id);
  bool WaitForReply(double timeout_seconds);  // false: time is up
  void DrainLog();
  [[noreturn]] void ReportDeath();
  [[noreturn]] void ReportTimeout(double timeout_seconds);
  std::string LastWords();
  int Reap();

  pid_t pid_ = -1;
  std::unique_ptr<protocol::Channel> channel_;
  Descriptor log_;
  std::string log_tail_;
  std::unique_ptr<Buffer> control_;
  uint64_t next_id_ = 1;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_WORKER_PROCESS_H_
