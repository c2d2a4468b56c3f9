// SPDX-License-Identifier: Apache-2.0
//
// The exact probes through a self-attention layer. Its weights pick columns of X: every row of W
// has one 1 (or -1), so that Q, K and V are the probe's own values, exactly, in every format; the
// output map is a permutation. X holds the probe's Q, K and V in columns of their own, in an order
// that no transposed, exchanged or differently split weight reproduces. Biases are 0: the bound
// sees them.
//
// The columns are few: query heads share what X says of a query, so the needle has up to two groups
// of heads with targets of their own, in as many dimensions as fit.
#ifndef ATTEST_HARNESS_JUDGE_LAYER_PROBES_H_
#define ATTEST_HARNESS_JUDGE_LAYER_PROBES_H_

#include <memory>
#include <vector>

#include "harness/judge/probes.h"
#include "harness/judge/visibility.h"

namespace attest::judge {

// Needle and count of a self_attention problem. `tensors`, options: as for MakeProbes.
std::vector<std::unique_ptr<Probe>> MakeLayerProbes(const attest_problem& problem,
                                                    std::span<const attest_tensor* const> tensors,
                                                    const ProbeOptions& options);

}  // namespace attest::judge

#endif  // ATTEST_HARNESS_JUDGE_LAYER_PROBES_H_
