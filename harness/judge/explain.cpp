// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/explain.h"

#include <algorithm>

#include "harness/judge/deviation.h"
#include "harness/judge/inferred.h"
#include "harness/judge/keys.h"

namespace attest::judge {
namespace {

constexpr int64_t kOneKeyRows = 16;
constexpr uint32_t kOtherPlan = 1u << 20;  // above every entry's number
constexpr double kSlowCall = 1;            // seconds: no more of such calls than the checks make
constexpr double kMostBytes = 0x1p28;      // of shared inputs made anew to weigh keys

class Explainer {
 public:
  Explainer(const CellData& data, Entry& entry)
      : data_(data), entry_(entry), host_(*entry.contender->host) {}

  void ExplainFailure() {
    const bool beyond = Failed("bound");
    const auto out = WrongOutput();
    report::Verification& verification = *entry_.result.verification;
    std::string& where = verification.deviation;
    std::string& inferred = verification.inferred_contract;
    if (out) where = DescribeDeviation(data_, set_, entry_.rounding, *out);
    if (out && set_ == 0 && !where.empty()) entry_.deviating = ComparedValues(data_, 0, *out);
    if (out && beyond && !where.empty()) inferred = Infer(*out);
    if (!inferred.empty()) inferred = Confirmed(inferred, InferFromOneKey());
    const bool precision = !inferred.empty() && inferred != kUnexplained;
    const WrongKeys keys = IsCertain(inferred) ? WrongKeys() : Keys();
    if (precision && keys.distinct) inferred = kUnexplained;
    if (!keys.text.empty() && (!precision || keys.distinct))
      where += (where.empty() ? "everywhere " : " ") + keys.text;
  }

  // Within the bound: a sum over many keys may hide what one key shows.
  void ExplainSuspicion() { entry_.result.verification->inferred_contract = InferFromOneKey(); }

 private:
  bool Failed(const char* name) const {
    const auto& checks = entry_.result.verification->checks;
    return std::any_of(checks.begin(), checks.end(), [&](const report::Check& check) {
      return check.name == name && check.outcome == "fail";
    });
  }

  // OUT of random inputs beyond the bound: as the last call left it, else of a new one.
  std::optional<attest_tensor> WrongOutput() {
    if (entry_.last_set == 0 || entry_.last_set == 1) {
      set_ = entry_.last_set;
      return OutOf(data_, entry_.last_alignment);
    }
    std::optional<attest_tensor> out;
    for (set_ = 0; set_ < 2; ++set_) {
      if (!(entry_.call_seconds < kSlowCall)) return std::nullopt;
      out = Call(data_, set_);
      if (out && !DescribeDeviation(data_, set_, entry_.rounding, *out).empty()) return out;
    }
    set_ = 1;
    return out;
  }

  std::optional<attest_tensor> OutOf(const CellData& data, Alignment alignment) const {
    for (const Output& output : host_.Outputs(data, alignment))
      if (output.tensor.role == ATTEST_ROLE_OUT) return output.tensor;
    return std::nullopt;
  }

  std::optional<attest_tensor> Call(const CellData& data, int set,
                                    Alignment alignment = Alignment::kStart) {
    return Call(data, entry_, set, alignment);
  }

  // One more call; whatever becomes of it, the verdict stays.
  std::optional<attest_tensor> Call(const CellData& data, Entry& entry, int set,
                                    Alignment alignment) {
    const report::Verdict verdict = entry.result.verdict;
    const std::string reason = entry.result.reason;
    std::optional<attest_tensor> out;
    if (Prepare(data, entry)) {
      host_.Poison(kPoisons[0]);
      const protocol::Reply reply =
          host_.Ask(protocol::Run{entry.plan, host_.BindingOf(data, set, alignment)});
      if (reply.status == "ok") out = OutOf(data, alignment);
    }
    Conclude(entry, verdict, reason);
    return out;
  }

