// Cast (x)              attrs to, saturate (1: floats of a byte), round_mode ("up", "down", "nearest": f8e8m0). Integers wrap, floats truncate on their way to
//                       them. Strings hold numbers as numpy writes them: the shortest digits that come back, exponents outside of [1e-4, 1e16).
// CastLike (x, like)    to the dtype of `like`
// BitCast (x)           attr to: the same bits, of a dtype as wide
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/numeric/runs.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

// ---- numbers as text ---------------------------------------------------------------------------------------------------------

bool same_text(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

std::string_view trimmed(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\n\r");
  if (first == s.npos) return {};
  s = s.substr(first, s.find_last_not_of(" \t\n\r") - first + 1);
  return s.size() > 1 && s[0] == '+' && s[1] != '-' ? s.substr(1) : s;
}

template <class T>
std::optional<T> parsed(std::string_view s) {
  T value{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

/// What is no number gives NaN.
double real_of(std::string_view s) {
  s = trimmed(s);
  if (same_text(s, "inf") || same_text(s, "infinity")) return std::numeric_limits<double>::infinity();
  if (same_text(s, "-inf") || same_text(s, "-infinity")) return -std::numeric_limits<double>::infinity();
  if (same_text(s, "true")) return 1;
  if (same_text(s, "false")) return 0;
  if (const auto x = parsed<double>(s)) return *x;
  // from_chars calls what lies beyond a double's range an error and gives no value
  const bool beyond = s.find_first_of("nN") == s.npos && !s.empty();
  if (const auto e = s.find_first_of("eE"); beyond && e != s.npos && parsed<double>(s.substr(0, e))) {
    if (s.substr(e + 1).starts_with('-')) return 0;
    return s[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// The shortest decimal that this dtype reads back as the same value, in numpy's layout.
std::string text_of_real(DType t, double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
  std::string scientific;
  for (int digits = 0; digits < 17; ++digits) {
    scientific = fmt::format("{:.{}e}", x, digits);
    std::byte back[8];
    const double again = parsed<double>(scientific).value_or(x);
    store_run(t, back, 0, 1, 1, &again);
    if (load(t, back, 0) == x) break;
  }
  const std::string sign = scientific[0] == '-' ? "-" : "";
  std::string digits;
  for (const char c : scientific.substr(0, scientific.find('e')))
    if (c >= '0' && c <= '9') digits += c;
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  const int exponent = static_cast<int>(parsed<int64_t>(trimmed(std::string_view(scientific).substr(scientific.find('e') + 1))).value_or(0));
  const double magnitude = std::fabs(x);
  if (x != 0 && (magnitude < 1e-4 || magnitude >= 1e16))
    return fmt::format("{}{}{}{}e{}{:02}", sign, digits[0], digits.size() > 1 ? "." : "", digits.substr(1), exponent < 0 ? '-' : '+', std::abs(exponent));
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string text_of_element(const TensorView& x, int64_t i) {
  if (x.dtype == DType::string) return std::string(x.as<std::string_view>()[i]);
  if (x.dtype == DType::boolean) return load_int(x, i) ? "True" : "False";
  if (x.dtype == DType::u64) return fmt::format("{}", load_one<uint64_t>(x, i));
  if (is_int(x.dtype)) return fmt::format("{}", load_int(x, i));
  return text_of_real(x.dtype, load(x, i));
}

// ---- numbers -------------------------------------------------------------------------------------------------------------------

/// f8e8m0 keeps the exponent of an f32; the rest of the significand rounds as `mode` says. Infinities and NaN have the code 255.
uint8_t exponent_of(double x, std::string_view mode, bool saturate) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  const uint32_t exponent = bits >> 23 & 0xff, rest = bits & 0x7fffff;
  if (exponent == 0xff) return 0xff;
  const bool up = mode == "up" ? rest != 0 : mode == "nearest" && (rest > 0x400000 || (rest == 0x400000 && exponent > 0));
  return static_cast<uint8_t>(up && !(saturate && exponent == 0xfe) ? exponent + 1 : exponent);
}

void to_small_float(const OpArgs& a, const std::vector<double>& x) {
  const bool saturate = a.attrs.i("saturate", 1) != 0;
  const std::string_view mode = a.attrs.s("round_mode", "up");
  const DType to = a.out[0].dtype;
  for (size_t i = 0; i < x.size(); ++i)
    a.out[0].as<uint8_t>()[i] = to == DType::f8e8m0 ? exponent_of(x[i], mode, saturate) : encode_small_float(to, static_cast<float>(x[i]), saturate);
}

void reference_cast(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t n = x.shape.elements();
  if (n == 0 || y.dtype == DType::string) return;  // dynamic makes strings
  if (x.dtype == y.dtype) {
    std::memcpy(y.data, x.data, static_cast<size_t>(n * info_of(x.dtype).bytes));
    return;
  }
  if (x.dtype == DType::string) {
    std::vector<double> values(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const std::string_view s = x.as<std::string_view>()[i];
      values[static_cast<size_t>(i)] = real_of(s);
      if (const auto whole = parsed<int64_t>(trimmed(s)); whole && is_int(y.dtype)) store_int(y.dtype, y.data, i, *whole);  // beyond 2^53
      else if (const auto large = parsed<uint64_t>(trimmed(s)); large && is_int(y.dtype)) store_one(y, i, *large);
      else if (!is_small_float(y.dtype)) store_one(y, i, values[static_cast<size_t>(i)]);
    }
    if (is_small_float(y.dtype)) to_small_float(a, values);
    return;
  }
  if (is_small_float(y.dtype)) return to_small_float(a, load_all<double>(x));
  with_numbers(x.dtype, [&]<class T>() {
    constexpr int64_t kRun = 256;
    T run[kRun];
    for (int64_t i = 0; i < n; i += kRun) {
      load_run(x.dtype, x.data, i, 1, std::min(kRun, n - i), run);
      store_run(y.dtype, y.data, i, 1, std::min(kRun, n - i), run);
    }
  });
}

/// Texts are made at run time only: their characters need an owner.
Result<void> dynamic_cast_to_strings(DynamicCall& c) {
  const TensorView x = view_of(c.in[0].tensor);
  std::vector<std::string> texts;
  for (int64_t i = 0; i < x.shape.elements(); ++i) texts.push_back(text_of_element(x, i));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  MAINSPRING_TRY(Tensor y, c.make_strings(views, x.shape));
  c.out[0] = Datum(std::move(y));
  return {};
}

Result<std::vector<ValueInfo>> cast_to(const char* name, const OpCall& c, DType to) {
  const ValueInfo& x = c.in[0];
  if (is_complex(x.dtype) || is_complex(to) || is_block_format(x.dtype)) return invalid("{}: from {} to {}, which are not both numbers or strings", name, name_of(x.dtype), name_of(to));
  const std::string_view mode = c.attrs.s("round_mode", "up");
  if (mode != "up" && mode != "down" && mode != "nearest") return invalid("{}: round_mode is '{}', expected 'up', 'down' or 'nearest'", name, mode);
  return one(x.ranked && to != DType::string ? tensor_of(to, x.dims) : unranked(to));
}

Result<DType> target(const char* name, const OpCall& c) {
  const auto to = dtype_of_onnx(c.attrs.i("to"));
  if (!to) return unsupported("{}: to is {}, which is no element type here", name, c.attrs.i("to"));
  return *to;
}

Result<std::vector<ValueInfo>> infer_cast(const OpCall& c) {
  MAINSPRING_TRY_VOID(need("Cast", c, 0, "x"));
  MAINSPRING_TRY(const DType to, target("Cast", c));
  return cast_to("Cast", c, to);
}

Result<std::vector<ValueInfo>> infer_cast_like(const OpCall& c) {
  MAINSPRING_TRY_VOID(need("CastLike", c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* like, need("CastLike", c, 1, "like"));
  return cast_to("CastLike", c, like->dtype);
}

int bits_of_dtype(DType t) {
  if (t == DType::i4 || t == DType::u4 || t == DType::f4e2m1) return 4;
  if (t == DType::i2 || t == DType::u2) return 2;
  return 8 * info_of(t).bytes;
}

Result<std::vector<ValueInfo>> infer_bit_cast(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("BitCast", c, 0, "x"));
  MAINSPRING_TRY(const DType to, target("BitCast", c));
  if (x->dtype == DType::string || to == DType::string || bits_of_dtype(x->dtype) != bits_of_dtype(to))
    return invalid("BitCast: from {} to {}, expected dtypes of as many bits", name_of(x->dtype), name_of(to));
  return one(x->ranked ? tensor_of(to, x->dims) : unranked(to));
}

void reference_bit_cast(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t n = x.shape.elements();
  if (n > 0 && bits_of_dtype(x.dtype) >= 8) {
    std::memcpy(y.data, x.data, static_cast<size_t>(n * info_of(x.dtype).bytes));
    return;
  }
  const DType code = bits_of_dtype(x.dtype) == 4 ? DType::u4 : DType::u2;  // drops the sign's copies
  for (int64_t i = 0; i < n; ++i) store_int(is_int(y.dtype) ? y.dtype : code, y.data, i, x.as<uint8_t>()[i]);
}

}  // namespace

constinit const OpDef op_Cast{
    .name = "Cast", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_cast, .reference = reference_cast, .dynamic = dynamic_cast_to_strings};
constinit const OpDef op_CastLike{
    .name = "CastLike", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_cast_like, .reference = reference_cast, .dynamic = dynamic_cast_to_strings};
constinit const OpDef op_BitCast{.name = "BitCast", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_bit_cast, .reference = reference_bit_cast};

}  // namespace mainspring::inline v0
