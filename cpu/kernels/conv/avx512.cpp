// f32 convolutions, AVX-512. A panel is one register wide. Tile: 12 pixels × 2 panels = 24 sums + 2 weights + 1 broadcast of 32 registers.
#include "cpu/simd/vec_avx512.h"

namespace mainspring::inline v0 {
namespace {
struct Tiles {
  static constexpr int one = 14, two = 12;
};
}  // namespace
}  // namespace mainspring::inline v0

#include "cpu/kernels/conv/winograd.h"

namespace mainspring::inline v0 {
extern const ConvIsa conv_avx512;
const ConvIsa conv_avx512 = {dense, depthwise, thin, {winograd_in<1>, winograd_in<6>}, {winograd_out<1>, winograd_out<6>}};
}  // namespace mainspring::inline v0
