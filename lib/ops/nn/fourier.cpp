// DFT(x […, 1 or 2], dft_length?, axis? (-2)) -> y     attrs inverse, onesided: the last extent holds real, or real and imaginary parts
//   onesided: half the spectrum; with inverse, from half a spectrum to real numbers
// STFT(signal [B, T, 1 or 2], frame_step, window? [L], frame_length?) -> [B, frames, bins, 2]     attrs onesided (1)
#include "ops/nn/fourier.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

std::optional<int64_t> scalar_of(const OpCall& c, size_t i) {
  const auto v = has(c, i) ? ints_of(c.in[i]) : std::nullopt;
  return v && v->size() == 1 ? std::optional((*v)[0]) : std::nullopt;
}

/// Parts of the last extent: 1 or 2. Errors: invalid_argument.
Result<void> want_parts(const char* op, const ValueInfo& x) {
  if (!x.ranked || !x.dims.back().is_constant() || x.dims.back().times == 1 || x.dims.back().times == 2) return {};
  return invalid("{}: the last extent of {} is neither 1 (real) nor 2 (complex)", op, text_of(x));
}

Result<std::vector<ValueInfo>> infer_DFT(const OpCall& c) {
  const char* op = "DFT";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2));
  for (size_t i = 1; i < 3; ++i) {
    if (!has(c, i)) continue;
    MAINSPRING_TRY_VOID(need_int(op, c, i, i == 1 ? "dft_length" : "axis"));
    if (c.in[i].ranked && constant_elements(c.in[i].dims, 0).value_or(1) != 1) return invalid("DFT: {} is {}, expected a scalar", i == 1 ? "dft_length" : "axis", text_of(c.in[i]));
  }
  if (!x->ranked) return one(unranked(x->dtype));
  MAINSPRING_TRY_VOID(want_parts(op, *x));
  const bool inverse = c.attrs.i("inverse") != 0, onesided = c.attrs.i("onesided") != 0;
  Dims dims = x->dims;
  dims.back() = inverse && onesided ? 1 : 2;
  const auto axis_given = has(c, 2) ? scalar_of(c, 2) : std::optional<int64_t>(-2);
  if (!axis_given) {
    for (size_t i = 0; i + 1 < dims.size(); ++i) dims[i] = Dim::unknown();
    return one(tensor_of(x->dtype, std::move(dims)));
  }
  MAINSPRING_TRY(const size_t axis, axis_of(op, *axis_given, dims.size()));
  if (axis + 1 == dims.size()) return invalid("DFT: the last axis holds the parts of complex numbers, not the signal");
  Dim n = dims[axis];
  if (has(c, 1)) n = scalar_of(c, 1) ? Dim(*scalar_of(c, 1)) : Dim::unknown();
  else if (inverse && onesided) n = map_dim(n, [](int64_t bins) { return 2 * (bins - 1); });
  if (n.is_constant() && n.times < 1) return invalid("DFT: a length of {}, expected at least 1", n.times);
  dims[axis] = onesided && !inverse ? map_dim(n, [](int64_t points) { return points / 2 + 1; }) : n;
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_DFT(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  if (ys.elements() == 0) return;
  const bool inverse = a.attrs.i("inverse") != 0, onesided = a.attrs.i("onesided") != 0;
  const int64_t given = has(a, 2) ? load_int(a.in[2], 0) : -2;
  const int axis = static_cast<int>(given < 0 ? given + xs.rank() : given), last = xs.rank() - 1;
  if (axis < 0 || axis >= last) return;
  const int64_t parts = xs[last], y_parts = ys[last];
  Split from = split_at(xs, axis);
  from.inner /= parts;
  const int64_t bins = ys[axis];
  const int64_t n = inverse || !onesided ? bins : has(a, 1) ? load_int(a.in[1], 0) : from.axis;
  if (n < 1 || (n / 2 + 1 != bins && n != bins)) return;
  const Fourier fourier(n, inverse);
  const std::vector<double> x = numbers_of(a.in[0]);
  std::vector<double> y(at(ys.elements()), 0.0), re(at(n)), im(at(n));
  const double scale = inverse ? 1 / static_cast<double>(n) : 1;
  for (int64_t o = 0; o < from.outer; ++o)
    for (int64_t e = 0; e < from.inner; ++e) {
      std::fill(re.begin(), re.end(), 0.0);
      std::fill(im.begin(), im.end(), 0.0);
      for (int64_t i = 0; i < std::min(n, from.axis); ++i) {
        const size_t k = at(((o * from.axis + i) * from.inner + e) * parts);
        re[at(i)] = x[k];
        im[at(i)] = parts == 2 ? x[k + 1] : 0;
      }
      if (inverse && onesided) {  // the other half mirrors the first; what is real by nature has no imaginary part
        im[0] = 0;
        if (n % 2 == 0) im[at(n / 2)] = 0;
        for (int64_t i = n / 2 + 1; i < n; ++i) re[at(i)] = re[at(n - i)], im[at(i)] = -im[at(n - i)];
      }
      fourier.run(re, im);
      for (int64_t i = 0; i < bins; ++i) {
        const size_t k = at(((o * bins + i) * from.inner + e) * y_parts);
        y[k] = re[at(i)] * scale;
        if (y_parts == 2) y[k + 1] = im[at(i)] * scale;
      }
    }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_STFT(const OpCall& c) {
  const char* op = "STFT";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "signal"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "signal", 2, 3));
  MAINSPRING_TRY_VOID(need_int(op, c, 1, "frame_step"));
  if (has(c, 2)) {
    MAINSPRING_TRY_VOID(need_float(op, c, 2, "window"));
    MAINSPRING_TRY_VOID(want_rank(op, c.in[2], "window", 1, 1));
  }
  if (has(c, 3)) MAINSPRING_TRY_VOID(need_int(op, c, 3, "frame_length"));
  if (x->ranked && x->dims.size() == 3) MAINSPRING_TRY_VOID(want_parts(op, *x));
  const auto step = scalar_of(c, 1);
  if (step && *step < 1) return invalid("STFT: frame_step is {}, expected at least 1", *step);
  Dim length = has(c, 2) ? dim_of(c.in[2], 0) : dim_of(*x, 1);
  if (has(c, 3)) {
    const Dim given = scalar_of(c, 3) ? Dim(*scalar_of(c, 3)) : Dim::unknown();
    if (has(c, 2)) MAINSPRING_TRY_VOID(want_equal(op, "the window's length", length, given));
    length = given.is_known() || !has(c, 2) ? given : length;
  }
  if (length.is_constant() && length.times < 1) return invalid("STFT: frames of length {}, expected at least 1", length.times);
  Dim frames = Dim::unknown();
  if (step && length.is_constant() && dim_of(*x, 1).is_constant()) {
    const int64_t room = x->dims[1].times - length.times;
    if (room < 0) return invalid("STFT: frames of length {} do not fit a signal of length {}", length.times, x->dims[1].times);
    frames = room / *step + 1;
  }
  const Dim bins = c.attrs.i("onesided", 1) ? map_dim(length, [](int64_t n) { return n / 2 + 1; }) : length;
  return one(tensor_of(x->dtype, {dim_of(*x, 0), frames, bins, Dim(2)}));
}

