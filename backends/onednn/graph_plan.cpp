// SPDX-License-Identifier: Apache-2.0
//
// onednn:graph. The whole sdpa as one graph of oneDNN's Graph API, cut into partitions by a oneDNN
// 3.x found at run time, compiled and run by it. What came of it is in the plan's `implementation`:
//   fused, 1 partition, sdp_decomp_kernel_t   a thread computes a head: product, softmax, product,
//                                             with the scores of one head in scratch, O(Lq Lk) per
//                                             thread. From 3.4 on OpenMP, where B heads > 2
//                                             threads.
//   unfused, 1 partition, larger_partition_kernel_t
//                                             one primitive after another on all threads, the
//                                             scores of all heads in memory, O(B heads Lq Lk)
//   unfused, 3 partitions                     as that, and oneDNN 3.2 does not know the pattern
// and the primitives that the kernels are made of. There is no query for the kernel: it is read
// from the library's verbose lines (graph_verbose.h).
//
// Every score is computed, masked ones too. f32, B 1, 8 heads, L 2048, d 64, two threads of a Zen
// 5: fused (3.12.1) 56 % of the FMA rate, 0.73 of onednn:flash, causal 0.3 of it; unfused on SYCL
// (3.13.2, Intel's wheel) 27 %, 0.34 and 0.15. Verified with 3.2.0, 3.7.2, 3.12.1, 3.13.2; 3.6.2 is
// wrong at head size 1 and where a batch shares one mask.
#include "graph_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <vector>

#include "attest/aligned_buffer.hpp"
#include "attest/half.hpp"
#include "attest/sdpa.hpp"
#include "graph_memory.h"
#include "graph_sdpa.h"
#include "graph_verbose.h"

namespace attest::onednn::graph {
namespace {

constexpr float kMinusInfinityValue = -std::numeric_limits<float>::infinity();

struct Partition {
  Handle partition;
  Handle compiled;
  std::vector<LogicalTensor> inputs, outputs;
};

// The library tells what it makes while this lives.
class Verbose {
 public:
  explicit Verbose(const Functions& call) : call_(call) { call_.set_verbose(2); }
  ~Verbose() { call_.set_verbose(0); }
  Verbose(const Verbose&) = delete;
  Verbose& operator=(const Verbose&) = delete;

 private:
  const Functions& call_;
};

int64_t ElementBytes(int data_type) {
  if (data_type == kF32) return 4;
  return data_type == kBoolean ? 1 : 2;
}

// The partitions of a problem's graph, compiled, in the order in which they run.
struct CompiledGraph {
  CompiledGraph(const Library& used, const Request& request)
      : library(used), call(used.functions()) {
    const Library::Threads threads(library);
    const Handle graph = MakeSdpaGraph(library, request);
    Cut(graph.get());
    {
      const CaughtOutput output;
      const Verbose verbose(call);
      for (Partition& partition : partitions) Compile(partition);
      dispatch = ParseVerbose(output.Text());
    }
    library.CheckThreads(dispatch.threads);
  }

  bool is_fused() const {
    return partitions.size() == 1 && dispatch.kernels.contains("sdp_decomp_kernel_t");
  }

  std::string Text() const {
    return std::string(is_fused() ? "fused, " : "unfused, ") + std::to_string(partitions.size()) +
           (partitions.size() == 1 ? " partition, " : " partitions, ") + dispatch.Text() + "; " +
           library.name();
  }

  // What lies between partitions, by tensor number.
  std::map<size_t, LogicalTensor> Between() const {
    std::map<size_t, LogicalTensor> tensors;
    for (const Partition& partition : partitions)
      for (const LogicalTensor& output : partition.outputs)
        if (output.id >= kFirstBetween) tensors.emplace(output.id, output);
    return tensors;
  }

  const Library& library;
  const Functions& call;
  std::vector<Partition> partitions;
  Dispatch dispatch;

 private:
  void Cut(void* graph) {
    library.Check(call.graph_graph_filter(graph, kFusionPolicy), "graph_graph_filter");
    size_t count = 0;
    library.Check(call.graph_graph_get_partition_num(graph, &count),
                  "graph_graph_get_partition_num");
    std::vector<void*> cut(count);
    library.Check(call.graph_graph_get_partitions(graph, count, cut.data()),
                  "graph_graph_get_partitions");
    for (void* partition : cut)
      partitions.push_back({{partition, call.graph_partition_destroy}, {nullptr, nullptr}, {}, {}});
  }

