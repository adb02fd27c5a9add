#include "ops/nn/heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/narrow.h"

namespace mainspring::inline v0 {

Heads heads_of(const TensorView& v, int64_t heads) {
  const std::vector<double> x = numbers_of(v);
  if (v.shape.rank() == 4) {
    Heads h(v.shape[0], v.shape[1], v.shape[2], 0);
    h.size = v.shape[3];
    h.values = x;
    return h;
  }
  const int64_t size = heads > 0 ? v.shape[2] / heads : 0;
  return heads_of(x, v.shape[0], v.shape[1], heads, size, v.shape[2], 0);
}

Heads heads_of(std::span<const double> values, int64_t batch, int64_t length, int64_t heads, int64_t size, int64_t stride, int64_t first) {
  Heads to(batch, heads, length, size);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < length; ++i) std::copy_n(values.data() + (b * length + i) * stride + first + h * size, size, to.row(b, h, i));
  return to;
}

Heads joined(const Heads& past, const Heads& now) {
  if (past.length == 0) return now;
  Heads all(now.batch, now.heads, past.length + now.length, now.size);
  for (int64_t b = 0; b < now.batch; ++b)
    for (int64_t h = 0; h < now.heads; ++h) {
      std::copy_n(past.values.data() + past.row_at(b, h, 0), past.length * past.size, all.row(b, h, 0));
      std::copy_n(now.values.data() + now.row_at(b, h, 0), now.length * now.size, all.row(b, h, past.length));
    }
  return all;
}

void put_heads(const TensorView& to, const Heads& from) {
  if (to.shape.rank() == 4) return put_numbers(to, from.values);
  std::vector<double> y(from.values.size());
  for (int64_t b = 0; b < from.batch; ++b)
    for (int64_t h = 0; h < from.heads; ++h)
      for (int64_t i = 0; i < from.length; ++i) std::copy_n(from.row(b, h, i), from.size, y.data() + ((b * from.length + i) * from.heads + h) * from.size);
  put_numbers(to, y);
}

Heads attend_heads(const Heads& q, const Heads& k, const Heads& v, const AttentionRule& rule) {
  Heads y(q.batch, q.heads, q.length, v.size);
  const int64_t n = k.length, shared = k.heads > 0 ? q.heads / k.heads : 0;
  if (shared == 0) return y;
  std::vector<double> turned(at(k.size * n)), bias(at(n)), scores(at(n));
  const auto round = [&rule](double x) { return narrowed(rule.narrow, x); };
  const bool rounds = rule.narrow == DType::f16 || rule.narrow == DType::bf16;
  const double k_scale = rounds ? round(std::sqrt(std::fabs(rule.scale))) : 1, q_scale = rounds ? std::copysign(k_scale, rule.scale) : rule.scale;
  const auto show = [&](int stage, int64_t b, int64_t h, int64_t i) {
    if (rule.look) rule.look(stage, b, h, i, scores);
  };
  for (int64_t b = 0; b < q.batch; ++b)
    for (int64_t h = 0; h < q.heads; ++h) {
      const int64_t kv = h / shared;
      if (h % shared == 0)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t e = 0; e < k.size; ++e) turned[at(e * n + j)] = round(k.row(b, kv, j)[e] * k_scale);
      for (int64_t i = 0; i < q.length; ++i) {
        std::fill(scores.begin(), scores.end(), 0.0);
        for (int64_t e = 0; e < q.size; ++e) {
          const double x = round(q.row(b, h, i)[e] * q_scale);
          for (size_t j = 0; j < scores.size(); ++j) scores[j] += x * turned[at(e * n) + j];
        }
        for (double& s : scores) s = round(s);
        show(0, b, h, i);
        if (rule.softcap > 0)
          for (double& s : scores) s = round(rule.softcap * round(std::tanh(round(s / rule.softcap))));
        show(1, b, h, i);
        std::fill(bias.begin(), bias.end(), 0.0);
        if (rule.bias) rule.bias(b, h, i, bias);
        bool sees = false;
        double most = rule.sinks.empty() ? -std::numeric_limits<double>::infinity() : rule.sinks[at(h)];
        for (size_t j = 0; j < scores.size(); ++j) {
          const bool seen = bias[j] != -std::numeric_limits<double>::infinity();
          sees = sees || seen;
          scores[j] = seen ? narrowed(rule.softmax, round(scores[j] + bias[j])) : bias[j];
          most = std::max(most, scores[j]);
        }
        show(2, b, h, i);
        const double sink = rule.sinks.empty() ? 0 : std::exp(rule.sinks[at(h)] - most);
        const double sum = sees ? exponentials(rule.softmax, scores, most) + sink : 0;
        for (double& s : scores) s = sees ? round(narrowed(rule.softmax, s / sum)) : 0;
        show(3, b, h, i);
        for (int64_t j = 0; j < n; ++j) {
          const double p = scores[at(j)];
          if (p == 0) continue;  // keys that are not seen may hold anything
          for (int64_t e = 0; e < v.size; ++e) y.row(b, h, i)[e] += p * v.row(b, kv, j)[e];
        }
      }
    }
  return y;
}

void rotate_row(double* row, const double* cosines, const double* sines, int64_t turned, bool interleaved) {
  const int64_t half = turned / 2;
  for (int64_t i = 0; i < half; ++i) {
    double& x = row[interleaved ? 2 * i : i];
    double& y = row[interleaved ? 2 * i + 1 : i + half];
    const double real = x * cosines[i] - y * sines[i];
    y = x * sines[i] + y * cosines[i];
    x = real;
  }
}

}  // namespace mainspring::inline v0
