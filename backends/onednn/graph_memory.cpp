// SPDX-License-Identifier: Apache-2.0
#include "graph_memory.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace attest::onednn::graph {
namespace {

struct Block {
  void* memory;
  size_t size;
  size_t alignment;
  bool in_use;
};

struct Pool {
  std::mutex mutex;
  std::vector<Block> blocks;
};

// Lives as long as the library, whose threads may free memory after main.
Pool& ThePool() {
  static Pool& pool = *new Pool;
  return pool;
}

}  // namespace

void* Allocate(size_t size, size_t alignment) {
  constexpr size_t kCacheLine = 64;
  alignment = std::max(alignment, kCacheLine);
  size = (size + alignment - 1) / alignment * alignment;
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  for (Block& block : pool.blocks)
    if (!block.in_use && block.size == size && block.alignment == alignment) {
      block.in_use = true;
      return block.memory;
    }
  void* memory = std::aligned_alloc(alignment, size);
  if (memory != nullptr) pool.blocks.push_back({memory, size, alignment, true});
  return memory;
}

void Free(void* memory) {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  for (Block& block : pool.blocks)
    if (block.memory == memory) block.in_use = false;
}

uint64_t AllocatedBytes() {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  uint64_t bytes = 0;
  for (const Block& block : pool.blocks) bytes += block.size;
  return bytes;
}

void ReleaseKept() {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  for (const Block& block : pool.blocks)
    if (!block.in_use) std::free(block.memory);
  std::erase_if(pool.blocks, [](const Block& block) { return !block.in_use; });
}

}  // namespace attest::onednn::graph
