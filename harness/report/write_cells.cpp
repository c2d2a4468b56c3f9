// SPDX-License-Identifier: Apache-2.0
//
// The parts of the JSON that are no plain list of members: problems, results, variants.
#include "harness/report/json.h"
#include "harness/report/json_writer.h"

namespace attest::report {
namespace {

Json OutputsJson(uint32_t outputs) {
  Json words = Json::array();
  if (outputs & ATTEST_OUTPUT_LSE) words.push_back("lse");
  if (outputs & ATTEST_OUTPUT_WEIGHTS) words.push_back("weights");
  return words;
}

Json ProblemJson(const attest_problem& p) {
  Json object = Json::object();
  object["op"] = OpName(p.op);
  object["dtype"] = DtypeName(p.dtype);
  object["batch_size"] = p.batch_size;
  object["q_num_heads"] = p.q_num_heads;
  object["kv_num_heads"] = p.kv_num_heads;
  object["q_sequence_length"] = p.q_sequence_length;
  object["kv_sequence_length"] = p.kv_sequence_length;
  object["head_size"] = p.head_size;
  object["v_head_size"] = p.v_head_size;
  Put(object, "scale", p.scale);
  Put(object, "softcap", p.softcap);
  object["is_causal"] = p.is_causal != 0;
  object["causal_offset"] = p.causal_offset;
  object["causal_alignment"] = CausalAlignment(p);
  object["left_window_size"] = p.left_window_size;
  object["right_window_size"] = p.right_window_size;
  object["attn_mask"] = MaskName(p.attn_mask);
  object["has_kv_lengths"] = p.has_kv_lengths != 0;
  object["outputs"] = OutputsJson(p.outputs);
  object["structure"] = StructureName(p.structure);
  object["hidden_size"] = p.hidden_size;
  object["has_bias"] = p.has_bias != 0;
  object["has_output_projection"] = p.has_output_projection != 0;
  object["is_cross"] = p.is_cross != 0;
  return object;
}

}  // namespace

// Readers that want one contract take "contract": that of f32 where the variant has it, else its
// first.
Json ToJson(const Variant& variant) {
  Json object = Json::object();
  object["name"] = variant.name;
  object["description"] = variant.description;
  const Contract* shown = variant.contracts.empty() ? nullptr : &variant.contracts.front();
  for (const Contract& contract : variant.contracts)
    if (contract.dtype == "f32") shown = &contract;
  if (shown) object["contract"] = ToJson(*shown);
  Put(object, "contracts", variant.contracts);
  return object;
}

Json ToJson(const Result& result) {
  Result published = result;
  if (!IsVerified(result.verdict)) {
    published.timing.reset();
    published.rates.reset();
    published.scaling.reset();
  }
  Json object = Json::object();
  PutFields(object, published);
  if (published.timing) object["timing"]["rounds"] = published.timing->samples_seconds.size();
  return object;
}

Json ToJson(const CellRecord& cell) {
  Json object = Json::object();
  object["id"] = cell.id;
  object["problem"] = ProblemJson(cell.cell.problem);
  object["layout"] = LayoutName(cell.cell.layout);
  object["mask_shape"] = MaskShapeName(cell.cell.mask_shape);
  object["data"] = cell.cell.data;
  object["seed"] = cell.cell.seed;
  PutFields(object, cell);
  return object;
}

std::string WriteCellJson(const CellRecord& cell) {
  return ToJson(cell).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string WritePolicyJson(const Policy& policy) {
  return ToJson(policy).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace attest::report
