// f32 convolutions, any machine: registers of 4 floats through the compiler's vector extension. Tile: 2 pixels × 1 panel of 4 registers = 8 sums + 4 weights +
// 1 broadcast of 16 registers. A multiply and an add each: the baseline has no fused form.
#include "cpu/simd/vec_scalar.h"

namespace mainspring::inline v0 {
namespace {
struct Tiles {
  static constexpr int one = 2, two = 0;
};
}  // namespace
}  // namespace mainspring::inline v0

#include "cpu/kernels/conv/winograd.h"

namespace mainspring::inline v0 {
extern const ConvIsa conv_scalar;
const ConvIsa conv_scalar = {dense, depthwise, thin, {winograd_in<1>, winograd_in<6>}, {winograd_out<1>, winograd_out<6>}};
}  // namespace mainspring::inline v0
