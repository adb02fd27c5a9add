// What binders of tensor operators share: operands are dense and row-major, extents are constants (a plan is made for each set of input shapes).
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "cpu/binding.h"
#include "ops/tensor.h"

namespace mainspring::inline v0::cpu {

/// Extents of an operand; empty optional where one is not constant.
inline std::optional<std::vector<int64_t>> extents_of(const Operand& o) {
  std::vector<int64_t> dims;
  for (const Dim& d : o.dims) {
    if (!d.is_constant()) return std::nullopt;
    dims.push_back(d.times);
  }
  return dims;
}
/// Every operand of the node has constant extents. Errors: unsupported.
inline Result<void> want_constant_extents(const BindRequest& q) {
  for (const auto& list : {q.in, q.out})
    for (const Operand& o : list)
      if (o && !extents_of(o)) return unsupported("{}: the kernel wants constant extents", q.node->op);
  return {};
}
inline int64_t elements_of(const Operand& o) {
  int64_t n = 1;
  for (const Dim& d : o.dims) n *= d.times;
  return n;
}
inline int64_t product_of(std::span<const int64_t> dims) {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}
inline bool has(const BindRequest& q, size_t i) { return i < q.in.size() && q.in[i]; }
/// The content of a constant operand, or null.
inline const std::byte* content_of(const Operand& o) {
  return o && o.is_weight && o.ref.space == Space::constant && o.ref.offset != 0 ? reinterpret_cast<const std::byte*>(o.ref.offset) : nullptr;
}
/// Integers of a constant operand.
inline std::optional<std::vector<int64_t>> ints_of(const Operand& o) {
  const std::byte* data = content_of(o);
  if (data == nullptr || !is_int(o.dtype)) return std::nullopt;
  std::vector<int64_t> v(static_cast<size_t>(elements_of(o)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = load_int(o.dtype, data, static_cast<int64_t>(i));
  return v;
}
inline Result<size_t> axis_of(const BindRequest& q, int64_t axis, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return unsupported("{}: axis {} of rank {}", q.node->op, axis, rank);
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

/// How `total` units of work (cost: about a nanosecond each) are cut: tiles of whole `grain`s, two for each worker where there is enough to do, none much
/// longer than 50 µs.
struct Cut {
  int64_t total = 0, per_tile = 1;
  static Cut of(int64_t total, int64_t grain, int64_t cost, int workers) {
    constexpr int64_t kLong = 32768, kShort = 4096;
    const int64_t most = std::max<int64_t>(1, kLong / std::max<int64_t>(1, cost)), least = std::max<int64_t>(1, kShort / std::max<int64_t>(1, cost));
    const int64_t share = std::clamp((total + 2 * workers - 1) / (2 * workers), least, most);
    return {total, std::max<int64_t>(1, (share + grain - 1) / grain) * grain};
  }
  int64_t tiles() const { return (total + per_tile - 1) / per_tile; }
  int64_t first(int64_t tile) const { return tile * per_tile; }
  int64_t last(int64_t tile) const { return std::min(total, (tile + 1) * per_tile); }
};

}  // namespace mainspring::inline v0::cpu
