// SPDX-License-Identifier: Apache-2.0
//
// The inside of ComputeSdpa, for Q, K and V that come from tensors or from linear maps.
#ifndef ATTEST_REFERENCE_SOLVE_H_
#define ATTEST_REFERENCE_SOLVE_H_

#include <vector>

#include "attest/abi.h"
#include "reference/oracle.h"
#include "reference/read.h"
#include "reference/shift.h"

namespace attest::reference {

struct Inputs {  // of rank 4, any floating-point type
  const attest_tensor& q;
  const attest_tensor& k;
  const attest_tensor& v;
};

// Throws std::invalid_argument where a size is not above 0, heads do not divide, or scale or
// softcap is not finite.
void CheckSizes(const attest_problem& problem);

// sdpa over these, whatever the problem's op; rows are numbered over q_num_heads. `tensors` has
// MASK and KV_LENGTHS where the problem has them. `shift` may be null: the inputs are exact.
Answer SolveSdpa(const attest_problem& problem, const Inputs& inputs, Tensors tensors,
                 const Options& options, const Shift* shift);

}  // namespace attest::reference

#endif  // ATTEST_REFERENCE_SOLVE_H_
