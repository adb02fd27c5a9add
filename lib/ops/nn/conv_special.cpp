// DeformConv(x [N,C,D…], w [M,C/group,k…], offset [N,offset_group*Πk*r,places…], b? [M], mask? [N,offset_group*Πk,places…]) -> [N,M,places…]
//   attrs as Conv, offset_group: each tap reads, by linear interpolation, where the offset moves it, times the mask; zero outside     arXiv:1811.11168
// CausalConvWithState(x [N,C,L], w [C,1,k], b? [C], past? [N,C,k-1]) -> y [N,C,L], present [N,C,k-1]      attr activation (none, silu, swish)
#include <algorithm>
#include <cmath>

#include "ops/activation.h"
#include "ops/nn/conv.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_DeformConv(const OpCall& c) {
  const char* op = "DeformConv";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_float(op, c, 2, "offset"));
  MAINSPRING_TRY(auto y, infer_conv(op, c, 0, 1, 3, x->dtype));
  MAINSPRING_TRY(const int64_t groups, int_attr(op, c.attrs, "offset_group", 1, 1, int64_t{1} << 40));
  if (!y[0].ranked) return y;
  const Dim channels = dim_of(*x, 1);
  if (channels.is_constant() && channels.times % groups != 0) return invalid("DeformConv: {} channels do not make {} groups of offsets", channels.times, groups);
  const size_t rank = y[0].dims.size() - 2;
  const Dim taps = c.in[1].ranked ? times(product(c.in[1].dims, 2, c.in[1].dims.size()), groups) : Dim::unknown();
  Dims offset = y[0].dims, mask = y[0].dims;
  offset[1] = times(taps, static_cast<int64_t>(rank));
  mask[1] = taps;
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "offset", offset));
  MAINSPRING_TRY_VOID(want_dims(op, c, 4, "mask", mask));
  return y;
}

/// A plane at a place between its elements: linear along each axis, zeros outside.
double interpolated(const double* plane, std::span<const int64_t> extents, std::span<const double> place) {
  double sum = 0;
  for (size_t corner = 0; corner < size_t{1} << extents.size(); ++corner) {
    double weight = 1;
    int64_t index = 0;
    for (size_t d = 0; d < extents.size() && weight != 0; ++d) {
      const double low = std::floor(place[d]), at_axis = low + static_cast<double>(corner >> d & 1);
      weight *= (corner >> d & 1) ? place[d] - low : 1 - (place[d] - low);
      if (!(at_axis >= 0 && at_axis <= static_cast<double>(extents[d] - 1))) weight = 0;
      else index = index * extents[d] + static_cast<int64_t>(at_axis);
    }
    if (weight != 0) sum += weight * plane[index];
  }
  return sum;
}

