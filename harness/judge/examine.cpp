// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/examine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "harness/core/words.h"
#include "harness/judge/masked_nan.h"
#include "harness/judge/relations.h"
#include "harness/judge/rules.h"

namespace attest::judge {
namespace {

constexpr double kVacuousResolution = 0.5;  // a bound that wide cannot tell right from wrong

struct Call {
  int set = 0;
  Alignment alignment = Alignment::kStart;
  int poison = 0;
};

constexpr Call kFirst = {0, Alignment::kStart, 0};
// The other input set, alignment and poison. Where rounds follow, they bring that set, and a probe
// that alignment.
constexpr Call kOther = {1, Alignment::kEnd, 1};
// The first call once more under the other poison.
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
  auto rules = std::move(kept->rules);
  if (!kept->worst || !(figures.error_over_bound <= kept->error_over_bound)) *kept = figures;
  kept->checks = std::move(checks);
  kept->rules = std::move(rules);
}

// A rule accepts a result where it accepts the output of every call.
void NoteRules(const CellData& data, Entry& entry, int set, const std::vector<Output>& outputs) {
  if (data.plain[set].output.empty()) return;
  for (const Output& output : outputs) {
    if (output.tensor.role != ATTEST_ROLE_OUT) continue;
    RuleVerdicts verdicts = ApplyRules(data, set, output.tensor);
    auto& kept = entry.result.verification->rules;
    for (size_t i = 0; i < kept.size(); ++i) verdicts[i].second &= kept[i].second;
    kept = std::move(verdicts);
  }
}

// z counts rows as independent observations. Those of a layer read the same K and V, whose own
// errors they share. Rounded operands err alike in every row that reads them: honest arithmetic
// then reaches |z| = 35 over 1,200 rows. There a lean is a mark; elsewhere it is a gate.
bool LeanIsWrong(const CellData& data, const Entry& entry) {
  return data.cell.problem.op == ATTEST_OP_SDPA && data.roundings[entry.rounding].u_op == 0 &&
         RowsErrIndependently(data.cell.data);
}

// The elements of all outputs, without the gaps between rows: those hold each call's poison.
std::vector<std::byte> Snapshot(const std::vector<Output>& outputs) {
  std::vector<std::byte> bytes;
  for (const Output& output : outputs) AppendElements(output.tensor, bytes);
  return bytes;
}

// The checks of one result, in order. Each says whether to go on: after a failure only where every
// check is wanted, never once the entry is concluded.
class Examination {
 public:
  Examination(const CellData& data, Entry& entry, bool every_check)
      : data_(data), entry_(entry), every_check_(every_check) {}

  void Run(Follow follow);
  bool Judge(int set, const std::vector<Output>& outputs, uint32_t poison, const std::string& when);
  bool CheckRerun(const std::vector<Output>& outputs);

 private:
  bool Fail(const std::string& check, const std::string& detail);
  bool CheckImplementation();
  bool RunCall(const Call& call);
  bool RunAndJudge(const Call& call, const std::string& when);
  bool RunCalls(Follow follow);
  std::optional<std::string> RunProbe(size_t probe);
  bool RunProbes();
  bool RunMaskedNan();
  bool RunRelations();

