// SPDX-License-Identifier: Apache-2.0
//
// opencl:naive: the host's side of naive.cl, on any device.
#include <algorithm>

#include "error.h"
#include "sdpa_variant.h"

namespace attest::opencl {
namespace {

int64_t RowsOf(const attest_problem& problem) {
  return problem.batch_size * problem.q_num_heads * problem.q_sequence_length;
}

std::optional<std::string> WhyUnsupported(const Request&, Session&) { return std::nullopt; }

uint64_t ScratchBytes(const Request& request, Session&) {
  return static_cast<uint64_t>(RowsOf(request.problem)) * request.problem.v_head_size *
         sizeof(float);
}

Recipe MakeRecipe(const Request& request, Session& session) {
  const std::string options = IoOption(request.problem.dtype);
  return Checked("preparing opencl:naive", [&] {
    Recipe recipe;
    Launch launch;
    launch.kernel = cl::Kernel(
        ProgramOf(session, {"sdpa_shape.h", "elements.cl", "naive.cl"}, options), "Sdpa");
    const size_t most =
        launch.kernel.getWorkGroupInfo<CL_KERNEL_WORK_GROUP_SIZE>(session.device.handle);
    // A CPU's work-group is a loop on one thread, so a small one balances causal rows; a GPU's
    // fills at least one of its warps or waves.
    const size_t work_group = std::min<size_t>(session.device.IsCpu() ? 4 : 64, most);
    const size_t rows = static_cast<size_t>(RowsOf(request.problem));
    launch.local = cl::NDRange(work_group);
    launch.global = cl::NDRange((rows + work_group - 1) / work_group * work_group);
    recipe.launches.push_back(launch);
    recipe.scratch_bytes = ScratchBytes(request, session);
    recipe.implementation = "naive.cl " + options + " on " + session.device.description.name +
                            ", work-group " + std::to_string(work_group);
    return recipe;
  });
}

}  // namespace

const SdpaVariant kNaive = {
    "naive",
    "one work-item per query row, online softmax, O(L) memory",
    "naive.cl",
    3 * 0x1p-23,  // OpenCL C 1.2, section 7.4: exp <= 3 ulp
    ATTEST_CONTRACT_MASKED_NAN_SAFE,
    WhyUnsupported,
    ScratchBytes,
    MakeRecipe,
};

}  // namespace attest::opencl
