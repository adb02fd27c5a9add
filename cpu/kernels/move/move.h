// Strided copies of any rank: what Transpose, Slice, Concat, Split, Expand, Tile and Pad are made of. In: extents with strides, at bind. Out: a plan
// that copies any stretch of its units. Must not know operators.
//
// The bound is memory. Neighbouring extents that both sides walk as one become one; what is then contiguous on both sides is copied in blocks, two
// extents that change places go through registers (transposes), the rest goes element by element.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/move/move_args.h"

namespace mainspring::inline v0 {

struct MoveKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const TransposeFn* transpose;
};

/// Every kernel, best first (kernels.inc).
std::span<const MoveKernel> move_kernels();
/// The best kernel for this machine; there is always one.
const MoveKernel& select_move(IsaSet isa);

/// An extent, and elements from one of its indices to the next on both sides. `from` may be 0 (repeated) or negative (backwards).
struct MoveDim {
  int64_t n = 1, from = 0, to = 0;
};

class MovePlan {
 public:
  /// Extents outer to inner as the output has them; elements of `bytes` bytes each.
  MovePlan(std::span<const MoveDim> dims, int64_t bytes, const MoveKernel& kernel);
  /// Independent pieces of work of about `unit_bytes()` that are written.
  int64_t units() const { return units_; }
  int64_t unit_bytes() const { return unit_bytes_; }
  /// Units [first, last), where `from` and `to` are the addresses of index 0 of all extents.
  void run(const std::byte* from, std::byte* to, int64_t first, int64_t last) const;

 private:
  enum class Way : uint8_t { blocks, elements, transposed };
  void unit(const std::byte* from, std::byte* to, int64_t part) const;

  Way way_ = Way::blocks;
  std::vector<MoveDim> outer_;   ///< strides in bytes from here on
  MoveDim row_, column_;         ///< elements, transposed: the innermost extent; transposed: the one that is contiguous in the source
  int64_t bytes_ = 1;            ///< of a block or an element
  int64_t part_ = 1, parts_ = 1; ///< a unit is a part of a block (bytes), of the row (elements) or of the column (transposed)
  int64_t units_ = 0, unit_bytes_ = 1;
  TransposeFn transpose_;
};

}  // namespace mainspring::inline v0