  // Probes see structure: what they find wrong under the coarser arithmetic is no arithmetic.
  std::string Infer(const attest_tensor& out) {
    const std::vector<Fit> fits = FindFits(data_, set_, entry_.rounding, out);
    for (const Fit& fit : fits) {
      size_t probed = 0;
      for (size_t i = 0; i < data_.probes.size(); ++i) {
        const Probe& probe = *data_.probes[i];
        if (probe.passes() == 0 || !probe.Exempts(fit.rounding).empty()) continue;
        ++probed;
        if (!IsExact(i, fit.rounding)) return kUnexplained;
      }
      if (probed > 0) return BehavesAs(fit.name);
    }
    // Coarse arithmetic is coarse in most rows; a fault may sit in one.
    if (fits.empty() || !MostRowsDeviate(data_, set_, entry_.rounding, out)) return kUnexplained;
    return MayBehaveAs(fits.front().name);
  }

  // The same with one key, whose weight is 1: the output is V, as the arithmetic reads it. "" where
  // that is right, or not to be had.
  std::string InferFromOneKey() {
    if (entry_.result.verification->inferred_contract == kUnexplained) return "";
    Cell cell = data_.cell;
    attest_problem& p = cell.problem;
    p.kv_sequence_length = 1;
    p.q_sequence_length = std::min(p.q_sequence_length, kOneKeyRows);
    p.is_causal = p.has_kv_lengths = 0;
    p.causal_offset = 0;
    p.left_window_size = p.right_window_size = -1;
    p.attn_mask = ATTEST_MASK_NONE;
    cell.mask_shape = MaskShape::kShared;
    p.outputs = 0;
    cell.data = "normal";
    CellDataOptions options;
    options.roundings = {data_.roundings[entry_.rounding]};
    options.probes = false;
    const auto one = MakeCellData(cell, options);
    Entry entry;
    entry.contender = entry_.contender;
    entry.plan = entry_.plan + kOtherPlan;
    host_.Leave();
    const auto out = Call(*one, entry, 0, Alignment::kStart);
    std::string text;
    if (out && !DescribeDeviation(*one, 0, 0, *out).empty()) {
      const std::vector<Fit> fits = FindFits(*one, 0, 0, *out);
      text = fits.empty() ? kUnexplained : BehavesAs(fits.front().name);
    }
    Release(entry);
    host_.Leave();
    return text;
  }

  bool IsExact(size_t probe, const reference::Rounding& rounding) {
    for (const ProbeCall& call : data_.probe_calls) {
      if (call.probe != probe) continue;
      const auto out = Call(data_, call.set, call.alignment);
      if (!out || !data_.probes[probe]->Check(call.pass, *out, rounding).empty()) return false;
    }
    return true;
  }

  WrongKeys Keys() {
    double bytes = 0;
    for (const attest_tensor& tensor : data_.tensors)
      bytes += 4 * static_cast<double>(tensor.extent_bytes);
    if (!(entry_.call_seconds < kSlowCall) || !(bytes < kMostBytes)) return {};
    const auto& worst = entry_.result.verification->worst;
    const attest_problem& p = data_.cell.problem;
    const int64_t row =
        worst ? (worst->batch * p.q_num_heads + worst->head) * p.q_sequence_length + worst->row
              : -1;
    const WrongKeys keys = FindWrongKeys(data_, entry_.rounding, row, [&](const CellData& inputs) {
      host_.Leave();  // it holds the cell's own tensors, or those of the last call
      return Call(inputs, 0);
    });
    host_.Leave();
    return keys;
  }

  const CellData& data_;
  Entry& entry_;
  Host& host_;
  int set_ = 0;
};

}  // namespace

void Explain(const CellData& data, Entry& entry) {
  const report::Verdict verdict = entry.result.verdict;
  const bool wrong = verdict == report::Verdict::kFail;
  if ((!wrong && verdict != report::Verdict::kSuspicious) || entry.explained ||
      !entry.result.verification || data.cell.problem.op != ATTEST_OP_SDPA)
    return;
  entry.explained = true;
  try {
    Explainer explainer(data, entry);
    wrong ? explainer.ExplainFailure() : explainer.ExplainSuspicion();
  } catch (const std::exception&) {  // no memory, no worker: what was said until then stays
    entry.contender->host->Leave();
  }
  const std::string& inferred = entry.result.verification->inferred_contract;
  if (!inferred.empty()) entry.result.reason += "; " + inferred;
}

}  // namespace attest::judge
