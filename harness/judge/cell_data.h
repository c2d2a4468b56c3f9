// SPDX-License-Identifier: Apache-2.0
//
// What a cell needs before anybody computes it: two sets of inputs in shared memory, and what the
// answers must be.
#ifndef ATTEST_HARNESS_JUDGE_CELL_DATA_H_
#define ATTEST_HARNESS_JUDGE_CELL_DATA_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/core/buffer.h"
#include "harness/core/cell.h"
#include "harness/core/given.h"
#include "harness/judge/plain.h"
#include "harness/judge/probes.h"
#include "harness/worker/protocol.h"
#include "reference/oracle.h"

namespace attest::judge {

// Where in its buffer a tensor lies: its first byte right after the guard page before it, or its
// end (rounded up to 128 bytes) right at the guard page behind it.
enum class Alignment { kStart, kEnd };

// Two 32-bit poisons whose every 16, 32 and 64-bit reading is a NaN.
inline constexpr uint32_t kPoisons[2] = {0x7ff37ff3, 0xfff5fff5};
void FillPoison(std::byte* first, size_t bytes, uint32_t pattern);  // whole words
void FillPoison(Buffer& buffer, uint32_t pattern);

size_t BufferBytes(const attest_tensor& tensor);
protocol::Placement PlaceTensor(const attest_tensor& tensor, uint32_t buffer, Alignment alignment);

struct InputBuffer {
  uint32_t id = 0;
  size_t tensor = 0;  // index into CellData::tensors
  int set = 0;        // 0, 1, or a probe's
  Alignment alignment = Alignment::kStart;
  Buffer buffer;
};

// A call of a probe: its own values for some tensors, those of set 0 for the rest.
struct ProbeCall {
  size_t probe = 0;  // index into CellData::probes
  int pass = 0;
  int set = 2;
  Alignment alignment = Alignment::kStart;
};

// Where NaN was planted in K and V: masked_nan.h.
struct MaskedNan {
  static constexpr int kSet = 1000;  // of the inputs with NaN
  int64_t keys = 0;                  // over all batch entries and kv heads; 0 = no such inputs
  std::string reason;                // why there are none
};

class Relations;

struct CellData {
  CellData();
  ~CellData();

  Cell cell;
  std::vector<attest_tensor> tensors;  // descriptions
  std::vector<InputBuffer> inputs;
  std::vector<reference::Rounding> roundings;
  reference::Answer answers[2];            // one per input set; bounds in the order of `roundings`
  std::vector<double> lean_directions[2];  // [rows, OutputColumns]; empty = along the answer itself
  PlainRun plain[2];                       // of the answers' rows; empty unless asked for
  // [OutputColumns]: greatest minus least V of the column, set 0; of self_attention the answer's
  std::vector<double> value_ranges;
  int sets = 2;  // of inputs; 1: a single one, at kStart only
  Work work;
  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<ProbeCall> probe_calls;
  // Of CellDataOptions::all_checks.
  MaskedNan masked_nan;
  std::unique_ptr<Relations> relations;
  std::string no_relations;  // why there are none

  // What all checks take beyond the quick ones, in calls of the whole problem.
  double ExtraCalls() const;

  // The inputs' placements of a set; outputs are the worker's own. A probe's set has its call's
  // alignment only.
  // Throws std::logic_error for one that was not made.
  protocol::Binding InputBinding(int set, Alignment alignment) const;
};

// The inputs of set 0 or 1, with data.
std::vector<attest_tensor> InputTensors(const CellData& data, int set);

struct CellDataOptions {
  unsigned threads = 1;
  double oracle_budget = 4e9;  // for set 0, see judge.h; set 1 gets a quarter
  std::vector<reference::Rounding> roundings;
  bool probes = true;
  // Timed rounds follow, all at the start: copies at the end of the buffers only where no probe
  // lies there.
  bool rounds_follow = false;
  const Given* given = nullptr;  // the values of both sets, where the data kind makes none
  bool answers = true;           // false: only inputs, nothing to compare with
  bool all_checks = false;       // prepare relations and NaN at hidden keys, too
  bool plain = false;            // for other projects' rules
  bool single_set = false;       // where two sets at two alignments do not fit in memory
};

// Multiply-adds of a row, where a bound takes about as long as 1.7 times the row itself.
double RowWork(const attest_problem& problem, size_t bounds);

// Whether the rows of that kind of data are unlike enough for their errors to be independent. On
// structured data rows are nearly equal, or their sums lose small terms alike.
bool RowsErrIndependently(std::string_view kind);

// Whether a probe call that this rounding has to pass lies at the end of its buffers.
bool ProbesReachTheEnd(const CellData& data, size_t rounding);

// Bytes of shared memory that the cell's buffers take with `hosts` workers.
double SharedBytes(const Cell& cell, size_t hosts, bool single_set);

// Throws std::system_error where the memory cannot be had.
std::unique_ptr<CellData> MakeCellData(const Cell& cell, const CellDataOptions& options);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_CELL_DATA_H_
