#include "tests/fuzz/coverage.h"

#include <array>
#include <cstring>

namespace {

constexpr size_t kSteps = size_t{1} << 16;  // two in a slot look like one: 64 Ki slots are enough for the ten thousand steps of these rooms
std::array<uint8_t, kSteps> made, seen;
uintptr_t before;

}  // namespace

/// Called by the compiler's instrumentation at each block of code.
extern "C" __attribute__((no_sanitize("address"), no_sanitize("undefined"))) void __sanitizer_cov_trace_pc() {
  // Addresses relative to this function, so that slots do not depend on where the loader put the program.
  const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - reinterpret_cast<uintptr_t>(&__sanitizer_cov_trace_pc);
  const uintptr_t at = here * 0x9e3779b97f4a7c15u >> 40;
  uint8_t& n = made[(at ^ before) % kSteps];
  n = static_cast<uint8_t>(n + (n != 255));
  before = at >> 1;
}

namespace fuzz {

bool saw_something_new() {
  bool is_new = false;
  for (size_t i = 0; i < kSteps; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, made.data() + i, 8);
    if (eight == 0) continue;
    for (size_t j = i; j < i + 8; ++j) {
      const uint8_t n = made[j];
      const auto bit = static_cast<uint8_t>(n == 0 ? 0 : n == 1 ? 1 : n == 2 ? 2 : n == 3 ? 4 : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128);
      is_new = is_new || (bit & ~seen[j]) != 0;
      seen[j] = static_cast<uint8_t>(seen[j] | bit);
    }
    std::memset(made.data() + i, 0, 8);
  }
  before = 0;
  return is_new;
}

size_t steps_seen() {
  size_t n = 0;
  for (const uint8_t s : seen) n += s != 0;
  return n;
}

}  // namespace fuzz
