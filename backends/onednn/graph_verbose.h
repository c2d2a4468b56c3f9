// SPDX-License-Identifier: Apache-2.0
//
// What oneDNN's Graph API made of a partition. Its C interface has no query for that; the library
// tells it on standard output at verbosity 2, one line for each kernel and each primitive it makes.
// So the lines are caught while a partition is compiled. A library built without verbosity says
// nothing, and nothing is then known.
#ifndef ATTEST_BACKENDS_ONEDNN_GRAPH_VERBOSE_H_
#define ATTEST_BACKENDS_ONEDNN_GRAPH_VERBOSE_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace attest::onednn::graph {

struct Dispatch {
  std::set<std::string> kernels;     // of partitions: "sdp_decomp_kernel_t"
  std::set<std::string> primitives;  // "matmul brg_matmul:avx512_core"; reorders are left out
  uint64_t scratchpad_bytes = 0;     // of partitions; 0: not told, as before 3.13
  unsigned threads = 0;              // the library's own count; 0: not told

  // A matrix product or softmax by a reference kernel, a thousand times slower.
  bool has_reference() const;
  // "sdp_decomp_kernel_t, matmul: brg_matmul:avx512_core, softmax: jit:avx512_core".
  std::string Text() const;
};

// Reads lines of oneDNN 3.x; others are ignored.
// https://uxlfoundation.github.io/oneDNN/dev_guide_verbose.html
Dispatch ParseVerbose(std::string_view lines);

// Keeps what the process writes to standard output while it lives. Not for two threads at once.
// Throws std::runtime_error where the system refuses a file or descriptor.
class CaughtOutput {
 public:
  CaughtOutput();
  ~CaughtOutput();
  CaughtOutput(const CaughtOutput&) = delete;
  CaughtOutput& operator=(const CaughtOutput&) = delete;

  std::string Text() const;  // so far

 private:
  int file_ = -1;
  int standard_output_ = -1;
};

}  // namespace attest::onednn::graph

#endif  // ATTEST_BACKENDS_ONEDNN_GRAPH_VERBOSE_H_
