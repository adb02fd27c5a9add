// Words transposed by 8×8 blocks in AVX2 registers: 16 rows of the output at a time, so that each line of the input is read whole.
#include "cpu/kernels/move/move_args.h"
#include "cpu/simd/transpose_x86.h"

namespace mainspring::inline v0 {
namespace {

// A copy by floats keeps all bits: loads and stores move them.
void transpose_rows(const float* from, int64_t from_stride, float* to, int64_t to_stride, int ni, int64_t nj) {
  int64_t j = 0;
  for (; j + 8 <= nj; j += 8) {
    int i = 0;
    for (; i + 8 <= ni; i += 8) transpose8(from + j * from_stride + i, from_stride, to + i * to_stride + j, to_stride);
    for (; i < ni; ++i)
      for (int64_t k = j; k < j + 8; ++k) __builtin_memcpy(to + i * to_stride + k, from + k * from_stride + i, 4);
  }
  for (; j < nj; ++j)
    for (int i = 0; i < ni; ++i) __builtin_memcpy(to + i * to_stride + j, from + j * from_stride + i, 4);
}

}  // namespace

extern const TransposeFn move_avx2;
const TransposeFn move_avx2 = transpose_rows;
}  // namespace mainspring::inline v0
