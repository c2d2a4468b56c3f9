// SPDX-License-Identifier: Apache-2.0
//
// A oneDNN 3.x found at run time, and the part of its C interface that onednn:graph calls. The
// plugin need not be built against it: types and values are declared here as dnnl_graph_types.h of
// oneDNN has them; from 3.2 to 3.13 they were only appended to, and the major version is checked.
//
// Looked for: the file that ATTEST_ONEDNN3 names, and no other; what the loader finds under the
// names in kLoaderNames; lib/libdnnl.so.3 of the Python environment that ATTEST_PEERS names, then
// of .peers, where scripts/peers puts it. Packages: onednn.
//
// Threads. A library on OpenMP is told with its own runtime's omp_set_num_threads, around every
// call. Any other runtime, as the SYCL of Intel's wheel (TBB inside), makes as many threads as the
// calling thread may use processors when it starts: it is started under that many, and refused
// where it then says it has another number.
//
// It lives in one process with the oneDNN that the other variants are linked to. Both are opened
// without RTLD_GLOBAL, so neither is in the scope in which the other's symbols are looked up, and
// they share no STB_GNU_UNIQUE symbol.
#ifndef ATTEST_BACKENDS_ONEDNN_GRAPH_LIBRARY_H_
#define ATTEST_BACKENDS_ONEDNN_GRAPH_LIBRARY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace attest::onednn::graph {

inline constexpr int kMaxDims = 12;

enum DataType : int { kF16 = 1, kBf16 = 2, kF32 = 3, kBoolean = 8 };
enum OpKind : int {
  kAdd = 2,
  kMatMul = 39,
  kMultiply = 46,
  kSoftMax = 64,
  kTanh = 75,
  kSelect = 81
};
enum OpAttribute : int { kAxis = 0x30, kTransposeB = 0x66, kMode = 0x84 };
enum Constant : int {
  kCpu = 1,
  kDefaultStream = 1,
  kFusionPolicy = 1,
  kVariable = 1,
  kStrided = 2
};

// dnnl_graph_logical_tensor_t.
struct LogicalTensor {
  size_t id;
  int dimensions;
  int64_t sizes[kMaxDims];
  int data_type;
  int property;
  int layout_type;
  int64_t strides[kMaxDims];
};
static_assert(sizeof(LogicalTensor) == 224);

// dnnl_version_t.
struct Version {
  int major, minor, patch;
  const char* hash;
  unsigned cpu_runtime, gpu_runtime;
};

// Entry points, without "dnnl_"; statuses are dnnl_status_t, 0 is success. Objects are opaque.
struct Functions {
  const Version* (*version)();
  int (*set_verbose)(int level);
  const char* (*status2str)(int status);
  int (*engine_create)(void** engine, int kind, size_t index);
  int (*engine_destroy)(void* engine);
  int (*stream_create)(void** stream, void* engine, unsigned flags);
  int (*stream_destroy)(void* stream);
  int (*stream_wait)(void* stream);
  int (*graph_allocator_create)(void** allocator, void* (*allocate)(size_t size, size_t alignment),
                                void (*free)(void*));
  int (*graph_allocator_destroy)(void* allocator);
  int (*graph_make_engine_with_allocator)(void** engine, int kind, size_t index,
                                          const void* allocator);
  int (*graph_graph_create)(void** graph, int engine_kind);
  int (*graph_graph_destroy)(void* graph);
  int (*graph_op_create)(void** op, size_t id, int kind, const char* name);
  int (*graph_op_destroy)(void* op);
  int (*graph_op_add_input)(void* op, const LogicalTensor* tensor);
  int (*graph_op_add_output)(void* op, const LogicalTensor* tensor);
  int (*graph_op_set_attr_bool)(void* op, int name, const uint8_t* values, size_t count);
  int (*graph_op_set_attr_s64)(void* op, int name, const int64_t* values, size_t count);
  int (*graph_op_set_attr_str)(void* op, int name, const char* value, size_t length);
  int (*graph_add_op)(void* graph, void* op);  // copies the op
  int (*graph_graph_finalize)(void* graph);
  int (*graph_graph_filter)(void* graph, int policy);
  int (*graph_graph_get_partition_num)(const void* graph, size_t* count);
  int (*graph_graph_get_partitions)(void* graph, size_t count, void** partitions);
  int (*graph_partition_destroy)(void* partition);
  int (*graph_partition_is_supported)(const void* partition, uint8_t* is_supported);
  int (*graph_partition_get_input_ports_num)(const void* partition, size_t* count);
  int (*graph_partition_get_input_ports)(const void* partition, size_t count, LogicalTensor* ports);
  int (*graph_partition_get_output_ports_num)(const void* partition, size_t* count);
  int (*graph_partition_get_output_ports)(const void* partition, size_t count,
                                          LogicalTensor* ports);
  int (*graph_compiled_partition_create)(void** compiled, void* partition);
  int (*graph_compiled_partition_destroy)(void* compiled);
  int (*graph_partition_compile)(void* partition, void* compiled, size_t input_count,
                                 const LogicalTensor** inputs, size_t output_count,
                                 const LogicalTensor** outputs, void* engine);
  int (*graph_compiled_partition_execute)(const void* compiled, void* stream, size_t input_count,
                                          void* const* inputs, size_t output_count,
                                          void* const* outputs);
  int (*graph_set_compiled_partition_cache_capacity)(int capacity);
  int (*graph_tensor_create)(void** tensor, const LogicalTensor* description, void* engine,
                             void* data);
  int (*graph_tensor_set_data_handle)(void* tensor, void* data);
  int (*graph_tensor_destroy)(void* tensor);
};

// An object of the library and the function that destroys it.
using Handle = std::unique_ptr<void, int (*)(void*)>;

class Library {
 public:
  // Opens and starts the library. Throws Unsupported with the reason and what to do where there is
  // none that can be used.
  explicit Library(unsigned threads);
  ~Library();

  const Functions& functions() const { return functions_; }
  const std::string& name() const { return name_; }  // "oneDNN 3.13.2 on SYCL"
  // SoftMax gives 0 where all scores are -inf (mode inf_as_zero), not NaN.
  bool has_softmax_of_nothing() const { return functions_.version()->minor >= 8; }
  unsigned threads() const { return threads_; }
  void* engine() const { return engine_.get(); }
  void* stream() const { return stream_.get(); }

  // Takes the number of threads that the library says it has, 0 where it does not; it says so once,
  // before the first line about something it made. Throws Unsupported, then and ever after, where
  // it has another number than it was given.
  void CheckThreads(unsigned told) const;

  // Throws std::runtime_error with the function's name and the library's word for the status.
  void Check(int status, const char* function) const;

  // An object made by create(&pointer) and destroyed by `destroy`.
  Handle Make(int (*destroy)(void*), const char* function,
              const std::function<int(void**)>& create) const;

  // Lets the library compute with its threads while it lives. OpenMP keeps a number for each
  // thread, and that of this one is 1 for the other variants.
  class Threads {
   public:
    explicit Threads(const Library& library);
    ~Threads();
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

   private:
    const Library& library_;
  };

 private:
  void Bind(void* library);
  void Start();

  Functions functions_{};
  void (*omp_set_num_threads_)(int) = nullptr;
  const unsigned threads_;
  mutable unsigned told_threads_ = 0;
  std::string name_;
  Handle allocator_{nullptr, nullptr};
  Handle engine_{nullptr, nullptr};
  Handle stream_{nullptr, nullptr};
};

}  // namespace attest::onednn::graph

#endif  // ATTEST_BACKENDS_ONEDNN_GRAPH_LIBRARY_H_
