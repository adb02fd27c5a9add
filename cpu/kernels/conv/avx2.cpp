// f32 convolutions, AVX2 + FMA. Tile: 6 pixels × 1 panel of 2 registers = 12 sums + 2 weights + 1 broadcast of 16 registers.
#include "cpu/simd/vec_avx2.h"

namespace mainspring::inline v0 {
namespace {
struct Tiles {
  static constexpr int one = 6, two = 0;
};
}  // namespace
}  // namespace mainspring::inline v0

#include "cpu/kernels/conv/winograd.h"

namespace mainspring::inline v0 {
extern const ConvIsa conv_avx2;
const ConvIsa conv_avx2 = {dense, depthwise, thin, {winograd_in<1>, winograd_in<6>}, {winograd_out<1>, winograd_out<6>}};
}  // namespace mainspring::inline v0
