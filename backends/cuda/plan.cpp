// SPDX-License-Identifier: Apache-2.0
//
// Device times are taken between two events, with a short delay kernel before the first, so that
// the work is already queued when it is reached: launch latency of the host is not the device's
// time.
#include "plan.h"

#include <algorithm>

#include "attest/linear.hpp"
#include "cublas.h"

namespace attest::cuda {
namespace {

constexpr uint64_t kAlignmentBytes = 128;
constexpr uint64_t kDelayNanoseconds = 30000;  // some launches of the host
constexpr size_t kFallbackL2Bytes = size_t{64} << 20;

bool IsOutput(int32_t role) {
  return role == ATTEST_ROLE_OUT || role == ATTEST_ROLE_LSE || role == ATTEST_ROLE_WEIGHTS;
}

SdpaShape ShapeOf(const attest_problem& problem) {
  SdpaShape shape{};
  shape.batch_size = problem.batch_size;
  shape.q_num_heads = problem.q_num_heads;
  shape.kv_num_heads = problem.kv_num_heads;
  shape.q_sequence_length = problem.q_sequence_length;
  shape.kv_sequence_length = problem.kv_sequence_length;
  shape.head_size = problem.head_size;
  shape.v_head_size = problem.v_head_size;
  shape.causal_offset = problem.causal_offset;
  shape.left_window_size = problem.left_window_size;
  shape.right_window_size = problem.right_window_size;
  shape.is_causal = problem.is_causal;
  shape.attn_mask = problem.attn_mask;
  shape.scale = static_cast<float>(problem.scale);
  shape.softcap = static_cast<float>(problem.softcap);
  return shape;
}

// Points the kernel's view of that role at the tensor, which is on the device.
void Place(const attest_tensor& tensor, SdpaShape& shape, SdpaPointers& pointers) {
  void* data = tensor.data;
  const int64_t* s = tensor.strides;
  const Strides strides = {s[0], s[1], s[2], tensor.rank > 3 ? s[3] : 0};
  switch (tensor.role) {
    case ATTEST_ROLE_Q:
      pointers.q = data, shape.q = strides;
      break;
    case ATTEST_ROLE_K:
      pointers.k = data, shape.k = strides;
      break;
    case ATTEST_ROLE_V:
      pointers.v = data, shape.v = strides;
      break;
    case ATTEST_ROLE_MASK:
      pointers.mask = data, shape.mask = strides;
      break;
    case ATTEST_ROLE_KV_LENGTHS:
      pointers.kv_lengths = static_cast<int64_t*>(data), shape.kv_lengths_stride = s[0];
      break;
    case ATTEST_ROLE_OUT:
      pointers.out = data, shape.out = strides;
      break;
    case ATTEST_ROLE_LSE:
      pointers.lse = static_cast<float*>(data), shape.lse = strides;
      break;
    case ATTEST_ROLE_WEIGHTS:
      pointers.weights = data, shape.weights = strides;
      break;
    default:
      throw std::invalid_argument("no sdpa tensor has role " + std::to_string(tensor.role));
  }
}

LinearShape ShapeOf(const LinearMap& map) {
  const linear::Shape shape(map);
  const int64_t *x = map.x.strides, *w = map.weight.strides, *y = map.y.strides;
  return {shape.matrices,
          shape.rows,
          shape.in,
          shape.out,
          {x[0], 0, x[1], x[2]},
          {0, 0, w[0], w[1]},
          {y[0], 0, y[1], y[2]},
          map.bias.strides[0]};
}

// Parts of stored_ begin where a tensor of the host would.
uint64_t AlignedBytes(int64_t elements, int32_t dtype) {
  const uint64_t bytes = static_cast<uint64_t>(elements) * LayerParts::BytesOf(dtype);
  return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

}  // namespace

uint64_t StoredBytes(const attest_problem& problem) {
  if (problem.op != ATTEST_OP_SELF_ATTENTION) return 0;
  const LayerScratch sizes = ScratchOf(problem);
  uint64_t bytes = 0;
  for (const int64_t part : {sizes.q, sizes.k, sizes.v, sizes.o})
    bytes += AlignedBytes(part, problem.dtype);
  return bytes;
}

Session::Session() {
  int index = 0, l2_bytes = 0;
  Check(cudaGetDevice(&index), "cudaGetDevice");
  Check(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, index), "cudaDeviceGetAttribute");
  flush = DeviceMemory(2 * std::max<size_t>(l2_bytes, kFallbackL2Bytes));
  Check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  Check(cudaEventCreate(&start), "cudaEventCreate");
  Check(cudaEventCreate(&stop), "cudaEventCreate");
}

Session::~Session() {
  cublas.reset();
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  cudaStreamDestroy(stream);
}

CudaPlan::CudaPlan(const Request& request, Session& session)
    : session_(session),
      problem_(request.problem),
      dtype_(request.problem.dtype),
      shape_(ShapeOf(request.problem)) {
  const uint64_t bytes = StoredBytes(problem_);
  if (bytes == 0) return;
  stored_ = DeviceMemory(bytes);
  Check(cudaMemset(stored_.data(), 0, bytes), "cudaMemset of a layer's scratch");
}

CudaPlan::~CudaPlan() {
  cudaStreamSynchronize(session_.stream);
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
}

void CudaPlan::Bind(Tensors tensors) {
  std::vector<attest_tensor> uploaded;
  for (const attest_tensor* tensor : tensors) uploaded.push_back(Uploaded(*tensor));
  Check(cudaStreamSynchronize(session_.stream), "cudaStreamSynchronize after uploading");
  if (problem_.op == ATTEST_OP_SELF_ATTENTION)
    PlaceParts(uploaded);
  else
    for (const attest_tensor& tensor : uploaded) Place(tensor, shape_, pointers_);
  OnBind();
  Capture();
}

// The tensor on the device.
attest_tensor CudaPlan::Uploaded(const attest_tensor& tensor) {
  Bound& bound = bound_[tensor.role];
  bound.host = static_cast<char*>(tensor.data) - tensor.margin_before_bytes;
  bound.bytes = tensor.margin_before_bytes + tensor.extent_bytes + tensor.margin_after_bytes;
  bound.pad = (kAlignmentBytes - tensor.margin_before_bytes % kAlignmentBytes) % kAlignmentBytes;
  if (bound.memory.bytes() != bound.pad + bound.bytes) {
    bound.memory = DeviceMemory();  // the old one is gone before the new one is asked for
    bound.memory = DeviceMemory(bound.pad + bound.bytes);
  }
  char* device = bound.memory.data() + bound.pad;
  Check(cudaMemcpyAsync(device, bound.host, bound.bytes, cudaMemcpyHostToDevice, session_.stream),
        "cudaMemcpyAsync to the device");
  attest_tensor uploaded = tensor;
  uploaded.data = device + tensor.margin_before_bytes;
  return uploaded;
}

void CudaPlan::PlaceParts(const std::vector<attest_tensor>& tensors) {
  const LayerScratch sizes = ScratchOf(problem_);
  char* next = stored_.data();
  const auto take = [&](int64_t elements) {
    char* part = next;
    next += AlignedBytes(elements, dtype_);
    return part;
  };
  LayerParts::Memory memory;
  memory.q = take(sizes.q);
  memory.k = take(sizes.k);
  memory.v = take(sizes.v);
  memory.o = take(sizes.o);
  const LayerParts parts(problem_, PointersTo(tensors), dtype_, memory);
  for (const attest_tensor& tensor : parts.sdpa()) Place(tensor, shape_, pointers_);
  const auto device_map = [](const LinearMap& map) {
    return DeviceMap{ShapeOf(map), {map.x.data, map.weight.data, map.bias.data, map.y.data}};
  };
  before_.clear();
  after_.clear();
  for (const LinearMap& map : parts.before()) before_.push_back(device_map(map));
  for (const LinearMap& map : parts.after()) after_.push_back(device_map(map));
}

void CudaPlan::LaunchAll() {
  for (const DeviceMap& map : before_) LaunchMap(map);
  Launch();
  for (const DeviceMap& map : after_) LaunchMap(map);
}

// A run that cannot be captured leaves the graph mode out.
void CudaPlan::Capture() {
  if (graph_ != nullptr) Check(cudaGraphExecDestroy(graph_), "cudaGraphExecDestroy");
  graph_ = nullptr;
  cudaGraph_t graph = nullptr;
  Check(cudaStreamBeginCapture(session_.stream, cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  try {
    LaunchAll();
  } catch (const std::exception&) {
    (void)cudaStreamEndCapture(session_.stream, &graph);
    (void)cudaGetLastError();
    return;
  }
  if (cudaStreamEndCapture(session_.stream, &graph) != cudaSuccess ||
      cudaGraphInstantiate(&graph_, graph, 0) != cudaSuccess)
    graph_ = nullptr;
  (void)cudaGetLastError();
  if (graph != nullptr) cudaGraphDestroy(graph);
}

void CudaPlan::Run() { LaunchAll(); }

void CudaPlan::Sync() {
  Check(cudaStreamSynchronize(session_.stream), "cudaStreamSynchronize after running");
}

void CudaPlan::Download() {
  for (const auto& [role, bound] : bound_)
    if (IsOutput(role))
      Check(cudaMemcpyAsync(bound.host, bound.memory.data() + bound.pad, bound.bytes,
                            cudaMemcpyDeviceToHost, session_.stream),
            "cudaMemcpyAsync to the host");
  Check(cudaStreamSynchronize(session_.stream), "cudaStreamSynchronize after downloading");
}

PlanInfo CudaPlan::Info() {
  uint64_t device_bytes = WorkspaceBytes() + stored_.bytes();
  for (const auto& [role, bound] : bound_) device_bytes += bound.memory.bytes();
  std::string maps;
  if (!before_.empty() || !after_.empty())
    maps = std::string("; linear maps: ") + MapImplementation();
  return {Implementation() + maps + " on " + session_.device.name, 0, device_bytes};
}

uint32_t CudaPlan::TimerModes() const {
  const uint32_t graph = graph_ == nullptr ? 0 : 1u << ATTEST_TIMER_GRAPH;
  return 1u << ATTEST_TIMER_COLD | 1u << ATTEST_TIMER_HOT | graph;
}

double CudaPlan::RunTimed(int32_t mode) {
  if (mode < 0 || mode > ATTEST_TIMER_GRAPH || !(TimerModes() & 1u << mode))
    throw Unsupported("this plan has no timer mode " + std::to_string(mode));
  cudaStream_t stream = session_.stream;
  if (mode == ATTEST_TIMER_COLD)
    Check(cudaMemsetAsync(session_.flush.data(), 0, session_.flush.bytes(), stream),
          "cudaMemsetAsync");
  Check(LaunchDelay(kDelayNanoseconds, stream), "launching the delay");
  Check(cudaEventRecord(session_.start, stream), "cudaEventRecord");
  if (mode == ATTEST_TIMER_GRAPH)
    Check(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch");
  else
    LaunchAll();
  Check(cudaEventRecord(session_.stop, stream), "cudaEventRecord");
  Check(cudaEventSynchronize(session_.stop), "cudaEventSynchronize");
  float milliseconds = 0;
  Check(cudaEventElapsedTime(&milliseconds, session_.start, session_.stop), "cudaEventElapsedTime");
  return 1e-3 * milliseconds;
}

}  // namespace attest::cuda