  void Compile(Partition& partition) {
    void* cut = partition.partition.get();
    uint8_t is_supported = 0;
    library.Check(call.graph_partition_is_supported(cut, &is_supported),
                  "graph_partition_is_supported");
    if (!is_supported)
      throw Unsupported(library.name() + " cuts the graph into " +
                        std::to_string(partitions.size()) +
                        " partitions, of which it cannot compute all");
    size_t inputs = 0, outputs = 0;
    library.Check(call.graph_partition_get_input_ports_num(cut, &inputs), "input_ports_num");
    library.Check(call.graph_partition_get_output_ports_num(cut, &outputs), "output_ports_num");
    partition.inputs.resize(inputs);
    partition.outputs.resize(outputs);
    library.Check(call.graph_partition_get_input_ports(cut, inputs, partition.inputs.data()),
                  "input_ports");
    library.Check(call.graph_partition_get_output_ports(cut, outputs, partition.outputs.data()),
                  "output_ports");
    partition.compiled =
        library.Make(call.graph_compiled_partition_destroy, "graph_compiled_partition_create",
                     [&](void** made) { return call.graph_compiled_partition_create(made, cut); });
    const auto pointers = [](const std::vector<LogicalTensor>& tensors) {
      std::vector<const LogicalTensor*> list;
      for (const LogicalTensor& tensor : tensors) list.push_back(&tensor);
      return list;
    };
    library.Check(call.graph_partition_compile(
                      cut, partition.compiled.get(), inputs, pointers(partition.inputs).data(),
                      outputs, pointers(partition.outputs).data(), library.engine()),
                  "graph_partition_compile");
  }
};

// Bytes of the values of MakePositions.
int64_t PositionBytes(const attest_problem& problem) {
  if (!HasPositionRules(problem)) return 0;
  return problem.q_sequence_length * problem.kv_sequence_length *
         (problem.dtype == ATTEST_F32 ? 4 : 2);
}

template <typename Io>
void WritePositions(const attest_problem& problem, Io* values) {
  const int64_t count = problem.kv_sequence_length;
  for (int64_t i = 0; i < problem.q_sequence_length; ++i) {
    const KeySpan keys = VisibleKeys(problem, count, i);
    for (int64_t j = 0; j < count; ++j)
      Narrow(keys.begin <= j && j < keys.end ? 0.0f : kMinusInfinityValue, values + i * count + j);
  }
}

void FillPositions(const attest_problem& problem, void* values) {
  if (!HasPositionRules(problem)) return;
  if (problem.dtype == ATTEST_F32) WritePositions(problem, static_cast<float*>(values));
  if (problem.dtype == ATTEST_F16) WritePositions(problem, static_cast<Half*>(values));
  if (problem.dtype == ATTEST_BF16) WritePositions(problem, static_cast<Bfloat16*>(values));
}

int64_t DenseBytes(const LogicalTensor& tensor) {
  return tensor.sizes[0] * tensor.strides[0] * ElementBytes(tensor.data_type);
}

// What the library will ask for in a run: told from 3.13 on, else the scores in f32 and P in the
// io type, of one head per thread or of all heads.
uint64_t RunBytes(const CompiledGraph& graph, const attest_problem& problem) {
  if (graph.dispatch.scratchpad_bytes != 0) return graph.dispatch.scratchpad_bytes;
  const int64_t pairs = problem.q_sequence_length * problem.kv_sequence_length *
                        (4 + (problem.dtype == ATTEST_F32 ? 4 : 2));
  return pairs *
         (graph.is_fused() ? graph.library.threads() : problem.batch_size * problem.q_num_heads);
}

// What the plan itself allocates.
uint64_t OwnBytes(const CompiledGraph& graph, const attest_problem& problem) {
  uint64_t bytes = PositionBytes(problem);
  for (const auto& [id, tensor] : graph.Between()) bytes += DenseBytes(tensor);
  return bytes;
}

class GraphPlan final : public Plan {
 public:
  GraphPlan(const Library& library, const Request& request)
      : problem_(request.problem),
        library_(library),
        graph_(library, request),
        positions_(PositionBytes(problem_)) {
    const bool caps = problem_.softcap != 0;
    scale_ = static_cast<float>(caps ? problem_.scale / problem_.softcap : problem_.scale);
    softcap_ = static_cast<float>(problem_.softcap);
    FillPositions(problem_, positions_.data());
    for (const auto& [id, tensor] : graph_.Between())
      data_[id] = between_.emplace_back(DenseBytes(tensor)).data();
    data_[kScale] = &scale_;
    data_[kSoftcap] = &softcap_;
    data_[kMinusInfinity] = &minus_infinity_;
    data_[kPositions] = positions_.data();
    for (const Partition& partition : graph_.partitions)
      calls_.push_back({Objects(partition.inputs), Objects(partition.outputs)});
  }

  ~GraphPlan() override { ReleaseKept(); }

