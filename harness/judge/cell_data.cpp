// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/cell_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "harness/core/convert.h"
#include "harness/core/inputs.h"

namespace attest::judge {
namespace {

// What lies around an input is a NaN: whoever reads it will show it. `same` holds the values
// already, at its start; nullptr: make them.
Buffer MakeInput(const Cell& cell, attest_tensor tensor, int set, Alignment alignment,
                 const std::byte* same, unsigned threads) {
  Buffer buffer(BufferBytes(tensor));
  FillPoison(buffer, kPoisons[1]);
  tensor.data = buffer.data() + PlaceTensor(tensor, 0, alignment).offset_bytes;
  if (same != nullptr)
    std::memcpy(tensor.data, same, tensor.extent_bytes);
  else
    FillInput(cell.problem, tensor, cell.data, 2 * cell.seed + static_cast<uint64_t>(set), threads);
  buffer.Seal();
  return buffer;
}

void MakeInputs(CellData& data, size_t tensor, const CellDataOptions& options) {
  const std::byte* given =
      options.given != nullptr ? options.given->values.at(tensor).data() : nullptr;
  for (int set = 0; set < 2; ++set)
    for (Alignment alignment : {Alignment::kStart, Alignment::kEnd}) {
      const std::byte* same =
          alignment == Alignment::kEnd ? data.inputs.back().buffer.data() : given;
      Buffer buffer =
          MakeInput(data.cell, data.tensors[tensor], set, alignment, same, options.threads);
      const auto id = static_cast<uint32_t>(data.inputs.size() + 1);
      data.inputs.push_back({id, tensor, set, alignment, std::move(buffer)});
    }
}

std::vector<attest_tensor> WithData(const CellData& data, int set) {
  std::vector<attest_tensor> tensors;
  for (const InputBuffer& input : data.inputs) {
    if (input.set != set || input.alignment != Alignment::kStart) continue;
    attest_tensor tensor = data.tensors[input.tensor];
    tensor.data = const_cast<std::byte*>(input.buffer.data());
    tensors.push_back(tensor);
  }
  return tensors;
}

reference::Answer AnswerOf(const CellData& data, int set, double budget, unsigned threads) {
  const attest_problem& problem = data.cell.problem;
  const auto tensors = WithData(data, set);
  const double affordable = budget / static_cast<double>(reference::RowCost(problem));
  const int64_t rows = reference::RowCount(problem);
  reference::Options options;
  options.threads = threads;
  options.roundings = data.roundings;
  if (affordable < static_cast<double>(rows))
    options.rows =
        reference::SampleRows(problem, std::max<int64_t>(64, static_cast<int64_t>(affordable)),
                              data.cell.seed + static_cast<uint64_t>(set));
  return reference::ComputeSdpa(problem, Pointers(tensors), options);
}

// Greatest minus least value of each column of V; where a column is constant, its magnitude.
std::vector<double> ValueRanges(const CellData& data) {
  const auto tensors = WithData(data, 0);
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
  attest_tensor filled = data.tensors[tensor];
  Buffer buffer(BufferBytes(filled));
  FillPoison(buffer, kPoisons[1]);
  filled.data = buffer.data() + PlaceTensor(filled, 0, Alignment::kStart).offset_bytes;
  if (!data.probes[call.probe]->Fill(call.pass, filled)) return;
  buffer.Seal();
  const auto id = static_cast<uint32_t>(data.inputs.size() + 1);
  data.inputs.push_back({id, tensor, call.set, Alignment::kStart, std::move(buffer)});
}

bool IsProbed(int32_t role) {
  return role == ATTEST_ROLE_Q || role == ATTEST_ROLE_K || role == ATTEST_ROLE_V;
}

void AddProbes(CellData& data, unsigned threads) {
  const auto tensors = WithData(data, 0);
  data.probes =
      MakeProbes(data.cell.problem, Pointers(tensors), {threads, data.cell.seed, data.roundings});
  for (size_t probe = 0; probe < data.probes.size(); ++probe)
    for (int pass = 0; pass < data.probes[probe]->passes(); ++pass) {
      const ProbeCall call{probe, pass, 2 + static_cast<int>(data.probe_calls.size())};
      data.probe_calls.push_back(call);
      for (size_t tensor = 0; tensor < data.tensors.size(); ++tensor)
        if (IsProbed(data.tensors[tensor].role)) AddProbeInput(data, tensor, call);
    }
}

}  // namespace

void FillPoison(Buffer& buffer, uint32_t pattern) {
  auto* words = reinterpret_cast<uint32_t*>(buffer.data());
  std::fill(words, words + buffer.bytes() / sizeof *words, pattern);
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
  std::map<size_t, const InputBuffer*>
      chosen;  // by tensor; a probe's own come after those of set 0
  const bool probe = set > 1;
  for (const InputBuffer& input : inputs)
    if (input.alignment == alignment && (input.set == set || (probe && input.set == 0)))
      chosen[input.tensor] = &input;
  protocol::Binding binding;
  for (const auto& [tensor, input] : chosen)
    binding.push_back(PlaceTensor(tensors[tensor], input->id, alignment));
  return binding;
}

// Inputs: two sets at two alignments each; Q, K and V also a set for the needle and two for
// counting.
double SharedBytes(const Cell& cell, size_t hosts) {
  double bytes = 0;
  for (const attest_tensor& tensor : DescribeTensors(cell.problem, cell.layout, cell.mask_shape))
    bytes += static_cast<double>(tensor.extent_bytes) * (IsOutput(tensor.role)
                                                             ? static_cast<double>(hosts)
                                                         : IsProbed(tensor.role) ? 7.0
                                                                                 : 4.0);
  return bytes;
}

std::unique_ptr<CellData> MakeCellData(const Cell& cell, const CellDataOptions& options) {
  auto data = std::make_unique<CellData>();
  data->cell = cell;
  data->tensors = options.given != nullptr
                      ? options.given->tensors
                      : DescribeTensors(cell.problem, cell.layout, cell.mask_shape);
  data->roundings = options.roundings;
  for (size_t i = 0; i < data->tensors.size(); ++i)
    if (!IsOutput(data->tensors[i].role)) MakeInputs(*data, i, options);
  data->work = WorkOf(cell.problem, Pointers(WithData(*data, 0)));
  for (const attest_tensor& tensor : data->tensors)
    if (IsOutput(tensor.role))
      data->work.bytes_min +=
          static_cast<double>(StoredElements(tensor) * DtypeBytes(tensor.dtype));
  for (int set = 0; set < 2; ++set)
    data->answers[set] =
        AnswerOf(*data, set, options.oracle_budget / (set == 0 ? 1 : 4), options.threads);
  data->value_ranges = ValueRanges(*data);
  if (options.probes) AddProbes(*data, options.threads);
  return data;
}

}  // namespace attest::judge
