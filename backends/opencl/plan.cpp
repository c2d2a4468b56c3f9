// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "error.h"

namespace attest::opencl {
namespace {

cl_ulong ProfiledAt(const cl::Event& event, cl_profiling_info what) {
  cl_ulong nanoseconds = 0;
  event.getProfilingInfo(what, &nanoseconds);
  return nanoseconds;
}

// Returns once the command is done, or so late that what follows an awakening no longer matters.
// For drivers whose waiting thread sleeps, beside two threads or more that compute: PoCL's is woken
// so late that L = 128 took 9 % longer, 197 4 %, decoding 1024 grouped keys 10 to 20 %. (With one
// thread on one CPU it is 2 to 5 % slower so. Intel's computes while it waits: half the speed.)
void Poll(const cl::Event& command) {
  constexpr std::chrono::milliseconds kMost(2);
  const auto end = std::chrono::steady_clock::now() + kMost;
  while (command.getInfo<CL_EVENT_COMMAND_EXECUTION_STATUS>() > CL_COMPLETE &&
         std::chrono::steady_clock::now() < end)
    sched_yield();
}

double SecondsBetween(const cl::Event& first, const cl::Event& last) {
  return static_cast<double>(ProfiledAt(last, CL_PROFILING_COMMAND_END) -
                             ProfiledAt(first, CL_PROFILING_COMMAND_START)) *
         1e-9;
}

bool IsLayer(const attest_problem& problem) { return problem.op == ATTEST_OP_SELF_ATTENTION; }

// The parts of a layer's description; of an sdpa problem, none.
std::vector<LinearMap> MapsOf(const Request& request) {
  if (!IsLayer(request.problem)) return {};
  const LayerParts parts(request.problem, request.tensors, request.problem.dtype, {});
  std::vector<LinearMap> maps = parts.before();
  maps.insert(maps.end(), parts.after().begin(), parts.after().end());
  return maps;
}

uint64_t LinearScratchBytes(const std::vector<LinearMap>& maps, LinearFile file,
                            const Session& session) {
  uint64_t bytes = 0;
  for (const LinearMap& map : maps)
    bytes = std::max(bytes, LinearKernel::ScratchBytes(map, file, session));
  return bytes;
}

uint64_t StoredBytes(const attest_problem& problem) {
  if (!IsLayer(problem)) return 0;
  return static_cast<uint64_t>(ScratchOf(problem).total()) * LayerParts::BytesOf(problem.dtype);
}

class OpenclPlan : public TimedPlan {
 public:
  OpenclPlan(const Request& request, Session& session, Recipe recipe, LinearFile file)
      : session_(session),
        problem_(request.problem),
        bytes_(PlanBytes(request, file, session, recipe.scratch_bytes)),
        places_(session),
        sdpa_(request.problem, session, std::move(recipe)) {
    const std::vector<LinearMap> maps = MapsOf(request);
    Checked("allocating what lies between the layer's parts", [&] { Allocate(); });
    if (const uint64_t bytes = LinearScratchBytes(maps, file, session); bytes > 0)
      linear_scratch_ = Checked("allocating scratch", [&] {
        return cl::Buffer(session.context, CL_MEM_READ_WRITE, bytes);
      });
    for (const LinearMap& map : maps) linear_.emplace_back(map, file, session, linear_scratch_);
    Order();
  }

  void Bind(Tensors tensors) override {
    Checked("binding tensors", [&] {
      places_.Bind(tensors);
      if (!IsLayer(problem_)) return sdpa_.Bind(tensors, places_);
      const LayerParts parts(problem_, tensors, problem_.dtype, memory_);
      sdpa_.Bind(PointersTo(parts.sdpa()), places_);
      auto kernel = linear_.begin();
      for (const LinearMap& map : parts.before()) (kernel++)->Bind(map, places_);
      for (const LinearMap& map : parts.after()) (kernel++)->Bind(map, places_);
    });
  }

