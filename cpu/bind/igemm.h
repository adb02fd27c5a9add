// The frame of integer products: rows of bytes, or of floats that are quantised as they come, by a matrix of bytes with scales and zero points, to int32,
// floats or bytes. One for all operators of ONNX that say this in their own order of operands (igemm.cpp).
#pragma once

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/igemm/igemm.h"

namespace mainspring::inline v0::cpu {

/// A zero point: of one element or of `count`.
struct ZeroPoint {
  Ref ref;
  DType dtype = DType::u8;
  int64_t count = 1;
  int32_t at(const StepEnv& env, int64_t i) const {
    if (!ref) return 0;
    const std::byte b = env.at(ref)[count > 1 ? i : 0];
    return dtype == DType::i8 ? static_cast<int32_t>(static_cast<int8_t>(b)) : static_cast<int32_t>(b);
  }
};
ZeroPoint zero_of(const Operand& o);

/// What is added to bytes of that dtype, and to their zero point, to make them u8, and i8.
constexpr int32_t to_u8(DType t) { return t == DType::i8 ? 128 : 0; }
constexpr int32_t to_i8(DType t) { return t == DType::i8 ? 0 : -128; }
constexpr uint8_t flip_of(int32_t shift) { return shift != 0 ? 0x80 : 0; }

/// A scale: of one element or of `count`; absent: 1.
struct Scale {
  Ref ref;
  int64_t count = 1;
  explicit operator bool() const { return static_cast<bool>(ref); }
  const float* data(const StepEnv& env) const { return reinterpret_cast<const float*>(env.at(ref)); }
  float one(const StepEnv& env) const { return ref && count == 1 ? *data(env) : 1.0f; }
};
Scale scale_of(const Operand& o);

/// Results: where sums go and how.
struct IntResult {
  DType dtype = DType::i32;
  Ref y;
  Scale scale;          ///< of bytes: what they are divided by
  ZeroPoint zero;
  void (*finish)(const IgemmFinish&) = nullptr;
  /// Sets everything of `f` that the result alone decides.
  void begin(const StepEnv& env, IgemmFinish* f) const;
};
Result<IntResult> result_of(const BindRequest& request, const Operand& y, const IgemmIsa& fn);

/// The range of a tensor of floats, found in pieces (a step of its own) and put together by whoever needs it, in the same order each time.
struct RangeOf {
  Ref x, pieces;        ///< pieces: [count()] least and most
  int64_t elements = 0, piece = 1;
  void (*fn)(IgemmRange&) = nullptr;
  static RangeOf of(const Operand& x, const IgemmIsa& fn);
  int64_t count() const { return ceil_div(elements, piece); }
  size_t bytes() const { return round_up(static_cast<size_t>(count()) * 2 * sizeof(float), 64); }
  IgemmScale scale(const StepEnv& env) const;
};
/// Params: a RangeOf.
Step range_step(const RangeOf& range);

/// y[b, r, o] of `batches` matrices; x is [b, r, k]. One matrix for all where matrices is 1.
struct IntProduct {
  const IgemmKernel* kernel = nullptr;
  int64_t batches = 1, rows = 1, k = 1, outputs = 1, matrices = 1;
  Ref x;
  DType x_dtype = DType::u8;       ///< u8, i8, or f32: quantised by `range`
  ZeroPoint x_zero;
  Scale x_scale;
  RangeOf range;
  Ref w;                           ///< source, where it is no constant
  DType w_dtype = DType::i8;
  int64_t k_stride = 1, output_stride = 1;  ///< of the source, bytes
  ZeroPoint w_zero;
  Scale w_scale;
  Ref panels;
  Ref bias;                        ///< f32 [outputs], or i32 that counts in products of the two scales
  DType bias_dtype = DType::f32;
  IntResult result;
  bool x_shared = false;           ///< all batches have the same x
  bool by_matrix = false;          ///< scales, zero points and bias of w have a row for each matrix
  int64_t rows_per_tile = 1, panels_per_tile = 1;
  int64_t panel_count() const { return igemm_panels(outputs); }
};

/// Cuts the product into tiles.
void cut_product(IntProduct* product, int workers);
/// Bytes that a worker needs; the step, once all addresses are known (params: the product).
size_t product_scratch(const IntProduct& product);
Step product_step(const IntProduct& product);
/// Cuts the product and makes the whole binding: packing of input `w`, scratch, steps. Errors: unsupported.
Result<KernelBinding> bind_product(const BindRequest& request, IntProduct product, int w);

}  // namespace mainspring::inline v0::cpu
