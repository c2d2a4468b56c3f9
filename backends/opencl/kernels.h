// SPDX-License-Identifier: Apache-2.0
//
// Kernels ready to be enqueued, the tensors they read and write, and their programs.
#ifndef ATTEST_OPENCL_KERNELS_H_
#define ATTEST_OPENCL_KERNELS_H_

#include <list>
#include <map>
#include <string>
#include <vector>

#include "buffer.h"
#include "session.h"

namespace attest::opencl {

struct Launch {
  cl::Kernel kernel;
  cl::NDRange global, local;
};

// "-DIO_F32", "-DIO_F16" or "-DIO_BF16".
std::string IoOption(int32_t dtype);

// The program of these files, built once a process. Throws DeviceError with the build log. [setup]
const cl::Program& ProgramOf(Session& session, const std::vector<std::string>& files,
                             const std::string& options);

void Enqueue(const cl::CommandQueue& queue, const Launch& launch, cl::Event* event = nullptr);

// Where a tensor's data are on the device.
struct Place {
  cl::Buffer buffer;
  int64_t data_bytes = 0;  // from the buffer's start
};

// Places of the data that a plan works on, by their address on the host.
class Places {
 public:
  explicit Places(Session& session) : session_(session) {}

  // Forgets those of before, and makes a buffer for each tensor. The host's memory outlives this
  // object. Throws cl::Error. [setup]
  void Bind(Tensors tensors);
  // Memory that only the device has; it stays. `address` stands for it.
  void Add(const void* address, Place place) { own_[address] = std::move(place); }

  // Throws std::out_of_range for data that are not there.
  const Place& At(const void* address) const;
  // Brings the outputs into the host's memory. Throws cl::Error. [setup]
  void Download() const;
  uint64_t bytes() const;  // of the tensors' buffers

 private:
  struct Bound {
    bool is_output;
    TensorBuffer buffer;
  };
  Session& session_;
  std::list<Bound> bound_;
  std::map<const void*, Place> tensors_, own_;
};

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_KERNELS_H_
