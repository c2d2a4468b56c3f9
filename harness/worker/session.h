// SPDX-License-Identifier: Apache-2.0
//
// The worker's side of the protocol: requests in, replies out, until the judge quits or is gone.
#ifndef ATTEST_HARNESS_WORKER_SESSION_H_
#define ATTEST_HARNESS_WORKER_SESSION_H_

#include <map>
#include <memory>
#include <vector>

#include "harness/worker/buffers.h"
#include "harness/worker/ceilings.h"
#include "harness/worker/channel.h"
#include "harness/worker/plugin.h"
#include "harness/worker/protocol.h"

namespace attest::worker {

class Session {
 public:
  explicit Session(protocol::Channel channel) : channel_(std::move(channel)) {}
  void Serve();

  // One request's answer; used by Serve's dispatch. Each throws Refusal or std::exception.
  protocol::Body Answer(const protocol::Load& request);
  protocol::Body Answer(const protocol::Attach& request);
  protocol::Body Answer(const protocol::Detach& request);
  protocol::Body Answer(const protocol::Prepare& request);
  protocol::Body Answer(const protocol::Run& request);
  protocol::Body Answer(const protocol::Measure& request);
  protocol::Body Answer(const protocol::Release& request);
  protocol::Body Answer(const protocol::Ceilings& request);
  protocol::Body Answer(const protocol::Quit& request);

 private:
  struct PlanState {
    attest_plan* plan = nullptr;
    std::vector<attest_tensor> descriptions;
  };

  protocol::Reply Handle(const protocol::Packet& packet, uint64_t* id);
  Plugin& GetPlugin();
  PlanState& GetPlan(uint32_t id);
  void CheckWorkspace(const attest_plan_request& request, uint64_t limit);
  attest_plan_info InfoOf(attest_plan* plan);
  void Bind(attest_plan* plan, const std::vector<attest_tensor>& tensors);

  protocol::Channel channel_;
  std::vector<Descriptor> descriptors_;  // of the request being answered
  Buffers buffers_;
  std::unique_ptr<Plugin> plugin_;
  bool is_loaded_ = false;
  bool has_quit_ = false;
  uint32_t threads_ = 1;
  HostCeilings host_ceilings_;
  uint32_t device_ = 0;
  std::map<uint32_t, PlanState> plans_;
};

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_SESSION_H_
