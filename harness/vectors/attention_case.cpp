// SPDX-License-Identifier: Apache-2.0
#include "harness/vectors/attention_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "harness/vectors/attributes.h"
#include "harness/vectors/values.h"

namespace attest::vectors {
namespace fs = std::filesystem;
namespace {

enum Input { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths, kInputs };
enum Output { kY, kPresentKey, kPresentValue, kScores, kOutputs };
constexpr int64_t kLengthsOpset = 24;

using Slots = std::vector<std::optional<Tensor>>;

void Require(bool holds, const std::string& message) {
  if (!holds) throw std::invalid_argument(message);
}

std::vector<fs::path> FoldersIn(const fs::path& directory, const std::string& prefix) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory))
    if (entry.is_directory() && entry.path().filename().string().starts_with(prefix))
      folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

void AddCases(const fs::path& folder, std::vector<CaseFiles>& cases) {
  const std::string name = fs::canonical(folder).filename().string();
  const std::vector<fs::path> sets = FoldersIn(folder, "test_data_set_");
  if (sets.empty()) cases.push_back({name, folder.string(), ""});
  for (size_t i = 0; i < sets.size(); ++i)
    cases.push_back(
        {i == 0 ? name : fmt::format("{}:{}", name, i), folder.string(), sets[i].string()});
}

// The node's inputs or outputs by position: the i-th of the graph is in input_i.pb or output_i.pb.
Slots ReadSlots(const std::string& data_set, const char* kind, const std::vector<std::string>& used,
                const std::vector<std::string>& graph, size_t count) {
  Require(used.size() <= count,
          fmt::format("the node has {} {}s, Attention has {}", used.size(), kind, count));
  Slots slots(count);
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i].empty()) continue;
    const auto found = std::find(graph.begin(), graph.end(), used[i]);
    Require(found != graph.end(), fmt::format("{} '{}' is none of the graph's", kind, used[i]));
    const std::string path = fmt::format("{}/{}_{}.pb", data_set, kind, found - graph.begin());
    slots[i] = ReadTensor(path);
    Require(slots[i]->name.empty() || slots[i]->name == used[i],
            fmt::format("{}: holds '{}' instead of '{}'", path, slots[i]->name, used[i]));
    slots[i]->name = used[i];
  }
  return slots;
}

void CheckInputs(const Slots& in, int64_t opset) {
  for (const Input needed : {kQ, kK, kV})
    Require(in[needed].has_value(),
            fmt::format("input {} (Q, K or V) is missing", static_cast<int>(needed)));
  for (const Input same : {kQ, kK, kV, kPastKey, kPastValue})
    if (in[same])
      Require(in[same]->dtype == in[kQ]->dtype && DtypeName(in[same]->dtype) != "bool" &&
                  DtypeName(in[same]->dtype) != "i64",
              fmt::format("'{}' has element type {}, 'Q' has {}; they must be one floating-point "
                          "type",
                          in[same]->name, DtypeName(in[same]->dtype), DtypeName(in[kQ]->dtype)));
  Require(in[kPastKey].has_value() == in[kPastValue].has_value(),
          "past_key and past_value only go together");
  if (!in[kLengths]) return;
  Require(opset >= kLengthsOpset, fmt::format("nonpad_kv_seqlen needs opset {}", kLengthsOpset));
  Require(!in[kPastKey], "nonpad_kv_seqlen and past_key exclude each other");
  Require(in[kLengths]->dtype == ATTEST_I64, "nonpad_kv_seqlen must be INT64");
}

