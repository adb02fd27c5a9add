#include "core/pool.h"

#include <algorithm>
#include <chrono>

#include <csignal>

#include "core/topology.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mainspring::inline v0 {
namespace {

constexpr uint64_t kFieldMask = (uint64_t{1} << 20) - 1;
constexpr int kMaxWorkers = (1 << 20) - 1;

constexpr uint64_t next_of(uint64_t ticket) { return ticket & kFieldMask; }
constexpr uint64_t limit_of(uint64_t ticket) { return ticket >> 20 & kFieldMask; }
constexpr uint64_t generation_of(uint64_t ticket) { return ticket >> 40; }
constexpr uint64_t ticket_for(uint64_t generation, uint64_t limit) { return generation << 40 | limit << 20 | 1; }

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as done() is, false after kSpinMicroseconds.
template <class Done>
bool spin_until(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(Pool::kSpinMicroseconds);
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

Pool::Pool(int workers, std::vector<std::vector<int>> cpus) : workers_(std::clamp(workers, 1, kMaxWorkers)), cpus_(std::move(cpus)) {}

Pool::~Pool() {
  stop_.store(true, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void Pool::run(int workers, void (*body)(void* user, int worker), void* user) {
  if (workers <= 0) return;
  if (workers == 1 || workers > kMaxWorkers || workers_ == 1 || busy_.exchange(true, std::memory_order_acquire)) {
    for (int w = 0; w < workers; ++w) body(user, w);
    return;
  }
  start_threads();
  body_ = body;
  user_ = user;
  caller_cpu_ = this_cpu();
  unfinished_.store(static_cast<uint32_t>(workers - 1), std::memory_order_relaxed);
  const uint64_t generation = generation_of(ticket_.load(std::memory_order_relaxed)) + 1;
  ticket_.store(ticket_for(generation, static_cast<uint64_t>(workers)), std::memory_order_release);  // 24 bits wrap, harmlessly
  epoch_.fetch_add(1, std::memory_order_release);
  const int sleepers = static_cast<int>(threads_.size());
  if (workers - 1 >= sleepers) epoch_.notify_all();
  else
    for (int i = 1; i < workers; ++i) epoch_.notify_one();
  body(user, 0);
  while (work_once(false)) {
  }
  wait_for_others();
  busy_.store(false, std::memory_order_release);
}

// Claims one call and makes it. False when none is left.
bool Pool::work_once(bool own_thread) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (next_of(ticket) >= limit_of(ticket)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire));
  if (own_thread) make_way_on(caller_cpu_);
  body_(user_, static_cast<int>(next_of(ticket)));
  // Acquire too: the last one here hands everybody's writes to the caller.
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  return true;
}

void Pool::wait_for_others() {
  if (spin_until([this] { return unfinished_.load(std::memory_order_acquire) == 0; })) return;
  while (const uint32_t left = unfinished_.load(std::memory_order_acquire)) unfinished_.wait(left, std::memory_order_acquire);
}

void Pool::work() {
  for (;;) {
    const uint32_t epoch = epoch_.load(std::memory_order_acquire);  // before the look for work, so that no job is slept through
    while (work_once(true)) {
    }
    if (stop_.load(std::memory_order_acquire)) return;
    if (!spin_until([this, epoch] { return epoch_.load(std::memory_order_acquire) != epoch; })) epoch_.wait(epoch, std::memory_order_acquire);
  }
}

void* Pool::thread_main(void* self) {
  Pool& pool = *static_cast<Pool*>(self);
  const auto worker = static_cast<size_t>(pool.born_.fetch_add(1, std::memory_order_relaxed)) + 1;
  if (worker < pool.cpus_.size() && !bind_this_thread(pool.cpus_[worker])) pool.unbound_.fetch_add(1, std::memory_order_relaxed);
  pool.work();
  return nullptr;
}

// With busy_ set. Threads inherit the mask of the thread that makes them: signals stay the host's.
void Pool::start_threads() {
  if (start_tried_) return;
  start_tried_ = true;
  threads_.reserve(static_cast<size_t>(workers_ - 1));
  sigset_t all, before;
  sigfillset(&all);
  const bool masked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
  for (int i = 1; i < workers_; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, thread_main, this) != 0) break;
    threads_.push_back(thread);
  }
  if (masked) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
}

}  // namespace mainspring::inline v0
