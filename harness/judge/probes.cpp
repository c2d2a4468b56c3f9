// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/probes.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "harness/judge/count.h"
#include "harness/judge/layer_probes.h"
#include "harness/judge/needle.h"

namespace attest::judge {
namespace {

constexpr double kSingle =
    0x1p-23;  // contracts that accumulate more coarsely are exempt from every probe

}  // namespace

void ForRows(int64_t count, unsigned threads, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t workers = std::clamp<int64_t>(threads, 1, std::max<int64_t>(count, 1));
  std::vector<std::jthread> pool;
  for (int64_t n = 1; n < workers; ++n)
    pool.emplace_back([&, n] { body(count * n / workers, count * (n + 1) / workers); });
  body(0, count / workers);
}

double Gamma(double n, double u) { return n * u < 1 ? n * u / (1 - n * u) : INFINITY; }

std::vector<std::unique_ptr<Probe>> MakeProbes(const attest_problem& problem,
                                               std::span<const attest_tensor* const> tensors,
                                               const ProbeOptions& options) {
  std::vector<std::unique_ptr<Probe>> probes;
  ProbeOptions held = options;
  std::erase_if(held.roundings, [](const reference::Rounding& r) { return !(r.u_acc <= kSingle); });
  if (problem.op == ATTEST_OP_SELF_ATTENTION) return MakeLayerProbes(problem, tensors, held);
  const auto visibility = std::make_shared<const Visibility>(problem, tensors);
  probes.push_back(std::make_unique<Needle>(problem, visibility, held));
  probes.push_back(std::make_unique<Count>(problem, visibility, held));
  return probes;
}

}  // namespace attest::judge
