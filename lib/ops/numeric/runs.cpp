#include "ops/numeric/runs.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace mainspring::inline v0 {
namespace {

template <class T, class E>
T number(E e) {
  if constexpr (std::is_same_v<T, bool>) {
    return e != 0;
  } else if constexpr (std::is_floating_point_v<E> && std::is_integral_v<T>) {
    const double x = static_cast<double>(e);  // what no 64-bit integer holds becomes the nearest that one does, NaN 0
    if (std::isnan(x)) return 0;
    if (x < -0x1p63) return static_cast<T>(std::numeric_limits<int64_t>::min());
    if (x < 0x1p63) return static_cast<T>(static_cast<int64_t>(x));
    if constexpr (std::is_same_v<T, uint64_t>) return x < 0x1p64 ? static_cast<uint64_t>(x) : std::numeric_limits<uint64_t>::max();
    return static_cast<T>(std::numeric_limits<int64_t>::max());
  } else {
    return static_cast<T>(e);
  }
}

/// To f32 for a second rounding to something narrower: an inexact result is odd, so that the two rounds give what one would (Boldo and Melquiond 2008).
float round_to_odd(double x) {
  float f = static_cast<float>(x);
  if (static_cast<double>(f) == x || !std::isfinite(f)) return f;
  if (std::fabs(static_cast<double>(f)) > std::fabs(x)) f = std::nextafter(f, 0.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | 1u);
}

template <class E>
E element(const std::byte* data, int64_t i) {
  E e;
  std::memcpy(&e, data + i * static_cast<int64_t>(sizeof(E)), sizeof(E));
  return e;
}
template <class E>
void put(std::byte* data, int64_t i, E e) {
  std::memcpy(data + i * static_cast<int64_t>(sizeof(E)), &e, sizeof(E));
}

bool is_narrow_int(DType t) { return t == DType::i4 || t == DType::u4 || t == DType::i2 || t == DType::u2; }

}  // namespace

template <class T>
void load_run(DType t, const std::byte* data, int64_t first, int64_t stride, int64_t n, T* out) {
  const auto each = [&](auto at) {
    for (int64_t i = 0; i < n; ++i) out[i] = at(first + i * stride);
  };
  if (t == DType::boolean) return each([&](int64_t i) { return static_cast<T>(element<uint8_t>(data, i) != 0); });
  if (t == DType::f16) return each([&](int64_t i) { return number<T>(f16_to_f32(element<uint16_t>(data, i))); });
  if (t == DType::bf16) return each([&](int64_t i) { return number<T>(bf16_to_f32(element<uint16_t>(data, i))); });
  if (is_small_float(t)) return each([&](int64_t i) { return number<T>(decode_small_float(t, element<uint8_t>(data, i))); });
  if (!is_number(t)) return each([](int64_t) { return T(0); });
  with_type(t, [&]<class E>() {
    if constexpr (std::is_arithmetic_v<E>) each([&](int64_t i) { return number<T>(element<E>(data, i)); });
  });
}

template <class T>
void store_run(DType t, std::byte* data, int64_t first, int64_t stride, int64_t n, const T* in) {
  const auto each = [&](auto set) {
    for (int64_t i = 0; i < n; ++i) set(first + i * stride, in[i]);
  };
  if (is_narrow_int(t)) return each([&](int64_t i, T x) { store_int(t, data, i, number<int64_t>(x)); });
  if (t == DType::f16) return each([&](int64_t i, T x) { put(data, i, f32_to_f16(round_to_odd(static_cast<double>(x)))); });
  if (t == DType::bf16) return each([&](int64_t i, T x) { put(data, i, f32_to_bf16(round_to_odd(static_cast<double>(x)))); });
  if (is_small_float(t)) return each([&](int64_t i, T x) { put(data, i, encode_small_float(t, round_to_odd(static_cast<double>(x)))); });
  with_type(t, [&]<class E>() {
    if constexpr (std::is_arithmetic_v<E>) each([&](int64_t i, T x) { put(data, i, number<E>(x)); });
  });
}

template void load_run(DType, const std::byte*, int64_t, int64_t, int64_t, double*);
template void load_run(DType, const std::byte*, int64_t, int64_t, int64_t, int64_t*);
template void load_run(DType, const std::byte*, int64_t, int64_t, int64_t, uint64_t*);
template void store_run(DType, std::byte*, int64_t, int64_t, int64_t, const double*);
template void store_run(DType, std::byte*, int64_t, int64_t, int64_t, const int64_t*);
template void store_run(DType, std::byte*, int64_t, int64_t, int64_t, const uint64_t*);

std::pair<int64_t, uint64_t> range_of_int(DType t) {
  switch (t) {
    case DType::i4: return {-8, 7};
    case DType::i2: return {-2, 1};
    case DType::u4: return {0, 15};
    case DType::u2: return {0, 3};
    case DType::boolean: return {0, 1};
    default: break;
  }
  std::pair<int64_t, uint64_t> range{0, 0};
  with_type(t, [&]<class E>() {
    if constexpr (std::is_integral_v<E>) range = {static_cast<int64_t>(std::numeric_limits<E>::min()), static_cast<uint64_t>(std::numeric_limits<E>::max())};
  });
  return range;
}

Result<const ValueInfo*> need_one(const char* op, const OpCall& c, size_t i, const char* name) {
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, i, name));
  if (!is_number(x->dtype) && x->dtype != DType::boolean) return invalid("{}: {} is {}, expected a number", op, name, name_of(x->dtype));
  if (all_constant(*x) && product(x->dims, 0, x->dims.size()) != Dim(1)) return invalid("{}: {} has not one element", op, name);
  return x;
}

struct BroadcastRows::Plan {
  int64_t length = 1;
  Shape outer;
  std::vector<char> moves;
  std::vector<Shape> operands;

  Plan(const Shape& out, std::span<const TensorView> views) : moves(views.size(), 0), operands(views.size()) {
    struct Axis {
      int64_t extent;
      std::vector<char> moves;  // by operand
    };
    std::vector<Axis> axes;  // inner to outer
    for (int i = out.rank() - 1; i >= 0; --i) {
      if (out[i] == 1) continue;
      Axis axis{out[i], std::vector<char>(views.size(), 0)};
      for (size_t o = 0; o < views.size(); ++o) {
        const int at = i - out.rank() + views[o].shape.rank();
        axis.moves[o] = at >= 0 && views[o].shape[at] != 1;
      }
      if (!axes.empty() && axes.back().moves == axis.moves) axes.back().extent *= axis.extent;
      else axes.push_back(std::move(axis));
    }
    if (axes.empty()) return;
    length = axes[0].extent;
    moves = axes[0].moves;
    for (size_t i = axes.size(); i-- > 1;) {
      outer.push_back(axes[i].extent);
      for (size_t o = 0; o < views.size(); ++o) operands[o].push_back(axes[i].moves[o] ? axes[i].extent : 1);
    }
  }
};

BroadcastRows::BroadcastRows(const Shape& out, std::span<const TensorView> operands) : BroadcastRows(Plan(out, operands)) {
  if (out.elements() == 0) rows_ = 0;
}

BroadcastRows::BroadcastRows(Plan plan) : rows_(plan.outer.elements()), length_(plan.length), moves_(plan.moves), walk_(plan.outer, plan.operands) {}

}  // namespace mainspring::inline v0
