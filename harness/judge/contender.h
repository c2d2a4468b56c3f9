// SPDX-License-Identifier: Apache-2.0
//
// A backend:variant@device of this run, and what became of it on the cell in work.
#ifndef ATTEST_HARNESS_JUDGE_CONTENDER_H_
#define ATTEST_HARNESS_JUDGE_CONTENDER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/judge/host.h"

namespace attest::judge {

struct Contender {
  std::string backend, variant, label;
  std::string device_kind;  // "cpu", "gpu", "accelerator"
  std::string expected_implementations;
  uint32_t variant_index = 0;
  std::shared_ptr<Host> host;
  std::vector<protocol::ContractReply> contracts;
  std::string ignores_threads;  // how it was seen to use more than it was given; empty = not seen
  double seconds_per_flop = 0;  // the least of the cells it ran (unmasked FLOPs); 0 = not known yet

  // Its contract for an io type; nullptr where it does not have the type.
  const attest_contract* ContractFor(int32_t dtype) const;
};

// One contender on one cell, from preparation to the last round.
struct Entry {
  Contender* contender = nullptr;
  report::Result result;
  size_t rounding = 0;      // index into CellData::roundings
  uint32_t plan = 0;        // its number in the worker
  uint64_t generation = 0;  // of the worker that holds the plan
  bool prepared = false;
  bool keep_plan = true;                 // false: made anew for every round, for want of memory
  bool alive = true;                     // false: the verdict stands, no more calls
  std::vector<std::byte> first_outputs;  // of the first call on set 0, for the rerun check
  bool rerun_checked = false;
  bool judged[2] = {};      // input sets that a call's every figure is known of
  bool probed = false;      // some probe applied, and was exact
  double call_seconds = 0;  // of the fastest checked call
  bool explained = false;
  std::vector<double> deviating;  // OUT on set 0 where compared, where it is wrong there; or empty
  int last_set = -1;              // whose inputs the outputs in memory are of; -1 = none
  Alignment last_alignment = Alignment::kStart;
  int rounds = 0;  // to measure; 0 = none
  uint64_t iterations = 1;
  double warm_up_seconds = 0;  // before each round
};

// Gives the entry its final verdict.
void Conclude(Entry& entry, report::Verdict verdict, const std::string& reason);
// Notes a check; "fail" ones decide the verdict through Conclude, elsewhere.
void AddCheck(Entry& entry, const std::string& name, const std::string& outcome,
              const std::string& detail = "");

// Prepares the plan where the worker does not hold it. False: the entry is concluded (unsupported,
// ...).
bool Prepare(const CellData& data, Entry& entry);
void Release(Entry& entry);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_CONTENDER_H_