// Sizes from the tensors; every disagreement between them is found here.
void SetSizes(const Slots& in, const Attributes& attributes, Case& result) {
  attest_problem& p = result.cell.problem;
  const size_t axes = in[kQ]->shape.size();
  Require(axes == in[kK]->shape.size() && axes == in[kV]->shape.size(),
          "Q, K and V must have the same number of axes");
  const bool packed = axes == 3;
  Require(!packed || (attributes.q_num_heads && attributes.kv_num_heads),
          "inputs with 3 axes need q_num_heads and kv_num_heads");
  const HeadSizes q = SizesOf(*in[kQ], attributes.q_num_heads.value_or(0));
  const HeadSizes k = SizesOf(*in[kK], attributes.kv_num_heads.value_or(0));
  const HeadSizes v = SizesOf(*in[kV], attributes.kv_num_heads.value_or(0));
  Require(attributes.q_num_heads.value_or(q.heads) == q.heads, "q_num_heads is not Q's");
  Require(attributes.kv_num_heads.value_or(k.heads) == k.heads, "kv_num_heads is not K's");
  int64_t past = 0;
  if (in[kPastKey]) {
    Require(in[kPastKey]->shape.size() == 4 && in[kPastValue]->shape.size() == 4,
            "past_key and past_value must have 4 axes");
    past = in[kPastKey]->shape[2];
    Require(SizesOf(*in[kPastKey], 0) == HeadSizes{k.batch, k.heads, past, k.size} &&
                SizesOf(*in[kPastValue], 0) == HeadSizes{v.batch, v.heads, past, v.size},
            "past_key or past_value does not fit K and V");
  }
  Require(k.batch == q.batch && k.size == q.size, "K does not fit Q");
  Require(v == HeadSizes{k.batch, k.heads, k.length, v.size}, "V does not fit K");
  p.batch_size = q.batch, p.q_num_heads = q.heads, p.kv_num_heads = k.heads;
  p.q_sequence_length = q.length, p.kv_sequence_length = past + k.length;
  p.head_size = q.size, p.v_head_size = v.size;
  p.causal_offset = past;
  result.cell.layout = packed ? Layout::kBsnh : Layout::kBnsh;
  // A size of 0 is none of an open choice here.
  for (const int64_t size : {p.batch_size, p.q_num_heads, p.kv_num_heads, p.q_sequence_length,
                             p.kv_sequence_length, p.head_size, p.v_head_size})
    Require(size > 0, "a size of Q, K or V is 0");
}

void SetOptions(const Slots& in, const Attributes& attributes, Case& result) {
  attest_problem& p = result.cell.problem;
  p.dtype = in[kQ]->dtype;
  p.scale = attributes.scale.value_or(0);
  p.softcap = attributes.softcap;
  p.is_causal = attributes.is_causal;
  p.left_window_size = attributes.left_window_size;
  p.right_window_size = attributes.right_window_size;
  p.has_kv_lengths = in[kLengths].has_value();
  if (p.has_kv_lengths || (!p.is_causal && p.left_window_size < 0 && p.right_window_size < 0))
    p.causal_offset = 0;  // nobody reads it
  if (in[kMask]) {
    const bool boolean = in[kMask]->dtype == ATTEST_BOOL;
    Require(boolean || in[kMask]->dtype == p.dtype,
            fmt::format("attn_mask has element type {}, but must be bool or that of Q",
                        DtypeName(in[kMask]->dtype)));
    p.attn_mask = boolean ? ATTEST_MASK_BOOLEAN : ATTEST_MASK_ADDITIVE;
  }
  result.stage = attributes.stage;
  result.softmax_dtype = attributes.softmax_dtype;
  if (result.scores && result.stage == ScoreStage::kWeights) p.outputs = ATTEST_OUTPUT_WEIGHTS;
  ResolveProblem(p);
}

std::vector<std::byte> FillLengths(const Tensor& lengths, const attest_problem& p) {
  Require(lengths.shape == std::vector<int64_t>{p.batch_size},
          "nonpad_kv_seqlen must have one element for each batch entry");
  const auto* values = reinterpret_cast<const int64_t*>(lengths.bytes.data());
  for (int64_t b = 0; b < p.batch_size; ++b)
    Require(values[b] >= 0 && values[b] <= p.kv_sequence_length,
            fmt::format("nonpad_kv_seqlen is {}, but there are {} keys", values[b],
                        p.kv_sequence_length));
  return lengths.bytes;
}

std::vector<const Tensor*> Parts(const std::optional<Tensor>& past, const Tensor& now) {
  if (past) return {&*past, &now};
  return {&now};
}

