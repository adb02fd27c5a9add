// glu_linear_quant(x [n,k] as linear's, Wg [m,k], Wu [m,k] any weight format, bg? [m], bu? [m]) -> [n,m] as glu_quant's      attrs of glu_quant
//   glu_quant(linear(x, Wg, bg), linear(x, Wu, bu)), the same bits
#include "core/error.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

const Attrs kNoAttrs;

Result<std::vector<ValueInfo>> infer_glu_linear_quant(const OpCall& c) {
  ValueInfo absent;
  absent.present = false;
  const auto in = [&](size_t i) { return i < c.in.size() ? c.in[i] : absent; };
  std::vector<ValueInfo> units;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const ValueInfo call[] = {in(0), in(1 + i), in(3 + i), absent};
    auto unit = op_linear.infer({call, kNoAttrs});
    if (!unit) return within(i ? "glu_linear_quant: up" : "glu_linear_quant: gate", unit.error());
    units.push_back((*unit)[0]);
  }
  auto y = op_glu_quant.infer({units, c.attrs});
  if (!y) return within("glu_linear_quant", y.error());
  return y;
}

void reference_glu_linear_quant(const OpArgs& a) {
  const int64_t rows = a.out[0].shape[0], outputs = a.in[1].shape[0];
  std::vector<float> values(static_cast<size_t>(2 * rows * outputs));
  TensorView units[2] = {a.out[0], a.out[0]};
  for (size_t i = 0; i < 2; ++i) {
    units[i].dtype = DType::f32;
    units[i].data = reinterpret_cast<std::byte*>(values.data() + static_cast<int64_t>(i) * rows * outputs);
    units[i].row_stride = outputs;
    const TensorView call[] = {a.in[0], a.in[1 + i], a.in[3 + i], {}};
    op_linear.reference({call, {&units[i], 1}, kNoAttrs, a.step});
  }
  op_glu_quant.reference({units, a.out, a.attrs, a.step});
}

}  // namespace

constinit const OpDef op_glu_linear_quant{
    .name = "glu_linear_quant", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_glu_linear_quant, .reference = reference_glu_linear_quant};

}  // namespace mainspring::inline v0
