// Integers that stand for numbers: (q - zero) × scale. What references of quantised operators (QLinear…, …Integer, DynamicQuantize…) share.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

struct IntRange {
  double least, most;
};
IntRange range_of(DType integer);
/// The nearest integer, ties to even, clamped.
double quantise(double x, double scale, double zero, IntRange range);
/// q - zero. A zero point (absent: 0) has one element, or one for each index of `axis`.
std::vector<double> centred(const TensorView& q, const TensorView& zero, int axis = 0);
/// (q - zero) × scale; scale as zero.
std::vector<double> dequantised(const TensorView& q, const TensorView& scale, const TensorView& zero, int axis = 0);
/// Quantises with one scale (absent: 1) and zero point.
void put_quantised(const TensorView& y, std::span<const double> values, const TensorView& scale, const TensorView& zero);
/// x as u8 with a scale and zero point made of its own range, which 0 belongs to; in f32 arithmetic, as exporters expect.
struct DynamicU8 {
  std::vector<double> values;  ///< q - zero
  double scale = 1;
};
DynamicU8 dynamic_u8(std::span<const double> x);
/// Operands i (scale) and i + 1 (zero point) have one element, or `channels` where that is given. Zero point may be absent.
Result<void> want_scale(const char* op, const OpCall& c, size_t i, const char* name, std::optional<Dim> channels = {});
/// The same of a zero point alone.
Result<void> want_one(const char* op, const OpCall& c, size_t i, const char* name, std::optional<Dim> channels = {});

}  // namespace mainspring::inline v0
