// The small vocabulary: element types, shapes, metadata values. Plain values, header-only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mainspring::inline v0 {

/// Element type of a tensor: scalars, then the block formats (a block of weights shares scales; see lib/quant).
enum class DType : uint8_t {
  f32, f16, bf16, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean,
  // tensors of ONNX graphs only. Elements narrower than a byte take a byte each: i4, i2 sign-extended, u4, u2, f4e2m1 in the low bits.
  f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f8e8m0, f4e2m1, i4, u4, i2, u2,
  c64, c128,  ///< complex: two f32 or two f64
  string,     ///< a std::string_view each; who owns the characters stands at Tensor::copy_strings
  // block formats of GGUF (names as in the file format)
  q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k,
  iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s, iq4_nl, iq4_xs, tq1_0, tq2_0, mxfp4, q1_0,
  // activations quantised by row: int8 or int16 with one f32 scale for 32 elements (lib/quant/q8_rows.h); never in a file
  q8_rows, q16_rows,
};
inline constexpr int kDTypes = static_cast<int>(DType::q16_rows) + 1;

/// Facts of an element type. `block` elements take `bytes` bytes; block is 1 for scalars.
struct DTypeInfo {
  const char* name;
  int32_t block;
  int32_t bytes;
};
/// Name, block length and block size of a dtype. q8_rows and q16_rows are kept as planes (see q8_rows.h): their bytes are those of 32 elements.
constexpr DTypeInfo info_of(DType t) {
  constexpr DTypeInfo table[kDTypes] = {
      {"f32", 1, 4}, {"f16", 1, 2}, {"bf16", 1, 2}, {"f64", 1, 8}, {"i8", 1, 1}, {"u8", 1, 1}, {"i16", 1, 2}, {"u16", 1, 2},
      {"i32", 1, 4}, {"u32", 1, 4}, {"i64", 1, 8}, {"u64", 1, 8}, {"bool", 1, 1},
      {"f8e4m3fn", 1, 1}, {"f8e4m3fnuz", 1, 1}, {"f8e5m2", 1, 1}, {"f8e5m2fnuz", 1, 1}, {"f8e8m0", 1, 1}, {"f4e2m1", 1, 1},
      {"i4", 1, 1}, {"u4", 1, 1}, {"i2", 1, 1}, {"u2", 1, 1}, {"c64", 1, 8}, {"c128", 1, 16}, {"string", 1, sizeof(std::string_view)},
      {"q4_0", 32, 18}, {"q4_1", 32, 20}, {"q5_0", 32, 22}, {"q5_1", 32, 24}, {"q8_0", 32, 34},
      {"q2_k", 256, 84}, {"q3_k", 256, 110}, {"q4_k", 256, 144}, {"q5_k", 256, 176}, {"q6_k", 256, 210},
      {"iq1_s", 256, 50}, {"iq1_m", 256, 56}, {"iq2_xxs", 256, 66}, {"iq2_xs", 256, 74}, {"iq2_s", 256, 82},
      {"iq3_xxs", 256, 98}, {"iq3_s", 256, 110}, {"iq4_nl", 32, 18}, {"iq4_xs", 256, 136},
      {"tq1_0", 256, 54}, {"tq2_0", 256, 66}, {"mxfp4", 32, 17}, {"q1_0", 128, 18},
      {"q8_rows", 32, 44}, {"q16_rows", 32, 76}};
  return table[static_cast<int>(t)];
}
constexpr const char* name_of(DType t) { return info_of(t).name; }
constexpr bool is_block_format(DType t) { return t >= DType::q4_0; }
constexpr bool is_quantised_rows(DType t) { return t >= DType::q8_rows; }

template <class T> inline constexpr DType dtype_of = [] { static_assert(sizeof(T) == 0, "no DType for this C++ type"); return DType::f32; }();
template <> inline constexpr DType dtype_of<float> = DType::f32;
template <> inline constexpr DType dtype_of<double> = DType::f64;
template <> inline constexpr DType dtype_of<int8_t> = DType::i8;
template <> inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <> inline constexpr DType dtype_of<int16_t> = DType::i16;
template <> inline constexpr DType dtype_of<uint16_t> = DType::u16;
template <> inline constexpr DType dtype_of<int32_t> = DType::i32;
template <> inline constexpr DType dtype_of<uint32_t> = DType::u32;
template <> inline constexpr DType dtype_of<int64_t> = DType::i64;
template <> inline constexpr DType dtype_of<uint64_t> = DType::u64;
template <> inline constexpr DType dtype_of<bool> = DType::boolean;
template <> inline constexpr DType dtype_of<std::string_view> = DType::string;

