// Python's arithmetic: exact integers, floor division, mixed int and float; and numbers from and to text.
#include <charconv>
#include <cmath>
#include <limits>

#include "llm/template/unicode.h"
#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

std::string_view symbol(Arithmetic op) {
  constexpr std::string_view symbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return symbols[static_cast<size_t>(op)];
}

BigInt big_of(Value v) { return v.is(Kind::big) ? v.big->number() : BigInt::from(v.int64()); }
double real_of(Value v) {
  if (v.is(Kind::real)) return v.real;
  return v.is(Kind::big) ? v.big->number().to_double() : static_cast<double>(v.int64());
}

namespace {

int sign_of(double a, double b) { return a < b ? -1 : a > b ? 1 : 0; }

// An integer against a float, without rounding the integer.
int compare_exact(Value whole, double real) {
  if (std::isinf(real)) return real > 0 ? -1 : 1;
  int c = compare(big_of(whole), BigInt::from(real));
  if (c != 0) return c;
  double fraction = real - std::trunc(real);
  return fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

}  // namespace

int compare_numbers(Value a, Value b) {
  if (a.is_int64() && b.is_int64()) return a.int64() < b.int64() ? -1 : a.int64() > b.int64() ? 1 : 0;
  bool a_real = a.is(Kind::real), b_real = b.is(Kind::real);
  if ((a_real && std::isnan(a.real)) || (b_real && std::isnan(b.real))) return 2;
  if (a_real && b_real) return sign_of(a.real, b.real);
  if (a_real) return -compare_exact(b, a.real);
  if (b_real) return compare_exact(a, b.real);
  return compare(big_of(a), big_of(b));
}

namespace {

Result<Value> divide_whole(Heap& heap, Arithmetic op, Value a, Value b) {
  if (a.is_int64() && b.is_int64()) {
    int64_t x = a.int64(), y = b.int64();
    if (y == 0) return invalid("integer division or modulo by zero");
    if (y != -1) {  // the one case that overflows is left to big integers
      int64_t q = x / y, r = x % y;
      if (r != 0 && (r < 0) != (y < 0)) {
        --q;
        r += y;
      }
      return Value::of(op == Arithmetic::floor_divide ? q : r);
    }
  }
  BigInt x = big_of(a), y = big_of(b);
  if (y.is_zero()) return invalid("integer division or modulo by zero");
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(x.limbs.size() * x.limbs.size())));
  MAINSPRING_TRY(BigDivision d, floor_divide(x, y));
  return make_integer(heap, op == Arithmetic::floor_divide ? d.quotient : d.remainder);
}

Result<Value> true_divide(Value a, Value b) {
  double y = real_of(b);
  if (y == 0) return invalid("division by zero");
  // 64-bit operands beyond 2^53 would round twice in double; the wider type holds them (x86) or nearly so.
  if (a.is_int64() && b.is_int64()) {
    return Value::of(static_cast<double>(static_cast<long double>(a.int64()) / static_cast<long double>(b.int64())));
  }
  double x = real_of(a);
  if (std::isinf(x) || std::isinf(y)) return invalid("integer division result too large for a float");
  return Value::of(x / y);
}

Result<Value> power_whole(Heap& heap, Value a, Value b) {
  BigInt exponent = big_of(b);
  BigInt base = big_of(a);
  if (exponent.negative) {
    if (base.is_zero()) return invalid("0.0 cannot be raised to a negative power");
    return Value::of(std::pow(real_of(a), real_of(b)));
  }
  if (!exponent.fits_int64() && base.bits() > 1) return exhausted("an integer power is too large");
  uint64_t n = exponent.fits_int64() ? static_cast<uint64_t>(exponent.to_int64()) : exponent.limbs[0] & 1u;  // of 0, 1 and -1
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(base.bits() * std::min<uint64_t>(n, 65536) / 64)));
  MAINSPRING_TRY(BigInt r, power(base, n));
  return make_integer(heap, r);
}

