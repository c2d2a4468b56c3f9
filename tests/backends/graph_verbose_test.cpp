// SPDX-License-Identifier: Apache-2.0
#include "backends/onednn/graph_verbose.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

namespace attest::onednn::graph {
namespace {

// As 3.12.1 on OpenMP and 3.13.2 on SYCL write them, tensors shortened.
const char* kFused =
    "onednn_verbose,v1,info,oneDNN v3.12.1 (commit N/A)\n"
    "onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2\n"
    "onednn_verbose,v1,primitive,create:cache_miss,cpu,reorder,jit:uni,undef,src:f32,,,8x8,0.1\n"
    "onednn_verbose,v1,primitive,create:cache_miss,cpu,matmul,brg_matmul:avx512_core,undef,src:f32 "
    "wei:f32 dst:f32,attr-scratchpad:user,,512x64:64x512,1.15\n"
    "onednn_verbose,v1,primitive,create:cache_hit,cpu,softmax,jit:avx512_core,forward_inference,"
    "src:f32 dst:f32,attr-scratchpad:user,alg:softmax_accurate axis:1,512x512,0.08\n"
    "onednn_verbose,v1,graph,compile:cache_miss,cpu,100002,sdp,qk;scale;softmax;pv,,in0_f32:0 "
    "out0_f32:3,fpm:strict,sdp_decomp_kernel_t,dnnl_backend,2.3\n";
const char* kUnfused =
    "onednn_verbose,v1,graph,compile:cache_miss,cpu,100002,sdp,qk;scale;softmax;pv,,in0_f32:0 "
    "out0_f32:3,fpm:strict,scratchpad:8424384,larger_partition_kernel_t,dnnl_backend,45.7\n";

TEST(ParseVerbose, NamesKernelPrimitivesAndThreads) {
  const Dispatch dispatch = ParseVerbose(kFused);
  EXPECT_EQ(dispatch.Text(),
            "sdp_decomp_kernel_t, matmul: brg_matmul:avx512_core, softmax: jit:avx512_core");
  EXPECT_EQ(dispatch.threads, 2u);
  EXPECT_EQ(dispatch.scratchpad_bytes, 0u);
  EXPECT_FALSE(dispatch.has_reference());
}

TEST(ParseVerbose, AddsTheScratchpadsOfPartitions) {
  const Dispatch dispatch = ParseVerbose(std::string(kUnfused) + kUnfused);
  EXPECT_EQ(dispatch.Text(), "larger_partition_kernel_t");
  EXPECT_EQ(dispatch.scratchpad_bytes, 2u * 8424384);
}

TEST(ParseVerbose, FindsReferenceProducts) {
  const Dispatch dispatch = ParseVerbose(
      "onednn_verbose,v1,primitive,create:cache_miss,cpu,matmul,ref:any,undef,src:f32,,,8x8,0.1\n"
      "onednn_verbose,v1,primitive,create:cache_miss,cpu,matmul,brg:avx512,undef,s,,,8x8,0.1\n");
  EXPECT_TRUE(dispatch.has_reference());
  EXPECT_EQ(dispatch.Text(), "kernel not told, matmul: brg:avx512 ref:any");
}

TEST(ParseVerbose, KnowsNothingFromOtherLines) {
  for (const char* lines : {"", "\n", "nthr:7,create:cache_miss,cpu,matmul,ref:any\n",
                            "onednn_verbose\n", "onednn_verbose,v1,graph,compile\n",
                            "onednn_verbose,v1,primitive,create:cache_miss,cpu,matmul"}) {
    const Dispatch dispatch = ParseVerbose(lines);
    EXPECT_EQ(dispatch.Text(), "kernel not told") << lines;
    EXPECT_EQ(dispatch.threads, 0u) << lines;
  }
}

TEST(CaughtOutput, KeepsWhatIsPrintedAndGivesTheDescriptorBack) {
  std::string text;
  {
    const CaughtOutput output;
    std::printf("by stdio, ");
    std::fflush(stdout);
    ASSERT_EQ(write(STDOUT_FILENO, "by descriptor", 13), 13);
    std::printf(" and stdio");
    text = output.Text();
    const CaughtOutput inner;
    std::printf("not seen outside");
    EXPECT_EQ(inner.Text(), "not seen outside");
    EXPECT_EQ(output.Text(), text);
  }
  EXPECT_EQ(text, "by stdio, by descriptor and stdio");
}

}  // namespace
}  // namespace attest::onednn::graph
