// Integers of any size, as Python has them: 64 bits where they fit, else limbs. In: two operands. Out: the exact result, or
// resource_exhausted beyond 65 536 bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/result.h"

namespace mainspring::inline v0::jinja {

/// Sign and magnitude; limbs are little-endian base 2^32 without leading zeros; zero has none and is not negative.
struct BigInt {
  bool negative = false;
  std::vector<uint32_t> limbs;

  static BigInt from(int64_t v);
  /// Exact integer part of a finite double.
  static BigInt from(double v);
  /// Digits of that base (2–36), already checked.
  static Result<BigInt> parse(std::string_view digits, unsigned base);

  [[nodiscard]] bool is_zero() const { return limbs.empty(); }
  [[nodiscard]] size_t bits() const;
  [[nodiscard]] bool fits_int64() const;
  [[nodiscard]] int64_t to_int64() const;  ///< only where it fits
  /// Nearest double, ties to even; infinity where it is too large.
  [[nodiscard]] double to_double() const;
  [[nodiscard]] std::string digits(unsigned base) const;  ///< without sign
};

/// -1, 0, 1.
int compare(const BigInt& a, const BigInt& b);
Result<BigInt> add(const BigInt& a, const BigInt& b);
Result<BigInt> subtract(const BigInt& a, const BigInt& b);
Result<BigInt> multiply(const BigInt& a, const BigInt& b);
struct BigDivision {
  BigInt quotient, remainder;
};
/// Rounds toward minus infinity; the remainder has the divisor's sign. The divisor is not zero.
Result<BigDivision> floor_divide(const BigInt& a, const BigInt& b);
Result<BigInt> power(const BigInt& base, uint64_t exponent);

}  // namespace mainspring::inline v0::jinja
