// Words transposed, any machine.
#include "cpu/kernels/move/move_args.h"

namespace mainspring::inline v0 {
namespace {

void transpose_rows(const float* from, int64_t from_stride, float* to, int64_t to_stride, int ni, int64_t nj) {
  for (int64_t j = 0; j < nj; ++j)
    for (int i = 0; i < ni; ++i) __builtin_memcpy(to + i * to_stride + j, from + j * from_stride + i, 4);
}

}  // namespace

extern const TransposeFn move_scalar;
const TransposeFn move_scalar = transpose_rows;
}  // namespace mainspring::inline v0
