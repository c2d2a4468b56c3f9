// SPDX-License-Identifier: Apache-2.0
//
// The choices of a device are lines "key = numbers" of one file in the cache's
// folder. A line that is not one of the candidates is as good as none.
#include "tuning.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "plan.h"
#include "program.h"

namespace attest::opencl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLength = 1024;  // queries and keys of the measured problem
constexpr int kRepetitions = 5;    // the best counts: others may be at work on the machine

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string Joined(const Choice& choice) {
  std::string text;
  for (const int64_t number : choice) {
    if (!text.empty()) text += ' ';
    text += std::to_string(number);
  }
  return text;
}

// A plain f32 problem of that size with tensors of its own.
class Case {
 public:
  Case(const attest_problem& like, int64_t heads) {
    problem_ = like;
    problem_.dtype = ATTEST_F32;
    problem_.batch_size = 1;
    problem_.q_num_heads = problem_.kv_num_heads = heads;
    problem_.q_sequence_length = problem_.kv_sequence_length = kLength;
    problem_.softcap = 0;
    problem_.is_causal = problem_.has_kv_lengths = 0;
    problem_.left_window_size = problem_.right_window_size = -1;
    problem_.attn_mask = ATTEST_MASK_NONE;
    problem_.outputs = 0;
    Add(ATTEST_ROLE_Q, heads, like.head_size);
    Add(ATTEST_ROLE_K, heads, like.head_size);
    Add(ATTEST_ROLE_V, heads, like.v_head_size);
    Add(ATTEST_ROLE_OUT, heads, like.v_head_size);
    for (const attest_tensor& tensor : tensors_) pointers_.push_back(&tensor);
  }

  Request request() const { return {problem_, pointers_, 0}; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  void Add(int32_t role, int64_t heads, int64_t size) {
    constexpr size_t kPage = 4096;
    attest_tensor tensor{};
    tensor.size = sizeof tensor;
    tensor.role = role;
    tensor.dtype = ATTEST_F32;
    tensor.rank = 4;
    const int64_t shape[] = {1, heads, kLength, size};
    const int64_t strides[] = {heads * kLength * size, kLength * size, size, 1};
    std::copy_n(shape, 4, tensor.shape);
    std::copy_n(strides, 4, tensor.strides);
    const auto count = static_cast<size_t>(strides[0]);
    tensor.extent_bytes = count * sizeof(float);
    void* memory = std::aligned_alloc(kPage, (tensor.extent_bytes + kPage - 1) / kPage * kPage);
    if (memory == nullptr) throw std::bad_alloc();
    memory_.emplace_back(memory);
    // Values of about 1 of both signs, all different enough: scores stay small.
    for (size_t i = 0; i < count; ++i)
      static_cast<float*>(memory)[i] = static_cast<float>(i * 2654435761u % 2048) / 1024.0f - 1.0f;
    tensor.data = memory;
    tensors_.push_back(tensor);
  }

  attest_problem problem_;
  std::vector<attest_tensor> tensors_;
  std::vector<const attest_tensor*> pointers_;
  std::vector<std::unique_ptr<void, Free>> memory_;
};

double BestSeconds(TimedPlan& plan) {
  double best = 0;
  for (int i = 0; i <= kRepetitions; ++i) {
    const Clock::time_point start = Clock::now();
    plan.Run();
    plan.Sync();
    const double seconds = SecondsSince(start);
    if (i == 1 || (i > 1 && seconds < best)) best = seconds;  // the first one warms up
  }
  return best;
}

std::string PathOf(const Session& session) {
  if (session.cache_directory.empty()) return "";
  const Device& device = session.device.description;
  return session.cache_directory + "/opencl-tuning-" + HashOf(device.name + device.driver) + ".txt";
}

std::optional<Choice> Stored(const std::string& path, const std::string& key,
                             const std::vector<Choice>& candidates) {
  std::ifstream file(path);
  std::optional<Choice> found;
  for (std::string line; std::getline(file, line);)
    for (const Choice& candidate : candidates)
      if (line == key + " = " + Joined(candidate)) found = candidate;  // the last one counts
  return found;
}

Choice Measured(Session& session, const attest_problem& problem,
                const std::vector<Choice>& candidates,
                const std::function<Recipe(const Request&, const Choice&)>& recipe) {
  const Clock::time_point start = Clock::now();
  const Case measured(problem, session.device.IsCpu() ? session.threads : 16);
  Choice best = candidates.front();
  double best_seconds = 0;
  for (const Choice& candidate : candidates) {
    if (SecondsSince(start) > kTuningSeconds) break;
    try {
      const Request request = measured.request();
      const auto plan = MakePlan(request, session, recipe(request, candidate));
      plan->Bind(request.tensors);
      const double seconds = BestSeconds(*plan);
      if (best_seconds > 0 && seconds >= best_seconds) continue;
      best = candidate;
      best_seconds = seconds;
    } catch (const DeviceError&) {
      continue;
    } catch (const OutOfMemory&) {
      continue;
    }
  }
  return best;
}

}  // namespace

Tuned TunedChoice(Session& session, const std::string& key, const attest_problem& problem,
                  const std::vector<Choice>& candidates,
                  const std::function<Recipe(const Request&, const Choice&)>& recipe) {
  const char* setting = std::getenv("ATTEST_TUNE");
  const std::string when = setting == nullptr ? "" : setting;
  if (when == "0") return {candidates.front(), false};
  if (const auto known = session.choices.find(key); known != session.choices.end())
    return {known->second, true};
  const std::string path = PathOf(session);
  std::optional<Choice> choice = Stored(path, key, candidates);
  if (!choice && when != "1") return {candidates.front(), false};
  if (!choice) {
    choice = Measured(session, problem, candidates, recipe);
    std::ofstream file(path, std::ios::app);
    file << key + " = " + Joined(*choice) + "\n";
  }
  session.choices[key] = *choice;
  return {*choice, true};
}

}  // namespace attest::opencl
