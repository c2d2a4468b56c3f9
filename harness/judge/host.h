// SPDX-License-Identifier: Apache-2.0
//
// One plugin on one device, with a number of threads, in a worker that is started, loaded and given
// the cell's tensors when it is needed, and started again after it died: a backend that crashes
// costs its own result only.
#ifndef ATTEST_HARNESS_JUDGE_HOST_H_
#define ATTEST_HARNESS_JUDGE_HOST_H_

#include <memory>
#include <string>
#include <vector>

#include "harness/judge/cell_data.h"
#include "harness/judge/compare.h"
#include "harness/judge/judge.h"
#include "harness/judge/worker_process.h"

namespace attest::judge {

class Host {
 public:
  Host(const Settings& settings, std::string plugin_path, uint32_t device, unsigned threads)
      : settings_(settings), path_(std::move(plugin_path)), device_(device), threads_(threads) {}

  // Starts a worker and loads the plugin where that has not happened. The reply's status may be
  // anything. Throws WorkerLost.
  const protocol::Reply& Load();

  // From now on the worker works on this cell: maps its inputs and outputs of its own. Throws
  // WorkerLost, std::system_error for memory.
  void Enter(const CellData& data);
  // The cell is over: unmaps and frees. The worker stays, asleep.
  void Leave();

  // Asks the loaded worker, which is awake only meanwhile. Throws WorkerLost; the next call starts
  // anew.
  protocol::Reply Ask(const protocol::Request& request, std::span<const int> descriptors = {});

  // Placements of all tensors, inputs from that set.
  protocol::Binding BindingOf(const CellData& data, int set, Alignment alignment) const;
  void Poison(uint32_t pattern);
  std::vector<Output> Outputs(const CellData& data, Alignment alignment) const;

  bool alive() const { return process_ != nullptr; }
  // Changes with every new worker: plans of an older one are gone.
  uint64_t generation() const { return generation_; }
  uint32_t device() const { return device_; }
  unsigned threads() const { return threads_; }
  const std::string& plugin_path() const { return path_; }

 private:
  void Start();
  protocol::Reply AskAwake(const protocol::Request& request, std::span<const int> descriptors);

  const Settings& settings_;
  std::string path_;
  uint32_t device_;
  unsigned threads_;
  std::unique_ptr<WorkerProcess> process_;
  protocol::Reply loaded_;
  uint64_t generation_ = 0;
  std::vector<std::pair<size_t, Buffer>> outputs_;  // tensor index, memory
  std::vector<uint32_t> attached_;
};

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_HOST_H_
