#include "llm/template/integer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace mainspring::inline v0::jinja {
namespace {

constexpr size_t kMaxBits = 65536;
using Limbs = std::vector<uint32_t>;

void trim(Limbs& v) {
  while (!v.empty() && v.back() == 0) v.pop_back();
}

Result<BigInt> finish(bool negative, Limbs limbs) {
  trim(limbs);
  if (limbs.size() * 32 > kMaxBits) return exhausted("an integer takes more than {} bits", kMaxBits);
  BigInt r;
  r.negative = negative && !limbs.empty();
  r.limbs = std::move(limbs);
  return r;
}

int compare_magnitude(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

Limbs add_magnitude(const Limbs& a, const Limbs& b) {
  Limbs r;
  uint64_t carry = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()) || carry != 0; ++i) {
    carry += (i < a.size() ? a[i] : 0u);
    carry += (i < b.size() ? b[i] : 0u);
    r.push_back(static_cast<uint32_t>(carry));
    carry >>= 32;
  }
  return r;
}

// |a| >= |b|
Limbs subtract_magnitude(const Limbs& a, const Limbs& b) {
  Limbs r;
  int64_t borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t d = static_cast<int64_t>(a[i]) - (i < b.size() ? static_cast<int64_t>(b[i]) : 0) + borrow;
    borrow = d < 0 ? -1 : 0;
    r.push_back(static_cast<uint32_t>(d & 0xFFFFFFFF));
  }
  trim(r);
  return r;
}

uint32_t divide_small(Limbs& v, uint32_t by) {
  uint64_t rest = 0;
  for (size_t i = v.size(); i-- > 0;) {
    rest = rest << 32 | v[i];
    v[i] = static_cast<uint32_t>(rest / by);
    rest %= by;
  }
  trim(v);
  return static_cast<uint32_t>(rest);
}

void multiply_add_small(Limbs& v, uint32_t by, uint32_t add) {
  uint64_t carry = add;
  for (uint32_t& limb : v) {
    carry += static_cast<uint64_t>(limb) * by;
    limb = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) v.push_back(static_cast<uint32_t>(carry));
}

// Bit by bit: numbers this large are rare in templates and at most 65 536 bits, so the schoolbook's simplicity wins.
void divide_magnitude(const Limbs& a, const Limbs& b, Limbs& quotient, Limbs& rest) {
  quotient.assign(a.size(), 0);
  rest.clear();
  for (size_t i = a.size() * 32; i-- > 0;) {
    uint32_t carry = a[i / 32] >> (i % 32) & 1;
    for (uint32_t& limb : rest) {
      uint32_t high = limb >> 31;
      limb = limb << 1 | carry;
      carry = high;
    }
    if (carry != 0) rest.push_back(carry);
    if (compare_magnitude(rest, b) >= 0) {
      rest = subtract_magnitude(rest, b);
      quotient[i / 32] |= 1u << (i % 32);
    }
  }
  trim(quotient);
}

}  // namespace

BigInt BigInt::from(int64_t v) {
  BigInt r;
  r.negative = v < 0;
  uint64_t m = v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
  for (; m != 0; m >>= 32) r.limbs.push_back(static_cast<uint32_t>(m));
  return r;
}

BigInt BigInt::from(double v) {
  int exponent = 0;
  double mantissa = std::frexp(std::fabs(std::trunc(v)), &exponent);
  BigInt r;
  r.negative = v < 0;
  if (mantissa == 0) return BigInt{};
  uint64_t bits = static_cast<uint64_t>(std::ldexp(mantissa, 53));
  int shift = exponent - 53;
  if (shift <= 0) {
    bits >>= -shift;
    shift = 0;
  }
  r.limbs.assign(static_cast<size_t>(shift / 32) + 3, 0);
  for (int i = 0; i < 64; ++i)
    if (bits >> i & 1) r.limbs[static_cast<size_t>((shift + i) / 32)] |= 1u << ((shift + i) % 32);
  trim(r.limbs);
  r.negative = r.negative && !r.limbs.empty();
  return r;
}

Result<BigInt> BigInt::parse(std::string_view digits, unsigned base) {
  if (digits.size() > kMaxBits) return exhausted("an integer has {} digits", digits.size());
  Limbs limbs;
  for (char c : digits) {
    uint32_t v = c <= '9' ? static_cast<uint32_t>(c - '0') : static_cast<uint32_t>((c | 32) - 'a' + 10);
    multiply_add_small(limbs, base, v);
    trim(limbs);
  }
  return finish(false, std::move(limbs));
}

