// Classes of characters by Unicode. In: code points. Out: one class each; ASCII by table, the rest by utf8proc.
#pragma once

#include <array>
#include <cstdint>

namespace mainspring::inline v0 {

/// Disjoint. Upper has Unicode's Lu and Lt, letter what has no case, digit Nd, number the
/// other numbers. White space is Unicode White_Space (as Rust's and Python's regex \s), taken out of the categories it lies in.
enum class CharClass : uint8_t { upper, lower, letter, digit, number, space, mark, punctuation, symbol, control, other };

CharClass class_of_unicode(uint32_t code_point);

namespace detail {
constexpr std::array<CharClass, 128> ascii_classes() {
  std::array<CharClass, 128> t{};
  for (uint32_t c = 0; c < 128; ++c) {
    const bool symbol = c == '$' || c == '+' || (c >= '<' && c <= '>') || c == '^' || c == '`' || c == '|' || c == '~';
    t[c] = c >= 'A' && c <= 'Z'                  ? CharClass::upper
           : c >= 'a' && c <= 'z'                ? CharClass::lower
           : c >= '0' && c <= '9'                ? CharClass::digit
           : c == ' ' || (c >= '\t' && c <= '\r') ? CharClass::space
           : c < 32 || c == 127                  ? CharClass::control
           : symbol                              ? CharClass::symbol
                                                 : CharClass::punctuation;
  }
  return t;
}
}  // namespace detail
inline constexpr std::array<CharClass, 128> kAsciiClasses = detail::ascii_classes();

inline CharClass class_of(uint32_t code_point) { return code_point < 128 ? kAsciiClasses[code_point] : class_of_unicode(code_point); }

}  // namespace mainspring::inline v0
