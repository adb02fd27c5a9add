// The scalar kernel: works on any machine, over the same panels, with the same exact integer sums and the same f32 sequence as the vector
// kernels of its width. Slow, and the judge of the others: fmaf rounds once whether or not the machine has FMA.
#include <cmath>

#include "cpu/kernels/qgemm/formats.h"
#include "cpu/kernels/qgemm/qgemm_args.h"

namespace mainspring::inline v0 {
namespace {

using qgemm::Codes;
using qgemm::Factors;
using qgemm::Record;

constexpr int kWidth = 8;

float load_float(const std::byte* p) {
  float f;
  std::memcpy(&f, p, 4);
  return f;
}

// Sum over groups g, g+1, g+2, g+3 (16 k) of value * q, or (wide) value * (256 * q + the q that stands k further).
template <class F, bool wide>
int dot_16(const Codes& c, int g, const std::byte* q, int64_t k) {
  int sum = 0;
  for (int i = 4 * g; i < 4 * g + 16; ++i) {
    int x = static_cast<int8_t>(q[i]);
    if constexpr (wide) x = 256 * x + static_cast<int8_t>(q[k + i]);
    sum += F::value(c.w[i / 4] >> i % 4 * 8 & 255) * x;
  }
  return sum;
}

template <class F, bool wide>
float one_output(const uint8_t* panel, int o, const std::byte* x, int64_t k) {
  constexpr int subs = F::kLayout.unit / 32;
  const std::byte* d = x + (wide ? 2 * k : k);
  const std::byte* s = d + k / 8;
  float acc = 0;
  for (int64_t b = 0; b < k / 32; ++b) {
    Codes c;
    const qgemm::Place at = qgemm::place_of<F>(kWidth, k, b / subs);
    qgemm::get_codes<F>(panel + at.quants + b % subs * kWidth * F::kLayout.quants, kWidth, o, c);
    const Factors f = F::factors(Record<const uint8_t>{panel + at.record, kWidth, o}, static_cast<int>(b % subs));
    const float dx = load_float(d + 4 * b), s0 = load_float(s + 8 * b), s1 = load_float(s + 8 * b + 4);
    const int low = dot_16<F, wide>(c, 0, x + 32 * b, k), high = dot_16<F, wide>(c, 4, x + 32 * b, k);
    if constexpr (F::kTwoScales) {
      acc = std::fma(static_cast<float>(low), f.d[0] * dx, acc);
      acc = std::fma(static_cast<float>(high), f.d[1] * dx, acc);
      acc = std::fma(f.m[0], s0, acc);
      acc = std::fma(f.m[1], s1, acc);
    } else {
      acc = std::fma(static_cast<float>(low + high), f.d[0] * dx, acc);
      if constexpr (F::kHasMin) acc = std::fma(f.m[0], s0 + s1, acc);
    }
  }
  return acc;
}

template <class F>
void run(const QgemmArgs& a) {
  const size_t panel_bytes = qgemm::panel_size<F>(kWidth, a.k);
  const auto* panels = reinterpret_cast<const uint8_t*>(a.panels);
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t o = 0; o < a.outputs; ++o) {
      const float y = (a.wide ? one_output<F, true> : one_output<F, false>)(panels + static_cast<size_t>(o / kWidth) * panel_bytes,
                                                                            static_cast<int>(o % kWidth), a.x + r * a.x_stride, a.k);
      a.y[r * a.y_stride + o] = a.bias ? y + a.bias[o] : y;
    }
  }
}

}  // namespace

#define MAINSPRING_SCALAR(dtype, Format) \
  void qgemm_scalar_##dtype(const QgemmArgs& a) { run<qgemm::Format>(a); }
MAINSPRING_SCALAR(q4_0, Q4_0)
MAINSPRING_SCALAR(q4_1, Q4_1)
MAINSPRING_SCALAR(q5_0, Q5_0)
MAINSPRING_SCALAR(q5_1, Q5_1)
MAINSPRING_SCALAR(q8_0, Q8_0)
MAINSPRING_SCALAR(iq4_nl, Iq4Nl)
MAINSPRING_SCALAR(mxfp4, Mxfp4)
MAINSPRING_SCALAR(q2_k, Q2K)
MAINSPRING_SCALAR(q3_k, Q3K)
MAINSPRING_SCALAR(q4_k, Q4K)
MAINSPRING_SCALAR(q5_k, Q5K)
MAINSPRING_SCALAR(q6_k, Q6K)
MAINSPRING_SCALAR(iq4_xs, Iq4Xs)
#undef MAINSPRING_SCALAR
void qgemm_scalar_plain127x1(const QgemmArgs& a) { run<qgemm::Plain<1>>(a); }
void qgemm_scalar_plain127x2(const QgemmArgs& a) { run<qgemm::Plain<2>>(a); }

}  // namespace mainspring::inline v0
