// SPDX-License-Identifier: Apache-2.0
//
// Tensors whose values somebody gives, where a cell's data kind would make them otherwise.
#ifndef ATTEST_HARNESS_CORE_GIVEN_H_
#define ATTEST_HARNESS_CORE_GIVEN_H_

#include <cstddef>
#include <vector>

#include "attest/abi.h"

namespace attest {

struct Given {
  std::vector<attest_tensor> tensors;          // as DescribeTensors makes them, any strides
  std::vector<std::vector<std::byte>> values;  // of each its extent_bytes; empty for outputs
};

}  // namespace attest

#endif  // ATTEST_HARNESS_CORE_GIVEN_H_
