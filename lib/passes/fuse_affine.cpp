// Convolution, then a scale and a shift by channel (BatchNormalization, or Mul and Add of constants): the scale goes into the weights, the shift into the bias.
#include <cmath>
#include <cstring>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

struct Affine {
  std::vector<float> scale, shift;  ///< by output channel
};

std::span<const float> floats(const Value& v) { return {reinterpret_cast<const float*>(v.bytes.data()), v.bytes.size() / sizeof(float)}; }

/// A constant that has one number for each channel (axis 1 of `rank` axes), or one for all; empty where it has another form.
std::optional<std::vector<float>> by_channel(const Rewrite& r, ValueId v, int64_t channels, size_t rank) {
  if (!r.is_weight(v) || r.value(v).dtype != DType::f32) return std::nullopt;
  const Dims& dims = r.value(v).dims;
  const std::span<const float> x = floats(r.value(v));
  if (dims.size() > rank) return std::nullopt;
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t axis = rank - dims.size() + i;
    if (dims[i].times != 1 && (axis != 1 || dims[i].times != channels)) return std::nullopt;
  }
  if (x.size() == 1) return std::vector<float>(static_cast<size_t>(channels), x[0]);
  return std::vector<float>(x.begin(), x.end());
}

std::optional<Affine> affine_of(const Rewrite& r, const Node& n, ValueId x, int64_t channels, size_t rank) {
  const auto all = [&](float f) { return std::vector<float>(static_cast<size_t>(channels), f); };
  if (n.op == "BatchNormalization") {
    if (n.attrs.i("training_mode") != 0 || n.out.size() != 1 || n.in.size() < 5) return std::nullopt;
    std::vector<std::vector<float>> p;
    for (size_t i = 1; i < 5; ++i) {
      if (!r.is_weight(n.in[i]) || r.value(n.in[i]).dtype != DType::f32 || r.value(n.in[i]).dims != Dims{channels}) return std::nullopt;
      const auto f = floats(r.value(n.in[i]));
      p.emplace_back(f.begin(), f.end());
    }
    Affine a{all(1), all(0)};
    for (size_t c = 0; c < a.scale.size(); ++c) {
      const double s = static_cast<double>(p[0][c]) / std::sqrt(static_cast<double>(p[3][c]) + n.attrs.f("epsilon", 1e-5));
      a.scale[c] = static_cast<float>(s);
      a.shift[c] = static_cast<float>(static_cast<double>(p[1][c]) - static_cast<double>(p[2][c]) * s);
    }
    return a;
  }
  if ((n.op != "Mul" && n.op != "Add" && n.op != "Sub" && n.op != "Div") || n.in.size() != 2) return std::nullopt;
  const bool first = n.in[0] == x;
  if ((n.op == "Sub" || n.op == "Div") && !first) return std::nullopt;
  auto c = by_channel(r, n.in[first ? 1 : 0], channels, rank);
  if (!c) return std::nullopt;
  if (n.op == "Mul") return Affine{*std::move(c), all(0)};
  if (n.op == "Add") return Affine{all(1), *std::move(c)};
  for (float& f : *c) f = n.op == "Sub" ? -f : 1 / f;
  return n.op == "Sub" ? Affine{all(1), *std::move(c)} : Affine{*std::move(c), all(0)};
}

bool no_scale(const Affine& a) {
  for (const float s : a.scale)
    if (s != 1) return false;
  return true;
}

Result<void> fold_in(Rewrite& r, const Node& conv, const Node& n, const Affine& a, Allocator& allocator) {
  const Value& w = r.value(conv.in[1]);
  const bool transposed = conv.op == "ConvTranspose";
  std::vector<ValueId> in = conv.in;
  const auto channels = static_cast<int64_t>(a.scale.size());
  if (!no_scale(a)) {
    MAINSPRING_TRY(Tensor scaled, Tensor::copy_bytes(DType::f32, shape_of(w.dims), w.bytes.data(), w.bytes.size()));
    const auto x = scaled.span<float>();
    int64_t inner = 1;  // elements of one (outer, channel) pair
    for (size_t i = 2; i < w.dims.size(); ++i) inner *= w.dims[i].times;
    const int64_t per_group = transposed ? w.dims[1].times : channels;
    const int64_t in_channels = transposed ? w.dims[0].times : w.dims[1].times, groups = transposed ? conv.attrs.i("group", 1) : 1;
    for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
      const int64_t c = transposed ? i / (per_group * inner) / (in_channels / groups) * per_group + i / inner % per_group : i / inner / in_channels;
      x[static_cast<size_t>(i)] *= a.scale[static_cast<size_t>(c)];
    }
    in[1] = r.weight(w.name, std::move(scaled));
  }
  std::vector<float> bias = a.shift;
  if (in.size() > 2 && in[2] != kNone) {
    const auto old = floats(r.value(in[2]));
    for (size_t c = 0; c < bias.size(); ++c) bias[c] = old[c] * a.scale[c] + bias[c];
  }
  in.resize(3, kNone);
  MAINSPRING_TRY(Tensor b, float_tensor(allocator, bias, {channels}));
  in[2] = r.weight(conv.name + ".bias", std::move(b));
  r.make(n.out[0], conv.op, conv.name, std::move(in), conv.attrs);
  return {};
}

}  // namespace

Result<bool> pass_fuse_affine(Graph& graph, const PassContext& context) {
  if (context.allocator == nullptr) return false;
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    bool fused = false;
    for (size_t k = 0; k < n.in.size() && k < 2 && !fused; ++k) {
      const Node* conv = r.sole(n.in[k]);
      if (conv == nullptr || (conv->op != "Conv" && conv->op != "ConvTranspose") || !r.is_weight(conv->in[1]) || r.value(conv->in[1]).dtype != DType::f32) continue;
      if (conv->in.size() > 2 && conv->in[2] != kNone && !r.is_weight(conv->in[2])) continue;
      if (r.now(n.in[k]) != n.in[k]) continue;
      const Dims& w = r.value(conv->in[1]).dims;
      if (w.size() < 3) continue;
      const int64_t channels = conv->op == "Conv" ? w[0].times : w[1].times * conv->attrs.i("group", 1);
      const Value& y = r.value(n.out[0]);
      if (y.ranked && y.dims.size() != w.size()) continue;
      const auto a = affine_of(r, n, n.in[k], channels, w.size());
      if (!a) continue;
      MAINSPRING_TRY_VOID(fold_in(r, *conv, n, *a, *context.allocator));
      fused = true;
    }
    if (!fused) r.keep(n);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
