// SPDX-License-Identifier: Apache-2.0
#include "graph_library.h"

#include <dlfcn.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include "attest/backend.hpp"
#include "graph_memory.h"

namespace attest::onednn::graph {
namespace {

namespace fs = std::filesystem;

// Debian names the file by the version since which its interface is complete.
constexpr const char* kLoaderNames[] = {"libdnnl.so.3", "libdnnl.so.3.6"};
constexpr const char* kFix =
    "scripts/peers onednn brings one, or ATTEST_ONEDNN3=FILE names a libdnnl.so.3";

enum Runtime : unsigned { kSequential = 1, kOpenMp = 2, kTbb = 4, kThreadPool = 8, kSycl = 512 };

std::string RuntimeName(unsigned runtime) {
  switch (runtime) {
    case kSequential:
      return "one thread";
    case kOpenMp:
      return "OpenMP";
    case kTbb:
      return "TBB";
    case kThreadPool:
      return "its caller's thread pool";
    case kSycl:
      return "SYCL";
    default:
      return "runtime " + std::to_string(runtime);
  }
}

// Opens a library whose folder holds what it needs, as the folder of a Python environment does for
// wheels: these name no path, so what the loader misses is opened first.
void* OpenWithNeighbours(const fs::path& file, std::string& error, int depth = 0) {
  constexpr int kMostMissing = 32;
  for (int attempt = 0; attempt < kMostMissing; ++attempt) {
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) return library;
    error = dlerror();
    const std::string missing = error.substr(0, error.find(':'));
    const fs::path neighbour = file.parent_path() / missing;
    if (depth > 8 || missing.find('/') != std::string::npos || !fs::exists(neighbour))
      return nullptr;
    if (OpenWithNeighbours(neighbour, error, depth + 1) == nullptr) return nullptr;
  }
  return nullptr;
}

// Intel's SYCL reaches a CPU through an OpenCL driver, which its wheel leaves in the same folder
// without telling the OpenCL loader: Debian's by the first variable, Khronos's by the second.
void* OpenFile(const fs::path& file, std::string& error) {
  const fs::path driver = file.parent_path() / "libintelocl.so";
  if (fs::exists(driver))
    for (const char* variable : {"OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"})
      setenv(variable, driver.c_str(), 0);
  return OpenWithNeighbours(file, error);
}

void* Open() {
  std::string error;
  if (const char* file = std::getenv("ATTEST_ONEDNN3"); file != nullptr && *file != '\0') {
    if (void* library = OpenFile(file, error)) return library;
    throw Unsupported("the file that ATTEST_ONEDNN3 names cannot be opened: " + error);
  }
  for (const char* name : kLoaderNames)
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  std::vector<fs::path> environments{ATTEST_PEER_ENVIRONMENT};
  if (const char* asked = std::getenv("ATTEST_PEERS"); asked != nullptr && *asked != '\0')
    environments.insert(environments.begin(), asked);
  for (const fs::path& environment : environments) {
    const fs::path file = environment / "lib/libdnnl.so.3";
    if (!fs::exists(file)) continue;
    if (void* library = OpenFile(file, error)) return library;
  }
  if (!error.empty()) throw Unsupported("oneDNN 3.x cannot be opened: " + error);
  throw Unsupported(std::string("no oneDNN 3.x was found: ") + kFix);
}

template <typename Function>
void Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr)
    throw Unsupported(std::string("the library that was found has no ") + name +
                      ", so it is no oneDNN 3.x with the Graph API: " + kFix);
}

// Lets this thread use that many processors of its own while it lives.
class FewProcessors {
 public:
  explicit FewProcessors(unsigned count) {
    sched_getaffinity(0, sizeof all_, &all_);
    cpu_set_t few;
    CPU_ZERO(&few);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&few) < static_cast<int>(count); ++cpu)
      if (CPU_ISSET(cpu, &all_)) CPU_SET(cpu, &few);
    sched_setaffinity(0, sizeof few, &few);
  }
  ~FewProcessors() { sched_setaffinity(0, sizeof all_, &all_); }
  FewProcessors(const FewProcessors&) = delete;
  FewProcessors& operator=(const FewProcessors&) = delete;

 private:
  cpu_set_t all_;
};

}  // namespace

Library::Library(unsigned threads) : threads_(threads) {
  const FewProcessors processors(threads);
  void* library = Open();
  Find(library, "dnnl_version", functions_.version);
  const Version& version = *functions_.version();
  name_ = "oneDNN " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
          std::to_string(version.patch) + " on " + RuntimeName(version.cpu_runtime);
  if (version.major != 3) throw Unsupported(name_ + " was found, not 3.x: " + kFix);
  Bind(library);
  if (version.cpu_runtime == kThreadPool)
    throw Unsupported(name_ + " was found, which has no threads of its own: " + kFix);
  if (version.cpu_runtime == kOpenMp) Find(library, "omp_set_num_threads", omp_set_num_threads_);
  Start();
}

