// SPDX-License-Identifier: Apache-2.0
//
// The only file that knows hwloc.
#include <hwloc.h>

#include <memory>
#include <stdexcept>

#include "harness/report/environment.h"

namespace attest::report {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, Destroy>;

// With what a control group or affinity hides: those limits are reported for themselves.
Topology Load() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw std::runtime_error("hwloc_topology_init failed");
  Topology topology(raw);
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  hwloc_topology_set_icache_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(raw) != 0) throw std::runtime_error("hwloc_topology_load failed");
  return topology;
}

int Count(const Topology& topology, hwloc_obj_type_t type) {
  const int count = hwloc_get_nbobjs_by_type(topology.get(), type);
  return count < 0 ? 0 : count;
}

const char* CacheType(hwloc_obj_cache_type_t type) {
  if (type == HWLOC_OBJ_CACHE_DATA) return "Data";
  return type == HWLOC_OBJ_CACHE_INSTRUCTION ? "Instruction" : "Unified";
}

// The first cache of a level stands for all of its level.
void AddCache(const Topology& topology, hwloc_obj_type_t type, std::vector<Cache>& caches) {
  const hwloc_obj_t object = hwloc_get_obj_by_type(topology.get(), type, 0);
  if (!object) return;
  const auto& attributes = object->attr->cache;
  caches.push_back({static_cast<int>(attributes.depth), CacheType(attributes.type), attributes.size,
                    hwloc_bitmap_weight(object->cpuset)});
}

}  // namespace

void ReadTopology(Cpu& cpu) {
  const Topology topology = Load();
  cpu.sockets = Count(topology, HWLOC_OBJ_PACKAGE);
  cpu.cores = Count(topology, HWLOC_OBJ_CORE);
  cpu.threads = Count(topology, HWLOC_OBJ_PU);
  cpu.numa_nodes = Count(topology, HWLOC_OBJ_NUMANODE);
  for (hwloc_obj_type_t type : {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L1ICACHE, HWLOC_OBJ_L2CACHE,
                                HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE})
    AddCache(topology, type, cpu.caches);
}

}  // namespace attest::report
