// Integer products of ONNX graphs: u8 × i8 with int32 sums, exact on every instruction set (modulo 2^32), and what comes before and after them:
// quantising rows, zero points, scales. Must not know operators or plans.
//
// Σ (a - za)(b - zb) = Σ a b - za Σ b - zb Σ a + k za zb: kernels give Σ a b, panels hold Σ b, prepared rows give Σ a. i8 becomes u8 by 128 more, and u8
// becomes i8 by 128 less, both of the zero point too.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/igemm/igemm_args.h"

namespace mainspring::inline v0 {

struct IgemmKernel {
  const char* name;  ///< "avx512vnni"
  Isa isa;
  int row_tile;
  int element;       ///< bytes of an element of a prepared row: 1, or 2 (i16)
  int macs_per_ns;
  const IgemmIsa* fn;
  int64_t row_bytes(int64_t k) const { return (k + 3) / 4 * 4 * element; }
};

/// Every kernel, best first (kernels.inc).
std::span<const IgemmKernel> igemm_kernels();
const IgemmKernel& select_igemm(IsaSet isa);

constexpr int64_t igemm_quads(int64_t k) { return (k + 3) / 4; }
constexpr int64_t igemm_panels(int64_t outputs) { return (outputs + kIgemmLanes - 1) / kIgemmLanes; }
/// A panel of signed lanes: [quads][16][4], then 16 int32 sums over k.
constexpr int64_t igemm_panel_bytes(int64_t k) { return (igemm_quads(k) + 1) * kIgemmQuadBytes; }

/// A matrix of bytes: element (k, output) stands at k * k_stride + output * output_stride.
struct IgemmSource {
  const std::byte* data;
  int64_t k_stride, output_stride;
  uint8_t flip;      ///< 0x80 makes i8 of u8
};
/// Packs outputs [first, first + 16), of which `valid` are there, into one panel; the others are zero.
void igemm_pack(const IgemmSource& source, int64_t k, int64_t first, int64_t valid, std::byte* panel);

/// The scale and zero point of u8 for numbers in [least, most], which holds 0: DynamicQuantizeLinear, in f32.
struct IgemmScale {
  float scale = 1;
  int32_t zero = 0;
};
IgemmScale igemm_scale(float least, float most);

}  // namespace mainspring::inline v0