void reference_STFT(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  if (ys.elements() == 0) return;
  const int64_t parts = xs.rank() == 3 ? xs[2] : 1, frames = ys[1], bins = ys[2], step = load_int(a.in[1], 0);
  const int64_t n = has(a, 3) ? load_int(a.in[3], 0) : has(a, 2) ? a.in[2].shape[0] : xs[1];
  if (n < 1 || bins > n || (frames - 1) * step + n > xs[1]) return;
  const std::vector<double> x = numbers_of(a.in[0]), window = has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>(at(n), 1.0);
  const Fourier fourier(n, false);
  std::vector<double> y(at(ys.elements())), re(at(n)), im(at(n));
  for (int64_t f = 0; f < ys[0] * frames; ++f) {
    const int64_t from = f / frames * xs[1] + f % frames * step;
    for (int64_t i = 0; i < n; ++i) {
      re[at(i)] = x[at((from + i) * parts)] * window[at(i)];
      im[at(i)] = parts == 2 ? x[at((from + i) * parts + 1)] * window[at(i)] : 0;
    }
    fourier.run(re, im);
    for (int64_t i = 0; i < bins; ++i) y[at((f * bins + i) * 2)] = re[at(i)], y[at((f * bins + i) * 2 + 1)] = im[at(i)];
  }
  put_numbers(a.out[0], y);
}

int64_t least_factor(int64_t n) {
  for (int64_t p = 2; p * p <= n; ++p)
    if (n % p == 0) return p;
  return n;
}

}  // namespace

Fourier::Fourier(int64_t n, bool inverse) : n_(n), cos_(at(n)), sin_(at(n)) {
  for (int64_t i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    cos_[at(i)] = std::cos(angle);
    sin_[at(i)] = (inverse ? 1 : -1) * std::sin(angle);
  }
}

void Fourier::run(std::vector<double>& re, std::vector<double>& im) const {
  std::vector<double> re_out(re.size()), im_out(im.size());
  step(re.data(), im.data(), n_, 1, re_out.data(), im_out.data());
  re.swap(re_out);
  im.swap(im_out);
}

/// Decimation in time: n = p × m; p transforms of m points of every p-th element, then m sums of p terms. Depth: the number of prime factors.
void Fourier::step(double* re, double* im, int64_t n, int64_t stride, double* re_out, double* im_out) const {
  if (n == 1) {
    *re_out = *re, *im_out = *im;
    return;
  }
  const int64_t p = least_factor(n), m = n / p;
  for (int64_t i = 0; i < p; ++i) step(re + i * stride, im + i * stride, m, stride * p, re_out + i * m, im_out + i * m);
  std::vector<double> r(at(p)), s(at(p));
  for (int64_t k = 0; k < m; ++k) {
    for (int64_t q = 0; q < p; ++q) {
      r[at(q)] = s[at(q)] = 0;
      for (int64_t i = 0; i < p; ++i) {
        const size_t w = at(i * (k + q * m) % n * stride);  // stride × n is the whole
        const double x = re_out[i * m + k], y = im_out[i * m + k];
        r[at(q)] += x * cos_[w] - y * sin_[w];
        s[at(q)] += x * sin_[w] + y * cos_[w];
      }
    }
    for (int64_t q = 0; q < p; ++q) re_out[q * m + k] = r[at(q)], im_out[q * m + k] = s[at(q)];
  }
}

constinit const OpDef op_DFT{.name = "DFT", .min_in = 1, .max_in = 3, .n_out = 1, .infer = infer_DFT, .reference = reference_DFT};
constinit const OpDef op_STFT{.name = "STFT", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_STFT, .reference = reference_STFT};

}  // namespace mainspring::inline v0
