// rope(x [n,h,d], positions i32[n], factors? [n_rot/2]) -> same
//   attrs n_rot (d), base (10000), mode "norm" (pairs 2i, 2i+1) | "neox" (pairs i, i + n_rot/2), freq_scale (1), ext_factor (0),
//         attn_factor (1), beta_fast (32), beta_slow (1), n_ctx_orig (0)
// Rotation of pairs by pos * base^(-2i/n_rot) / factors[i], arXiv:2104.09864, with the YaRN mix of interpolated and extrapolated angles,
// arXiv:2309.00071. Elements beyond n_rot are copied. Angles are computed in double from (position, i) alone.
// attn_temperature(x [n,…], positions i32[n]) -> same      attrs length, scale, offset (0):  x * (1 + scale*ln(1 + floor((pos+offset)/length)))
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kModes[] = {"norm", "neox"};

/// Positions that belong to the outermost extent of x.
Result<void> check_positions(const Want& want, const ValueInfo& x) {
  if (!want.has(1)) return want.fail("input 1 (positions) is absent, expected i32");
  return want.exactly(1, "positions", {x.dims[0]}, DType::i32);
}

Result<std::vector<ValueInfo>> infer_rope(const OpCall& c) {
  const Want want("rope", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 3, 3));
  MAINSPRING_TRY_VOID(check_positions(want, *x));
  const int64_t d = x->dims.back().times;
  MAINSPRING_TRY(const int64_t n_rot, want.integer("n_rot", d, 2, d));
  if (n_rot % 2 != 0) return want.fail("attribute n_rot is {}, expected an even number", n_rot);
  MAINSPRING_TRY_VOID(want.maybe(2, "factors", {n_rot / 2}));
  MAINSPRING_TRY_VOID(want.choice("mode", "norm", kModes));
  MAINSPRING_TRY(const double base, want.number("base", 10000, std::numeric_limits<double>::min()));
  MAINSPRING_TRY_VOID(want.number("freq_scale", 1, std::numeric_limits<double>::min()));
  MAINSPRING_TRY_VOID(want.number("attn_factor", 1, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY(const double ext_factor, want.number("ext_factor", 0, std::numeric_limits<double>::lowest()));
  if (ext_factor != 0) {
    MAINSPRING_TRY_VOID(want.integer("n_ctx_orig", 0, 1, std::numeric_limits<int32_t>::max()));
    MAINSPRING_TRY_VOID(want.number("beta_fast", 32, std::numeric_limits<float>::min()));
    MAINSPRING_TRY_VOID(want.number("beta_slow", 1, std::numeric_limits<float>::min()));
    if (base == 1) return want.fail("attribute base is 1, expected another number where ext_factor is {}", ext_factor);
  }
  return yields(x->dims);
}

/// Angle factor of each pair and the factor of all results.
struct Frequencies {
  std::vector<double> angle;  ///< by pair, times the position
  double magnitude;
};

Frequencies frequencies_of(const Attrs& attrs, int64_t n_rot, const float* factors) {
  const double base = attrs.f("base", 10000), freq_scale = attrs.f("freq_scale", 1), ext_factor = attrs.f("ext_factor", 0);
  const double n = static_cast<double>(n_rot);
  // The pair whose wave makes `turns` turns over the context that the model was trained with.
  auto pair_of = [&](double turns) { return n * std::log(static_cast<double>(attrs.i("n_ctx_orig")) / (turns * 2 * std::numbers::pi)) / (2 * std::log(base)); };
  double low = 0, high = 0;
  Frequencies f{{}, attrs.f("attn_factor", 1)};
  if (ext_factor != 0) {
    low = std::max(0.0, std::floor(pair_of(attrs.f("beta_fast", 32))));
    high = std::min(n - 1, std::ceil(pair_of(attrs.f("beta_slow", 1))));
    f.magnitude *= 1 + 0.1 * std::log(1 / freq_scale);
  }
  for (int64_t i = 0; i < n_rot / 2; ++i) {
    const double extrapolated = std::pow(base, -2.0 * static_cast<double>(i) / n) / (factors ? static_cast<double>(factors[i]) : 1.0);
    const double ramp = 1 - std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    const double mix = ext_factor * ramp;
    f.angle.push_back(freq_scale * extrapolated * (1 - mix) + extrapolated * mix);
  }
  return f;
}

void reference_rope(const OpArgs& a) {
  const Rows<float> x(a.in[0]), y(a.out[0]);
  const int64_t heads = a.in[0].shape[1], d = x.length(), n_rot = a.attrs.i("n_rot", d);
  const bool neox = a.attrs.s("mode", "norm") == "neox";
  const Frequencies f = frequencies_of(a.attrs, n_rot, a.in[2].as<float>());
  for (int64_t r = 0; r < x.count(); ++r) {
    const double position = a.in[1].as<int32_t>()[r / heads];
    for (int64_t i = 0; i < n_rot / 2; ++i) {
      const int64_t first = neox ? i : 2 * i, second = neox ? i + n_rot / 2 : 2 * i + 1;
      const double angle = position * f.angle[static_cast<size_t>(i)];
      const double cos = std::cos(angle) * f.magnitude, sin = std::sin(angle) * f.magnitude;
      const double u = static_cast<double>(x[r][first]), v = static_cast<double>(x[r][second]);
      y[r][first] = static_cast<float>(u * cos - v * sin);
      y[r][second] = static_cast<float>(u * sin + v * cos);
    }
    std::memmove(y[r] + n_rot, x[r] + n_rot, static_cast<size_t>(d - n_rot) * sizeof(float));
  }
}

Result<std::vector<ValueInfo>> infer_attn_temperature(const OpCall& c) {
  const Want want("attn_temperature", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 2));
  MAINSPRING_TRY_VOID(check_positions(want, *x));
  MAINSPRING_TRY_VOID(want.number("length", 0, 1));
  MAINSPRING_TRY_VOID(want.number("scale", 0, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY_VOID(want.number("offset", 0, 0));
  return yields(x->dims);
}

void reference_attn_temperature(const OpArgs& a) {
  const int keep = a.in[0].shape.rank() - 1;
  const Rows<float> x(a.in[0], keep), y(a.out[0], keep);
  const double length = a.attrs.f("length"), scale = a.attrs.f("scale"), offset = a.attrs.f("offset", 0);
  for (int64_t r = 0; r < x.count(); ++r) {
    const double position = a.in[1].as<int32_t>()[r];
    const double factor = 1 + scale * std::log(1 + std::floor((position + offset) / length));
    for (int64_t i = 0; i < x.length(); ++i) y[r][i] = static_cast<float>(static_cast<double>(x[r][i]) * factor);
  }
}

}  // namespace

constinit const OpDef op_rope{.name = "rope", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_rope, .reference = reference_rope};
constinit const OpDef op_attn_temperature{
    .name = "attn_temperature", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_attn_temperature, .reference = reference_attn_temperature};

}  // namespace mainspring::inline v0