void reference_DeformConv(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ws = a.in[1].shape, &ys = a.out[0].shape;
  const size_t r = at(xs.rank() - 2);
  const auto spec = window_spec("DeformConv", a.attrs, r);
  if (!spec) return;
  const std::vector<double> x = numbers_of(a.in[0]), w = numbers_of(a.in[1]), offset = numbers_of(a.in[2]);
  const std::vector<double> bias = has(a, 3) ? numbers_of(a.in[3]) : std::vector<double>(), mask = has(a, 4) ? numbers_of(a.in[4]) : std::vector<double>();
  std::vector<int64_t> extents, kernel;
  int64_t taps = 1, places = 1, plane = 1;
  for (int d = 2; d < xs.rank(); ++d) extents.push_back(xs[d]), kernel.push_back(ws[d]), taps *= ws[d], places *= ys[d], plane *= xs[d];
  const std::vector<WindowAxis> axes = window_axes(*spec, xs, kernel);
  const int64_t group = a.attrs.i("group", 1), offset_group = a.attrs.i("offset_group", 1), outputs = ws[0] / group, shared = xs[1] / offset_group;
  const auto rank = static_cast<int64_t>(r);
  std::vector<double> y(at(ys.elements()), 0.0), column(at(taps * places)), place(r);
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t ch = 0; ch < xs[1]; ++ch) {
      // What each tap of each place reads of this channel; then as any convolution.
      for (int64_t t = 0; t < taps; ++t)
        for (int64_t p = 0; p < places; ++p) {
          const int64_t row = (n * offset_group + ch / shared) * taps + t;
          int64_t rest_t = t, rest_p = p;
          for (int64_t d = rank; d-- > 0;) {
            const WindowAxis& axis = axes[at(d)];
            place[at(d)] = static_cast<double>(axis.first(rest_p % axis.out) + rest_t % axis.kernel * axis.dilation) + offset[at((row * rank + d) * places + p)];
            rest_t /= axis.kernel, rest_p /= axis.out;
          }
          column[at(t * places + p)] = interpolated(x.data() + (n * xs[1] + ch) * plane, extents, place) * (mask.empty() ? 1 : mask[at(row * places + p)]);
        }
      for (int64_t o = ch / ws[1] * outputs; o < (ch / ws[1] + 1) * outputs; ++o)
        for (int64_t t = 0; t < taps; ++t) {
          const double weight = w[at((o * ws[1] + ch % ws[1]) * taps + t)];
          for (int64_t p = 0; p < places; ++p) y[at((n * ws[0] + o) * places + p)] += weight * column[at(t * places + p)];
        }
    }
  add_channel_bias(y, ys, bias);
  put_numbers(a.out[0], y);
}

constexpr std::string_view kCausal[] = {"none", "silu", "swish"};

Result<std::vector<ValueInfo>> infer_CausalConvWithState(const OpCall& c) {
  const char* op = "CausalConvWithState";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* w, need_float(op, c, 1, "w"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3, 3));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "activation", "none", kCausal));
  const Dim channels = dim_of(*x, 1), k = dim_of(*w, 2);
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "w", {channels, Dim(1), k}));
  if (k.is_constant() && k.times < 1) return invalid("{}: a kernel of {} taps", op, k.times);
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "b", {channels}));
  const Dims state{dim_of(*x, 0), channels, map_dim(k, [](int64_t n) { return n - 1; })};
  MAINSPRING_TRY_VOID(want_dims(op, c, 3, "past_state", state));
  ValueInfo y = *x;
  y.value = nullptr;
  return first_outputs(c, {std::move(y), tensor_of(x->dtype, state)});
}

void reference_CausalConvWithState(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const int64_t k = a.in[1].shape[2], length = s[2];
  const std::vector<double> x = numbers_of(a.in[0]), w = numbers_of(a.in[1]);
  const std::vector<double> bias = has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>(), past = has(a, 3) ? numbers_of(a.in[3]) : std::vector<double>();
  const bool silu = a.attrs.s("activation", "none") != "none";
  std::vector<double> y(x.size()), present(at(s[0] * s[1] * (k - 1))), line(at(k - 1 + length));
  for (int64_t r = 0; r < s[0] * s[1]; ++r) {
    for (int64_t i = 0; i < k - 1; ++i) line[at(i)] = past.empty() ? 0 : past[at(r * (k - 1) + i)];
    std::copy_n(x.data() + r * length, length, line.data() + k - 1);
    for (int64_t i = 0; i < length; ++i) {
      double sum = bias.empty() ? 0 : bias[at(r % s[1])];
      for (int64_t t = 0; t < k; ++t) sum += w[at(r % s[1] * k + t)] * line[at(i + t)];
      y[at(r * length + i)] = silu ? activation::silu(sum) : sum;
    }
    std::copy_n(line.data() + length, k - 1, present.data() + r * (k - 1));
  }
  put_numbers(a.out[0], y);
  if (wanted(a, 1)) put_numbers(a.out[1], present);
}

}  // namespace

constinit const OpDef op_DeformConv{.name = "DeformConv", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_DeformConv, .reference = reference_DeformConv};
constinit const OpDef op_CausalConvWithState{
    .name = "CausalConvWithState", .min_in = 2, .max_in = 4, .n_out = 2, .infer = infer_CausalConvWithState, .reference = reference_CausalConvWithState};

}  // namespace mainspring::inline v0