size_t BigInt::bits() const {
  if (limbs.empty()) return 0;
  size_t n = limbs.size() * 32;
  for (uint32_t top = limbs.back(); (top & 0x80000000u) == 0; top <<= 1) --n;
  return n;
}

bool BigInt::fits_int64() const {
  if (bits() < 64) return true;
  return negative && limbs.size() == 2 && limbs[1] == 0x80000000u && limbs[0] == 0;
}

int64_t BigInt::to_int64() const {
  uint64_t m = 0;
  for (size_t i = std::min<size_t>(limbs.size(), 2); i-- > 0;) m = m << 32 | limbs[i];
  return static_cast<int64_t>(negative ? 0 - m : m);
}

double BigInt::to_double() const {
  size_t n = bits();
  auto bit = [&](size_t i) { return limbs[i / 32] >> (i % 32) & 1u; };
  uint64_t top = 0;
  size_t kept = std::min<size_t>(n, 54);
  for (size_t i = 0; i < kept; ++i) top = top << 1 | bit(n - 1 - i);
  bool sticky = false;
  for (size_t i = 0; i + kept < n && !sticky; ++i) sticky = bit(i) != 0;
  int exponent = static_cast<int>(n - kept);
  if (kept == 54) {  // round to 53 bits, ties to even
    bool half = (top & 1) != 0;
    top >>= 1;
    ++exponent;
    if (half && (sticky || (top & 1))) ++top;
  }
  double v = std::ldexp(static_cast<double>(top), exponent);
  return negative ? -v : v;
}

std::string BigInt::digits(unsigned base) const {
  if (limbs.empty()) return "0";
  std::string out;
  Limbs rest = limbs;
  while (!rest.empty()) out += "0123456789abcdefghijklmnopqrstuvwxyz"[divide_small(rest, base)];
  std::reverse(out.begin(), out.end());
  return out;
}

int compare(const BigInt& a, const BigInt& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int m = compare_magnitude(a.limbs, b.limbs);
  return a.negative ? -m : m;
}

Result<BigInt> add(const BigInt& a, const BigInt& b) {
  if (a.negative == b.negative) return finish(a.negative, add_magnitude(a.limbs, b.limbs));
  if (compare_magnitude(a.limbs, b.limbs) >= 0) return finish(a.negative, subtract_magnitude(a.limbs, b.limbs));
  return finish(b.negative, subtract_magnitude(b.limbs, a.limbs));
}

Result<BigInt> subtract(const BigInt& a, const BigInt& b) {
  BigInt minus = b;
  minus.negative = !b.negative && !b.is_zero();
  return add(a, minus);
}

Result<BigInt> multiply(const BigInt& a, const BigInt& b) {
  Limbs r(a.limbs.size() + b.limbs.size(), 0);
  if (r.size() * 32 > kMaxBits + 64) return exhausted("an integer takes more than {} bits", kMaxBits);
  for (size_t i = 0; i < a.limbs.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.limbs.size() || carry != 0; ++j) {
      carry += r[i + j];
      if (j < b.limbs.size()) carry += static_cast<uint64_t>(a.limbs[i]) * b.limbs[j];
      r[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
  }
  return finish(a.negative != b.negative, std::move(r));
}

Result<BigDivision> floor_divide(const BigInt& a, const BigInt& b) {
  Limbs q, r;
  divide_magnitude(a.limbs, b.limbs, q, r);
  MAINSPRING_TRY(BigInt quotient, finish(a.negative != b.negative, std::move(q)));
  MAINSPRING_TRY(BigInt rest, finish(a.negative, std::move(r)));
  if (!rest.is_zero() && a.negative != b.negative) {
    MAINSPRING_TRY(quotient, subtract(quotient, BigInt::from(int64_t{1})));
    MAINSPRING_TRY(rest, add(rest, b));
  }
  return BigDivision{std::move(quotient), std::move(rest)};
}

Result<BigInt> power(const BigInt& base, uint64_t exponent) {
  if (base.bits() > 1 && exponent > kMaxBits) return exhausted("an integer takes more than {} bits", kMaxBits);
  BigInt result = BigInt::from(int64_t{1});
  BigInt square = base;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) {
      MAINSPRING_TRY(result, multiply(result, square));
    }
    if (exponent > 1) {
      MAINSPRING_TRY(square, multiply(square, square));
    }
  }
  return result;
}

}  // namespace mainspring::inline v0::jinja
