// UTF-8 and the Unicode facts that Python's str methods rest on. In: bytes (valid UTF-8) or code points. Out: positions, classes, cases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainspring::inline v0::jinja {

/// The code point at text[i], which is moved past it. An invalid byte reads as itself, so that no input can stall a loop.
char32_t next_code_point(std::string_view text, size_t& i);
/// The code point that ends at text[i - 1]; i is moved to its first byte.
char32_t previous_code_point(std::string_view text, size_t& i);
void append_utf8(std::string& out, char32_t c);
int64_t count_code_points(std::string_view text);
/// Byte offset of the n-th code point (or text.size()).
size_t byte_offset(std::string_view text, int64_t n);
bool is_valid_utf8(std::string_view text);

// Classes as Python's str methods define them.
bool is_space(char32_t c);
bool is_line_break(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
bool is_printable(char32_t c);
bool is_identifier_start(char32_t c);
bool is_identifier_part(char32_t c);
inline bool is_alnum(char32_t c) { return is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c); }
inline bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }
/// 0–9 of a decimal digit in any script, else -1.
int decimal_value(char32_t c);

// Full case mapping (one code point may become three).
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);       // first letter of each run of cased characters
std::string to_capitalized(std::string_view text);  // first character titled, the rest lowered
std::string swap_case(std::string_view text);
std::string fold_case(std::string_view text);

/// Text without the white space (Python's definition) at its ends.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
/// Text without the given code points at its ends.
std::string_view strip_left(std::string_view text, std::string_view set);
std::string_view strip_right(std::string_view text, std::string_view set);

}  // namespace mainspring::inline v0::jinja
