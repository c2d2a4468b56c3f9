// SPDX-License-Identifier: Apache-2.0
#include "attest/thread_pool.hpp"

#include <chrono>
#include <mutex>
#include <set>

#include "gtest/gtest.h"

namespace attest {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (const unsigned threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int round = 0; round < 300; ++round) {
      const int64_t tasks = round % 23;
      std::vector<std::atomic<int>> ran(tasks);
      std::atomic<bool> known_thread = true;
      pool.Run(tasks, [&](int64_t task, unsigned thread) {
        ++ran[task];
        if (thread >= threads) known_thread = false;
      });
      for (const auto& count : ran) ASSERT_EQ(count, 1);
      ASSERT_TRUE(known_thread);
    }
  }
}

TEST(ThreadPool, HandsOutTasksInOrder) {
  ThreadPool pool(1);
  std::vector<int64_t> order;
  pool.Run(5, [&](int64_t task, unsigned) { order.push_back(task); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(ThreadPool, ThreadsWorkAtTheSameTime) {
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  // Each task waits for the other: one thread alone would wait for ever, so give up after 20 s.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool.Run(2, [&](int64_t, unsigned) {
    ++arrived;
    while (arrived < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  });
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST(ThreadPool, TakesTheTasksOfAThreadThatIsBusy) {
  constexpr int64_t kTasks = 9;
  ThreadPool pool(2);
  std::atomic<int64_t> others = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool.Run(kTasks, [&](int64_t task, unsigned) {
    if (task != 0) {
      ++others;
      return;
    }
    while (others < kTasks - 1 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
  });
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_EQ(others, kTasks - 1);
}

TEST(ThreadPool, WakesThreadsThatFellAsleep) {
  ThreadPool pool(4);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // far longer than they spin
    std::mutex mutex;
    std::set<int64_t> seen;
    pool.Run(100, [&](int64_t task, unsigned) {
      const std::lock_guard lock(mutex);
      seen.insert(task);
    });
    EXPECT_EQ(seen.size(), 100u);
  }
}

}  // namespace
}  // namespace attest
