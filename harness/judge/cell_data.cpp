// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/cell_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"
#include "harness/judge/masked_nan.h"
#include "harness/judge/relations.h"

namespace attest::judge {
namespace {

bool IsLayer(const CellData& data) { return data.cell.problem.op == ATTEST_OP_SELF_ATTENTION; }

// Room for a tensor. What lies around an input is a NaN: whoever reads it will show it.
Buffer PoisonedBuffer(attest_tensor& tensor, Alignment alignment) {
  Buffer buffer(BufferBytes(tensor));
  const size_t first = PlaceTensor(tensor, 0, alignment).offset_bytes;
  tensor.data = buffer.data() + first;
  const bool dense = StoredElements(tensor) == ExtentElements(tensor);
  if (!dense) {
    FillPoison(buffer, kPoisons[1]);
    return buffer;
  }
  // Whole words; those that reach into the tensor are written over.
  const size_t word = sizeof kPoisons[1];
  const size_t behind = (first + tensor.extent_bytes) / word * word;
  FillPoison(buffer.data(), first, kPoisons[1]);
  FillPoison(buffer.data() + behind, buffer.bytes() - behind, kPoisons[1]);
  return buffer;
}

// `same` holds the values already, at its start; nullptr: make them.
Buffer MakeInput(const Cell& cell, attest_tensor tensor, int set, Alignment alignment,
                 const std::byte* same, unsigned threads) {
  Buffer buffer = PoisonedBuffer(tensor, alignment);
  if (same != nullptr)
    std::memcpy(tensor.data, same, tensor.extent_bytes);
  else
    FillInput(cell.problem, tensor, cell.data, 2 * cell.seed + static_cast<uint64_t>(set), threads);
  buffer.Seal();
  return buffer;
}

void AddInput(CellData& data, size_t tensor, int set, Alignment alignment, const std::byte* same,
              unsigned threads) {
  Buffer buffer = MakeInput(data.cell, data.tensors[tensor], set, alignment, same, threads);
  const auto id = static_cast<uint32_t>(data.inputs.size() + 1);
  data.inputs.push_back({id, tensor, set, alignment, std::move(buffer)});
}

void MakeInputs(CellData& data, size_t tensor, const CellDataOptions& options) {
  const std::byte* given =
      options.given != nullptr ? options.given->values.at(tensor).data() : nullptr;
  for (int set = 0; set < data.sets; ++set)
    AddInput(data, tensor, set, Alignment::kStart, given, options.threads);
}

// Both sets once more at the end of their buffers; where a probe lies there, only set 0 of what it
// leaves as it is.
void MakeEndCopies(CellData& data, bool probes_reach_the_end) {
  std::set<size_t> probed;
  for (const InputBuffer& input : data.inputs)
    if (input.set > 1 && input.alignment == Alignment::kEnd) probed.insert(input.tensor);
  const size_t count = data.inputs.size();
  for (size_t i = 0; i < count; ++i) {
    const InputBuffer& input = data.inputs[i];
    if (input.set > 1) continue;
    if (probes_reach_the_end && (probed.count(input.tensor) != 0 || input.set == 1)) continue;
    AddInput(data, input.tensor, input.set, Alignment::kEnd, input.buffer.data(), 1);
  }
}

reference::Answer AnswerOf(const CellData& data, int set, double budget, unsigned threads) {
  const attest_problem& problem = data.cell.problem;
  const auto tensors = InputTensors(data, set);
  const double affordable = budget / RowWork(problem, data.roundings.size());
  const int64_t rows = reference::RowCount(problem);
  reference::Options options;
  options.threads = threads;
  options.roundings = data.roundings;
  if (affordable < static_cast<double>(rows))
    options.rows =
        reference::SampleRows(problem, std::max<int64_t>(64, static_cast<int64_t>(affordable)),
                              data.cell.seed + static_cast<uint64_t>(set));
  options.sensitivity = !IsLayer(data) && RowsErrIndependently(data.cell.data);
  return reference::ComputeAnswer(problem, Pointers(tensors), options);
}

// The answer less the part of it that a common relative error of all scores would change (the
// scale, rounded once, has one): what errors must not lean along.
std::vector<double> LeanDirection(const reference::Answer& answer) {
  const std::vector<double>&change = answer.sensitivity, &output = answer.output;
  if (change.empty()) return {};
  double both = 0, squared = 0;
  for (size_t i = 0; i < change.size(); ++i) {
    both += output[i] * change[i];
    squared += change[i] * change[i];
  }
  std::vector<double> direction = output;
  for (size_t i = 0; squared > 0 && i < change.size(); ++i)
    direction[i] -= both / squared * change[i];
  return direction;
}

// Greatest minus least value of each column of V; where a column is constant, its magnitude.
std::vector<double> ValueRanges(const CellData& data) {
  if (IsLayer(data)) return data.answers[0].value_ranges;
  const auto tensors = InputTensors(data, 0);
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [](const attest_tensor& t) { return t.role == ATTEST_ROLE_V; });
  if (found == tensors.end()) return {};
  const attest_tensor& v = *found;
  std::vector<double> least(v.shape[3], INFINITY), greatest(v.shape[3], -INFINITY);
  for (int64_t b = 0; b < v.shape[0]; ++b)
    for (int64_t h = 0; h < v.shape[1]; ++h)
      for (int64_t j = 0; j < v.shape[2]; ++j)
        for (int64_t c = 0; c < v.shape[3]; ++c) {
          const double value = LoadElement(
              v.data, v.dtype,
              b * v.strides[0] + h * v.strides[1] + j * v.strides[2] + c * v.strides[3]);
          least[c] = std::min(least[c], value);
          greatest[c] = std::max(greatest[c], value);
        }
  for (size_t c = 0; c < least.size(); ++c) {
    const double range = greatest[c] - least[c];
    least[c] = range > 0 ? range : std::fabs(greatest[c]);
  }
  return least;
}

void AddProbeInput(CellData& data, size_t tensor, const ProbeCall& call) {
  if (!data.probes[call.probe]->Fills(data.tensors[tensor].role)) return;
  attest_tensor filled = data.tensors[tensor];
  Buffer buffer = PoisonedBuffer(filled, call.alignment);
  data.probes[call.probe]->Fill(call.pass, filled);
  buffer.Seal();
  const auto id = static_cast<uint32_t>(data.inputs.size() + 1);
  data.inputs.push_back({id, tensor, call.set, call.alignment, std::move(buffer)});
}

// Inputs: two sets at two alignments each, or one; Q, K and V also a set for the needle, Q and V
// two for counting; so do the layer's inputs, whose probes are made of all of them.
double CopiesOf(int32_t role, size_t hosts, bool single_set) {
  if (IsOutput(role)) return static_cast<double>(hosts);
  const double sets = single_set ? 1 : 4;
  if (role == ATTEST_ROLE_MASK || role == ATTEST_ROLE_KV_LENGTHS) return sets;
  return sets + (role == ATTEST_ROLE_K ? 1 : 3);
}

void AddProbes(CellData& data, unsigned threads) {
  const auto tensors = InputTensors(data, 0);
  data.probes =
      MakeProbes(data.cell.problem, Pointers(tensors), {threads, data.cell.seed, data.roundings});
  for (size_t probe = 0; probe < data.probes.size(); ++probe)
    for (int pass = 0; pass < data.probes[probe]->passes(); ++pass) {
      // The first call, the needle's where it applies, lies at the end of its buffers.
      const bool first = data.probe_calls.empty();
      const ProbeCall call{probe, pass, 2 + static_cast<int>(data.probe_calls.size()),
                           first ? Alignment::kEnd : Alignment::kStart};
      data.probe_calls.push_back(call);
      for (size_t tensor = 0; tensor < data.tensors.size(); ++tensor)
        AddProbeInput(data, tensor, call);
    }
}

constexpr double kSideBudget = 1.0 / 16;  // of the oracle's, for each answer beside the cell's

void AddRelations(CellData& data, const CellDataOptions& options) {
  if (data.cell.problem.op != ATTEST_OP_SDPA) {
    data.no_relations = "Q, K and V are no inputs of this operation";
    return;
  }
  const auto tensors = InputTensors(data, 0);
  const SideOptions side{
      options.threads, options.oracle_budget * kSideBudget, options.roundings, {}};
  try {
    data.relations = std::make_unique<Relations>(data.cell, Pointers(tensors), side);
  } catch (const std::system_error& error) {
    data.no_relations = error.what();
  } catch (const std::bad_alloc&) {
    data.no_relations = "not enough memory";
  }
}

// What changes the inputs, or why it cannot.
void AddExtraChecks(CellData& data, const CellDataOptions& options) {
  std::string reason;
  if (options.given != nullptr) reason = "the values are given";
  if (options.single_set) reason = "further inputs do not fit in memory";
  if (reason.empty()) {
    PlantMaskedNan(data);
    AddRelations(data, options);
  } else {
    data.masked_nan.reason = data.no_relations = reason;
  }
}

}  // namespace

