// Random numbers. With the attribute `seed` they are those of MT19937 (Matsumoto and Nishimura 1998) seeded with it, drawn in the tensor's order as numpy's
// RandomState draws them, so that a seeded graph gives what ONNX's own implementation gives; without, others each time.
//   RandomUniform ()         attrs shape, dtype (f32), low (0), high (1);    RandomUniformLike (x): x's extents, its dtype unless `dtype` says one
//   RandomNormal ()          attrs shape, dtype (f32), mean (0), scale (1);  RandomNormalLike (x)
//   Bernoulli (p)            attr dtype (p's): 1 with probability p, else 0
//   Multinomial (x)          attrs sample_size (1), dtype (i32): x [batch, classes] are logarithms of probabilities, not normalised -> [batch, sample_size]
//   Dropout (x, ratio?, training_mode?) -> y, mask bool   attr seed. Not training: x and true; else x / (1 - ratio) where the mask is true, 0 elsewhere
#include <cmath>
#include <cstring>
#include <random>

#include "core/clock.h"
#include "ops/numeric/runs.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

class Random {
 public:
  explicit Random(const OpArgs& a) {
    if (a.attrs.has("seed")) {
      const double seed = a.attrs.f("seed");
      engine_.seed(std::isfinite(seed) ? static_cast<uint32_t>(static_cast<int64_t>(std::clamp(seed, -0x1p62, 0x1p62))) : 0);
      return;
    }
    const auto here = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(a.out[0].data)), now = static_cast<uint64_t>(now_ns());  // nodes of one moment differ by place
    std::seed_seq mixed{static_cast<uint32_t>(now), static_cast<uint32_t>(now >> 32), static_cast<uint32_t>(here), static_cast<uint32_t>(here >> 32)};
    engine_.seed(mixed);
  }
  /// In [0, 1), 53 bits.
  double uniform() {
    const uint32_t high = engine_() >> 5, low = engine_() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  /// Marsaglia's polar method gives two at a time.
  double normal() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    double x, y, r;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      r = x * x + y * y;
    } while (r >= 1 || r == 0);
    const double f = std::sqrt(-2 * std::log(r) / r);
    spare_ = f * x;
    return f * y;
  }

 private:
  std::mt19937 engine_;
  std::optional<double> spare_;
};

Result<DType> dtype_attr(const char* op, const Attrs& attrs, DType otherwise) {
  const auto t = attrs.has("dtype") ? dtype_of_onnx(attrs.i("dtype")) : otherwise;
  if (!t || !(is_number(*t) || *t == DType::boolean)) return invalid("{}: dtype is not one of numbers", op);
  return *t;
}

Result<std::vector<ValueInfo>> infer_shaped(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const DType t, dtype_attr(name, c.attrs, DType::f32));
  auto dims = dims_of(c.attrs.is("shape"));
  if (!dims) return invalid("{}: shape has {} extents, expected at most {} and none negative", name, c.attrs.is("shape").size(), Shape::kMaxRank);
  return one(tensor_of(t, std::move(*dims)));
}

Result<std::vector<ValueInfo>> infer_like(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(name, c, 0, "x"));
  MAINSPRING_TRY(const DType t, dtype_attr(name, c.attrs, x->dtype));
  return one(x->ranked ? tensor_of(t, x->dims) : unranked(t));
}

void reference_uniform(const OpArgs& a) {
  Random random(a);
  const double low = a.attrs.f("low"), high = a.attrs.f("high", 1);
  for (int64_t i = 0; i < a.out[0].shape.elements(); ++i) store_one(a.out[0], i, low + (high - low) * random.uniform());
}

void reference_normal(const OpArgs& a) {
  Random random(a);
  const double mean = a.attrs.f("mean"), scale = a.attrs.f("scale", 1);
  for (int64_t i = 0; i < a.out[0].shape.elements(); ++i) store_one(a.out[0], i, mean + scale * random.normal());
}

void reference_bernoulli(const OpArgs& a) {
  Random random(a);
  for (int64_t i = 0; i < a.out[0].shape.elements(); ++i) {
    const double p = load(a.in[0], i);
    if (!(p > 0)) store_one(a.out[0], i, 0.0);  // draws nothing
    else store_one<double>(a.out[0], i, p <= 0.5 ? random.uniform() > 1 - p : random.uniform() <= p);
  }
}

Result<std::vector<ValueInfo>> infer_multinomial(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Multinomial", c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank("Multinomial", *x, "x", 2, 2));
  MAINSPRING_TRY(const DType t, dtype_attr("Multinomial", c.attrs, DType::i32));
  const int64_t samples = c.attrs.i("sample_size", 1);
  if (samples < 0 || !is_float(x->dtype)) return invalid("Multinomial: sample_size is {} and x {}, expected at least 0 and floats", samples, name_of(x->dtype));
  if (x->ranked && x->dims[1] == Dim(0)) return invalid("Multinomial: x has no class to choose from");
  return one(tensor_of(t, {x->ranked ? x->dims[0] : Dim::unknown(), samples}));
}

