// silu gelu gelu_erf gelu_quick relu relu_sqr sigmoid tanh softplus exp neg (x) -> same           see activation.h
// scale(x) -> same             attrs scale (1), bias (0)      x*scale + bias
// softcap(x) -> same           attrs cap                      cap * tanh(x/cap)
#include <limits>

#include "ops/activation.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

struct Unary {
  const char* name;
  double (*apply)(double);
};
constexpr Unary kUnary[] = {
    {"silu", activation::silu},         {"gelu", activation::gelu},         {"gelu_erf", activation::gelu_erf}, {"gelu_quick", activation::gelu_quick},
    {"relu", activation::relu},         {"relu_sqr", activation::relu_sqr}, {"sigmoid", activation::sigmoid},   {"tanh", activation::tanh},
    {"softplus", activation::softplus}, {"exp", activation::exp},           {"neg", activation::neg},
};

template <class F>
void map(const OpArgs& a, F apply) {
  const Rows<float> x(a.in[0]), y(a.out[0]);
  for (int64_t r = 0; r < x.count(); ++r)
    for (int64_t i = 0; i < x.length(); ++i) y[r][i] = static_cast<float>(apply(static_cast<double>(x[r][i])));
}

Result<std::vector<ValueInfo>> same(const Want& want) {
  MAINSPRING_TRY(const ValueInfo* x, want.tensor(0, "x", DType::f32, 0));
  return yields(x->dims);
}

template <int i>
constexpr OpDef define() {
  return {.name = kUnary[i].name,
          .min_in = 1,
          .max_in = 1,
          .n_out = 1,
          .infer = [](const OpCall& c) { return same(Want(kUnary[i].name, c)); },
          .reference = [](const OpArgs& a) { map(a, kUnary[i].apply); }};
}

Result<std::vector<ValueInfo>> infer_scale(const OpCall& c) {
  const Want want("scale", c);
  MAINSPRING_TRY_VOID(want.number("scale", 1, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY_VOID(want.number("bias", 0, std::numeric_limits<double>::lowest()));
  return same(want);
}

void reference_scale(const OpArgs& a) {
  const double scale = a.attrs.f("scale", 1), bias = a.attrs.f("bias", 0);
  map(a, [=](double x) { return bias == 0 ? x * scale : x * scale + bias; });  // -0 * 1 stays -0
}

Result<std::vector<ValueInfo>> infer_softcap(const OpCall& c) {
  const Want want("softcap", c);
  MAINSPRING_TRY_VOID(want.number("cap", 0, std::numeric_limits<float>::min()));
  return same(want);
}

void reference_softcap(const OpArgs& a) {
  const double cap = a.attrs.f("cap");
  map(a, [=](double x) { return cap * std::tanh(x / cap); });
}

}  // namespace

constinit const OpDef op_silu = define<0>();
constinit const OpDef op_gelu = define<1>();
constinit const OpDef op_gelu_erf = define<2>();
constinit const OpDef op_gelu_quick = define<3>();
constinit const OpDef op_relu = define<4>();
constinit const OpDef op_relu_sqr = define<5>();
constinit const OpDef op_sigmoid = define<6>();
constinit const OpDef op_tanh = define<7>();
constinit const OpDef op_softplus = define<8>();
constinit const OpDef op_exp = define<9>();
constinit const OpDef op_neg = define<10>();
constinit const OpDef op_scale{.name = "scale", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_scale, .reference = reference_scale};
constinit const OpDef op_softcap{.name = "softcap", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_softcap, .reference = reference_softcap};

}  // namespace mainspring::inline v0
