#include "roof/roof.h"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

// Each peak is a loop in registers with ten independent chains: enough for latency 4–5 at two a cycle. Kernels are chosen by cpuid, as the library does.
namespace mainspring::roof {
namespace {

constexpr int kChains = 10;
volatile int sink;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

__attribute__((target("avx2,fma"))) int read_avx2(const std::byte* p, size_t bytes) {
  __m256i s[4] = {};
  for (size_t i = 0; i + 128 <= bytes; i += 128)
    for (size_t k = 0; k < 4; ++k) s[k] = _mm256_xor_si256(s[k], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i + 32 * k)));
  const __m256i x = _mm256_xor_si256(_mm256_xor_si256(s[0], s[1]), _mm256_xor_si256(s[2], s[3]));
  return _mm256_extract_epi32(x, 0) ^ _mm256_extract_epi32(x, 3) ^ _mm256_extract_epi32(x, 5);
}
int read_plain(const std::byte* p, size_t bytes) {
  uint64_t s = 0;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t x;
    std::memcpy(&x, p + i, 8);
    s ^= x;
  }
  return static_cast<int>(s ^ (s >> 32));
}

// int8: 32 products of bytes, added in pairs to int16 and again into int32 (maddubs, madd, add): 64 ops an iteration and chain.
__attribute__((target("avx2,fma"))) int int8_avx2(int64_t n) {
  __m256i s[kChains], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  const __m256i one = _mm256_set1_epi16(1);
  for (auto& x : s) x = _mm256_setzero_si256();
  for (int64_t i = 0; i < n; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 10
    for (auto& x : s) {
      x = _mm256_add_epi32(x, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), one));
      asm volatile("" : "+x"(x));
    }
  }
  __m256i t = s[0];
  for (int k = 1; k < kChains; ++k) t = _mm256_add_epi32(t, s[k]);
  return _mm256_extract_epi32(t, 0);
}
__attribute__((target("avxvnni,avx2"))) int int8_avxvnni(int64_t n) {
  __m256i s[kChains], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (auto& x : s) x = _mm256_setzero_si256();
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (auto& x : s) {
      x = _mm256_dpbusd_avx_epi32(x, a, b);
      asm volatile("" : "+x"(x));
    }
  __m256i t = s[0];
  for (int k = 1; k < kChains; ++k) t = _mm256_add_epi32(t, s[k]);
  return _mm256_extract_epi32(t, 0);
}
__attribute__((target("avx512f,avx512vnni"))) int int8_avx512vnni(int64_t n) {
  __m512i s[kChains], a = _mm512_set1_epi32(0x03030303), b = _mm512_set1_epi32(0x05050505);
  for (auto& x : s) x = _mm512_setzero_si512();
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (auto& x : s) {
      x = _mm512_dpbusd_epi32(x, a, b);
      asm volatile("" : "+v"(x));
    }
  __m512i t = s[0];
  for (int k = 1; k < kChains; ++k) t = _mm512_add_epi32(t, s[k]);
  return _mm_cvtsi128_si32(_mm512_castsi512_si128(t));
}
__attribute__((target("avx2,fma"))) int f32_avx2(int64_t n) {
  __m256 s[kChains], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (auto& x : s) x = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (auto& x : s) {
      x = _mm256_fmadd_ps(a, b, x);
      asm volatile("" : "+x"(x));
    }
  __m256 t = s[0];
  for (int k = 1; k < kChains; ++k) t = _mm256_add_ps(t, s[k]);
  return static_cast<int>(_mm256_cvtss_f32(t));
}
__attribute__((target("avx512f"))) int f32_avx512(int64_t n) {
  __m512 s[kChains], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (auto& x : s) x = _mm512_setzero_ps();
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (auto& x : s) {
      x = _mm512_fmadd_ps(a, b, x);
      asm volatile("" : "+v"(x));
    }
  __m512 t = s[0];
  for (int k = 1; k < kChains; ++k) t = _mm512_add_ps(t, s[k]);
  return static_cast<int>(_mm512_cvtss_f32(t));
}
int int8_plain(int64_t n) {
  int s[kChains] = {};
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (int& x : s) {
      x += 15;
      asm volatile("" : "+r"(x));
    }
  return s[0];
}
int f32_plain(int64_t n) {
  float s[kChains] = {};
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 10
    for (float& x : s) {
      x = x * 0.5f + 0.25f;
      asm volatile("" : "+x"(x));
    }
  return static_cast<int>(s[0]);
}

struct Peak {
  int (*run)(int64_t n);
  double ops;  // of one iteration
};
Peak best_int8() {
  if (__builtin_cpu_supports("avx512vnni")) return {int8_avx512vnni, kChains * 128.0};
  if (__builtin_cpu_supports("avxvnni")) return {int8_avxvnni, kChains * 64.0};
  if (__builtin_cpu_supports("avx2")) return {int8_avx2, kChains * 64.0};
  return {int8_plain, kChains * 2.0};
}
Peak best_f32() {
  if (__builtin_cpu_supports("avx512f")) return {f32_avx512, kChains * 32.0};
  if (__builtin_cpu_supports("avx2")) return {f32_avx2, kChains * 16.0};
  return {f32_plain, kChains * 2.0};
}

/// Every thread does `pass` (which tells its work) again and again for `seconds`; the best rate of three such rounds, all threads together.
double rate(int threads, double seconds, const std::function<double(int)>& pass) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> ready{0};
    std::vector<double> rates(static_cast<size_t>(threads));
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&, t] {
        for (++ready; ready < threads;) std::this_thread::yield();
        const double begin = now();
        double done = 0, end = begin;
        for (; end - begin < seconds / 3; end = now()) done += pass(t);
        rates[static_cast<size_t>(t)] = done / (end - begin);
      });
    for (auto& t : pool) t.join();
    double sum = 0;
    for (const double r : rates) sum += r;
    best = std::max(best, sum);
  }
  return best;
}

}  // namespace

Roof measure(int threads, double seconds) {
  threads = std::max(threads, 1);
  constexpr size_t kPiece = size_t{16} << 20;  // read between two looks at the clock
  const size_t each = std::max((size_t{256} << 20) / static_cast<size_t>(threads), size_t{4} * kPiece) / kPiece * kPiece;
  std::vector<std::vector<std::byte>> buffers(static_cast<size_t>(threads));
  std::vector<size_t> at(buffers.size());
  {
    std::vector<std::thread> pool;  // each touches its own first
    for (auto& b : buffers) pool.emplace_back([&b, each] { b.assign(each, std::byte{1}); });
    for (auto& t : pool) t.join();
  }
  const bool avx2 = __builtin_cpu_supports("avx2");
  Roof roof{};
  roof.read_bytes_per_s = rate(threads, seconds * 0.6, [&](int t) {
    const auto i = static_cast<size_t>(t);
    const std::byte* p = buffers[i].data() + at[i];
    sink = avx2 ? read_avx2(p, kPiece) : read_plain(p, kPiece);
    at[i] = (at[i] + kPiece) % each;
    return static_cast<double>(kPiece);
  });
  buffers.clear();
  const auto peak = [&](Peak p) {
    constexpr int64_t n = 100000;
    return rate(threads, seconds * 0.2, [&](int) {
      sink = p.run(n);
      return p.ops * static_cast<double>(n);
    });
  };
  roof.int8_ops_per_s = peak(best_int8());
  roof.f32_ops_per_s = peak(best_f32());
  return roof;
}

}  // namespace mainspring::roof
