#include "core/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/topology.h"

namespace {

using namespace mainspring;
using namespace std::chrono_literals;

// Parallel::run with a lambda.
template <class F>
void run(Parallel& pool, int workers, F&& f) {
  pool.run(workers, [](void* user, int worker) { (*static_cast<std::remove_reference_t<F>*>(user))(worker); }, &f);
}

double process_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

TEST(Pool, CallsEveryWorkerExactlyOnce) {
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    EXPECT_EQ(pool.workers(), threads);
    for (int workers : {0, 1, 2, 3, 8, 100}) {
      for (int repeat = 0; repeat < 200; ++repeat) {
        std::vector<int> calls(static_cast<size_t>(workers));  // plain: run() itself must order these writes before its return
        run(pool, workers, [&](int w) { ++calls[static_cast<size_t>(w)]; });
        for (int c : calls) ASSERT_EQ(c, 1) << threads << " threads, " << workers << " workers";
      }
    }
  }
}

TEST(Pool, MakesNoThreadBeforeItIsNeeded) {
  Pool pool(3);
  EXPECT_EQ(pool.threads_started(), 0);
  run(pool, 1, [](int) {});
  EXPECT_EQ(pool.threads_started(), 0);
  run(pool, 2, [](int) {});
  EXPECT_EQ(pool.threads_started(), 2);
  run(pool, 3, [](int) {});
  EXPECT_EQ(pool.threads_started(), 2);
}

TEST(Pool, CallerIsWorkerZeroAndOthersRunBesideIt) {
  Pool pool(2);
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> other_began{false};
  std::thread::id zero, one;
  run(pool, 2, [&](int w) {
    (w == 0 ? zero : one) = std::this_thread::get_id();
    if (w == 1) other_began = true;
    const auto end = std::chrono::steady_clock::now() + 5s;  // worker 0 stays: only another thread can begin worker 1
    while (w == 0 && !other_began && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  EXPECT_EQ(zero, caller);
  EXPECT_NE(one, caller);
  EXPECT_NE(one, std::thread::id());
}

TEST(Pool, IdleThreadsTakeNoTime) {
  Pool pool(4);
  run(pool, 4, [](int) {});
  std::this_thread::sleep_for(20ms);
  const double before = process_seconds();
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(process_seconds() - before, 0.03);
}

TEST(Pool, NestedRunsAreMadeByTheCaller) {
  Pool pool(3);
  std::atomic<int> inner{0};
  run(pool, 3, [&](int) {
    const auto me = std::this_thread::get_id();
    run(pool, 4, [&](int) {
      EXPECT_EQ(std::this_thread::get_id(), me);
      ++inner;
    });
  });
  EXPECT_EQ(inner, 12);
}

TEST(Pool, SeveralThreadsMayRunAtOnce) {
  Pool pool(3);
  std::atomic<int> total{0};
  std::vector<std::thread> hosts;
  for (int h = 0; h < 4; ++h)
    hosts.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        int calls[5] = {};
        run(pool, 5, [&](int w) { ++calls[w]; });
        for (int c : calls) total += c;
      }
    });
  for (std::thread& h : hosts) h.join();
  EXPECT_EQ(total, 4 * 500 * 5);
}

TEST(Pool, ThreadsLeaveSignalsToTheHost) {
  Pool pool(2);
  std::atomic<bool> other_began{false};
  bool blocked = false;
  run(pool, 2, [&](int w) {
    if (w == 1) {
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
      other_began = true;
    }
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (w == 0 && !other_began && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  EXPECT_TRUE(blocked);
  sigset_t mine;
  pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGTERM), 0);
}

// A process that may not have more threads: in a child, because the limit would stay.
TEST(Pool, ThreadsThatTheSystemRefusesAreDoneWithout) {
  const pid_t child = fork();
  if (child == 0) {
    // Stacks need address space: with almost none left, pthread_create fails.
    std::free(std::malloc(100000));  // what the test itself allocates comes from here
    rlimit limit{1, 1};
    setrlimit(RLIMIT_AS, &limit);
    int calls[8] = {};
    bool ok = true;
    {
      Pool pool(8);
      run(pool, 8, [&](int w) { ++calls[w]; });
      ok = pool.threads_started() < 7;
    }
    for (int c : calls) ok = ok && c == 1;
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need address space of their own";
#else
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
#endif
}

TEST(Pool, UnusedPoolsComeAndGo) {
  for (int i = 0; i < 200; ++i) {
    Pool pool(4);
    if (i % 2) run(pool, 2, [](int) {});
  }
}

std::vector<int> usable() {
  std::vector<int> ids;
  for (const MachineCpu& cpu : read_machine().cpus) ids.push_back(cpu.id);
  return ids;
}

TEST(Pool, BindsItsThreadsAndNotTheCaller) {
  const std::vector<int> all = usable();
  Pool pool(3, {{all.back()}, {all.back()}, {all.front()}});
  std::mutex mutex;
  std::map<std::thread::id, std::vector<int>> seen;
  std::atomic<int> inside{0};
  run(pool, 3, [&](int) {
    {
      const std::lock_guard lock(mutex);
      seen[std::this_thread::get_id()] = usable();
    }
    ++inside;
    while (inside < 3) std::this_thread::yield();  // three threads, one call each
  });
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[std::this_thread::get_id()], all);
  seen.erase(std::this_thread::get_id());
  EXPECT_EQ(std::count_if(seen.begin(), seen.end(), [&](const auto& s) { return s.second == std::vector{all.front()}; }), all.size() > 1 ? 1 : 2);
  EXPECT_EQ(std::count_if(seen.begin(), seen.end(), [&](const auto& s) { return s.second == std::vector{all.back()}; }), all.size() > 1 ? 1 : 2);
  EXPECT_EQ(pool.threads_unbound(), 0);
}

TEST(Pool, RunsWhereTheSystemRefusesToBind) {
  Pool pool(2, {{}, {100000}});
  std::atomic<int> inside{0};
  run(pool, 2, [&](int) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
  });
  EXPECT_EQ(pool.threads_unbound(), 1);
}

}  // namespace