void reference_multinomial(const OpArgs& a) {
  Random random(a);
  const int64_t classes = a.in[0].shape[1], samples = a.out[0].shape[1];
  std::vector<double> up_to(static_cast<size_t>(classes));
  for (int64_t row = 0; row < a.in[0].shape[0]; ++row) {
    load_run(a.in[0].dtype, a.in[0].data, row * classes, 1, classes, up_to.data());
    const double most = *std::max_element(up_to.begin(), up_to.end());
    double sum = 0;
    for (double& x : up_to) x = sum += std::exp(x - most);
    for (int64_t s = 0; s < samples; ++s) {
      const double at = random.uniform() * sum;
      const auto chosen = std::upper_bound(up_to.begin(), up_to.end() - 1, at) - up_to.begin();
      store_one<int64_t>(a.out[0], row * samples + s, chosen);
    }
  }
}

Result<std::vector<ValueInfo>> infer_dropout(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Dropout", c, 0, "x"));
  if (!is_float(x->dtype)) return invalid("Dropout: x is {}, expected floats", name_of(x->dtype));
  if (has(c, 1)) MAINSPRING_TRY_VOID(need_one("Dropout", c, 1, "ratio"));
  if (has(c, 2)) MAINSPRING_TRY_VOID(need_one("Dropout", c, 2, "training_mode"));
  if (const auto ratio = has(c, 1) ? numbers_of(c.in[1]) : std::nullopt; ratio && !(ratio->front() >= 0 && ratio->front() < 1))
    return invalid("Dropout: ratio is not one number in [0, 1)");
  std::vector<ValueInfo> all{x->ranked ? tensor_of(x->dtype, x->dims) : unranked(x->dtype)};
  if (c.n_out > 1) all.push_back(x->ranked ? tensor_of(DType::boolean, x->dims) : unranked(DType::boolean));
  return all;
}

void reference_dropout(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t n = x.shape.elements();
  const double ratio = has(a, 1) ? load(a.in[1], 0) : 0.5;
  const bool drops = has(a, 2) && load_int(a.in[2], 0) != 0 && ratio > 0;
  const auto mask = [&](int64_t i, bool stays) {
    if (a.out.size() > 1 && a.out[1]) a.out[1].as<uint8_t>()[i] = stays;
  };
  if (n == 0) return;
  if (!drops) {
    std::memcpy(y.data, x.data, static_cast<size_t>(n * info_of(x.dtype).bytes));
    for (int64_t i = 0; i < n; ++i) mask(i, true);
    return;
  }
  Random random(a);
  for (int64_t i = 0; i < n; ++i) {
    const bool stays = random.uniform() >= ratio;
    store_one(y, i, stays ? load(x, i) / (1 - ratio) : 0);
    mask(i, stays);
  }
}

}  // namespace

constinit const OpDef op_RandomUniform{.name = "RandomUniform",
                                       .min_in = 0,
                                       .max_in = 0,
                                       .n_out = 1,
                                       .infer = [](const OpCall& c) { return infer_shaped("RandomUniform", c); },
                                       .reference = reference_uniform,
                                       .random = true};
constinit const OpDef op_RandomUniformLike{.name = "RandomUniformLike",
                                           .min_in = 1,
                                           .max_in = 1,
                                           .n_out = 1,
                                           .infer = [](const OpCall& c) { return infer_like("RandomUniformLike", c); },
                                           .reference = reference_uniform,
                                           .random = true};
constinit const OpDef op_RandomNormal{.name = "RandomNormal",
                                      .min_in = 0,
                                      .max_in = 0,
                                      .n_out = 1,
                                      .infer = [](const OpCall& c) { return infer_shaped("RandomNormal", c); },
                                      .reference = reference_normal,
                                      .random = true};
constinit const OpDef op_RandomNormalLike{.name = "RandomNormalLike",
                                          .min_in = 1,
                                          .max_in = 1,
                                          .n_out = 1,
                                          .infer = [](const OpCall& c) { return infer_like("RandomNormalLike", c); },
                                          .reference = reference_normal,
                                          .random = true};
constinit const OpDef op_Bernoulli{.name = "Bernoulli",
                                   .min_in = 1,
                                   .max_in = 1,
                                   .n_out = 1,
                                   .infer = [](const OpCall& c) { return infer_like("Bernoulli", c); },
                                   .reference = reference_bernoulli,
                                   .random = true};
constinit const OpDef op_Multinomial{
    .name = "Multinomial", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_multinomial, .reference = reference_multinomial, .random = true};
constinit const OpDef op_Dropout{.name = "Dropout", .min_in = 1, .max_in = 3, .n_out = 2, .infer = infer_dropout, .reference = reference_dropout, .random = true};

}  // namespace mainspring::inline v0
