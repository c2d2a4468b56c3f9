// SPDX-License-Identifier: Apache-2.0
//
// opencl:decode: the host's side of decode.cl. Stacks the rows of a kv head evenly, and splits the
// keys where there are too few stacks to keep the workers busy.
#include <algorithm>

#include "attest/prefetch.hpp"
#include "error.h"
#include "sdpa_variant.h"
#include "vector_options.h"

namespace attest::opencl {
namespace {

constexpr int64_t kMaxStack = 8;
constexpr int64_t kBlockKeys = 128;  // BLOCK of decode_tile.cl

struct Division {
  int64_t stack;   // rows of one
  int64_t stacks;  // of one kv head
  int64_t splits, split_keys;
  int64_t tasks, workers;
};

Division DivisionOf(const attest_problem& problem, const Session& session) {
  constexpr int64_t kTasksPerWorker = 4;
  constexpr int64_t kMinSplitKeys = 2 * kBlockKeys;
  Division division;
  const int64_t rows = problem.q_num_heads / problem.kv_num_heads * problem.q_sequence_length;
  division.stack = CeilDivide(rows, CeilDivide(rows, kMaxStack));
  division.stacks = CeilDivide(rows, division.stack);
  const int64_t tasks = problem.batch_size * problem.kv_num_heads * division.stacks;
  const int64_t wanted = CeilDivide(kTasksPerWorker * WorkersOf(session), tasks);
  const int64_t possible = CeilDivide(problem.kv_sequence_length, kMinSplitKeys);
  division.split_keys =
      RoundUp(CeilDivide(problem.kv_sequence_length, std::min(wanted, possible)), kBlockKeys);
  division.splits = CeilDivide(problem.kv_sequence_length, division.split_keys);
  division.tasks = tasks * division.splits;
  division.workers = std::min(WorkersOf(session), division.tasks);
  return division;
}

// Whether rows of K and V are whole vectors, side by side; else they are staged as f32.
bool ReadsInPlace(const Request& request) {
  const auto is_whole = [&](int32_t role) {
    const attest_tensor& tensor = GetTensor(request.tensors, role);
    return tensor.strides[3] == 1 && tensor.shape[3] % kLanes == 0;
  };
  return is_whole(ATTEST_ROLE_K) && is_whole(ATTEST_ROLE_V);
}

int64_t WorkerFloats(const Request& request, const Division& division) {
  const int64_t head = RoundUp(request.problem.head_size, kLanes);
  const int64_t staged = head + RoundUp(request.problem.v_head_size, kLanes);
  return RoundUp(division.stack * head + (ReadsInPlace(request) ? 0 : kBlockKeys * staged), 1024);
}

uint64_t ScratchBytes(const Request& request, Session& session) {
  const Division division = DivisionOf(request.problem, session);
  const int64_t partial = RoundUp(request.problem.v_head_size, kLanes) + 2;
  const int64_t floats = kCounterFloats + division.tasks * division.stack * partial +
                         division.workers * WorkerFloats(request, division);
  return static_cast<uint64_t>(floats) * sizeof(float);
}

std::optional<std::string> WhyUnsupported(const Request& request, Session& session) {
  return WhyNotVectors(request, session);
}

Launch DecodeLaunch(const cl::Program& program, const Request& request, const Division& division) {
  Launch launch;
  launch.kernel = cl::Kernel(program, "Decode");
  launch.kernel.setArg(kFirstOwnArgument, static_cast<cl_int>(division.stacks));
  launch.kernel.setArg(kFirstOwnArgument + 1, static_cast<cl_int>(division.splits));
  launch.kernel.setArg(kFirstOwnArgument + 2, static_cast<cl_int>(division.split_keys));
  launch.kernel.setArg(kFirstOwnArgument + 3,
                       static_cast<cl_long>(division.tasks * division.stack));
  launch.kernel.setArg(kFirstOwnArgument + 4,
                       static_cast<cl_long>(WorkerFloats(request, division)));
  launch.global = cl::NDRange(static_cast<size_t>(division.workers));
  launch.local = cl::NDRange(1);
  return launch;
}

Launch MergeLaunch(const cl::Program& program, const Request& request, const Division& division) {
  const attest_problem& problem = request.problem;
  Launch launch;
  launch.kernel = cl::Kernel(program, "Merge");
  launch.kernel.setArg(kFirstOwnArgument, static_cast<cl_int>(division.stacks));
  launch.kernel.setArg(kFirstOwnArgument + 1, static_cast<cl_int>(division.splits));
  launch.kernel.setArg(kFirstOwnArgument + 2,
                       static_cast<cl_long>(division.tasks * division.stack));
  launch.global = cl::NDRange(
      static_cast<size_t>(problem.batch_size * problem.q_num_heads * problem.q_sequence_length));
  launch.local = cl::NDRange(1);
  return launch;
}

// How rows of K and V are read; the device is the host's CPU.
std::string ReadOptions(const Request& request) {
  const attest_problem& problem = request.problem;
  const bool in_place = ReadsInPlace(request);
  const int64_t element_bytes = in_place && problem.dtype != ATTEST_F32 ? 2 : 4;  // staged: f32
  return Define("IN_PLACE", in_place) + Define("STREAMS", kReadStreams) +
         Define("AHEAD_LEVEL", HostReadAhead().into_l1 ? 3 : 2) +
         Define("K_AHEAD_ROWS", ReadAheadRows(problem.head_size * element_bytes)) +
         Define("V_AHEAD_ROWS", ReadAheadRows(problem.v_head_size * element_bytes));
}

Recipe MakeRecipe(const Request& request, Session& session) {
  const Division division = DivisionOf(request.problem, session);
  const std::string options = VectorOptions(request.problem) + RegisterOption(session) +
                              Define("STACK", division.stack) + ReadOptions(request);
  return Checked("preparing opencl:decode", [&] {
    const cl::Program& program = ProgramOf(
        session, {"sdpa_shape.h", "elements.cl", "vector.cl", "decode_tile.cl", "decode.cl"},
        options);
    Recipe recipe;
    recipe.launches = {DecodeLaunch(program, request, division)};
    if (division.splits > 1) recipe.launches.push_back(MergeLaunch(program, request, division));
    recipe.scratch_bytes = ScratchBytes(request, session);
    recipe.implementation = "decode.cl " + options + " on " + session.device.description.name +
                            ", " + std::to_string(division.workers) + " workers, " +
                            std::to_string(division.splits) + " splits of " +
                            std::to_string(division.split_keys) + " keys";
    return recipe;
  });
}

}  // namespace

const SdpaVariant kDecode = {
    "decode",
    "CPU devices, few queries: keys split and merged by LSE, grouped heads stacked, O(L) memory",
    "decode.cl",
    0,
    0,
    WhyUnsupported,
    ScratchBytes,
    MakeRecipe,
};

}  // namespace attest::opencl
