// SPDX-License-Identifier: Apache-2.0
//
// Sizes of a kernel chosen by measuring on the device at hand.
// ATTEST_TUNE says when:
//   unset  a choice that an earlier run left in the cache is used, else the default; nothing is run
//   1      a choice that is missing is measured, within kTuningSeconds, and left in the cache
//   0      defaults only
#ifndef ATTEST_OPENCL_TUNING_H_
#define ATTEST_OPENCL_TUNING_H_

#include <functional>
#include <string>
#include <vector>

#include "sdpa_kernels.h"
#include "session.h"

namespace attest::opencl {

inline constexpr double kTuningSeconds = 15;  // after which no further candidate is begun

using Choice = std::vector<int64_t>;

struct Tuned {
  Choice choice;
  bool is_measured;
};

// The best of `candidates`, of which the first is the default, for `key`
// ("flash_vec 64 64"). `recipe` makes the kernels of a candidate for a problem
// of one head for each worker; a candidate that does not build or run is passed
// over. Cached by device and driver. [setup]
Tuned TunedChoice(Session& session, const std::string& key, const attest_problem& problem,
                  const std::vector<Choice>& candidates,
                  const std::function<Recipe(const Request&, const Choice&)>& recipe);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_TUNING_H_