Result<Value> whole(Heap& heap, Arithmetic op, Value a, Value b) {
  if (a.is_int64() && b.is_int64()) {
    int64_t x = a.int64(), y = b.int64(), r = 0;
    if (op == Arithmetic::add && !__builtin_add_overflow(x, y, &r)) return Value::of(r);
    if (op == Arithmetic::subtract && !__builtin_sub_overflow(x, y, &r)) return Value::of(r);
    if (op == Arithmetic::multiply && !__builtin_mul_overflow(x, y, &r)) return Value::of(r);
  }
  if (op == Arithmetic::divide) return true_divide(a, b);
  if (op == Arithmetic::floor_divide || op == Arithmetic::modulo) return divide_whole(heap, op, a, b);
  if (op == Arithmetic::power) return power_whole(heap, a, b);
  BigInt x = big_of(a), y = big_of(b);
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(op == Arithmetic::multiply ? x.limbs.size() * y.limbs.size() / 16 : x.limbs.size())));
  MAINSPRING_TRY(BigInt r, op == Arithmetic::add ? add(x, y) : op == Arithmetic::subtract ? subtract(x, y) : multiply(x, y));
  return make_integer(heap, r);
}

// Python's float modulo: the sign of the divisor.
double modulo(double x, double y) {
  double r = std::fmod(x, y);
  if (r != 0) return (r < 0) != (y < 0) ? r + y : r;
  return std::copysign(0.0, y);
}

Result<Value> real(Arithmetic op, double x, double y) {
  switch (op) {
    case Arithmetic::add: return Value::of(x + y);
    case Arithmetic::subtract: return Value::of(x - y);
    case Arithmetic::multiply: return Value::of(x * y);
    case Arithmetic::divide:
      if (y == 0) return invalid("float division by zero");
      return Value::of(x / y);
    case Arithmetic::modulo:
      if (y == 0) return invalid("float modulo");
      return Value::of(modulo(x, y));
    case Arithmetic::floor_divide: {
      if (y == 0) return invalid("float floor division by zero");
      double q = (x - modulo(x, y)) / y;
      double floor = std::floor(q);
      if (q - floor > 0.5) floor += 1.0;  // q is whole but for rounding
      return Value::of(q == 0 ? std::copysign(0.0, x / y) : floor);
    }
    case Arithmetic::power:
      if (x == 0 && y < 0) return invalid("0.0 cannot be raised to a negative power");
      if (x < 0 && std::isfinite(x) && std::isfinite(y) && y != std::floor(y)) return unsupported("a power with a complex result");
      if (double r = std::pow(x, y); std::isinf(r) && std::isfinite(x) && std::isfinite(y)) return invalid("numerical result out of range");
      else return Value::of(r);
  }
  return invalid("unknown operator");
}

}  // namespace

Result<Value> arithmetic(Heap& heap, Arithmetic op, Value a, Value b) {
  if (a.is_int() && b.is_int()) return whole(heap, op, a, b);
  double x = real_of(a), y = real_of(b);
  bool overflow = (std::isinf(x) && !a.is(Kind::real)) || (std::isinf(y) && !b.is(Kind::real));
  if (overflow) return invalid("int too large to convert to float");
  return real(op, x, y);
}

Result<Value> negate(Heap& heap, Value v) {
  if (v.is(Kind::real)) return Value::of(-v.real);
  return whole(heap, Arithmetic::subtract, Value::of(int64_t{0}), v);
}

std::string real_repr(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char buffer[40];
  auto [end, ec] = std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0), end, exponent);
  bool negative = text[0] == '-';
  std::string digits;
  for (char c : text.substr(negative ? 1 : 0, e - (negative ? 1 : 0)))
    if (c != '.') digits += c;
  const std::string_view all = digits, sign = negative ? "-" : "";
  int n = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16)
    return fmt::format("{}{}{}{}e{}{:02}", sign, all.substr(0, 1), n > 1 ? "." : "", all.substr(1), exponent < 0 ? '-' : '+', std::abs(exponent));
  if (exponent < 0) return fmt::format("{}0.{:0>{}}", sign, all, n - exponent - 1);
  auto whole = static_cast<size_t>(exponent + 1);
  if (n <= exponent + 1) return fmt::format("{}{:0<{}}.0", sign, all, whole);
  return fmt::format("{}{}.{}", sign, all.substr(0, whole), all.substr(whole));
}

