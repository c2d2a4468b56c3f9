// SPDX-License-Identifier: Apache-2.0
#include "linear_kernel.h"

#include <algorithm>

#include "attest/linear.hpp"
#include "error.h"
#include "vector_options.h"

namespace attest::opencl {
namespace {

// Of linear_vec.cl.
constexpr int64_t kRows = 6, kDepth = 128;
constexpr int64_t kMaxBlockRows = 384;  // whole tiles; their x and sums stay in L2
// Of linear_tile.cl.
constexpr int64_t kPart = 4, kChunk = 16;

enum Argument : cl_uint { kShape, kX, kWeight, kBias, kY, kScratch, kBlockRows, kWorkerFloats };

// ROWS x COLUMN_VECTORS sums fill the registers, as in flash_vec.cl.
int64_t ColumnVectorsOf(const Session& session) { return HasWideRegisters(session) ? 4 : 1; }

struct Division {
  int64_t block_rows;
  int64_t workers;
  int64_t worker_floats;  // the sum over Carve in linear_vec.cl, in whole pages
};

Division DivisionOf(const LinearMap& map, const Session& session) {
  const linear::Shape shape(map);
  const int64_t panel = kLanes * ColumnVectorsOf(session);
  const int64_t blocks = CeilDivide(shape.rows, kMaxBlockRows);
  Division division;
  division.block_rows = RoundUp(CeilDivide(shape.rows, blocks), kRows);
  const int64_t tasks =
      shape.matrices * CeilDivide(shape.rows, division.block_rows) * CeilDivide(shape.out, panel);
  division.workers = std::min(WorkersOf(session), tasks);
  division.worker_floats =
      RoundUp(2 * panel * kDepth + division.block_rows * (panel + kDepth), 1024);
  return division;
}

TensorPlace PlaceOf(const attest_tensor& tensor, const Places& places) {
  TensorPlace place{};
  place.data_bytes = places.At(tensor.data).data_bytes;
  std::copy_n(tensor.strides, std::min<size_t>(tensor.rank, std::size(place.strides)),
              place.strides);
  return place;
}

// The largest square work-group that the device and its local memory allow.
int64_t SideOf(const Session& session) {
  int64_t side = 16;
  const auto local_bytes = [](int64_t of) {
    return 2 * kChunk * (of * kPart + 1) * static_cast<int64_t>(sizeof(float));
  };
  while (side > 1 && (side * side > static_cast<int64_t>(session.device.max_work_group) ||
                      local_bytes(side) > static_cast<int64_t>(session.device.local_bytes)))
    side /= 2;
  return side;
}

}  // namespace

uint64_t LinearKernel::ScratchBytes(const LinearMap& map, LinearFile file, const Session& session) {
  if (file == LinearFile::kTile) return 0;
  const Division division = DivisionOf(map, session);
  return static_cast<uint64_t>(division.workers * division.worker_floats) * sizeof(float);
}

LinearKernel::LinearKernel(const LinearMap& map, LinearFile file, Session& session,
                           const cl::Buffer& scratch)
    : session_(session) {
  Checked("preparing a linear map", [&] { Prepare(map, file, scratch); });
}

void LinearKernel::Prepare(const LinearMap& map, LinearFile file, const cl::Buffer& scratch) {
  std::string options = IoOption(map.x.dtype);
  cl::Kernel& kernel = launch_.kernel;
  if (file == LinearFile::kVec) {
    const Division division = DivisionOf(map, session_);
    options += Define("ROWS", kRows) + Define("COLUMN_VECTORS", ColumnVectorsOf(session_)) +
               RegisterOption(session_) + kNoSdpaOptions;
    kernel = cl::Kernel(ProgramOf(session_,
                                  {"sdpa_shape.h", "linear_shape.h", "elements.cl", "vector.cl",
                                   "pack.cl", "linear_vec.cl"},
                                  options),
                        "LinearVec");
    kernel.setArg(kScratch, scratch);
    kernel.setArg(kBlockRows, static_cast<cl_int>(division.block_rows));
    kernel.setArg(kWorkerFloats, static_cast<cl_long>(division.worker_floats));
    launch_.global = cl::NDRange(static_cast<size_t>(division.workers));
    launch_.local = cl::NDRange(1);
    implementation_ = "linear_vec.cl";
  } else {
    const linear::Shape shape(map);
    const int64_t side = SideOf(session_), block = side * kPart;
    options += Define("SIDE", side);
    kernel = cl::Kernel(
        ProgramOf(session_, {"sdpa_shape.h", "linear_shape.h", "elements.cl", "linear_tile.cl"},
                  options),
        "LinearTile");
    const int64_t groups =
        shape.matrices * CeilDivide(shape.rows, block) * CeilDivide(shape.out, block);
    launch_.global = cl::NDRange(static_cast<size_t>(groups * side * side));
    launch_.local = cl::NDRange(static_cast<size_t>(side * side));
    implementation_ = "linear_tile.cl";
  }
  // A first launch that finds nothing to do: drivers compile at it (sdpa_kernels.cpp).
  const LinearShape nothing{};
  shape_buffer_ = cl::Buffer(session_.context, CL_MEM_READ_ONLY, sizeof nothing);
  session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof nothing, &nothing);
  kernel.setArg(kShape, shape_buffer_);
  for (const cl_uint argument : {kX, kWeight, kBias, kY})
    kernel.setArg(argument, sizeof(cl_mem), nullptr);
  Enqueue(session_.queue, launch_);
  session_.queue.finish();
}

void LinearKernel::Bind(const LinearMap& map, const Places& places) {
  const linear::Shape of(map);
  LinearShape shape{};
  shape.matrices = of.matrices;
  shape.rows = of.rows;
  shape.in = of.in;
  shape.out = of.out;
  shape.x = PlaceOf(map.x, places);
  shape.y = PlaceOf(map.y, places);
  shape.weight = PlaceOf(map.weight, places);
  launch_.kernel.setArg(kX, places.At(map.x.data).buffer);
  launch_.kernel.setArg(kWeight, places.At(map.weight.data).buffer);
  launch_.kernel.setArg(kY, places.At(map.y.data).buffer);
  if (map.bias.role != 0) {
    shape.has_bias = 1;
    shape.bias = PlaceOf(map.bias, places);
    launch_.kernel.setArg(kBias, places.At(map.bias.data).buffer);
  }
  session_.queue.enqueueWriteBuffer(shape_buffer_, CL_TRUE, 0, sizeof shape, &shape);
}

}  // namespace attest::opencl