CellData::CellData() = default;
CellData::~CellData() = default;

double CellData::ExtraCalls() const {
  return (masked_nan.keys > 0 ? 1 : 0) + (relations ? relations->calls() : 0);
}

double RowWork(const attest_problem& problem, size_t bounds) {
  constexpr double kBoundShare = 1.7;
  return static_cast<double>(reference::RowCost(problem)) *
         (1 + kBoundShare * static_cast<double>(bounds));
}

std::vector<attest_tensor> InputTensors(const CellData& data, int set) {
  std::vector<attest_tensor> tensors;
  for (const InputBuffer& input : data.inputs) {
    if (input.set != set || input.alignment != Alignment::kStart) continue;
    attest_tensor tensor = data.tensors[input.tensor];
    tensor.data = const_cast<std::byte*>(input.buffer.data());
    tensors.push_back(tensor);
  }
  return tensors;
}

void FillPoison(std::byte* first, size_t bytes, uint32_t pattern) {
  auto* words = reinterpret_cast<uint32_t*>(first);
  std::fill(words, words + bytes / sizeof *words, pattern);
}

void FillPoison(Buffer& buffer, uint32_t pattern) {
  FillPoison(buffer.data(), buffer.bytes(), pattern);
}

bool RowsErrIndependently(std::string_view kind) { return kind == "normal" || kind == "uniform11"; }

