#include "roof/roof.h"

#include "roof/amx.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#if defined(__clang__)
#define MAINSPRING_ROOF_UNROLL _Pragma("unroll")
#else
#define MAINSPRING_ROOF_UNROLL _Pragma("GCC unroll 16")
#endif
#if defined(__aarch64__)
#define MAINSPRING_ROOF_REGISTER "w"
#else
#define MAINSPRING_ROOF_REGISTER "x"
#endif

namespace mainspring::roof {
namespace {

// Each peak is a loop in registers over ten independent sums: enough for a latency of 5 at two instructions a cycle, and ten sums, the
// operands and a temporary fit into 16 registers. The compiler must neither take what does not change out of the loop, nor keep sums in
// memory (so every loop over them is unrolled), nor drop results: hence the empty asm statements, which claim to read and write a register.
constexpr int kSums = 10;

#define MAINSPRING_ROOF_TOUCH(x) asm volatile("" : "+" MAINSPRING_ROOF_REGISTER(x))
#define MAINSPRING_ROOF_PEAK(name, attribute, Reg, setup, next)      \
  attribute void name(int64_t n) {                                   \
    setup;                                                           \
    Reg sums[kSums];                                                 \
    MAINSPRING_ROOF_UNROLL for (Reg & s : sums) s = Reg{};           \
    for (; n > 0; --n) {                                             \
      MAINSPRING_ROOF_UNROLL for (Reg & s : sums) {                  \
        next;                                                        \
        MAINSPRING_ROOF_TOUCH(s);                                    \
      }                                                              \
    }                                                                \
  }

using Float4 = float __attribute__((vector_size(16)));  // what every target has
using Int4 = int __attribute__((vector_size(16)));

// The scalar int8 kernel works on single integers; four side by side are what the baseline's compiler could make of it.
MAINSPRING_ROOF_PEAK(int8_scalar, , Int4, Int4 a = {3}, MAINSPRING_ROOF_TOUCH(a); s += a * a)
MAINSPRING_ROOF_PEAK(f32_scalar, , Float4, Float4 a = {0.5f}, MAINSPRING_ROOF_TOUCH(a); s += a * a)

#if defined(__x86_64__)
#define MAINSPRING_ROOF_TARGET(isa) __attribute__((target(isa)))

// Without a dot instruction: products of bytes, added in pairs to int16 (maddubs), again in pairs to int32 (madd with ones), and to the sum.
// 32 bytes are 32 multiply-adds. The touch makes each maddubs a new one.
MAINSPRING_ROOF_PEAK(int8_avx2, MAINSPRING_ROOF_TARGET("avx2"), __m256i, __m256i a = _mm256_set1_epi8(3); const __m256i one = _mm256_set1_epi16(1),
                     MAINSPRING_ROOF_TOUCH(a); s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(a, a), one)))
MAINSPRING_ROOF_PEAK(int8_avx512, MAINSPRING_ROOF_TARGET("avx512f,avx512bw"), __m512i, __m512i a = _mm512_set1_epi8(3); const __m512i one = _mm512_set1_epi16(1),
                     MAINSPRING_ROOF_TOUCH(a); s = _mm512_add_epi32(s, _mm512_madd_epi16(_mm512_maddubs_epi16(a, a), one)))
MAINSPRING_ROOF_PEAK(int8_avxvnni, MAINSPRING_ROOF_TARGET("avx2,avxvnni"), __m256i, const __m256i a = _mm256_set1_epi8(3), s = _mm256_dpbusd_avx_epi32(s, a, a))
MAINSPRING_ROOF_PEAK(int8_avx512vnni, MAINSPRING_ROOF_TARGET("avx512f,avx512vnni"), __m512i, const __m512i a = _mm512_set1_epi32(0x03030303), s = _mm512_dpbusd_epi32(s, a, a))
MAINSPRING_ROOF_PEAK(f32_avx2, MAINSPRING_ROOF_TARGET("avx2,fma"), __m256, const __m256 a = _mm256_set1_ps(0.5f), s = _mm256_fmadd_ps(s, a, a))
MAINSPRING_ROOF_PEAK(f32_avx512, MAINSPRING_ROOF_TARGET("avx512f"), __m512, const __m512 a = _mm512_set1_ps(0.5f), s = _mm512_fmadd_ps(s, a, a))

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avxvnni() {  // clang 14 does not know the name
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
bool has_avx512() { return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }
bool has_avx512vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

struct Isa {
  std::string_view name;
  bool (*present)();
  void (*int8)(int64_t n);
  double int8_ops;  // of one instruction (or idiom)
  void (*f32)(int64_t n);
  double f32_ops;
};
constexpr Isa kIsas[] = {
#if defined(__x86_64__)
    {"amx", [] { return has_avx512vnni() && has_amx(); }, int8_amx, kAmxOps, f32_avx512, 32},
    {"avx512vnni", has_avx512vnni, int8_avx512vnni, 128, f32_avx512, 32},
    {"avx512", has_avx512, int8_avx512, 128, f32_avx512, 32},
    {"avxvnni", has_avxvnni, int8_avxvnni, 64, f32_avx2, 16},
    {"avx2", has_avx2, int8_avx2, 64, f32_avx2, 16},
#endif
    {"scalar", [] { return true; }, int8_scalar, 8, f32_scalar, 8},
};

const Isa& isa_of(std::string_view name) {
  const auto known = std::find_if(std::begin(kIsas), std::end(kIsas), [&](const Isa& i) { return i.name == name; });
  return *std::find_if(known == std::end(kIsas) ? std::begin(kIsas) : known, std::end(kIsas), [](const Isa& i) { return i.present(); });
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Every thread does `pass` (which tells its work) again and again; the best of six rounds, all threads together, in about `seconds`.
double rate(int threads, double seconds, const std::function<double(int)>& pass) {
  constexpr int kRounds = 6;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> ready{0};
    std::vector<double> rates(static_cast<size_t>(threads));
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&, t] {
        for (++ready; ready < threads;) std::this_thread::yield();
        const double begin = now();
        double done = 0, end = begin;
        for (; end - begin < seconds / kRounds; end = now()) done += pass(t);
        rates[static_cast<size_t>(t)] = done / (end - begin);
      });
    for (std::thread& t : pool) t.join();
    double sum = 0;
    for (const double r : rates) sum += r;
    best = std::max(best, sum);
  }
  return best;
}

