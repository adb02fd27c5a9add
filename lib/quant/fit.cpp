#include "quant/fit.h"

#include <algorithm>
#include <cmath>

namespace mainspring::inline v0 {
namespace {

constexpr int kLongest = 32;         // weights of the longest block
constexpr int kSpacings = 17;           // tried for each block
constexpr float kSpacingStep = 0.125f;  // in levels; 17 of them reach one level to either side

/// Sums of a regression of x on q.
struct Sums {
  double n = 0, q = 0, qq = 0, x = 0, xq = 0;
};

/// The error left over, less the constant sum of x^2, with its line.
struct Line {
  double scale = 0, offset = 0, error = 0;
};

Line solve(const Sums& s, bool offset_max_zero) {
  const double det = s.n * s.qq - s.q * s.q;
  Line line;
  if (det > 0) {
    line.scale = (s.n * s.xq - s.q * s.x) / det;
    line.offset = (s.x - line.scale * s.q) / s.n;
  } else {
    line.offset = s.x / s.n;
  }
  if (offset_max_zero && line.offset > 0) line = {s.qq > 0 ? s.xq / s.qq : 0, 0, 0};
  if (line.scale < 0) line = {0, offset_max_zero ? std::min(0.0, s.x / s.n) : s.x / s.n, 0};
  line.error = line.scale * (line.scale * s.qq - 2 * s.xq) + line.offset * (line.offset * s.n - 2 * s.x) + 2 * line.scale * line.offset * s.q;
  return line;
}

Line line_at(const float* x, int n, double sum_x, int top, float inverse, float offset, bool offset_max_zero) {
  int q[kLongest], sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) q[i] = level_of(x[i] - offset, inverse, {0, top});
  for (int i = 0; i < n; ++i) sum += q[i], squares += q[i] * q[i];
  Sums s{static_cast<double>(n), static_cast<double>(sum), static_cast<double>(squares), sum_x, 0};
  for (int i = 0; i < n; ++i) s.xq += static_cast<double>(x[i]) * q[i];
  return solve(s, offset_max_zero);
}

}  // namespace

float fit_scale(const float* x, int n, Levels levels) {
  float extreme = 0;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (extreme == 0) return 0;

  // The extreme value goes to the low end, which reaches further.
  double best = -1;
  float best_scale = extreme / static_cast<float>(levels.lo);
  for (int t = 0; t < kSpacings; ++t) {
    const float end = static_cast<float>(levels.lo) + kSpacingStep * static_cast<float>(t - kSpacings / 2);
    const float inverse = end / extreme;
    int q[kLongest], qq = 0;
    double xq = 0;
    for (int i = 0; i < n; ++i) q[i] = level_of(x[i], inverse, levels);
    for (int i = 0; i < n; ++i) qq += q[i] * q[i];
    for (int i = 0; i < n; ++i) xq += static_cast<double>(x[i]) * q[i];
    if (qq > 0 && xq * xq > best * qq) {
      best = xq * xq / qq;
      best_scale = static_cast<float>(xq / qq);
    }
  }
  return best_scale;
}

ScaleOffset fit_scale_offset(const float* x, int n, int top, bool offset_max_zero) {
  auto [least, greatest] = std::minmax_element(x, x + n);
  const float low = offset_max_zero ? std::min(*least, 0.0f) : *least;
  const float range = *greatest - low;
  if (!(range > 0)) return {0, low};

  double sum_x = 0;
  for (int i = 0; i < n; ++i) sum_x += x[i];
  Line best{range / static_cast<double>(top), low, 0};
  bool found = false;
  for (int t = 0; t < kSpacings; ++t) {
    const float end = static_cast<float>(top) + kSpacingStep * static_cast<float>(t - kSpacings / 2);
    Line line = line_at(x, n, sum_x, top, end / range, low, offset_max_zero);
    // One more round from the solved line: its integers differ where the offset moved.
    if (line.scale > 0) {
      const Line next = line_at(x, n, sum_x, top, static_cast<float>(1 / line.scale), static_cast<float>(line.offset), offset_max_zero);
      if (next.error < line.error) line = next;
    }
    if (!found || line.error < best.error) best = line;
    found = true;
  }
  return {static_cast<float>(best.scale), static_cast<float>(best.offset)};
}

}  // namespace mainspring::inline v0
