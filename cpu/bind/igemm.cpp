// Matrix products of bytes: MatMulInteger, QLinearMatMul, and those of com.microsoft: MatMulIntegerToFloat, DynamicQuantizeMatMul, QGemm. Each says where
// its operands stand; bind_product does the rest.
#include "cpu/bind/igemm.h"

namespace mainspring::inline v0::cpu {
namespace {

/// Where the operands stand; -1: there is none.
struct Places {
  int x, x_scale, x_zero, w, w_scale, w_zero, bias, y_scale, y_zero;
};

Operand at(const BindRequest& q, int i) { return i < 0 ? Operand{} : operand(q.in, static_cast<size_t>(i)); }
bool bytes(DType t) { return t == DType::u8 || t == DType::i8; }

/// Extents of x [… rows, k] and w [… k, outputs].
Result<void> extents(const BindRequest& q, const Operand& x, const Operand& w, IntProduct* p) {
  const size_t xr = x.dims.size(), wr = w.dims.size();
  if (xr < 2 || wr < 2) return unsupported("{}: operands of rank {} and {}, the CPU kernel takes matrices", q.node->op, xr, wr);
  for (const Operand* o : {&x, &w})
    for (const Dim& d : o->dims)
      if (!d.is_constant()) return unsupported("{}: a symbolic extent", q.node->op);
  p->rows = x.dims[xr - 2].times;
  p->k = x.dims[xr - 1].times;
  p->outputs = w.dims[wr - 1].times;
  for (size_t i = 0; i + 2 < xr; ++i) p->batches *= x.dims[i].times;
  for (size_t i = 0; i + 2 < wr; ++i) p->matrices *= w.dims[i].times;
  if (p->matrices == 1 && wr > xr) return unsupported("{}: operands of rank {} and {}", q.node->op, xr, wr);
  if (p->matrices > 1 && !std::equal(x.dims.begin(), x.dims.end() - 2, w.dims.begin(), w.dims.end() - 2)) return unsupported("{}: matrices that are broadcast", q.node->op);
  p->k_stride = p->outputs;
  p->output_stride = 1;
  return {};
}

Result<IntProduct> product_of(const BindRequest& q, IsaSet isa, const Places& at_) {
  const Operand x = at(q, at_.x), w = at(q, at_.w), bias = at(q, at_.bias);
  IntProduct p;
  p.kernel = &select_igemm(isa);
  if ((!bytes(x.dtype) && x.dtype != DType::f32) || !bytes(w.dtype)) return unsupported("{}: operands are {} and {}", q.node->op, name_of(x.dtype), name_of(w.dtype));
  for (const int i : {at_.x_scale, at_.w_scale, at_.y_scale})
    if (at(q, i) && at(q, i).dtype != DType::f32) return unsupported("{}: a scale is {}, the CPU kernel takes f32", q.node->op, name_of(at(q, i).dtype));
  if (bias && bias.dtype != DType::f32 && bias.dtype != DType::i32) return unsupported("{}: bias is {}", q.node->op, name_of(bias.dtype));
  p.x = x.ref;
  p.x_dtype = x.dtype;
  p.x_zero = zero_of(at(q, at_.x_zero));
  p.x_scale = scale_of(at(q, at_.x_scale));
  if (x.dtype == DType::f32) p.range = RangeOf::of(x, *p.kernel->fn);
  p.w_dtype = w.dtype;
  p.w_zero = zero_of(at(q, at_.w_zero));
  p.w_scale = scale_of(at(q, at_.w_scale));
  p.bias = bias.ref;
  p.bias_dtype = bias.dtype;
  MAINSPRING_TRY(p.result, result_of(q, q.out[0], *p.kernel->fn));
  p.result.scale = scale_of(at(q, at_.y_scale));
  p.result.zero = zero_of(at(q, at_.y_zero));
  if (p.result.scale.count > 1 || p.result.zero.count > 1) return unsupported("{}: results with scales of their own", q.node->op);
  return p;
}

Result<KernelBinding> bind_matmul(const BindRequest& q, IsaSet isa, const Places& places) {
  MAINSPRING_TRY(IntProduct p, product_of(q, isa, places));
  MAINSPRING_TRY_VOID(extents(q, at(q, places.x), at(q, places.w), &p));
  const Operand bias = at(q, places.bias);
  if (bias && (bias.dims.size() != 1 || bias.dims[0].times != p.outputs)) return unsupported("{}: bias is no row of {}", q.node->op, p.outputs);
  return bind_product(q, std::move(p), places.w);
}

}  // namespace

Result<KernelBinding> bind_matmul_integer(const BindRequest& q, IsaSet isa) { return bind_matmul(q, isa, {0, -1, 2, 1, -1, 3, -1, -1, -1}); }
Result<KernelBinding> bind_qlinear_matmul(const BindRequest& q, IsaSet isa) { return bind_matmul(q, isa, {0, 1, 2, 3, 4, 5, -1, 6, 7}); }
Result<KernelBinding> bind_matmul_integer_to_float(const BindRequest& q, IsaSet isa) { return bind_matmul(q, isa, {0, 2, 4, 1, 3, 5, 6, -1, -1}); }
Result<KernelBinding> bind_dynamic_quantize_matmul(const BindRequest& q, IsaSet isa) { return bind_matmul(q, isa, {0, -1, -1, 1, 2, 3, 4, -1, -1}); }

Result<KernelBinding> bind_qgemm(const BindRequest& q, IsaSet isa) {
  constexpr Places kPlaces = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const Attrs& attrs = q.node->attrs;
  if (attrs.i("transA") != 0 || attrs.f("alpha", 1) != 1) return unsupported("{}: transA, or alpha other than 1", q.node->op);
  MAINSPRING_TRY(IntProduct p, product_of(q, isa, kPlaces));
  const Operand w = at(q, kPlaces.w), bias = at(q, kPlaces.bias);
  MAINSPRING_TRY_VOID(extents(q, at(q, kPlaces.x), w, &p));
  if (attrs.i("transB") != 0) {
    p.outputs = w.dims[0].times;
    p.k_stride = 1;
    p.output_stride = p.k;
  }
  if (bias && (bias.dims.empty() || bias.dims.back().times != p.outputs || (bias.dims.size() > 1 && bias.dims[0].times != 1))) return unsupported("{}: C is no row of {}", q.node->op, p.outputs);
  return bind_product(q, std::move(p), kPlaces.w);
}

}  // namespace mainspring::inline v0::cpu
