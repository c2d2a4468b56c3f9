// SPDX-License-Identifier: Apache-2.0
#include "backends/onednn/graph_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace attest::onednn::graph {
namespace {

TEST(GraphMemory, KeepsWhatIsFreedForTheNextCall) {
  ReleaseKept();
  const uint64_t before = AllocatedBytes();
  void* first = Allocate(1000, 256);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 256, 0u);
  std::memset(first, 1, 1000);
  void* second = Allocate(1000, 256);
  EXPECT_NE(second, first);
  Free(first);
  EXPECT_GE(AllocatedBytes(), before + 2000);
  EXPECT_EQ(Allocate(1000, 256), first);
  Free(first);
  Free(second);
  ReleaseKept();
  EXPECT_EQ(AllocatedBytes(), before);
}

TEST(GraphMemory, WhatIsInUseIsNotReleased) {
  void* memory = Allocate(3, 1);
  ASSERT_NE(memory, nullptr);
  ReleaseKept();
  std::memset(memory, 1, 3);
  EXPECT_GE(AllocatedBytes(), 3u);
  Free(memory);
  Free(nullptr);
  ReleaseKept();
}

}  // namespace
}  // namespace attest::onednn::graph
