// SPDX-License-Identifier: Apache-2.0
//
// Every message survives its own text; what is missing or mistyped is named.
#include "harness/worker/protocol.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace attest::protocol {
namespace {

attest_problem AProblem() {
  attest_problem problem{};
  problem.size = sizeof problem;
  problem.op = ATTEST_OP_SDPA;
  problem.dtype = ATTEST_BF16;
  problem.batch_size = 2;
  problem.q_num_heads = 12;
  problem.kv_num_heads = 3;
  problem.q_sequence_length = 17;
  problem.kv_sequence_length = int64_t{1} << 40;
  problem.head_size = 64;
  problem.v_head_size = 40;
  problem.scale = 1.0 / 3.0;
  problem.softcap = 30;
  problem.is_causal = 1;
  problem.attn_mask = ATTEST_MASK_ADDITIVE;
  problem.causal_offset = -5;
  problem.left_window_size = -1;
  problem.right_window_size = 4;
  problem.has_kv_lengths = 1;
  problem.outputs = ATTEST_OUTPUT_LSE | ATTEST_OUTPUT_WEIGHTS;
  problem.hidden_size = 768;
  problem.structure = ATTEST_STRUCTURE_TIED_QK;
  problem.has_bias = 1;
  problem.has_output_projection = 1;
  problem.is_cross = 1;
  return problem;
}

attest_tensor ATensor() {
  attest_tensor tensor{};
  tensor.size = sizeof tensor;
  tensor.role = ATTEST_ROLE_KV_LENGTHS;
  tensor.dtype = ATTEST_I64;
  tensor.rank = 1;
  tensor.shape[0] = 2;
  tensor.strides[0] = 1;
  tensor.extent_bytes = 16;
  return tensor;
}

TEST(Protocol, RequestsSurviveTheirText) {
  const Binding binding = {{ATTEST_ROLE_Q, 3, 128, 64, 32}, {ATTEST_ROLE_OUT, 4, 4096, 1, 2}};
  const std::vector<Request> requests = {Load{"a/attest_x.so", 7, 2, "cache"},
                                         Attach{{{1, 4096, true}, {2, 8192, false}}},
                                         Detach{{1, 2}},
                                         Prepare{5, 1, AProblem(), {ATensor()}, 1 << 30},
                                         protocol::Run{5, binding},
                                         Measure{5, binding, 100, 42, 0xffc00001u, 1.5e9},
                                         Release{5},
                                         Ceilings{uint64_t{1} << 33, "f32_fma_flops", 0.03},
                                         Quit{}};
  ASSERT_EQ(requests.size(), std::variant_size_v<Request>);
  for (const Request& request : requests) {
    const std::string text = Encode(9, request);
    uint64_t id = 0;
    const Request decoded = DecodeRequest(text, &id);
    EXPECT_EQ(id, 9u);
    EXPECT_EQ(decoded.index(), request.index());
    EXPECT_EQ(Encode(9, decoded), text);
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(Protocol, FieldsArriveAsTheyLeft) {
  const Request decoded =
      DecodeRequest(Encode(1, Prepare{5, 1, AProblem(), {ATensor()}, 77}), nullptr);
  const auto& prepare = std::get<Prepare>(decoded);
  const attest_problem sent = AProblem();
  EXPECT_EQ(std::memcmp(&prepare.problem, &sent, sizeof sent), 0);
  const attest_tensor tensor = ATensor();
  ASSERT_EQ(prepare.tensors.size(), 1u);
  EXPECT_EQ(std::memcmp(&prepare.tensors[0], &tensor, sizeof tensor), 0);
  EXPECT_EQ(prepare.host_bytes_limit, 77u);
  const Request measured = DecodeRequest(
      Encode(1, Measure{5, {{ATTEST_ROLE_LSE, 3, 1, 2, 4}}, 6, 7, 8, 9.5, 10.5}), nullptr);
  const auto& measure = std::get<Measure>(measured);
  EXPECT_EQ(measure.binding.at(0).role, ATTEST_ROLE_LSE);
  EXPECT_EQ(measure.binding.at(0).margin_after_bytes, 4u);
  EXPECT_EQ(measure.iterations, 6u);
  EXPECT_EQ(measure.poison_iteration, 7u);
  EXPECT_EQ(measure.poison_pattern, 8u);
  EXPECT_EQ(measure.cold_bytes, 9.5);
  EXPECT_EQ(measure.warm_up_seconds, 10.5);
}

TEST(Protocol, RepliesSurviveTheirText) {
  attest_contract contract{sizeof contract,
                           ATTEST_FORMAT_F32,
                           ATTEST_FORMAT_TF32,
                           ATTEST_FORMAT_NONE,
                           ATTEST_FORMAT_BF16,
                           1e-6,
                           ATTEST_CONTRACT_NONDETERMINISTIC,
                           0};
  const std::vector<Body> bodies = {
      Done{},
      LoadReply{65536,
                "x",
                "lib",
                "1.2",
                "OpenMP",
                {{"CPU", "host", "cpu", 123, "fp16 fp64"}},
                {{"flash", "tiles", "jit|brgemm", {{ATTEST_F16, contract}}}},
                "unchanged",
                true},
      PrepareReply{1, 2, 0.25, "jit:avx512"},
      RunReply{0.5, 6, 7, 8, "jit", "restored: flush-to-zero"},
      MeasureReply{10, 1e-3, 2e-3, 3e-3, 4e-4, 5e-3, "device", 11, 12, 6e-4},
      CeilingsReply{2, "AVX-512", 1e11, 2e11, 3e10}};
  ASSERT_EQ(bodies.size(), std::variant_size_v<Body>);
  for (const Body& body : bodies) {
    const std::string text = Encode(3, Reply{"ok", "", body});
    uint64_t id = 0;
    const Reply decoded = DecodeReply(text, &id);
    EXPECT_EQ(id, 3u);
    EXPECT_EQ(decoded.body.index(), body.index());
    EXPECT_EQ(Encode(3, decoded), text);
  }
  const Reply load = DecodeReply(Encode(3, Reply{"ok", "", bodies[1]}), nullptr);
  const auto& sent = std::get<LoadReply>(load.body).variants.at(0).contracts.at(0).contract;
  EXPECT_EQ(std::memcmp(&sent, &contract, sizeof contract), 0);
}

// Workers in other languages were written before these keys were.
TEST(Protocol, KeysThatCameLaterMayBeLeftOut) {
  const Reply load = DecodeReply(
      R"({"id":1,"status":"ok","op":"load","abi_version":65536,"backend":"x","library":"X",)"
      R"("library_version":"1","runtime":"","devices":[{"name":"CPU","driver":"host","kind":"cpu",)"
      R"("memory_bytes":0}],"variants":[],"floating_point_environment":"unchanged",)"
      R"("device_timer":false})",
      nullptr);
  EXPECT_EQ(std::get<LoadReply>(load.body).devices.at(0).extensions, "");
  const Reply measured = DecodeReply(
      R"({"id":1,"status":"ok","op":"measure","iterations":2,"seconds_per_call":0.5,)"
      R"("wall_seconds_per_call":0.5,"cpu_seconds_per_call":1.0,"min_seconds":0.25,)"
      R"("max_seconds":0.75,"timer":"wall","involuntary_switches":0,"voluntary_switches":1})",
      nullptr);
  EXPECT_EQ(std::get<MeasureReply>(measured.body).device_seconds_per_call, 0);
}

TEST(Protocol, AFailureIsStatusAndMessage) {
  const Reply reply =
      DecodeReply(Encode(4, Reply{"rejected", "no \"such\" symbol", Done{}}), nullptr);
  EXPECT_EQ(reply.status, "rejected");
  EXPECT_EQ(reply.message, "no \"such\" symbol");
}

TEST(Protocol, TextThatIsNotUtf8IsRepaired) {
  const std::string text = Encode(4, Reply{"internal_error", "bad \xff byte", Done{}});
  EXPECT_NE(DecodeReply(text, nullptr).message.find("byte"), std::string::npos);
}

std::string WhyRefused(const std::string& text, bool is_reply = false) {
  try {
    uint64_t id = 0;
    if (is_reply)
      (void)DecodeReply(text, &id);
    else
      (void)DecodeRequest(text, &id);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Protocol, WhatIsWrongIsNamed) {
  EXPECT_EQ(WhyRefused("{"), "message is not JSON");
  EXPECT_EQ(WhyRefused("[]"), "message must be an object");
  EXPECT_EQ(WhyRefused(R"({"op":"quit"})"), "id: missing");
  EXPECT_EQ(WhyRefused(R"({"id":1})"), "op: missing");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"dance"})"), "op: unknown word 'dance'");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"release","plan":-1})"),
            "plan: must be a whole number in range");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"release","plan":4294967296})"),
            "plan: must be a whole number in range");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"release","plan":1.5})"),
            "plan: must be a whole number in range");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"attach","buffers":[{"id":1,"bytes":1,"writable":1}]})"),
            "buffers[0].writable: must be true or false");
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"run","plan":1,"binding":[{"role":"qq"}]})"),
            "binding[0].role: unknown word 'qq'");
  EXPECT_EQ(WhyRefused(R"({"id":1,"status":"fine"})", true), "status: unknown word 'fine'");
  EXPECT_EQ(WhyRefused(R"({"id":1,"status":"rejected"})", true), "message: missing");
  EXPECT_EQ(
      WhyRefused(R"({"id":1,"status":"ok","op":"prepare","workspace_bytes":0,"device_bytes":0,)"
                 R"("setup_seconds":null,"implementation":""})",
                 true),
      "setup_seconds: must be a number");
}

TEST(Protocol, TensorsNeedOneStrideForEachAxis) {
  std::string text = Encode(1, Prepare{5, 1, AProblem(), {ATensor()}, 0});
  const std::string strides = "\"strides\":[1]";
  text.replace(text.find(strides), strides.size(), "\"strides\":[1,1]");
  EXPECT_EQ(WhyRefused(text), "tensors[0].strides: 2 axes");
}

TEST(Protocol, UnknownKeysAreIgnored) {
  EXPECT_EQ(WhyRefused(R"({"id":1,"op":"release","plan":1,"later":[1,2]})"), "accepted");
}

TEST(Protocol, EveryPhaseHasAName) {
  for (uint32_t phase = 0; phase < kPhaseCount; ++phase)
    EXPECT_NE(PhaseName(phase), "unknown phase") << phase;
  EXPECT_EQ(PhaseName(kPlanRun), "plan_run");
  EXPECT_EQ(PhaseName(kCeiling), "ceiling");
  EXPECT_EQ(PhaseName(kPhaseCount), "unknown phase");
}

}  // namespace
}  // namespace attest::protocol