// ---- reading ---------------------------------------------------------------------------------------------------------------

// One stream a thread, as the kernels read a panel. More streams, wider loads, prefetching and huge pages gave the same within 3 % (Zen 5,
// 2026-11), and huge pages took three seconds to get in a virtual machine.
#if defined(__x86_64__)
MAINSPRING_ROOF_TARGET("avx2") void read_avx2(const std::byte* p, size_t bytes) {
  const auto* from = reinterpret_cast<const __m256i*>(p);
  __m256i a{}, b{}, c{}, d{};
  for (const __m256i* end = from + bytes / sizeof *from; from < end; from += 4) {
    a = _mm256_xor_si256(a, _mm256_load_si256(from));
    b = _mm256_xor_si256(b, _mm256_load_si256(from + 1));
    c = _mm256_xor_si256(c, _mm256_load_si256(from + 2));
    d = _mm256_xor_si256(d, _mm256_load_si256(from + 3));
  }
  a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
  MAINSPRING_ROOF_TOUCH(a);
}
#endif
void read_plain(const std::byte* p, size_t bytes) {
  const auto* from = reinterpret_cast<const Int4*>(p);
  Int4 a{}, b{}, c{}, d{};
  for (const Int4* end = from + bytes / sizeof *from; from < end; from += 4) a ^= from[0], b ^= from[1], c ^= from[2], d ^= from[3];
  a ^= b ^ c ^ d;
  MAINSPRING_ROOF_TOUCH(a);
}
void read_all(const std::byte* p, size_t bytes) {
#if defined(__x86_64__)
  if (has_avx2()) return read_avx2(p, bytes);
#endif
  read_plain(p, bytes);
}

constexpr size_t kPiece = size_t{8} << 20;  // read between two looks at the clock

/// What each thread reads in turn: pieces that no cache holds until it comes back to them.
size_t bytes_of_each(int threads) {
  size_t cache = 0;
#if defined(__linux__) && defined(_SC_LEVEL3_CACHE_SIZE)
  cache = static_cast<size_t>(std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), 0L));
#endif
  const size_t all = std::clamp(4 * cache, size_t{256} << 20, size_t{4} << 30);
  return std::max(all / static_cast<size_t>(threads) / kPiece, size_t{2}) * kPiece;
}

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};
using Memory = std::unique_ptr<std::byte, Free>;

double read_rate(int threads, double seconds) {
  const size_t each = bytes_of_each(threads);
  std::vector<Memory> memory;
  for (int t = 0; t < threads; ++t)
    if (memory.emplace_back(static_cast<std::byte*>(std::aligned_alloc(64, each))); !memory.back()) return 0;
  std::vector<std::thread> pool;  // each thread's memory comes from its own node
  for (const Memory& m : memory) pool.emplace_back([&m, each] { std::memset(m.get(), 1, each); });
  for (std::thread& t : pool) t.join();
  std::vector<size_t> at(memory.size());
  return rate(threads, seconds, [&](int t) {
    const auto i = static_cast<size_t>(t);
    read_all(memory[i].get() + at[i], kPiece);
    at[i] = (at[i] + kPiece) % each;
    return static_cast<double>(kPiece);
  });
}

Peaks peaks_of(const Isa& isa, int threads, double seconds) {
  constexpr int64_t kPass = 20000;  // some 50 µs
  const auto peak = [&](void (*run)(int64_t), double ops) {
    return rate(threads, seconds / 2, [&](int) {
      run(kPass);
      return ops * kSums * static_cast<double>(kPass);
    });
  };
  return {peak(isa.int8, isa.int8_ops), peak(isa.f32, isa.f32_ops)};
}

}  // namespace

Roof measure(int threads, double seconds, std::string_view isa) {
  threads = std::max(threads, 1);
  const double read = read_rate(threads, seconds / 2);
  const Peaks peaks = peaks_of(isa_of(isa), threads, seconds / 2);
  return {read, peaks.int8_ops_per_s, peaks.f32_ops_per_s};
}

Peaks measure_peaks(int threads, std::string_view isa, double seconds) { return peaks_of(isa_of(isa), std::max(threads, 1), seconds); }

}  // namespace mainspring::roof
