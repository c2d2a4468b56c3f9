// SPDX-License-Identifier: Apache-2.0
//
// The JSON keys of every message: one list for each, which the writer and the reader of
// protocol.cpp share. For that file only.
#ifndef ATTEST_HARNESS_WORKER_PROTOCOL_FIELDS_H_
#define ATTEST_HARNESS_WORKER_PROTOCOL_FIELDS_H_

#include "harness/core/names.h"
#include "harness/worker/protocol.h"

namespace attest::protocol {

template <typename Codec>
void Fields(Codec& codec, Load& m) {
  codec("path", m.path);
  codec("threads", m.threads);
  codec("device", m.device);
  codec("cache_directory", m.cache_directory);
}
template <typename Codec>
void Fields(Codec& codec, BufferSpec& m) {
  codec("id", m.id);
  codec("bytes", m.bytes);
  codec("writable", m.writable);
}
template <typename Codec>
void Fields(Codec& codec, Attach& m) {
  codec("buffers", m.buffers);
}
template <typename Codec>
void Fields(Codec& codec, Detach& m) {
  codec("buffers", m.buffers);
}
template <typename Codec>
void Fields(Codec& codec, attest_problem& m) {
  m.size = sizeof m;
  codec.Word("op", m.op, OpName);
  codec.Word("dtype", m.dtype, DtypeName);
  codec("batch_size", m.batch_size);
  codec("q_num_heads", m.q_num_heads);
  codec("kv_num_heads", m.kv_num_heads);
  codec("q_sequence_length", m.q_sequence_length);
  codec("kv_sequence_length", m.kv_sequence_length);
  codec("head_size", m.head_size);
  codec("v_head_size", m.v_head_size);
  codec("scale", m.scale);
  codec("softcap", m.softcap);
  codec.Flag("is_causal", m.is_causal);
  codec.Word("attn_mask", m.attn_mask, MaskName);
  codec("causal_offset", m.causal_offset);
  codec("left_window_size", m.left_window_size);
  codec("right_window_size", m.right_window_size);
  codec.Flag("has_kv_lengths", m.has_kv_lengths);
  codec("outputs", m.outputs);
  codec("hidden_size", m.hidden_size);
  codec.Word("structure", m.structure, StructureName);
  codec.Flag("has_bias", m.has_bias);
  codec.Flag("has_output_projection", m.has_output_projection);
  codec.Flag("is_cross", m.is_cross);
}
template <typename Codec>
void Fields(Codec& codec, attest_tensor& m) {
  m.size = sizeof m;
  codec.Word("role", m.role, RoleName);
  codec.Word("dtype", m.dtype, DtypeName);
  codec.Axes("shape", m.shape, m.rank);
  codec.Axes("strides", m.strides, m.rank);
}
template <typename Codec>
void Fields(Codec& codec, Prepare& m) {
  codec("plan", m.plan);
  codec("variant", m.variant);
  codec("problem", m.problem);
  codec("tensors", m.tensors);
  codec("host_bytes_limit", m.host_bytes_limit);
}
template <typename Codec>
void Fields(Codec& codec, Placement& m) {
  codec.Word("role", m.role, RoleName);
  codec("buffer", m.buffer);
  codec("offset_bytes", m.offset_bytes);
  codec("margin_before_bytes", m.margin_before_bytes);
  codec("margin_after_bytes", m.margin_after_bytes);
}
template <typename Codec>
void Fields(Codec& codec, Run& m) {
  codec("plan", m.plan);
  codec("binding", m.binding);
}
template <typename Codec>
void Fields(Codec& codec, Measure& m) {
  codec("plan", m.plan);
  codec("binding", m.binding);
  codec("iterations", m.iterations);
  codec("poison_iteration", m.poison_iteration);
  codec("poison_pattern", m.poison_pattern);
  codec("cold_bytes", m.cold_bytes);
  codec("warm_up_seconds", m.warm_up_seconds);
}
template <typename Codec>
void Fields(Codec& codec, Release& m) {
  codec("plan", m.plan);
}
template <typename Codec>
void Fields(Codec& codec, Ceilings& m) {
  codec("footprint_bytes", m.footprint_bytes);
  codec("figure", m.figure);
  codec("seconds", m.seconds);
}
template <typename Codec>
void Fields(Codec&, Quit&) {}
template <typename Codec>
void Fields(Codec& codec, DeviceReply& m) {
  codec("name", m.name);
  codec("driver", m.driver);
  codec("kind", m.kind);
  codec("memory_bytes", m.memory_bytes);
  codec.Optional("extensions", m.extensions);
}
template <typename Codec>
void Fields(Codec& codec, ContractReply& m) {
  m.contract.size = sizeof m.contract;
  codec.Word("dtype", m.dtype, DtypeName);
  codec.Word("accumulate", m.contract.accumulate, FormatName);
  codec.Word("operands", m.contract.operands, FormatName);
  codec.Word("scores", m.contract.scores, FormatName);
  codec.Word("probabilities", m.contract.probabilities, FormatName);
  codec("exp_relative_error", m.contract.exp_relative_error);
  codec("flags", m.contract.flags);
  codec.OptionalWord("projections", m.contract.projections, FormatName);
}
template <typename Codec>
void Fields(Codec& codec, VariantReply& m) {
  codec("name", m.name);
  codec("description", m.description);
  codec("expected_implementations", m.expected_implementations);
  codec("contracts", m.contracts);
}
template <typename Codec>
void Fields(Codec& codec, LoadReply& m) {
  codec("abi_version", m.abi_version);
  codec("backend", m.backend);
  codec("library", m.library);
  codec("library_version", m.library_version);
  codec("runtime", m.runtime);
  codec("devices", m.devices);
  codec("variants", m.variants);
  codec("floating_point_environment", m.floating_point_environment);
  codec("device_timer", m.device_timer);
}
template <typename Codec>
void Fields(Codec& codec, PrepareReply& m) {
  codec("workspace_bytes", m.workspace_bytes);
  codec("device_bytes", m.device_bytes);
  codec("setup_seconds", m.setup_seconds);
  codec("implementation", m.implementation);
}
template <typename Codec>
void Fields(Codec& codec, RunReply& m) {
  codec("seconds", m.seconds);
  codec("peak_memory_bytes", m.peak_memory_bytes);
  codec("workspace_bytes", m.workspace_bytes);
  codec("device_bytes", m.device_bytes);
  codec("implementation", m.implementation);
  codec("floating_point_environment", m.floating_point_environment);
}
template <typename Codec>
void Fields(Codec& codec, MeasureReply& m) {
  codec("iterations", m.iterations);
  codec("seconds_per_call", m.seconds_per_call);
  codec("wall_seconds_per_call", m.wall_seconds_per_call);
  codec("cpu_seconds_per_call", m.cpu_seconds_per_call);
  codec("min_seconds", m.min_seconds);
  codec("max_seconds", m.max_seconds);
  codec("timer", m.timer);
  codec("involuntary_switches", m.involuntary_switches);
  codec("voluntary_switches", m.voluntary_switches);
  codec.Optional("device_seconds_per_call", m.device_seconds_per_call);
}
template <typename Codec>
void Fields(Codec& codec, CeilingsReply& m) {
  codec("threads", m.threads);
  codec("isa", m.isa);
  codec("f32_fma_flops", m.f32_fma_flops);
  codec("bf16_dot_flops", m.bf16_dot_flops);
  codec("read_bytes_per_second", m.read_bytes_per_second);
}
template <typename Codec>
void Fields(Codec&, Done&) {}

}  // namespace attest::protocol

#endif  // ATTEST_HARNESS_WORKER_PROTOCOL_FIELDS_H_
