#include "ops/narrow.h"

#include <algorithm>
#include <cmath>

#include "quant/half.h"

namespace mainspring::inline v0 {

double narrowed(DType t, double x) {
  if (t == DType::f16) return static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(x))));
  if (t == DType::bf16) return static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(x))));
  return x;
}

double exponentials(DType t, std::span<double> x, double most) {
  // ONNX's reference adds bf16 up in bf16, which would stall at 256 equal elements: here each sixteen are, and these sums widely.
  const size_t size = t == DType::bf16 ? 16 : x.size();
  double sum = 0;
  for (size_t first = 0; first < x.size(); first += size) {
    double group = 0;
    for (double& v : x.subspan(first, std::min(size, x.size() - first))) {
      v = narrowed(t, std::exp(narrowed(t, v - most)));
      group += v;
      if (t == DType::bf16) group = narrowed(t, group);
    }
    sum += group;
  }
  return narrowed(t, sum);
}

}  // namespace mainspring::inline v0