Library::~Library() = default;

void Library::Bind(void* library) {
#define ATTEST_FIND(name) Find(library, "dnnl_" #name, functions_.name)
  ATTEST_FIND(set_verbose);
  ATTEST_FIND(status2str);
  ATTEST_FIND(engine_create);
  ATTEST_FIND(engine_destroy);
  ATTEST_FIND(stream_create);
  ATTEST_FIND(stream_destroy);
  ATTEST_FIND(stream_wait);
  ATTEST_FIND(graph_allocator_create);
  ATTEST_FIND(graph_allocator_destroy);
  ATTEST_FIND(graph_make_engine_with_allocator);
  ATTEST_FIND(graph_graph_create);
  ATTEST_FIND(graph_graph_destroy);
  ATTEST_FIND(graph_op_create);
  ATTEST_FIND(graph_op_destroy);
  ATTEST_FIND(graph_op_add_input);
  ATTEST_FIND(graph_op_add_output);
  ATTEST_FIND(graph_op_set_attr_bool);
  ATTEST_FIND(graph_op_set_attr_s64);
  ATTEST_FIND(graph_op_set_attr_str);
  ATTEST_FIND(graph_add_op);
  ATTEST_FIND(graph_graph_finalize);
  ATTEST_FIND(graph_graph_filter);
  ATTEST_FIND(graph_graph_get_partition_num);
  ATTEST_FIND(graph_graph_get_partitions);
  ATTEST_FIND(graph_partition_destroy);
  ATTEST_FIND(graph_partition_is_supported);
  ATTEST_FIND(graph_partition_get_input_ports_num);
  ATTEST_FIND(graph_partition_get_input_ports);
  ATTEST_FIND(graph_partition_get_output_ports_num);
  ATTEST_FIND(graph_partition_get_output_ports);
  ATTEST_FIND(graph_compiled_partition_create);
  ATTEST_FIND(graph_compiled_partition_destroy);
  ATTEST_FIND(graph_partition_compile);
  ATTEST_FIND(graph_compiled_partition_execute);
  ATTEST_FIND(graph_set_compiled_partition_cache_capacity);
  ATTEST_FIND(graph_tensor_create);
  ATTEST_FIND(graph_tensor_set_data_handle);
  ATTEST_FIND(graph_tensor_destroy);
#undef ATTEST_FIND
}

void Library::Start() {
  const Threads threads(*this);
  // What comes from a cache tells nothing of its primitives.
  Check(functions_.graph_set_compiled_partition_cache_capacity(0), "cache_capacity");
  if (functions_.version()->cpu_runtime != kSycl)  // SYCL allocates by itself
    allocator_ =
        Make(functions_.graph_allocator_destroy, "graph_allocator_create", [&](void** allocator) {
          return functions_.graph_allocator_create(allocator, Allocate, Free);
        });
  engine_ = Make(functions_.engine_destroy, "engine_create", [&](void** engine) {
    return allocator_ == nullptr
               ? functions_.engine_create(engine, kCpu, 0)
               : functions_.graph_make_engine_with_allocator(engine, kCpu, 0, allocator_.get());
  });
  stream_ = Make(functions_.stream_destroy, "stream_create", [&](void** stream) {
    return functions_.stream_create(stream, engine(), kDefaultStream);
  });
}

void Library::CheckThreads(unsigned told) const {
  if (omp_set_num_threads_ != nullptr) return;  // told, and set to 1 while a kernel is made
  if (told != 0) told_threads_ = told;
  if (told_threads_ != 0 && told_threads_ != threads_)
    throw Unsupported(name_ + " computes with " + std::to_string(told_threads_) +
                      " threads here, not " + std::to_string(threads_) + ": give --threads " +
                      std::to_string(told_threads_) + ", or a library on OpenMP in ATTEST_ONEDNN3");
}

void Library::Check(int status, const char* function) const {
  if (status != 0)
    throw std::runtime_error(name_ + ": dnnl_" + function + ": " + functions_.status2str(status));
}

Handle Library::Make(int (*destroy)(void*), const char* function,
                     const std::function<int(void**)>& create) const {
  void* object = nullptr;
  Check(create(&object), function);
  return {object, destroy};
}

Library::Threads::Threads(const Library& library) : library_(library) {
  if (library_.omp_set_num_threads_ != nullptr)
    library_.omp_set_num_threads_(static_cast<int>(library_.threads_));
}

Library::Threads::~Threads() {
  if (library_.omp_set_num_threads_ != nullptr) library_.omp_set_num_threads_(1);
}

}  // namespace attest::onednn::graph