/// Up to eight extents, outer to inner (row-major). A scalar has rank 0.
class Shape {
 public:
  static constexpr int kMaxRank = 8;
  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }
  constexpr explicit Shape(std::span<const int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }
  constexpr int rank() const { return rank_; }
  constexpr int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  constexpr int64_t& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  constexpr int64_t back() const { return rank_ ? dims_[static_cast<size_t>(rank_ - 1)] : 1; }
  constexpr std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  /// Ignored beyond kMaxRank: callers that read files check the rank first.
  constexpr void push_back(int64_t d) {
    if (rank_ < kMaxRank) dims_[static_cast<size_t>(rank_++)] = d;
  }
  /// Product of the extents (1 for a scalar). Callers that read files use core/checked.h before.
  constexpr int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : dims()) n *= d;
    return n;
  }
  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// One value of a model's metadata (GGUF key/value, ONNX property). Views point into the model's bytes and live as long as the Model.
struct MetaValue {
  enum class Type : uint8_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };  // GGUF's own numbers
  Type type = Type::u32;
  Type element = Type::u8;             ///< arrays: type of the elements
  uint64_t count = 1;                  ///< arrays: number of elements
  uint64_t bits = 0;                   ///< scalars: the value's bits, integers sign-extended to 64, f32 and f64 as a double's bits
  std::string_view text;               ///< strings
  std::span<const std::byte> raw;      ///< arrays of scalars: little-endian, unaligned
  std::vector<std::string_view> strings;  ///< arrays of strings
  std::vector<MetaValue> nested;          ///< arrays of arrays

  static constexpr size_t size_of(Type t) {
    constexpr uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return sizes[static_cast<int>(t)];
  }
  bool is_integer() const { return type != Type::f32 && type != Type::f64 && type != Type::string && type != Type::array; }
  bool is_float() const { return type == Type::f32 || type == Type::f64; }
  /// Integer and bool scalars; a u64 above 2^63-1 is empty.
  std::optional<int64_t> as_int() const {
    if (!is_integer() || (type == Type::u64 && bits >> 63)) return std::nullopt;
    return static_cast<int64_t>(bits);
  }
  std::optional<double> as_float() const {
    if (is_float()) { double d; std::memcpy(&d, &bits, 8); return d; }
    if (auto i = as_int()) return static_cast<double>(*i);
    return std::nullopt;
  }
  std::optional<bool> as_bool() const { return is_integer() ? std::optional<bool>(bits != 0) : std::nullopt; }
  std::optional<std::string_view> as_string() const { return type == Type::string ? std::optional(text) : std::nullopt; }
  /// Element i of an array of scalars, as a scalar value (i < count; the importer checked that raw holds count elements).
  MetaValue at(uint64_t i) const;
};

inline MetaValue MetaValue::at(uint64_t i) const {
  MetaValue v;
  v.type = element;
  const std::byte* p = raw.data() + i * size_of(element);
  auto load = [p]<class T>(T x) { std::memcpy(&x, p, sizeof x); return x; };
  auto number = [&v](double d) { std::memcpy(&v.bits, &d, 8); };
  switch (element) {
    case Type::u8: v.bits = load(uint8_t{}); break;
    case Type::boolean: v.bits = load(uint8_t{}) != 0; break;
    case Type::i8: v.bits = static_cast<uint64_t>(int64_t{load(int8_t{})}); break;
    case Type::u16: v.bits = load(uint16_t{}); break;
    case Type::i16: v.bits = static_cast<uint64_t>(int64_t{load(int16_t{})}); break;
    case Type::u32: v.bits = load(uint32_t{}); break;
    case Type::i32: v.bits = static_cast<uint64_t>(int64_t{load(int32_t{})}); break;
    case Type::u64: case Type::i64: v.bits = load(uint64_t{}); break;
    case Type::f32: number(load(float{})); break;
    case Type::f64: number(load(double{})); break;
    case Type::string: if (i < strings.size()) v.text = strings[i]; break;
    case Type::array: if (i < nested.size()) v = nested[i]; break;
  }
  return v;
}

/// Key/value metadata in file order.
class Metadata {
 public:
  struct Entry { std::string_view key; MetaValue value; };
  std::span<const Entry> entries() const { return entries_; }
  /// The value, or null. Linear keys are indexed at load (see sort()), so this is a binary search.
  const MetaValue* find(std::string_view key) const;
  void add(std::string_view key, MetaValue value) { entries_.push_back({key, std::move(value)}); }
  /// Builds the index; called once by the importer. False when a key stands twice (its name in `duplicate`).
  bool seal(std::string_view* duplicate = nullptr);

 private:
  std::vector<Entry> entries_;
  std::vector<uint32_t> order_;
};

}  // namespace mainspring::inline v0
