// A template's text in; its tokens out, with white space already trimmed as trim_blocks, lstrip_blocks and the '-' and '+' marks say.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/result.h"

namespace mainspring::inline v0::jinja {

enum class TokenType : uint8_t {
  data,
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  string,
  integer,
  real,
  op,  ///< an operator or bracket: `text` is it
  end,
};

struct Token {
  TokenType type = TokenType::end;
  uint32_t at = 0;        ///< byte offset in the source
  std::string_view text;  ///< of a string: its value; of a number: digits without underscores
};

/// The source as Jinja sees it (line ends are \n, one at the very end is dropped), its tokens, and the text of unescaped strings.
struct TokenStream {
  std::string source;
  std::deque<std::string> strings;  // a deque: tokens hold views into it
  std::vector<Token> tokens;        // ends with TokenType::end
};

struct Position {
  int64_t line = 1, column = 1;  ///< from 1; the column counts code points
};
Position position_of(std::string_view source, uint32_t at);
/// invalid_argument "line L, column C: …".
Error error_at(std::string_view source, uint32_t at, std::string_view what);

/// Fills `out`. Errors: invalid_argument (an unclosed tag, comment, string or bracket; an unknown character or escape).
Result<void> tokenize(std::string_view text, TokenStream& out);

}  // namespace mainspring::inline v0::jinja
