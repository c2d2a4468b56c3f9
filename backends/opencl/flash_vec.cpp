// SPDX-License-Identifier: Apache-2.0
//
// opencl:flash_vec: the host's side of flash_vec.cl. Cuts the queries into tasks for the workers,
// which are as many work-groups as the host was given threads.
#include <algorithm>

#include "attest/l1_cache.hpp"
#include "error.h"
#include "sdpa_variant.h"
#include "tuning.h"
#include "vector_options.h"

namespace attest::opencl {
namespace {

// Sizes in flash_vec.cl. A tile's sums should fill the registers: 24 of 16 floats for the 32 of
// AVX-512, 6 of 16 for the 16 of half the width that AVX2 has (with 24: half the speed).
struct Tiling {
  int64_t rows, key_vectors, value_vectors, max_block_rows;
};

// As the tuner writes them; the first is the default.
const std::vector<Choice>& ChoicesFor(const Session& session) {
  static const std::vector<Choice> wide = {
      {6, 4, 4, 768}, {6, 4, 4, 384}, {6, 1, 1, 768}, {6, 2, 2, 768}, {12, 2, 2, 768}};
  static const std::vector<Choice> narrow = {
      {6, 1, 1, 768}, {6, 1, 1, 384}, {5, 1, 1, 768}, {4, 1, 1, 768}, {6, 2, 1, 768}};
  return HasWideRegisters(session) ? wide : narrow;
}

Tiling TilingOf(const Choice& choice) { return {choice[0], choice[1], choice[2], choice[3]}; }

// As in the backend cpu (flash_operands.cpp): where a panel of keys and one of values do not fit
// into the L1 cache together, but each does alone, it serves this many tiles before the other one
// does.
int64_t TilesOfGroup(const attest_problem& problem, const Tiling& tiling) {
  return PanelsShareL1(kLanes * tiling.key_vectors, problem.head_size, problem.v_head_size) ? 1
                                                                                            : 32;
}

struct Blocks {
  int64_t rows;  // of one block, whole tiles
  int64_t count;
  int64_t workers;
};

// The fewest blocks that keep the workers busy: all of them have work within a few percent of the
// same length, and a block has enough tiles to pay for packing K.
Blocks BlocksOf(const attest_problem& problem, const Session& session, const Tiling& tiling) {
  constexpr int64_t kMinBlockRows = 48;
  constexpr double kEnoughBalance = 0.95;
  const int64_t heads = problem.batch_size * problem.q_num_heads;
  const int64_t length = problem.q_sequence_length;
  const int64_t workers = WorkersOf(session);
  const int64_t fewest = CeilDivide(length, tiling.max_block_rows);
  const int64_t most = std::max(fewest, CeilDivide(length, kMinBlockRows));
  int64_t best = fewest;
  double best_balance = 0;
  for (int64_t count = fewest; count <= most && best_balance < kEnoughBalance; ++count) {
    const int64_t rows = RoundUp(CeilDivide(length, count), tiling.rows);
    const int64_t tasks = heads * CeilDivide(length, rows);
    const double balance = static_cast<double>(heads * length) /
                           static_cast<double>(CeilDivide(tasks, workers) * workers * rows);
    if (balance > best_balance * 1.02) {
      best = count;
      best_balance = balance;
    }
  }
  Blocks blocks;
  blocks.rows = RoundUp(CeilDivide(length, best), tiling.rows);
  blocks.count = CeilDivide(length, blocks.rows);
  blocks.workers = std::min(workers, heads * blocks.count);
  return blocks;
}

// Of one worker: the sum over Carve in flash_vec.cl, in whole pages.
int64_t WorkerFloats(const attest_problem& problem, const Tiling& tiling, int64_t block_rows) {
  const int64_t panel = kLanes * tiling.key_vectors;
  const int64_t head = RoundUp(problem.head_size, 4);
  const int64_t v_head = RoundUp(problem.v_head_size, kLanes);
  const int64_t floats = 2 * panel * head + panel * v_head +
                         TilesOfGroup(problem, tiling) * tiling.rows * panel +
                         block_rows * (problem.head_size + v_head + kLanes + 2);
  return RoundUp(floats, 1024);
}

std::optional<std::string> WhyUnsupported(const Request& request, Session& session) {
  return WhyNotVectors(request, session);
}

uint64_t BytesWith(const Request& request, const Session& session, const Tiling& tiling) {
  const Blocks blocks = BlocksOf(request.problem, session, tiling);
  const int64_t floats =
      kCounterFloats + blocks.workers * WorkerFloats(request.problem, tiling, blocks.rows);
  return static_cast<uint64_t>(floats) * sizeof(float);
}

// Whether rows of a tensor lie without gaps where tiles read them: rows that are not read in place
// (InPlace in vector.cl) are copied that way.
bool IsDense(const attest_tensor& tensor, int64_t step) {
  const int64_t size = tensor.shape[3];
  const bool in_place =
      tensor.dtype == ATTEST_F32 && (tensor.strides[3] == 1 || size == 1) && size % step == 0;
  return !in_place || tensor.strides[2] == size;
}

std::string OptionsOf(const Request& request, const Session& session, const Tiling& tiling) {
  const bool dense = IsDense(GetTensor(request.tensors, ATTEST_ROLE_Q), 1) &&
                     IsDense(GetTensor(request.tensors, ATTEST_ROLE_V), kLanes);
  return VectorOptions(request.problem) + RegisterOption(session) + Define("ROWS", tiling.rows) +
         Define("KEY_VECTORS", tiling.key_vectors) + Define("VALUE_VECTORS", tiling.value_vectors) +
         Define("GROUP", TilesOfGroup(request.problem, tiling)) + Define("DENSE", dense);
}

Recipe RecipeWith(const Request& request, Session& session, const Tiling& tiling) {
  const Blocks blocks = BlocksOf(request.problem, session, tiling);
  const std::string options = OptionsOf(request, session, tiling);
  return Checked("preparing opencl:flash_vec", [&] {
    Recipe recipe;
    Launch launch;
    launch.kernel = cl::Kernel(ProgramOf(session,
                                         {"sdpa_shape.h", "elements.cl", "vector.cl", "pack.cl",
                                          "flash_vec_tile.cl", "flash_vec.cl"},
                                         options),
                               "FlashVec");
    launch.kernel.setArg(kFirstOwnArgument, static_cast<cl_int>(blocks.rows));
    launch.kernel.setArg(kFirstOwnArgument + 1, static_cast<cl_int>(blocks.count));
    launch.kernel.setArg(kFirstOwnArgument + 2,
                         static_cast<cl_long>(WorkerFloats(request.problem, tiling, blocks.rows)));
    launch.global = cl::NDRange(static_cast<size_t>(blocks.workers));
    launch.local = cl::NDRange(1);
    recipe.launches.push_back(launch);
    recipe.scratch_bytes = BytesWith(request, session, tiling);
    recipe.implementation = "flash_vec.cl " + options + " on " + session.device.description.name +
                            ", " + std::to_string(blocks.workers) + " workers, blocks of " +
                            std::to_string(blocks.rows) + " rows";
    return recipe;
  });
}

Tuned TunedTiling(const attest_problem& problem, Session& session) {
  const std::string key = "flash_vec " + std::to_string(problem.head_size) + " " +
                          std::to_string(problem.v_head_size) +
                          (HasWideRegisters(session) ? "" : " narrow");
  return TunedChoice(session, key, problem, ChoicesFor(session),
                     [&session](const Request& request, const Choice& choice) {
                       return RecipeWith(request, session, TilingOf(choice));
                     });
}

uint64_t ScratchBytes(const Request& request, Session& session) {
  return BytesWith(request, session, TilingOf(TunedTiling(request.problem, session).choice));
}

Recipe MakeRecipe(const Request& request, Session& session) {
  const Tuned tuned = TunedTiling(request.problem, session);
  Recipe recipe = RecipeWith(request, session, TilingOf(tuned.choice));
  recipe.implementation += tuned.is_measured ? ", tuned" : ", default sizes";
  return recipe;
}

}  // namespace

const SdpaVariant kFlashVec = {
    "flash_vec",
    "CPU devices: register tiles of 16-wide vectors, packed keys, online softmax, O(L) memory",
    "flash_vec.cl",
    0,
    0,
    WhyUnsupported,
    ScratchBytes,
    MakeRecipe,
};

}  // namespace attest::opencl
