// SPDX-License-Identifier: Apache-2.0
//
// opencl:flash_tile: the host's side of flash_tile.cl. Takes the largest square work-group that the
// device and its local memory allow, or the one that the tuner found faster.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "error.h"
#include "sdpa_variant.h"
#include "tuning.h"
#include "vector_options.h"

namespace attest::opencl {
namespace {

constexpr int64_t kRows = 4, kKeys = 4, kChunk = 16, kValueKeys = 16;  // of flash_tile.cl
constexpr std::array<int64_t, 3> kSides = {16, 8, 4};                  // of the work-group
constexpr int64_t kMaxHeadSize = 256;

// The kernel's local arrays, by the work-group's side.
int64_t LocalBytes(const attest_problem& problem, int64_t side) {
  const int64_t rows = side * kRows, keys = side * kKeys;
  const int64_t stage = std::max(kChunk * (rows + 1 + keys + 1), kValueKeys * problem.v_head_size);
  return (stage + rows * (keys + 1) + 2 * rows * side) * static_cast<int64_t>(sizeof(float));
}

// Those that the device and its local memory allow, the largest first: it is the default.
std::vector<Choice> PossibleSides(const attest_problem& problem, const Session& session) {
  std::vector<Choice> sides;
  for (const int64_t side : kSides)
    if (side * side <= static_cast<int64_t>(session.device.max_work_group) &&
        LocalBytes(problem, side) <= static_cast<int64_t>(session.device.local_bytes))
      sides.push_back({side});
  return sides;
}

std::optional<std::string> WhyUnsupported(const Request& request, Session& session) {
  const attest_problem& problem = request.problem;
  // Correct there, and tested there, but its work-items become loops.
  if (session.device.description.kind == ATTEST_DEVICE_CPU &&
      std::getenv("ATTEST_OPENCL_TILE_ON_CPU") == nullptr)
    return "made for GPU devices, tens of times slower on a CPU than opencl:flash_vec; "
           "ATTEST_OPENCL_TILE_ON_CPU=1 runs it all the same";
  if (problem.outputs & ATTEST_OUTPUT_WEIGHTS)
    return "the attention weights are never held; try opencl:naive";
  if (std::max(problem.head_size, problem.v_head_size) > kMaxHeadSize)
    return "head sizes to " + std::to_string(kMaxHeadSize) + "; try opencl:naive";
  if (PossibleSides(problem, session).empty())
    return "work-groups of " + std::to_string(kSides.back() * kSides.back()) + " with " +
           std::to_string(LocalBytes(problem, kSides.back())) +
           " bytes of local memory are needed, " + session.device.description.name +
           " gives at most " + std::to_string(session.device.max_work_group) + " with " +
           std::to_string(session.device.local_bytes);
  return std::nullopt;
}

// The kernel needs none; an OpenCL buffer cannot be empty.
uint64_t ScratchBytes(const Request&, Session&) { return kCounterFloats * sizeof(float); }

Recipe RecipeWith(const Request& request, Session& session, int64_t side) {
  const attest_problem& problem = request.problem;
  const int64_t blocks = CeilDivide(problem.q_sequence_length, side * kRows);
  const std::string options = VectorOptions(problem) + Define("TX", side) + Define("TY", side);
  return Checked("preparing opencl:flash_tile", [&] {
    Recipe recipe;
    Launch launch;
    launch.kernel = cl::Kernel(
        ProgramOf(session, {"sdpa_shape.h", "elements.cl", "flash_tile.cl"}, options), "FlashTile");
    launch.kernel.setArg(kFirstOwnArgument, static_cast<cl_long>(blocks));
    const auto items = static_cast<size_t>(side * side);
    const int64_t groups = problem.batch_size * problem.q_num_heads * blocks;
    launch.global = cl::NDRange(static_cast<size_t>(groups) * items);
    launch.local = cl::NDRange(items);
    recipe.launches.push_back(launch);
    recipe.scratch_bytes = ScratchBytes(request, session);
    recipe.implementation = "flash_tile.cl " + options + " on " + session.device.description.name +
                            ", work-group " + std::to_string(items);
    return recipe;
  });
}

Recipe MakeRecipe(const Request& request, Session& session) {
  const attest_problem& problem = request.problem;
  const std::string key =
      "flash_tile " + std::to_string(problem.head_size) + " " + std::to_string(problem.v_head_size);
  const auto with = [&session](const Request& of, const Choice& choice) {
    return RecipeWith(of, session, choice[0]);
  };
  const Tuned tuned = TunedChoice(session, key, problem, PossibleSides(problem, session), with);
  Recipe recipe = RecipeWith(request, session, tuned.choice[0]);
  recipe.implementation += tuned.is_measured ? ", tuned" : ", default sizes";
  return recipe;
}

}  // namespace

const SdpaVariant kFlashTile = {
    "flash_tile",
    "GPU devices: local tiles, register blocks, online softmax, O(L) memory; right on any device",
    "flash_tile.cl",
    3 * 0x1p-23,  // OpenCL C 1.2, section 7.4: exp2 <= 3 ulp
    0,
    WhyUnsupported,
    ScratchBytes,
    MakeRecipe,
};

}  // namespace attest::opencl