namespace {

// Decimal digits of any script as ASCII, underscores between digits dropped; nullopt where they stand anywhere else.
std::optional<std::string> plain_digits(std::string_view text) {
  std::string out;
  bool after_digit = false, underscore = false;
  for (size_t i = 0; i < text.size();) {
    char32_t c = next_code_point(text, i);
    if (c == '_') {
      if (!after_digit || underscore) return std::nullopt;
      underscore = true;
      continue;
    }
    int d = decimal_value(c);
    bool alnum = d >= 0 || (c < 0x80 && is_alpha(c));
    if (underscore && !alnum) return std::nullopt;
    underscore = false;
    after_digit = alnum;
    if (d >= 0) out += static_cast<char>('0' + d);
    else if (c < 0x80) out += static_cast<char>(c);
    else return std::nullopt;
  }
  if (underscore) return std::nullopt;
  return out;
}

int digit_in_base(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

}  // namespace

Result<std::optional<Value>> parse_integer(Heap& heap, std::string_view text, int base) {
  using Parsed = std::optional<Value>;
  if (base != 0 && (base < 2 || base > 36)) return Parsed();
  std::string_view body = strip_left(strip_right(text));
  bool negative = !body.empty() && body[0] == '-';
  if (negative || (!body.empty() && body[0] == '+')) body.remove_prefix(1);
  auto prefixed = [&](char letter) { return body.size() > 2 && body[0] == '0' && (body[1] | 32) == letter; };
  int prefix = prefixed('x') ? 16 : prefixed('o') ? 8 : prefixed('b') ? 2 : 0;
  if (prefix != 0 && (base == 0 || base == prefix)) {
    base = prefix;
    body.remove_prefix(2);
    if (!body.empty() && body[0] == '_') body.remove_prefix(1);
  }
  bool guessed = base == 0;
  if (guessed) base = 10;
  std::optional<std::string> digits = plain_digits(body);
  if (!digits || digits->empty()) return Parsed();
  for (char c : *digits)
    if (digit_in_base(c) >= base) return Parsed();
  if (guessed && (*digits)[0] == '0' && digits->find_first_not_of('0') != std::string::npos) return Parsed();
  if (digits->size() > 4300 && (base & (base - 1)) != 0) return Parsed();  // Python's own limit: ValueError
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(digits->size() * digits->size() / 1024)));
  MAINSPRING_TRY(BigInt v, BigInt::parse(*digits, static_cast<unsigned>(base)));
  v.negative = negative && !v.is_zero();
  MAINSPRING_TRY(Value r, make_integer(heap, v));
  return Parsed(r);
}

std::optional<double> parse_real(std::string_view text) {
  std::optional<std::string> plain = plain_digits(strip_left(strip_right(text)));
  if (!plain || plain->empty()) return std::nullopt;
  std::string_view body = *plain;
  bool negative = body[0] == '-';
  if (negative || body[0] == '+') body.remove_prefix(1);
  std::string lower = to_lower(body);
  double v = 0;
  if (lower == "inf" || lower == "infinity") v = std::numeric_limits<double>::infinity();
  else if (lower == "nan") v = std::numeric_limits<double>::quiet_NaN();
  else {
    // from_chars would also take "inf(…)" forms and signs; Python takes digits only.
    if (body.empty() || (digit_in_base(body[0]) > 9 && body[0] != '.')) return std::nullopt;
    auto [end, ec] = std::from_chars(body.data(), body.data() + body.size(), v);
    if (end != body.data() + body.size() || ec == std::errc::invalid_argument) return std::nullopt;
    if (ec == std::errc::result_out_of_range) v = std::strtod(std::string(body).c_str(), nullptr);
  }
  return negative ? -v : v;
}

}  // namespace mainspring::inline v0::jinja
