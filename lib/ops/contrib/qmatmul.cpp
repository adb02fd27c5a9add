// com.microsoft, products with quantised matrices:
// DynamicQuantizeMatMul(a f32 […,M,K], b i8/u8 […,K,N], b_scale 1|[N], b_zero?, bias? [N]) -> f32      a is made u8 by its own range
// MatMulIntegerToFloat(a i8/u8, b i8/u8, a_scale, b_scale 1|[N], a_zero?, b_zero?, bias? [N]) -> as a_scale
// QGemm(a, a_scale, a_zero, b, b_scale 1|[N], b_zero, c? i32, y_scale?, y_zero?) -> f32, or codes where y_scale is given      attrs alpha, transA, transB
// MatMulNBits(a […,K], b u8 [N, K/block, block*bits/8], scales [N*blocks], zeros?, g_idx? i32 [K], bias? [N]) -> […,N]         attrs K, N, bits (2, 4, 8), block_size
//   low bits first; zero points packed as b by row (each row whole bytes), or of a's dtype; absent: 2^(bits-1)
#include <algorithm>

#include "ops/contrib/product.h"
#include "ops/nn/norms.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

/// a × b where b has a scale and a zero point for all or for each of its columns; bias is a vector of columns.
Result<std::vector<ValueInfo>> infer_scaled(const char* op, const OpCall& c, DType out, size_t b_scale, size_t b_zero, size_t bias) {
  MAINSPRING_TRY(const ValueInfo* a, need_number(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_int(op, c, 1, "b"));
  MAINSPRING_TRY_VOID(want_rank(op, *b, "b", 2));
  MAINSPRING_TRY(ValueInfo y, infer_product(op, out, *a, *b));
  const Dim n = b->ranked ? b->dims.back() : Dim::unknown();
  MAINSPRING_TRY_VOID(need_float(op, c, b_scale, "b_scale"));
  MAINSPRING_TRY_VOID(want_one(op, c, b_scale, "b_scale", n));
  MAINSPRING_TRY_VOID(want_one(op, c, b_zero, "b_zero_point", n));
  MAINSPRING_TRY_VOID(want_dims(op, c, bias, "bias", {n}));
  return one(std::move(y));
}

TensorView view(const OpArgs& a, size_t i) { return has(a, i) ? a.in[i] : TensorView(); }
std::vector<double> numbers(const OpArgs& a, size_t i) { return numbers_of(view(a, i)); }

Result<std::vector<ValueInfo>> infer_DynamicQuantizeMatMul(const OpCall& c) {
  MAINSPRING_TRY_VOID(need_float("com.microsoft.DynamicQuantizeMatMul", c, 0, "a"));
  return infer_scaled("com.microsoft.DynamicQuantizeMatMul", c, DType::f32, 2, 3, 4);
}
void reference_DynamicQuantizeMatMul(const OpArgs& a) {
  const DynamicU8 q = dynamic_u8(numbers_of(a.in[0]));
  std::vector<double> y = product_of(Matrices(q.values, a.in[0].shape), Matrices(dequantised(a.in[1], a.in[2], view(a, 3), a.in[1].shape.rank() - 1), a.in[1].shape));
  for (double& e : y) e *= q.scale;
  add_row(y, numbers(a, 4));
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_MatMulIntegerToFloat(const OpCall& c) {
  const char* op = "com.microsoft.MatMulIntegerToFloat";
  MAINSPRING_TRY_VOID(need_int(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* scale, need_float(op, c, 2, "a_scale"));
  MAINSPRING_TRY_VOID(want_one(op, c, 2, "a_scale"));
  MAINSPRING_TRY_VOID(want_one(op, c, 4, "a_zero_point"));
  return infer_scaled(op, c, scale->dtype, 3, 5, 6);
}
void reference_MatMulIntegerToFloat(const OpArgs& a) {
  std::vector<double> y = product_of(Matrices(dequantised(a.in[0], a.in[2], view(a, 4)), a.in[0].shape),
                                     Matrices(dequantised(a.in[1], a.in[3], view(a, 5), a.in[1].shape.rank() - 1), a.in[1].shape));
  add_row(y, numbers(a, 6));
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_QGemm(const OpCall& c) {
  const char* op = "com.microsoft.QGemm";
  const ValueInfo* in[2];
  ValueInfo side[2];
  for (size_t i = 0; i < 2; ++i) {
    MAINSPRING_TRY(in[i], need_int(op, c, 3 * i, i ? "b" : "a"));
    MAINSPRING_TRY_VOID(want_rank(op, *in[i], i ? "b" : "a", 2, 2));
    side[i] = *in[i];
    if (c.attrs.i(i ? "transB" : "transA") && side[i].ranked) std::swap(side[i].dims[0], side[i].dims[1]);
  }
  MAINSPRING_TRY_VOID(want_scale(op, c, 1, "a_scale"));
  MAINSPRING_TRY_VOID(want_scale(op, c, 4, "b_scale", dim_of(side[1], 1)));
  if (has(c, 7)) MAINSPRING_TRY_VOID(want_scale(op, c, 7, "y_scale"));
  const DType out = has(c, 7) ? (has(c, 8) ? c.in[8].dtype : in[0]->dtype) : DType::f32;
  MAINSPRING_TRY(ValueInfo y, infer_product(op, out, side[0], side[1]));
  if (has(c, 6)) {
    MAINSPRING_TRY(const ValueInfo* bias, need_int(op, c, 6, "c"));
    MAINSPRING_TRY_VOID(want_rank(op, *bias, "c", 0, 2));
    for (size_t i = 0; y.ranked && bias->ranked && i < bias->dims.size(); ++i)
      if (bias->dims[i] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of c", bias->dims[i], y.dims[2 - bias->dims.size() + i]));
  }
  return one(std::move(y));
}
void reference_QGemm(const OpArgs& a) {
  // c has the scale of the product, so both are added as integers.
  const Matrices left(centred(a.in[0], view(a, 2)), a.in[0].shape), right(centred(a.in[3], view(a, 5), a.attrs.i("transB") ? 0 : 1), a.in[3].shape);
  std::vector<double> y = product_of(a.attrs.i("transA") ? left.turned() : left, a.attrs.i("transB") ? right.turned() : right);
  const std::vector<double> c = has(a, 6) ? broadcast_numbers(a.in[6], a.out[0].shape) : std::vector<double>(), scales = numbers_of(a.in[4]);
  const double scale = a.attrs.f("alpha", 1) * load(a.in[1], 0);
  for (size_t i = 0; i < y.size(); ++i) y[i] = (y[i] + (c.empty() ? 0 : c[i])) * scale * scales[i % scales.size()];
  if (has(a, 7)) put_quantised(a.out[0], y, a.in[7], view(a, 8));
  else put_numbers(a.out[0], y);
}

// ---- MatMulNBits ------------------------------------------------------------------------------------------------------------

struct Blocks {
  int64_t k, n, bits, block;
  int64_t count() const { return ceil_div(k, block); }
  int64_t blob() const { return block * bits / 8; }
  int64_t zero_bytes() const { return ceil_div(count() * bits, 8); }
};

Blocks blocks_of(const Attrs& attrs) { return {attrs.i("K"), attrs.i("N"), attrs.i("bits", 4), attrs.i("block_size")}; }

Result<std::vector<ValueInfo>> infer_MatMulNBits(const OpCall& c) {
  const char* op = "com.microsoft.MatMulNBits";
  MAINSPRING_TRY(const ValueInfo* a, need_float(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_int(op, c, 1, "b"));
  MAINSPRING_TRY_VOID(need_float(op, c, 2, "scales"));
  const Blocks w = blocks_of(c.attrs);
  if (w.k < 1 || w.n < 1 || w.k > int64_t{1} << 32 || w.n > int64_t{1} << 32) return invalid("{}: attributes K and N are {} and {}", op, w.k, w.n);
  if (w.bits != 2 && w.bits != 4 && w.bits != 8) return invalid("{}: attribute bits is {}, expected 2, 4 or 8", op, w.bits);
  if (w.block < 16 || w.block > 1 << 20 || (w.block & (w.block - 1)) != 0) return invalid("{}: attribute block_size is {}, expected a power of 2 from 16 on", op, w.block);
  MAINSPRING_TRY_VOID(want_rank(op, *a, "a", 1));
  if (b->dtype != DType::u8) return invalid("{}: b is {}, expected u8", op, name_of(b->dtype));
  const auto elements = [&](size_t i, const char* name, int64_t expected) -> Result<void> {
    if (!has(c, i) || !c.in[i].ranked) return {};
    return want_equal(op, name, product(c.in[i].dims, 0, c.in[i].dims.size()), expected);
  };
  MAINSPRING_TRY_VOID(elements(1, "elements of b", w.n * w.count() * w.blob()));
  MAINSPRING_TRY_VOID(elements(2, "elements of scales", w.n * w.count()));
  if (has(c, 3)) {
    MAINSPRING_TRY(const ValueInfo* zeros, need_number(op, c, 3, "zero_points"));
    MAINSPRING_TRY_VOID(elements(3, "elements of zero_points", zeros->dtype == DType::u8 ? w.n * w.zero_bytes() : w.n * w.count()));
  }
  if (has(c, 4)) {
    MAINSPRING_TRY_VOID(need_int(op, c, 4, "g_idx"));
    if (c.in[4].ranked && constant_elements(c.in[4].dims, 0).value_or(w.k) < w.k) return invalid("{}: g_idx is {}, expected {} elements", op, text_of(c.in[4]), w.k);
  }
  MAINSPRING_TRY_VOID(want_dims(op, c, 5, "bias", {Dim(w.n)}));
  if (!a->ranked) return one(unranked(a->dtype));
  MAINSPRING_TRY_VOID(want_equal(op, "last extent of a", a->dims.back(), w.k));
  Dims dims = a->dims;
  dims.back() = w.n;
  return one(tensor_of(a->dtype, std::move(dims)));
}

void reference_MatMulNBits(const OpArgs& a) {
  const Blocks w = blocks_of(a.attrs);
  const std::vector<double> scales = numbers_of(a.in[2]), zeros = has(a, 3) ? numbers_of(a.in[3]) : std::vector<double>(), b = numbers_of(a.in[1]);
  const bool packed = has(a, 3) && a.in[3].dtype == DType::u8;
  const int64_t each = 8 / w.bits, mask = (int64_t{1} << w.bits) - 1;
  const auto code = [&](const std::vector<double>& bytes, int64_t row, int64_t i) {  // the i-th code of bytes from `row` on
    return static_cast<double>(static_cast<int64_t>(bytes[at(row + i / each)]) >> (i % each * w.bits) & mask);
  };
  std::vector<double> right(at(w.k * w.n));
  for (int64_t n = 0; n < w.n; ++n)
    for (int64_t k = 0; k < w.k; ++k) {
      int64_t group = has(a, 4) ? load_int(a.in[4], k) : k / w.block;
      group = std::clamp<int64_t>(group, 0, w.count() - 1);
      const double zero = zeros.empty() ? static_cast<double>(int64_t{1} << (w.bits - 1)) : packed ? code(zeros, n * w.zero_bytes(), group) : zeros[at(n * w.count() + group)];
      right[at(k * w.n + n)] = (code(b, n * w.count() * w.blob(), k) - zero) * scales[at(n * w.count() + group)];
    }
  Shape matrix{w.k, w.n};
  std::vector<double> y = product_of(Matrices(a.in[0]), Matrices(std::move(right), matrix));
  add_row(y, numbers(a, 5));
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_ms_DynamicQuantizeMatMul{.name = "com.microsoft.DynamicQuantizeMatMul", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_DynamicQuantizeMatMul,
                                                  .reference = reference_DynamicQuantizeMatMul};
constinit const OpDef op_ms_MatMulIntegerToFloat{.name = "com.microsoft.MatMulIntegerToFloat", .min_in = 4, .max_in = 7, .n_out = 1, .infer = infer_MatMulIntegerToFloat,
                                                 .reference = reference_MatMulIntegerToFloat};
constinit const OpDef op_ms_QGemm{.name = "com.microsoft.QGemm", .min_in = 5, .max_in = 9, .n_out = 1, .infer = infer_QGemm, .reference = reference_QGemm};
constinit const OpDef op_ms_MatMulNBits{.name = "com.microsoft.MatMulNBits", .min_in = 3, .max_in = 6, .n_out = 1, .infer = infer_MatMulNBits, .reference = reference_MatMulNBits};

}  // namespace mainspring::inline v0
