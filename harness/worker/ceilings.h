// SPDX-License-Identifier: Apache-2.0
//
// What the host can do at best with a number of threads: the rates that a backend's time is
// compared with. Multiply-adds in f32 and bf16 dots (by tiles where the CPU has them; 0 where it
// has no such instruction), and reads of `footprint_bytes` (0 and more than 512 MiB: 512 MiB).
// Starts and ends its own threads.
#ifndef ATTEST_HARNESS_WORKER_CEILINGS_H_
#define ATTEST_HARNESS_WORKER_CEILINGS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "harness/worker/protocol.h"

namespace attest::worker {

class ReadMemory;

class HostCeilings {
 public:
  HostCeilings();
  ~HostCeilings();

  // All, each the best of 6 to 16 trials of about request.seconds and at least one pass
  // over the memory: about a second.
  protocol::CeilingsReply Measure(uint32_t threads, const protocol::Ceilings& request);

  // One trial of one figure, a key of the reply, of about request.seconds; the others are 0. Keeps
  // the memory that is read for the next one. Throws std::invalid_argument for another name.
  protocol::CeilingsReply Sample(uint32_t threads, const protocol::Ceilings& request);

 private:
  ReadMemory& MemoryFor(uint32_t threads, uint64_t footprint_bytes);
  std::unique_ptr<ReadMemory> memory_;
};

}  // namespace attest::worker

#endif  // ATTEST_HARNESS_WORKER_CEILINGS_H_