bool ProbesReachTheEnd(const CellData& data, size_t rounding) {
  return std::any_of(data.probe_calls.begin(), data.probe_calls.end(), [&](const ProbeCall& call) {
    return call.alignment == Alignment::kEnd &&
           data.probes[call.probe]->Exempts(data.roundings[rounding]).empty();
  });
}

size_t BufferBytes(const attest_tensor& tensor) { return RoundUp(tensor.extent_bytes, kPageBytes); }

protocol::Placement PlaceTensor(const attest_tensor& tensor, uint32_t buffer, Alignment alignment) {
  const size_t total = BufferBytes(tensor);
  protocol::Placement placement;
  placement.role = tensor.role;
  placement.buffer = buffer;
  if (alignment == Alignment::kEnd)
    placement.offset_bytes = total - RoundUp(tensor.extent_bytes, kAlignmentBytes);
  placement.margin_before_bytes = placement.offset_bytes;
  placement.margin_after_bytes = total - placement.offset_bytes - tensor.extent_bytes;
  return placement;
}

protocol::Binding CellData::InputBinding(int set, Alignment alignment) const {
  std::map<size_t, const InputBuffer*> chosen;  // by tensor; a probe's own before those of set 0
  for (const InputBuffer& input : inputs)
    if (input.alignment == alignment && input.set == set) chosen[input.tensor] = &input;
  for (const InputBuffer& input : inputs)
    if (input.alignment == alignment && input.set == 0 && set > 1)
      chosen.emplace(input.tensor, &input);
  const auto inputs_wanted =
      std::count_if(tensors.begin(), tensors.end(),
                    [](const attest_tensor& tensor) { return !IsOutput(tensor.role); });
  if (std::ssize(chosen) != inputs_wanted)
    throw std::logic_error("an input set was asked for at an alignment that was not made");
  protocol::Binding binding;
  for (const auto& [tensor, input] : chosen)
    binding.push_back(PlaceTensor(tensors[tensor], input->id, alignment));
  return binding;
}

double SharedBytes(const Cell& cell, size_t hosts, bool single_set) {
  double bytes = 0;
  for (const attest_tensor& tensor : DescribeTensors(cell.problem, cell.layout, cell.mask_shape))
    bytes += static_cast<double>(tensor.extent_bytes) * CopiesOf(tensor.role, hosts, single_set);
  return bytes;
}

std::unique_ptr<CellData> MakeCellData(const Cell& cell, const CellDataOptions& options) {
  auto data = std::make_unique<CellData>();
  data->cell = cell;
  data->tensors = options.given != nullptr
                      ? options.given->tensors
                      : DescribeTensors(cell.problem, cell.layout, cell.mask_shape);
  data->roundings = options.roundings;
  data->sets = options.single_set ? 1 : 2;
  for (size_t i = 0; i < data->tensors.size(); ++i)
    if (!IsOutput(data->tensors[i].role)) MakeInputs(*data, i, options);
  data->work = WorkOf(cell.problem, Pointers(InputTensors(*data, 0)));
  for (const attest_tensor& tensor : data->tensors)
    if (IsOutput(tensor.role))
      data->work.bytes_min +=
          static_cast<double>(StoredElements(tensor) * DtypeBytes(tensor.dtype));
  for (int set = 0; set < data->sets && options.answers; ++set)
    data->answers[set] =
        AnswerOf(*data, set, options.oracle_budget / (set == 0 ? 1 : 4), options.threads);
  for (int set = 0; set < data->sets; ++set)
    data->lean_directions[set] = LeanDirection(data->answers[set]);
  for (int set = 0; options.plain && set < data->sets; ++set)
    data->plain[set] = ComputePlain(cell.problem, Pointers(InputTensors(*data, set)),
                                    data->answers[set].rows, options.threads);
  data->value_ranges = ValueRanges(*data);
  if (options.probes) AddProbes(*data, options.threads);
  bool reached = options.rounds_follow;
  for (size_t i = 0; i < data->roundings.size(); ++i)
    reached = reached && ProbesReachTheEnd(*data, i);
  if (!options.single_set || !data->probe_calls.empty())
    MakeEndCopies(*data, reached || options.single_set);
  if (options.all_checks) AddExtraChecks(*data, options);
  return data;
}

}  // namespace attest::judge
