// The discrete Fourier transform of one line, in double.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

/// Makes transforms of `n` points: Σ x[j] e^(∓2πi jk/n), not scaled. Any n: mixed radix, with plain sums over the prime factors.
class Fourier {
 public:
  Fourier(int64_t n, bool inverse);
  /// In place, re and im of n points each.
  void run(std::vector<double>& re, std::vector<double>& im) const;

 private:
  void step(double* re, double* im, int64_t n, int64_t stride, double* re_out, double* im_out) const;
  int64_t n_;
  std::vector<double> cos_, sin_;
};

}  // namespace mainspring::inline v0