void FillGiven(const Slots& in, Case& result) {
  const attest_problem& p = result.cell.problem;
  result.given.tensors = DescribeTensors(p, result.cell.layout);
  for (attest_tensor& tensor : result.given.tensors) {
    std::vector<std::byte> values;
    if (tensor.role == ATTEST_ROLE_Q) values = JoinHeads(tensor, {&*in[kQ]});
    if (tensor.role == ATTEST_ROLE_K) values = JoinHeads(tensor, Parts(in[kPastKey], *in[kK]));
    if (tensor.role == ATTEST_ROLE_V) values = JoinHeads(tensor, Parts(in[kPastValue], *in[kV]));
    if (tensor.role == ATTEST_ROLE_MASK) values = FillMask(*in[kMask], tensor);
    if (tensor.role == ATTEST_ROLE_KV_LENGTHS) values = FillLengths(*in[kLengths], p);
    result.given.values.push_back(std::move(values));
  }
}

void CheckOutput(const Tensor& tensor, int32_t dtype, const std::vector<int64_t>& shape) {
  Require(tensor.dtype == dtype && tensor.shape == shape,
          fmt::format("output '{}' has another element type or shape than the inputs give",
                      tensor.name));
}

void CheckOutputs(const Case& c) {
  const attest_problem& p = c.cell.problem;
  const int64_t b = p.batch_size, hkv = p.kv_num_heads, lk = p.kv_sequence_length;
  const std::vector<int64_t> packed = {b, p.q_sequence_length, p.q_num_heads * p.v_head_size};
  const std::vector<int64_t> plain = {b, p.q_num_heads, p.q_sequence_length, p.v_head_size};
  CheckOutput(c.y, p.dtype, c.cell.layout == Layout::kBsnh ? packed : plain);
  if (c.present_key) CheckOutput(*c.present_key, p.dtype, {b, hkv, lk, p.head_size});
  if (c.present_value) CheckOutput(*c.present_value, p.dtype, {b, hkv, lk, p.v_head_size});
  if (c.scores) CheckOutput(*c.scores, p.dtype, {b, p.q_num_heads, p.q_sequence_length, lk});
}

}  // namespace

std::vector<CaseFiles> FindCases(const std::string& directory) {
  if (!fs::is_directory(directory))
    throw std::invalid_argument(directory + ": is no directory of ONNX node tests");
  std::vector<CaseFiles> cases;
  if (fs::exists(fs::path(directory) / "model.onnx"))
    AddCases(directory, cases);
  else
    for (const fs::path& folder : FoldersIn(directory, "")) AddCases(folder, cases);
  return cases;
}

Case ReadCase(const CaseFiles& files) {
  const Node node = ReadModel(files.folder + "/model.onnx");
  const Attributes attributes = ReadAttributes(node);
  Require(!files.data_set.empty(), "no folder test_data_set_0");
  const Slots in = ReadSlots(files.data_set, "input", node.inputs, node.graph_inputs, kInputs);
  Slots out = ReadSlots(files.data_set, "output", node.outputs, node.graph_outputs, kOutputs);
  CheckInputs(in, node.opset);
  Require(out[kY].has_value(), "output Y is missing");
  Case result;
  result.files = files;
  result.cell.data = files.name;
  result.y = std::move(*out[kY]);
  result.present_key = std::move(out[kPresentKey]);
  result.present_value = std::move(out[kPresentValue]);
  result.scores = std::move(out[kScores]);
  SetSizes(in, attributes, result);
  SetOptions(in, attributes, result);
  CheckOutputs(result);
  FillGiven(in, result);
  return result;
}

std::vector<attest_tensor> InputsWithData(const Given& given) {
  std::vector<attest_tensor> tensors;
  for (size_t i = 0; i < given.tensors.size(); ++i) {
    if (IsOutput(given.tensors[i].role)) continue;
    tensors.push_back(given.tensors[i]);
    tensors.back().data = const_cast<std::byte*>(given.values[i].data());
  }
  return tensors;
}

}  // namespace attest::vectors
