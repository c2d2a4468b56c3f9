// SPDX-License-Identifier: Apache-2.0
//
// Memory for what a compiled partition keeps between its steps. The library asks for it at every
// call and gives it back at the end; here it stays at hand for the next call, as it does with the
// allocators of the frameworks that use the Graph API, and can be counted.
#ifndef ATTEST_BACKENDS_ONEDNN_GRAPH_MEMORY_H_
#define ATTEST_BACKENDS_ONEDNN_GRAPH_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace attest::onednn::graph {

// The two callbacks of dnnl_graph_allocator_create; from any thread. Allocate gives nullptr where
// there is no memory.
void* Allocate(size_t size, size_t alignment);
void Free(void* memory);

// Bytes in use or kept.
uint64_t AllocatedBytes();

// Gives back to the system what is kept and not in use.
void ReleaseKept();

}  // namespace attest::onednn::graph

#endif  // ATTEST_BACKENDS_ONEDNN_GRAPH_MEMORY_H_
