// What this machine can do at most: read bandwidth and arithmetic peaks, measured. For benchmarks that tell a share of it.
#pragma once

namespace mainspring::roof {

/// For `threads` threads together. An op is a multiply or an add: a multiply-add counts two.
struct Roof {
  double read_bytes_per_s;
  double int8_ops_per_s;
  double f32_ops_per_s;
};

/// Runs about `seconds` in all, on threads of its own.
Roof measure(int threads, double seconds = 0.3);

}  // namespace mainspring::roof
