// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/examine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "harness/core/words.h"

namespace attest::judge {
namespace {

constexpr double kBiasLimit = 20;  // |z| beyond it is no rounding (verification.md, section 4)
constexpr double kVacuousResolution = 0.5;  // a bound that wide cannot tell right from wrong

struct Call {
  int set = 0;
  Alignment alignment = Alignment::kStart;
  int poison = 0;
};

// The two poisons, alignments and input sets.
constexpr Call kCalls[] = {{0, Alignment::kStart, 0}, {1, Alignment::kEnd, 1}};
// The first call once more under the other poison; where rounds follow, the first of them is that
// rerun.
constexpr Call kRerun = {0, Alignment::kStart, 1};

std::string WorstText(const report::Verification& figures) {
  if (!figures.worst) return "";
  const report::Worst& worst = *figures.worst;
  return fmt::format(
      "batch {}, head {}, row {}, column {}: expected {:.9g}, got {:.9g}, error/bound {:.3g}",
      worst.batch, worst.head, worst.row, worst.column, worst.expected, worst.got,
      figures.error_over_bound);
}

// Keeps the worse of two calls' figures, and every check noted so far.
void Merge(Entry& entry, const report::Verification& figures) {
  auto& kept = entry.result.verification;
  if (!kept) kept.emplace();
  std::vector<report::Check> checks = std::move(kept->checks);
  if (!kept->worst || !(figures.error_over_bound <= kept->error_over_bound)) *kept = figures;
  kept->checks = std::move(checks);
}

void Fail(Entry& entry, const std::string& check, const std::string& detail) {
  AddCheck(entry, check, "fail", detail);
  Conclude(entry, report::Verdict::kFail, fmt::format("{}: {}", check, detail));
}

// z counts rows as independent observations. Rounded operands err alike in every row that reads
// them, and on structured data rows are nearly equal, or their sums lose small terms alike: honest
// arithmetic then reaches |z| = 35 over 1,200 rows. There a lean is a mark; here it is a gate.
bool RowsErrIndependently(const CellData& data, const Entry& entry) {
  const std::string& kind = data.cell.data;
  return data.roundings[entry.rounding].u_op == 0 && (kind == "normal" || kind == "uniform11");
}

// What one call's outputs say; false: concluded. `when` goes into the reason.
bool Judge(const CellData& data, Entry& entry, int set, const std::vector<Output>& outputs,
           uint32_t poison, const std::string& when) {
  const Comparison found = Compare(data, set, entry.rounding, outputs, poison);
  Merge(entry, found.figures);
  if (!found.memory.empty()) return Fail(entry, "memory", found.memory + when), false;
  if (found.outside > 0) {
    Fail(entry, "bound",
         fmt::format("{} of {} elements beyond the error bound{}; worst: {}", found.outside,
                     found.elements, when, WorstText(found.figures)));
    return false;
  }
  if (!found.failure.empty()) return Fail(entry, "bound", found.failure + when), false;
  const bool leans = !(std::fabs(found.figures.bias_z.value_or(0)) < kBiasLimit);
  const std::string lean = leans ? fmt::format("errors lean one way: z = {:.1f}, limit {}{}",
                                               *found.figures.bias_z, kBiasLimit, when)
                                 : "";
  if (leans && RowsErrIndependently(data, entry)) return Fail(entry, "bias", lean), false;
  AddCheck(entry, "memory", "pass");
  AddCheck(entry, "bound", "pass");
  AddCheck(entry, "bias", leans ? "suspicious" : "pass", lean);
  return true;
}

// A silent fallback: what ran is not what the variant promises.
bool CheckImplementation(Entry& entry) {
  const std::string& expected = entry.contender->expected_implementations;
  if (expected.empty()) return true;
  for (const std::string& word : Split(expected, '|'))
    if (entry.result.implementation.find(word) != std::string::npos) {
      AddCheck(entry, "implementation", "pass");
      return true;
    }
  Fail(entry, "implementation",
       fmt::format("silent fallback: ran '{}', the variant promises one of '{}'",
                   entry.result.implementation, expected));
  return false;
}

std::vector<std::byte> Snapshot(const std::vector<Output>& outputs) {
  std::vector<std::byte> bytes;
  for (const Output& output : outputs) {
    const auto* data = static_cast<const std::byte*>(output.tensor.data);
    bytes.insert(bytes.end(), data, data + output.tensor.extent_bytes);
  }
  return bytes;
}

// Outputs of set 0 at the start alignment against those of the first call. Gaps hold each call's
// poison, so only gapless outputs are compared by bits.
bool CheckRerun(const CellData& data, Entry& entry, const std::vector<Output>& outputs) {
  for (const Output& output : outputs)
    if (StoredElements(output.tensor) != ExtentElements(output.tensor)) return true;
  const bool same = Snapshot(outputs) == entry.first_outputs;
  const attest_contract* contract = entry.contender->ContractFor(data.cell.problem.dtype);
  if (same || (contract->flags & ATTEST_CONTRACT_NONDETERMINISTIC) != 0) {
    AddCheck(entry, "rerun", "pass", same ? "" : "differs within the bound, as declared");
    return true;
  }
  Fail(entry, "rerun",
       "a second run on the same inputs gave other bits, and the contract does not say so");
  return false;
}

// One call; false: concluded.
bool RunCall(const CellData& data, Entry& entry, const Call& call) {
  Host& host = *entry.contender->host;
  if (!Prepare(data, entry)) return false;
  host.Poison(kPoisons[call.poison]);
  const protocol::Reply reply =
      host.Ask(protocol::Run{entry.plan, host.BindingOf(data, call.set, call.alignment)});
  if (reply.status != "ok") {
    const bool unsupported = reply.status == "unsupported";
    Conclude(entry, unsupported ? report::Verdict::kUnsupported : report::Verdict::kError,
             fmt::format("{}: {}", reply.status, reply.message));
    return false;
  }
  const auto& run = std::get<protocol::RunReply>(reply.body);
  entry.call_seconds =
      entry.call_seconds == 0 ? run.seconds : std::min(entry.call_seconds, run.seconds);
  entry.result.peak_memory_bytes =
      std::max(entry.result.peak_memory_bytes.value_or(0), run.peak_memory_bytes);
  entry.result.workspace_bytes = run.workspace_bytes;
  if (run.device_bytes != 0) entry.result.device_bytes = run.device_bytes;
  if (!run.implementation.empty()) entry.result.implementation = run.implementation;
  AddCheck(entry, "floating_point_environment", "pass", run.floating_point_environment);
  return true;
}

// What every call of a probe brought: "" = exact. Absent: the entry is concluded.
std::optional<std::string> RunProbe(const CellData& data, Entry& entry, size_t probe) {
  for (const ProbeCall& call : data.probe_calls) {
    if (call.probe != probe) continue;
    if (!RunCall(data, entry, {call.set, Alignment::kStart, call.pass % 2})) return std::nullopt;
    const auto outputs = entry.contender->host->Outputs(data, Alignment::kStart);
    for (const Output& output : outputs) {
      if (output.tensor.role != ATTEST_ROLE_OUT) continue;
      std::string wrong = CheckMemory(output, kPoisons[call.pass % 2]);
      if (wrong.empty())
        wrong = data.probes[probe]->Check(call.pass, output.tensor, data.roundings[entry.rounding]);
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

enum class Probed { kNone, kExact, kConcluded };

// All probes, so that a failure names every one that saw it.
Probed RunProbes(const CellData& data, Entry& entry) {
  Probed result = Probed::kNone;
  std::string failures;
  for (size_t i = 0; i < data.probes.size(); ++i) {
    const Probe& probe = *data.probes[i];
    const std::string name(probe.name());
    const std::string exempt =
        probe.passes() == 0 ? probe.reason() : probe.Exempts(data.roundings[entry.rounding]);
    if (!exempt.empty()) {
      AddCheck(entry, name, "not_applicable", exempt);
      continue;
    }
    const auto wrong = RunProbe(data, entry, i);
    if (!wrong) return Probed::kConcluded;
    AddCheck(entry, name, wrong->empty() ? "pass" : "fail",
             wrong->empty() ? probe.reason() : *wrong);
    if (!wrong->empty())
      failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", name, *wrong);
    result = Probed::kExact;
  }
  if (failures.empty()) return result;
  Conclude(entry, report::Verdict::kFail, failures);
  return Probed::kConcluded;
}

void Decide(Entry& entry, bool probed) {
  AddCheck(entry, "guard_pages", "pass");
  AddCheck(entry, "inputs_unchanged", "pass", "sealed read-only");
  const report::Verification& figures = *entry.result.verification;
  const double probabilistic = figures.error_over_probabilistic_bound.value_or(0);
  AddCheck(entry, "probabilistic_bound", probabilistic <= 1 ? "pass" : "suspicious");
  if (!probed && !(figures.resolving_power.value_or(0) <= kVacuousResolution)) {
    Conclude(entry, report::Verdict::kVacuous,
             fmt::format("the bound is {:.2g} of the range of V and no probe applies: this case "
                         "can show nothing",
                         *figures.resolving_power));
    return;
  }
  const bool suspicious = !(probabilistic <= 1);
  entry.result.verdict = suspicious ? report::Verdict::kSuspicious : report::Verdict::kPass;
  entry.result.reason =
      suspicious
          ? fmt::format("errors are {:.2f} of what independent roundings explain", probabilistic)
          : "";
}

void RunCalls(const CellData& data, Entry& entry, bool rounds_follow) {
  for (const Call& call : kCalls) {
    if (!RunCall(data, entry, call)) return;
    const bool first = &call == &kCalls[0];
    if (first && !CheckImplementation(entry)) return;
    const auto outputs = entry.contender->host->Outputs(data, call.alignment);
    if (!Judge(data, entry, call.set, outputs, kPoisons[call.poison], "")) return;
    if (first) entry.first_outputs = Snapshot(outputs);
  }
  if (!rounds_follow) {
    if (!RunCall(data, entry, kRerun)) return;
    const auto outputs = entry.contender->host->Outputs(data, kRerun.alignment);
    if (!Judge(data, entry, kRerun.set, outputs, kPoisons[kRerun.poison], " (rerun)")) return;
    if (!CheckRerun(data, entry, outputs)) return;
  }
  const Probed probed = RunProbes(data, entry);
  if (probed != Probed::kConcluded) Decide(entry, probed == Probed::kExact);
}

}  // namespace

void Examine(const CellData& data, Entry& entry, bool rounds_follow) {
  try {
    RunCalls(data, entry, rounds_follow);
  } catch (const WorkerLost& lost) {
    if (lost.verdict == report::Verdict::kCrash)
      AddCheck(entry, "guard_pages", "fail", lost.what());
    Conclude(entry, lost.verdict, lost.what());
  }
}

bool CheckTimedOutput(const CellData& data, Entry& entry, int set, int round) {
  const auto outputs = entry.contender->host->Outputs(data, Alignment::kStart);
  const uint32_t poison = kPoisons[round % 2];
  bool right = IsRight(data, set, entry.rounding, outputs, poison) ||
               Judge(data, entry, set, outputs, kPoisons[round % 2],
                     fmt::format(" (timed round {})", round + 1));
  if (right && round == 0) right = CheckRerun(data, entry, outputs);
  AddCheck(entry, "timed_output", right ? "pass" : "fail");
  return right;
}

}  // namespace attest::judge
