// SPDX-License-Identifier: Apache-2.0
//
// Runs ceiling.cl with enough work-items to fill a large GPU.
#include "ceiling.h"

#include <algorithm>

#include "error.h"
#include "program.h"

namespace attest::opencl {
namespace {

constexpr size_t kWorkGroup = 256;
constexpr size_t kWorkGroupsPerComputeUnit = 32;
constexpr int kRounds = 4096;            // of Fma: some milliseconds
constexpr int kRepetitions = 5;          // the best is taken: a ceiling is what is possible
constexpr double kFlopsPerRound = 64.0;  // 8 chains of float4, one multiply-add = 2

double BestSeconds(Session& session, const cl::Kernel& kernel, size_t items) {
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    cl::Event event;
    session.queue.enqueueNDRangeKernel(kernel, cl::NullRange, cl::NDRange(items),
                                       cl::NDRange(kWorkGroup), nullptr, &event);
    event.wait();
    const double seconds =
        1e-9 * static_cast<double>(event.getProfilingInfo<CL_PROFILING_COMMAND_END>() -
                                   event.getProfilingInfo<CL_PROFILING_COMMAND_START>());
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

}  // namespace

attest_ceiling_values MeasureCeilings(Session& session, uint64_t footprint_bytes) {
  attest_ceiling_values values{};
  values.size = sizeof values;
  if (session.device.IsCpu()) return values;
  return Checked("measuring ceilings", [&] {
    const cl::Program program = BuildProgram(session.context, session.device.handle, {"ceiling.cl"},
                                             "-cl-std=CL1.2", session.cache_directory);
    const size_t units = session.device.handle.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
    const size_t items = units * kWorkGroupsPerComputeUnit * kWorkGroup;
    const cl::Buffer sink(session.context, CL_MEM_WRITE_ONLY, items * sizeof(float));

    cl::Kernel fma(program, "Fma");
    fma.setArg(0, sink);
    fma.setArg(1, 0.5f);  // x -> x / 2 + 1 stays finite
    fma.setArg(2, kRounds);
    values.f32_fma_flops =
        static_cast<double>(items) * kRounds * kFlopsPerRound / BestSeconds(session, fma, items);

    const uint64_t count = std::max<uint64_t>(footprint_bytes / sizeof(cl_float4), items);
    const cl::Buffer data(session.context, CL_MEM_READ_ONLY, count * sizeof(cl_float4));
    cl::Kernel read(program, "Read");
    read.setArg(0, data);
    read.setArg(1, sink);
    read.setArg(2, static_cast<cl_ulong>(count));
    values.read_bytes_per_second =
        static_cast<double>(count * sizeof(cl_float4)) / BestSeconds(session, read, items);
    return values;
  });
}

}  // namespace attest::opencl
