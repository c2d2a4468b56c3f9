// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/contender.h"

#include <fmt/format.h>

#include "harness/core/memory.h"

namespace attest::judge {
namespace {

report::Verdict VerdictOf(const std::string& status) {
  return status == "unsupported" || status == "unavailable" ? report::Verdict::kUnsupported
                                                            : report::Verdict::kError;
}

}  // namespace

const attest_contract* Contender::ContractFor(int32_t dtype) const {
  for (const protocol::ContractReply& contract : contracts)
    if (contract.dtype == dtype) return &contract.contract;
  return nullptr;
}

void Conclude(Entry& entry, report::Verdict verdict, const std::string& reason) {
  entry.result.verdict = verdict;
  entry.result.reason = reason;
  entry.alive = false;
  if (!report::IsVerified(verdict)) entry.result.timing.reset();
}

void AddCheck(Entry& entry, const std::string& name, const std::string& outcome,
              const std::string& detail) {
  auto& verification = entry.result.verification;
  if (!verification) verification.emplace();
  for (report::Check& check : verification->checks)
    if (check.name == name) {
      if (check.outcome != "fail") check.outcome = outcome, check.detail = detail;
      return;
    }
  verification->checks.push_back({name, outcome, detail});
}

bool Prepare(const CellData& data, Entry& entry) {
  Host& host = *entry.contender->host;
  host.Enter(data);
  if (entry.prepared && entry.generation == host.generation()) return true;
  protocol::Prepare request;
  request.plan = entry.plan;
  request.variant = entry.contender->variant_index;
  request.problem = data.cell.problem;
  request.tensors = data.tensors;
  request.host_bytes_limit = static_cast<uint64_t>(AvailableMemoryBytes());
  const protocol::Reply reply = host.Ask(request);
  if (reply.status != "ok") {
    Conclude(entry, VerdictOf(reply.status),
             reply.status == "unsupported" ? reply.message
                                           : fmt::format("{}: {}", reply.status, reply.message));
    return false;
  }
  const auto& prepared = std::get<protocol::PrepareReply>(reply.body);
  entry.prepared = true;
  entry.generation = host.generation();
  entry.result.setup_seconds = prepared.setup_seconds;
  entry.result.workspace_bytes = prepared.workspace_bytes;
  if (prepared.device_bytes != 0) entry.result.device_bytes = prepared.device_bytes;
  entry.result.implementation = prepared.implementation;
  return true;
}

void Release(Entry& entry) {
  Host& host = *entry.contender->host;
  if (entry.prepared && host.alive() && entry.generation == host.generation()) {
    try {
      (void)host.Ask(protocol::Release{entry.plan});
    } catch (const WorkerLost& lost) {
      if (report::IsVerified(entry.result.verdict))
        Conclude(entry, lost.verdict,
                 fmt::format("{} (after its results were checked)", lost.what()));
    }
  }
  entry.prepared = false;
}

}  // namespace attest::judge
