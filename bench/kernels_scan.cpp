// Recurrent kernels: causal convolution, selective state space, gated delta rule; one row (decode, the state in the level 2 cache at best) and
// a chunk of 64 (prefill). Ops count each multiply and add on the state; exponentials of decays are left out.
#include <fmt/format.h>

#include <vector>

#include "bench/kernels.h"
#include "cpu/kernels/scan/scan.h"

namespace bench {
namespace {

using namespace mainspring;

std::vector<float> floats(int64_t n, uint32_t seed) {
  std::vector<float> x(static_cast<size_t>(n));
  fill(x, seed);
  return x;
}

template <class Run>
void add(const ScanKernel& k, const char* family, const std::string& shape, Work work, Run run) {
  benchmark::RegisterBenchmark(fmt::format("{}/{}/f32/{}", family, k.name, shape).c_str(), [=, isa = k.isa](benchmark::State& state) mutable {
    for (auto _ : state) {
      run();
      benchmark::ClobberMemory();
    }
    report(state, isa, work);
  });
}

void register_conv(const ScanKernel& k, int64_t rows) {
  constexpr int64_t kChannels = 2048, kTaps = 4;
  const auto size = static_cast<double>(rows * kChannels);
  add(k, "causal_conv", fmt::format("{}x{}x{}", rows, kChannels, kTaps), {size * 8, size * 2 * kTaps, false},
      [fn = k.fn->conv, rows, x = floats(rows * kChannels, 1), y = floats(rows * kChannels, 2), w = floats(kTaps * kChannels, 3), bias = floats(kChannels, 4),
       state = floats(kChannels * (kTaps - 1), 5), past = floats(kChannels * (kTaps - 1), 6)]() mutable {
        fn({x.data(), y.data(), kChannels, kChannels, w.data(), kChannels, bias.data(), state.data(), past.data(), rows, kChannels, kTaps, false, true});
      });
}

// One head of 64, state of 128: Mamba 2.
void register_ssm(const ScanKernel& k, int64_t rows) {
  constexpr int64_t kP = 64, kN = 128;
  const auto work = static_cast<double>(rows * kP * kN);
  add(k, "ssm_scan", fmt::format("{}x{}x{}", rows, kP, kN), {kP * kN * 8.0, work * 6, false},
      [fn = k.fn->ssm, rows, x = floats(rows * kP, 1), dt = floats(rows, 2), b = floats(rows * kN, 3), c = floats(rows * kN, 4), y = floats(rows * kP, 5),
       state = floats(kP * kN, 6), d = 0.5f]() mutable {
        fn({x.data(), dt.data(), b.data(), c.data(), y.data(), kP, 1, kN, kN, kP, state.data(), rows, kP, kN, -1, 0, &d, false});
      });
}

// One head of 128 × 128: Qwen3-Next. Small k and a decay keep the state bounded.
void register_delta(const ScanKernel& k, int64_t rows) {
  constexpr int64_t kD = 128;
  const auto work = static_cast<double>(rows * kD * kD);
  std::vector<float> keys = floats(rows * kD, 2);
  for (float& f : keys) f *= 0.1f;
  add(k, "gated_delta", fmt::format("{}x{}x{}", rows, kD, kD), {kD * kD * 8.0, work * 7, false},
      [fn = k.fn->delta, rows, keys, q = floats(rows * kD, 1), v = floats(rows * kD, 3), g = std::vector<float>(static_cast<size_t>(rows), -0.1f),
       beta = std::vector<float>(static_cast<size_t>(rows), 0.5f), y = floats(rows * kD, 4), state = floats(kD * kD, 5)]() mutable {
        fn({q.data(), keys.data(), v.data(), g.data(), beta.data(), y.data(), kD, kD, kD, 1, 1, kD, state.data(), rows, kD, kD, 1, false});
      });
}

}  // namespace

void register_scan() {
  for (const ScanKernel& k : scan_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const int64_t rows : {1, 64}) {
      register_conv(k, rows);
      register_ssm(k, rows);
      register_delta(k, rows);
    }
  }
}

}  // namespace bench
