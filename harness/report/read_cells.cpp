// SPDX-License-Identifier: Apache-2.0
//
// Reading cells: the problem's words back to the interface's numbers.
#include <stdexcept>

#include "harness/report/json.h"
#include "harness/report/json_reader.h"

namespace attest::report {
namespace {

// The number in [first, last] whose word the node holds.
template <class Names>
int32_t NumberOf(const Node& node, int32_t first, int32_t last, Names name_of) {
  std::string word;
  Read(node, word);
  for (int32_t number = first; number <= last; ++number)
    if (name_of(number) == word) return number;
  node.Fail("'" + word + "' is not known here");
}

// Absent keys leave the default, so that a report of an older version still reads.
template <class Value>
void ReadIfThere(const Node& node, const char* key, Value& value) {
  const Node member = node.Find(key);
  if (member.json) ReadMember(node, member, key, value);
}
void ReadFlag(const Node& node, const char* key, int32_t& value) {
  bool flag = value != 0;
  ReadIfThere(node, key, flag);
  value = flag ? 1 : 0;
}

void ReadOutputs(const Node& node, attest_problem& problem) {
  const Node words = node.Find("outputs");
  if (!words.json) return;
  for (size_t i = 0; i < words.ArraySize(); ++i) {
    const Node word = words.At(i);
    const int32_t index =
        NumberOf(word, 0, 1, [](int32_t n) { return n == 0 ? "lse" : "weights"; });
    problem.outputs |= index == 0 ? ATTEST_OUTPUT_LSE : ATTEST_OUTPUT_WEIGHTS;
  }
}

void ReadSizes(const Node& node, attest_problem& p) {
  Read(node.Require("batch_size"), p.batch_size);
  Read(node.Require("q_num_heads"), p.q_num_heads);
  Read(node.Require("kv_num_heads"), p.kv_num_heads);
  Read(node.Require("q_sequence_length"), p.q_sequence_length);
  Read(node.Require("kv_sequence_length"), p.kv_sequence_length);
  Read(node.Require("head_size"), p.head_size);
  p.v_head_size = p.head_size;
  ReadIfThere(node, "v_head_size", p.v_head_size);
  ReadIfThere(node, "hidden_size", p.hidden_size);
}

attest_problem ReadProblem(const Node& node) {
  attest_problem p = DefaultProblem();
  p.op = NumberOf(node.Require("op"), ATTEST_OP_SDPA, ATTEST_OP_SELF_ATTENTION, OpName);
  p.dtype = NumberOf(node.Require("dtype"), ATTEST_F32, ATTEST_F64, DtypeName);
  ReadSizes(node, p);
  ReadIfThere(node, "scale", p.scale);
  ReadIfThere(node, "softcap", p.softcap);
  ReadFlag(node, "is_causal", p.is_causal);
  ReadIfThere(node, "causal_offset", p.causal_offset);
  ReadIfThere(node, "left_window_size", p.left_window_size);
  ReadIfThere(node, "right_window_size", p.right_window_size);
  if (const Node mask = node.Find("attn_mask"); mask.json)
    p.attn_mask = NumberOf(mask, ATTEST_MASK_NONE, ATTEST_MASK_ADDITIVE, MaskName);
  if (const Node structure = node.Find("structure"); structure.json)
    p.structure =
        NumberOf(structure, ATTEST_STRUCTURE_FULL, ATTEST_STRUCTURE_MEAN_POOL, StructureName);
  ReadOutputs(node, p);
  ReadFlag(node, "has_kv_lengths", p.has_kv_lengths);
  ReadFlag(node, "has_bias", p.has_bias);
  ReadFlag(node, "has_output_projection", p.has_output_projection);
  ReadFlag(node, "is_cross", p.is_cross);
  return p;
}

}  // namespace

void Read(const Node& node, CellRecord& record) {
  Read(node.Require("id"), record.id);
  record.cell.problem = ReadProblem(node.Require("problem"));
  if (const Node layout = node.Find("layout"); layout.json)
    record.cell.layout = static_cast<Layout>(NumberOf(
        layout, 0, kLayoutCount - 1, [](int32_t n) { return LayoutName(static_cast<Layout>(n)); }));
  if (const Node shape = node.Find("mask_shape"); shape.json)
    record.cell.mask_shape =
        static_cast<MaskShape>(NumberOf(shape, 0, kMaskShapeCount - 1, [](int32_t n) {
          return MaskShapeName(static_cast<MaskShape>(n));
        }));
  ReadIfThere(node, "data", record.cell.data);
  ReadIfThere(node, "seed", record.cell.seed);
  ReadFields(node, record);
}

CellRecord ReadCellJson(std::string_view text) {
  const Json json = ParseJson(text, "cell");
  CellRecord record;
  Read({&json, "cell"}, record);
  return record;
}

Policy ReadPolicyJson(std::string_view text) {
  const Json json = ParseJson(text, "policy");
  Policy policy;
  ReadFields(Node{&json, "policy"}, policy);
  return policy;
}

}  // namespace attest::report
