#include "cpu/kernels/move/move.h"

#include <algorithm>
#include <cstring>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

#define MAINSPRING_MOVE_KERNEL(isa) extern const TransposeFn move_##isa;
#include "cpu/kernels/move/kernels.inc"
#undef MAINSPRING_MOVE_KERNEL

namespace {

const MoveKernel kKernels[] = {
#define MAINSPRING_MOVE_KERNEL(isa) {#isa, Isa::isa, &move_##isa},
#include "cpu/kernels/move/kernels.inc"
#undef MAINSPRING_MOVE_KERNEL
};

constexpr int64_t kPartBytes = 65536;  // of what is cut: some microseconds
constexpr size_t kMostDims = 4 * static_cast<size_t>(Shape::kMaxRank);

struct Sixteen {
  uint64_t low, high;
};

/// f.operator()<T>() with a type of that size; false where there is none.
template <class F>
bool with_size(int64_t bytes, F f) {
  switch (bytes) {
    case 1: f.template operator()<uint8_t>(); return true;
    case 2: f.template operator()<uint16_t>(); return true;
    case 4: f.template operator()<uint32_t>(); return true;
    case 8: f.template operator()<uint64_t>(); return true;
    case 16: f.template operator()<Sixteen>(); return true;
    default: return false;
  }
}

template <class T>
void put(std::byte* to, T v) {
  std::memcpy(to, &v, sizeof v);  // strings' views and bytes alike: no alignment is asked for
}
template <class T>
T get(const std::byte* from) {
  T v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

}  // namespace

std::span<const MoveKernel> move_kernels() { return kKernels; }

const MoveKernel& select_move(IsaSet isa) {
  for (const MoveKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

MovePlan::MovePlan(std::span<const MoveDim> dims, int64_t bytes, const MoveKernel& kernel) : bytes_(bytes), transpose_(*kernel.transpose) {
  for (const MoveDim& d : dims) {
    if (d.n == 0) return;
    if (d.n == 1) continue;
    const MoveDim b{d.n, d.from * bytes, d.to * bytes};
    if (!outer_.empty() && outer_.back().from == b.from * b.n && outer_.back().to == b.to * b.n) outer_.back() = {outer_.back().n * b.n, b.from, b.to};
    else outer_.push_back(b);
  }
  if (!outer_.empty() && outer_.back().from == bytes_ && outer_.back().to == bytes_) {
    bytes_ *= outer_.back().n;
    outer_.pop_back();
  }
  const bool small = with_size(bytes_, []<class T>() {});
  const auto column = std::find_if(outer_.begin(), outer_.end(), [&](const MoveDim& d) { return d.from == bytes_; });
  int64_t cut = bytes_;  // how long is what parts are parts of
  if (!small || outer_.empty()) {
    part_ = std::min(bytes_, kPartBytes);
    unit_bytes_ = part_;
  } else if (outer_.back().to == bytes_ && column != outer_.end() && column->n > 1 && column + 1 != outer_.end()) {
    way_ = Way::transposed;
    column_ = *column;
    outer_.erase(column);
    row_ = outer_.back();
    outer_.pop_back();
    cut = column_.n;
    part_ = 16;
    unit_bytes_ = std::min<int64_t>(part_, column_.n) * row_.n * bytes_;
  } else {
    way_ = Way::elements;
    row_ = outer_.back();
    outer_.pop_back();
    cut = row_.n;
    part_ = std::min(row_.n, kPartBytes / 4 / bytes_);
    unit_bytes_ = 2 * part_ * bytes_;  // slower than a block
  }
  parts_ = (cut + part_ - 1) / part_;
  units_ = parts_;
  for (const MoveDim& d : outer_) units_ *= d.n;
}

void MovePlan::unit(const std::byte* from, std::byte* to, int64_t part) const {
  const int64_t first = part * part_;
  if (way_ == Way::blocks) {
    std::memcpy(to + first, from + first, static_cast<size_t>(std::min(part_, bytes_ - first)));
    return;
  }
  if (way_ == Way::transposed) {
    const auto ni = static_cast<int>(std::min(part_, column_.n - first));
    from += first * column_.from;
    to += first * column_.to;
    if (bytes_ == 4 && row_.from % 4 == 0 && column_.to % 4 == 0) {
      transpose_(reinterpret_cast<const float*>(from), row_.from / 4, reinterpret_cast<float*>(to), column_.to / 4, ni, row_.n);
      return;
    }
    with_size(bytes_, [&]<class T>() {
      for (int64_t j = 0; j < row_.n; ++j)
        for (int i = 0; i < ni; ++i) put(to + i * column_.to + j * bytes_, get<T>(from + j * row_.from + i * bytes_));
    });
    return;
  }
  const int64_t n = std::min(part_, row_.n - first);
  from += first * row_.from;
  to += first * row_.to;
  with_size(bytes_, [&]<class T>() {
    if (row_.from == 0) {
      const T v = get<T>(from);
      for (int64_t i = 0; i < n; ++i) put(to + i * row_.to, v);
      return;
    }
    for (int64_t i = 0; i < n; ++i) put(to + i * row_.to, get<T>(from + i * row_.from));
  });
}

void MovePlan::run(const std::byte* from, std::byte* to, int64_t first, int64_t last) const {
  int64_t index[kMostDims], part = first % parts_, rest = first / parts_;
  for (size_t d = outer_.size(); d-- > 0;) {
    index[d] = rest % outer_[d].n;
    rest /= outer_[d].n;
    from += index[d] * outer_[d].from;
    to += index[d] * outer_[d].to;
  }
  for (int64_t u = first; u < last; ++u) {
    unit(from, to, part);
    if (++part < parts_) continue;
    part = 0;
    for (size_t d = outer_.size(); d-- > 0;) {
      from += outer_[d].from;
      to += outer_[d].to;
      if (++index[d] < outer_[d].n) break;
      index[d] = 0;
      from -= outer_[d].n * outer_[d].from;
      to -= outer_[d].n * outer_[d].to;
    }
  }
}

}  // namespace mainspring::inline v0