  void Run() override {
    Checked("enqueueing", [&] {
      EnqueueAll();
      session_.queue.flush();
    });
  }

  void Sync() override {
    Checked("waiting for the device", [&] {
      if (session_.device.is_pocl && session_.threads > 1 && last_() != nullptr) Poll(last_);
      session_.queue.finish();
    });
  }

  double RunTimed() override {
    return Checked("timing", [&] {
      EnqueueAll();
      session_.queue.finish();
      return SecondsBetween(first_, last_);
    });
  }

  double LastSeconds() override {
    return Checked("reading the events' times", [&] { return SecondsBetween(first_, last_); });
  }

  void Download() override {
    Checked("downloading outputs", [&] { places_.Download(); });
  }

  PlanInfo Info() override {
    std::string text = sdpa_.recipe().implementation;
    if (!linear_.empty()) text += "; linear maps: " + linear_.front().implementation();
    // A CPU device's memory is the host's.
    if (session_.device.IsCpu()) return {text, bytes_, 0};
    return {text, 0, bytes_ + places_.bytes()};
  }

 private:
  void EnqueueAll() {
    for (const Launch* launch : launches_) {
      cl::Event* event = nullptr;
      if (launch == launches_.front()) event = &first_;
      if (launch == launches_.back()) event = &last_;
      Enqueue(session_.queue, *launch, event);
    }
    if (launches_.size() == 1) first_ = last_;
  }

  // Zeros: what mean_pool's Q and K are.
  void Allocate() {
    if (!IsLayer(problem_)) return;
    const LayerScratch sizes = ScratchOf(problem_);
    const int64_t counts[] = {sizes.q, sizes.k, sizes.v, sizes.o};
    void** const addresses[] = {&memory_.q, &memory_.k, &memory_.v, &memory_.o};
    for (int part = 0; part < 4; ++part) {
      if (counts[part] == 0) continue;
      const uint64_t bytes =
          static_cast<uint64_t>(counts[part]) * LayerParts::BytesOf(problem_.dtype);
      Place place{cl::Buffer(session_.context, CL_MEM_READ_WRITE, bytes), 0};
      session_.queue.enqueueFillBuffer(place.buffer, cl_uchar{0}, 0, bytes);
      *addresses[part] = addresses[part];  // any that is no tensor's
      places_.Add(*addresses[part], std::move(place));
    }
    session_.queue.finish();
  }

  void Order() {
    const size_t after = problem_.has_output_projection && IsLayer(problem_) ? 1 : 0;
    const size_t before = linear_.size() - after;
    for (size_t i = 0; i < before; ++i) launches_.push_back(&linear_[i].launch());
    for (const Launch& launch : sdpa_.recipe().launches) launches_.push_back(&launch);
    for (size_t i = before; i < linear_.size(); ++i) launches_.push_back(&linear_[i].launch());
  }

  Session& session_;
  const attest_problem problem_;
  const uint64_t bytes_;
  Places places_;
  SdpaKernels sdpa_;
  LayerParts::Memory memory_;
  cl::Buffer linear_scratch_;
  std::vector<LinearKernel> linear_;
  std::vector<const Launch*> launches_;  // in order
  cl::Event first_, last_;               // of the latest run
};

}  // namespace

uint64_t PlanBytes(const Request& request, LinearFile file, const Session& session,
                   uint64_t recipe_bytes) {
  const std::vector<LinearMap> maps = MapsOf(request);
  return SdpaKernels::BytesWith(recipe_bytes) + maps.size() * sizeof(LinearShape) +
         LinearScratchBytes(maps, file, session) + StoredBytes(request.problem);
}

std::unique_ptr<TimedPlan> MakePlan(const Request& request, Session& session, Recipe recipe,
                                    LinearFile file) {
  return std::make_unique<OpenclPlan>(request, session, std::move(recipe), file);
}

}  // namespace attest::opencl