  const CellData& data_;
  Entry& entry_;
  bool every_check_;
  std::vector<double> head_rows_;  // of the first call, for the relations
  std::string failures_;           // so far, where every check is wanted
};

bool Examination::Fail(const std::string& check, const std::string& detail) {
  AddCheck(entry_, check, "fail", detail);
  const std::string reason = fmt::format("{}: {}", check, detail);
  if (!every_check_) return Conclude(entry_, report::Verdict::kFail, reason), false;
  failures_ += failures_.empty() ? reason : "; " + reason;
  return true;
}

// What one call's outputs say. `when` goes into the reason.
bool Examination::Judge(int set, const std::vector<Output>& outputs, uint32_t poison,
                        const std::string& when) {
  const Comparison found = Compare(data_, set, entry_.rounding, outputs, poison);
  Merge(entry_, found.figures);
  entry_.judged[set] = true;
  NoteRules(data_, entry_, set, outputs);
  if (!found.memory.empty() && !Fail("memory", found.memory + when)) return false;
  if (found.outside > 0 &&
      !Fail("bound", fmt::format("{} of {} elements beyond the error bound{}; worst: {}",
                                 found.outside, found.elements, when, WorstText(found.figures))))
    return false;
  if (!found.failure.empty() && !Fail("bound", found.failure + when)) return false;
  const bool leans = !(std::fabs(found.figures.bias_z.value_or(0)) < kBiasLimit);
  const std::string lean = leans ? fmt::format("errors lean one way: z = {:.1f}, limit {}{}",
                                               *found.figures.bias_z, kBiasLimit, when)
                                 : "";
  if (leans && LeanIsWrong(data_, entry_) && !Fail("bias", lean)) return false;
  AddCheck(entry_, "memory", "pass");
  AddCheck(entry_, "bound", "pass");
  AddCheck(entry_, "bias", leans ? "suspicious" : "pass", lean);
  return true;
}

// A silent fallback: what ran is not what the variant promises.
bool Examination::CheckImplementation() {
  const std::string& expected = entry_.contender->expected_implementations;
  if (expected.empty()) return true;
  for (const std::string& word : Split(expected, '|'))
    if (entry_.result.implementation.find(word) != std::string::npos) {
      AddCheck(entry_, "implementation", "pass");
      return true;
    }
  return Fail("implementation",
              fmt::format("silent fallback: ran '{}', the variant promises one of '{}'",
                          entry_.result.implementation, expected));
}

// Outputs of set 0 at the start alignment: keeps the first call's, holds the second's against them.
bool Examination::CheckRerun(const std::vector<Output>& outputs) {
  if (entry_.rerun_checked) return true;
  if (entry_.first_outputs.empty()) {
    entry_.first_outputs = Snapshot(outputs);
    return true;
  }
  entry_.rerun_checked = true;
  const bool same = Snapshot(outputs) == entry_.first_outputs;
  entry_.first_outputs.clear();
  const attest_contract* contract = entry_.contender->ContractFor(data_.cell.problem.dtype);
  if (same || (contract->flags & ATTEST_CONTRACT_NONDETERMINISTIC) != 0) {
    AddCheck(entry_, "rerun", "pass", same ? "" : "differs within the bound, as declared");
    return true;
  }
  return Fail("rerun",
              "a second run on the same inputs gave other bits, and the contract does not say so");
}

bool Examination::RunCall(const Call& call) {
  Host& host = *entry_.contender->host;
  if (!Prepare(data_, entry_)) return false;
  host.Poison(kPoisons[call.poison]);
  const protocol::Reply reply =
      host.Ask(protocol::Run{entry_.plan, host.BindingOf(data_, call.set, call.alignment)});
  if (reply.status != "ok") {
    const bool unsupported = reply.status == "unsupported";
    Conclude(entry_, unsupported ? report::Verdict::kUnsupported : report::Verdict::kError,
             fmt::format("{}: {}", reply.status, reply.message));
    return false;
  }
  const auto& run = std::get<protocol::RunReply>(reply.body);
  entry_.last_set = call.set;
  entry_.last_alignment = call.alignment;
  entry_.call_seconds =
      entry_.call_seconds == 0 ? run.seconds : std::min(entry_.call_seconds, run.seconds);
  entry_.result.peak_memory_bytes =
      std::max(entry_.result.peak_memory_bytes.value_or(0), run.peak_memory_bytes);
  entry_.result.workspace_bytes = run.workspace_bytes;
  if (run.device_bytes != 0) entry_.result.device_bytes = run.device_bytes;
  if (!run.implementation.empty()) entry_.result.implementation = run.implementation;
  AddCheck(entry_, "floating_point_environment", "pass", run.floating_point_environment);
  return true;
}

// What every call of a probe brought: "" = exact. Absent: the entry is concluded.
std::optional<std::string> Examination::RunProbe(size_t probe) {
  for (const ProbeCall& call : data_.probe_calls) {
    if (call.probe != probe) continue;
    if (!RunCall({call.set, call.alignment, call.pass % 2})) return std::nullopt;
    const auto outputs = entry_.contender->host->Outputs(data_, call.alignment);
    for (const Output& output : outputs) {
      std::string wrong = CheckMemory(output, kPoisons[call.pass % 2]);
      if (wrong.empty() && output.tensor.role == ATTEST_ROLE_OUT)
        wrong =
            data_.probes[probe]->Check(call.pass, output.tensor, data_.roundings[entry_.rounding]);
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

// All probes, so that a failure names every one that saw it.
bool Examination::RunProbes() {
  std::string failures;
  for (size_t i = 0; i < data_.probes.size(); ++i) {
    const Probe& probe = *data_.probes[i];
    const std::string name(probe.name());
    const std::string exempt =
        probe.passes() == 0 ? probe.reason() : probe.Exempts(data_.roundings[entry_.rounding]);
    if (!exempt.empty()) {
      AddCheck(entry_, name, "not_applicable", exempt);
      continue;
    }
    const auto wrong = RunProbe(i);
    if (!wrong) return false;
    AddCheck(entry_, name, wrong->empty() ? "pass" : "fail",
             wrong->empty() ? probe.reason() : *wrong);
    if (!wrong->empty())
      failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", name, *wrong);
    entry_.probed = true;
  }
  if (failures.empty()) return true;
  if (!every_check_) return Conclude(entry_, report::Verdict::kFail, failures), false;
  failures_ += failures_.empty() ? failures : "; " + failures;
  return true;
}

// A property, and a gate where the contract says that hidden NaN never reaches the output.
bool Examination::RunMaskedNan() {
  const MaskedNan& planted = data_.masked_nan;
  if (planted.keys == 0) {
    if (!planted.reason.empty()) AddCheck(entry_, "masked_nan", "not_applicable", planted.reason);
    return true;
  }
  if (!RunCall({MaskedNan::kSet, Alignment::kStart, 1})) return false;
  const auto outputs = entry_.contender->host->Outputs(data_, Alignment::kStart);
  const std::string leak = LeakOf(data_, entry_.rounding, outputs, kPoisons[1]);
  const attest_contract* contract = entry_.contender->ContractFor(data_.cell.problem.dtype);
  if (!leak.empty() && (contract->flags & ATTEST_CONTRACT_MASKED_NAN_SAFE) != 0)
    return Fail("masked_nan", leak + ", and the contract says that it does not leak");
  AddCheck(entry_, "masked_nan", leak.empty() ? "pass" : "leaks", leak);
  return true;
}

bool Examination::RunRelations() {
  if (!data_.no_relations.empty())
    AddCheck(entry_, "independence", "not_applicable", data_.no_relations);
  if (!data_.relations) return true;
  for (const auto& [name, finding] :
       data_.relations->Check(*entry_.contender, entry_.rounding, head_rows_)) {
    if (finding.outcome != "fail")
      AddCheck(entry_, name, finding.outcome, finding.detail);
    else if (!Fail(name, finding.detail))
      return false;
  }
  return true;
}

// One call and what it says.
bool Examination::RunAndJudge(const Call& call, const std::string& when) {
  if (!RunCall(call)) return false;
  const auto outputs = entry_.contender->host->Outputs(data_, call.alignment);
  for (const Output& output : outputs)
    if (data_.relations && call.set == kFirst.set && output.tensor.role == ATTEST_ROLE_OUT)
      head_rows_ = data_.relations->RowsOf(output.tensor);
  return Judge(call.set, outputs, kPoisons[call.poison], when) &&
         (call.set != kFirst.set || CheckRerun(outputs));
}

// The calls on both sets that nothing that follows takes the place of.
bool Examination::RunCalls(Follow follow) {
  const bool reaches_end = ProbesReachTheEnd(data_, entry_.rounding);
  if (follow == Follow::kFewRounds && reaches_end && !data_.relations) return true;
  if (!RunAndJudge(kFirst, "") || !CheckImplementation()) return false;
  if (follow != Follow::kNothing) return reaches_end || RunAndJudge(kOther, "");
  if (data_.sets == 1)
    AddCheck(entry_, "second_input_set", "not_applicable", "two sets do not fit in memory");
  else if (!RunAndJudge(kOther, ""))
    return false;
  return RunAndJudge(kRerun, " (rerun)");
}

void Examination::Run(Follow follow) {
  try {
    if (!RunCalls(follow) || !RunProbes() || !RunMaskedNan() || !RunRelations()) return;
    if (!entry_.judged[0] && !CheckImplementation()) return;
    if (!failures_.empty()) Conclude(entry_, report::Verdict::kFail, failures_);
  } catch (const WorkerLost& lost) {
    if (lost.verdict == report::Verdict::kCrash)
      AddCheck(entry_, "guard_pages", "fail", lost.what());
    Conclude(entry_, lost.verdict, lost.what());
  }
}

}  // namespace

void Examine(const CellData& data, Entry& entry, const ExamineOptions& options) {
  Examination(data, entry, options.every_check).Run(options.follow);
}

bool CheckTimedOutput(const CellData& data, Entry& entry, int set, int round) {
  const auto outputs = entry.contender->host->Outputs(data, Alignment::kStart);
  const uint32_t poison = kPoisons[round % 2];
  Examination examination(data, entry, false);
  bool right = (entry.judged[set] && IsRight(data, set, entry.rounding, outputs, poison)) ||
               examination.Judge(set, outputs, poison, fmt::format(" (timed round {})", round + 1));
  if (right && set == 0) right = examination.CheckRerun(outputs);
  AddCheck(entry, "timed_output", right ? "pass" : "fail");
  return right;
}

void Decide(const CellData& data, Entry& entry) {
  if (!entry.judged[0] || !entry.rerun_checked || (data.sets == 2 && !entry.judged[1])) {
    Conclude(entry, report::Verdict::kSkipped,
             fmt::format("stopped before {}",
                         entry.judged[0] ? "all of it was checked" : "its first round"));
    return;
  }
  AddCheck(entry, "guard_pages", "pass");
  AddCheck(entry, "inputs_unchanged", "pass", "sealed read-only");
  const report::Verification& figures = *entry.result.verification;
  const double probabilistic = figures.error_over_probabilistic_bound.value_or(0);
  AddCheck(entry, "probabilistic_bound", probabilistic <= 1 ? "pass" : "suspicious");
  if (!entry.probed && !(figures.resolving_power.value_or(0) <= kVacuousResolution)) {
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

}  // namespace attest::judge