  void Bind(attest::Tensors tensors) override {
    const SdpaTensors bound = BindSdpa(problem_, tensors);
    data_[kQ] = bound.q.data;
    data_[kK] = bound.k.data;
    data_[kV] = bound.v.data;
    data_[kMask] = bound.mask.data;
    data_[kOut] = bound.out.data;
    for (auto& [id, object] : objects_)
      library_.Check(graph_.call.graph_tensor_set_data_handle(object.get(), data_[id]),
                     "graph_tensor_set_data_handle");
  }

  void Run() override {
    const Library::Threads threads(library_);
    for (size_t i = 0; i < calls_.size(); ++i)
      library_.Check(
          graph_.call.graph_compiled_partition_execute(
              graph_.partitions[i].compiled.get(), library_.stream(), calls_[i].inputs.size(),
              calls_[i].inputs.data(), calls_[i].outputs.size(), calls_[i].outputs.data()),
          "graph_compiled_partition_execute");
    library_.Check(graph_.call.stream_wait(library_.stream()), "stream_wait");
  }

  PlanInfo Info() override {
    const uint64_t run_bytes = std::max(RunBytes(graph_, problem_), AllocatedBytes());
    return {graph_.Text(), OwnBytes(graph_, problem_) + run_bytes, 0};
  }

 private:
  struct Call {
    std::vector<void*> inputs, outputs;
  };

  // The tensor objects of those numbers, one for each number.
  std::vector<void*> Objects(const std::vector<LogicalTensor>& tensors) {
    std::vector<void*> objects;
    for (const LogicalTensor& tensor : tensors) {
      auto found = objects_.find(tensor.id);
      if (found == objects_.end())
        found = objects_
                    .emplace(tensor.id,
                             library_.Make(graph_.call.graph_tensor_destroy, "graph_tensor_create",
                                           [&](void** made) {
                                             return graph_.call.graph_tensor_create(
                                                 made, &tensor, library_.engine(), nullptr);
                                           }))
                    .first;
      objects.push_back(found->second.get());
    }
    return objects;
  }

  const attest_problem problem_;
  const Library& library_;
  const CompiledGraph graph_;
  AlignedBuffer<char> positions_;
  std::vector<AlignedBuffer<char>> between_;
  float scale_ = 0, softcap_ = 0, minus_infinity_ = kMinusInfinityValue;
  std::map<size_t, void*> data_;  // by tensor number
  std::map<size_t, Handle> objects_;
  std::vector<Call> calls_;  // by partition
};

bool HasDenseRows(const attest_tensor& mask) {
  return mask.strides[3] == 1 && mask.strides[2] == mask.shape[3];
}

// What oneDNN's fused kernel does wrong, as the judge found with 3.12.1: an Add before a Select is
// taken for the only mask, and it dies with SIGSEGV; and it reads the condition of a Select as if
// its rows lay one behind the other, and computes nonsense.
std::optional<std::string> DefectOf(const CompiledGraph& graph, const Request& request) {
  if (!graph.is_fused() || request.problem.attn_mask != ATTEST_MASK_BOOLEAN) return std::nullopt;
  if (HasPositionRules(request.problem))
    return "crashes where a boolean mask stands beside causal or windows";
  if (!HasDenseRows(GetTensor(request.tensors, ATTEST_ROLE_MASK)))
    return "is wrong where the rows of a boolean mask are padded or broadcast";
  return std::nullopt;
}

// Throws Unsupported with the reason where what was compiled is not to be run. A reference kernel
// is not what anybody would use or time.
void RequireUsable(const CompiledGraph& graph, const Request& request) {
  const std::string library = graph.library.name();
  if (graph.dispatch.has_reference())
    throw Unsupported(library + " computes this by a reference kernel: " + graph.dispatch.Text());
  if (const auto defect = DefectOf(graph, request))
    throw Unsupported("sdp_decomp_kernel_t of " + library + " " + *defect);
}

}  // namespace

std::optional<std::string> WhyNotInGraph(const attest_problem& problem) {
  if (problem.op != ATTEST_OP_SDPA) return "onednn:graph is sdpa only";
  if (problem.has_kv_lengths) return "oneDNN's graph has shapes, not lengths that are values";
  if (problem.outputs & ATTEST_OUTPUT_LSE) return "oneDNN's SoftMax keeps its sums to itself";
  if (problem.outputs & ATTEST_OUTPUT_WEIGHTS) return "P stays inside the partition";
  return std::nullopt;
}

uint64_t PlanBytes(const Library& library, const Request& request) {
  if (MayHaveEmptyRows(request.problem) && !library.has_softmax_of_nothing())
    throw Unsupported(library.name() + " gives NaN for rows that see no key; 3.8 gives 0");
  const CompiledGraph graph(library, request);
  RequireUsable(graph, request);
  return OwnBytes(graph, request.problem) + RunBytes(graph, request.problem);
}

std::unique_ptr<Plan> MakePlan(const Library& library, const Request& request) {
  return std::make_unique<GraphPlan>(library, request);
}

}  // namespace attest::onednn::graph
