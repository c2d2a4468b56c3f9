// SPDX-License-Identifier: Apache-2.0
//
// One plugin in this process: opened, checked against abi.h, asked. Never closed (libraries leave
// threads and exit handlers behind).
#ifndef ATTEST_HARNESS_WORKER_PLUGIN_H_
#define ATTEST_HARNESS_WORKER_PLUGIN_H_

#include <stdexcept>
#include <string>
#include <vector>

#include "attest/abi.h"
#include "harness/worker/control.h"
#include "harness/worker/floating_point.h"
#include "harness/worker/protocol.h"

namespace attest::worker {

// A request cannot be served; `status` is the reply's.
class Refusal : public std::runtime_error {
 public:
  Refusal(std::string status, const std::string& message)
      : std::runtime_error(message), status_(std::move(status)) {}
  const std::string& status() const { return status_; }

 private:
  std::string status_;
};

// The caller's message buffer that plugin functions write into.
class Message {
 public:
  attest_message* get() { return &message_; }
  std::string Text() const;

 private:
  char text_[2048] = "";
  attest_message message_{sizeof(attest_message), sizeof text_, text_};
};

// Throws the Refusal that a status other than OK stands for; `function` names the call.
void CheckStatus(attest_status status, const Message& message, std::string_view function);
// For a catch (...) around a plugin's function: the Refusal that names what was thrown.
[[noreturn]] void RefuseException(std::string_view function);

// Opens the file and returns a complete copy of its table, what it does not have as zero. Throws
// Refusal("rejected") with the reason; a plugin built for an older or newer minor is accepted.
attest_backend OpenTable(const std::string& path);

class Plugin {
 public:
  // Opens, configures and describes the plugin. Throws Refusal: "rejected" for one that breaks the
  // interface, "unavailable" for a backend that has no device here.
  explicit Plugin(const protocol::Load& load);

  const attest_backend& table() const { return table_; }
  const protocol::LoadReply& description() const { return description_; }
  // NULL where the plugin does not have it.
  const attest_timer* timer() const { return timer_; }
  // The timer's last_seconds, or null.
  auto last_seconds() const { return last_seconds_; }
  const attest_ceiling* ceiling() const { return ceiling_; }
  std::string FloatingPointReport() const { return guard_.Report(); }
  void RestoreFloatingPoint() { guard_.Restore(); }

  // Calls `function(attest_message*)` in its phase. Throws Refusal for any status but OK and for an
  // exception, which must not have crossed. Floating-point modes are restored after it.
  template <typename Function>
  void Call(protocol::Phase phase, Function&& function) {
    Message message;
    attest_status status = ATTEST_OK;
    {
      PhaseScope scope(phase);
      try {
        status = function(message.get());
      } catch (...) {
        guard_.Restore();
        RefuseException(protocol::PhaseName(phase));
      }
    }
    guard_.Restore();
    CheckStatus(status, message, protocol::PhaseName(phase));
  }

 private:
  void Configure(const protocol::Load& load);
  void Describe();
  void DescribeDevices();
  protocol::VariantReply DescribeVariant(uint32_t index);
  void FindExtensions();

  FloatingPointGuard guard_;  // first: saved before the library is opened
  attest_backend table_;
  std::string cache_directory_;
  protocol::LoadReply description_;
  const attest_timer* timer_ = nullptr;
  double (*last_seconds_)(attest_plan*) = nullptr;
  const attest_ceiling* ceiling_ = nullptr;
};

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_PLUGIN_H_
