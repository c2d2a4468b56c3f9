// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/given_call.h"

#include <fmt/format.h>

#include "harness/core/convert.h"
#include "harness/judge/examine.h"

namespace attest::judge {
namespace {

// Outputs without gaps are asked for, so that memory order is row order.
std::vector<double> ElementsOf(const attest_tensor& tensor) {
  std::vector<double> elements;
  const int64_t count = StoredElements(tensor);
  elements.reserve(static_cast<size_t>(count));
  for (int64_t n = 0; n < count; ++n) elements.push_back(LoadElement(tensor.data, tensor.dtype, n));
  return elements;
}

CellDataOptions OptionsOf(const attest_contract& contract, const Cell& cell, const Given* given,
                          unsigned threads) {
  CellDataOptions options;
  options.threads = threads;
  options.roundings = {reference::RoundingOf(contract, cell.problem.dtype, cell.problem.op)};
  options.probes = false;
  options.given = given;
  options.single_set = true;
  return options;
}

void CallAndRead(const CellData& data, Entry& entry, GivenOutcome& outcome) {
  Examine(data, entry, {});
  if (entry.alive) Decide(data, entry);
  Host& host = *entry.contender->host;
  if (entry.last_set < 0 || !host.alive()) return;
  for (const Output& output : host.Outputs(data, entry.last_alignment))
    outcome.outputs[output.tensor.role] = ElementsOf(output.tensor);
}

GivenOutcome Call(Contender& contender, const Cell& cell, const Given* given, unsigned threads) {
  Entry entry;
  entry.contender = &contender;
  entry.plan = 1;
  entry.result.backend = contender.backend;
  entry.result.variant = contender.variant;
  entry.result.device = contender.host->device();
  GivenOutcome outcome;
  if (const attest_contract* contract = contender.ContractFor(cell.problem.dtype)) {
    const auto data = MakeCellData(cell, OptionsOf(*contract, cell, given, threads));
    CallAndRead(*data, entry, outcome);
    Release(entry);
    contender.host->Leave();
  } else {
    Conclude(entry, report::Verdict::kUnsupported,
             fmt::format("{} has no {}", contender.label, DtypeName(cell.problem.dtype)));
  }
  outcome.result = std::move(entry.result);
  return outcome;
}

}  // namespace

GivenOutcome CallGiven(Contender& contender, const Cell& cell, const Given& given,
                       unsigned threads) {
  return Call(contender, cell, &given, threads);
}

GivenOutcome CallCell(Contender& contender, const Cell& cell, unsigned threads) {
  return Call(contender, cell, nullptr, threads);
}

}  // namespace attest::judge
