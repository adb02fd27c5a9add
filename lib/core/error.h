// One-line construction of errors with fmt: `return corrupt("gguf: magic is {:#x}, expected 'GGUF'", magic);`
// In: a format string. Out: an Error that converts to any Result. Message style: lower case, no final period, what + got + expected + where.
#pragma once

#include <fmt/format.h>

#include "mainspring/result.h"

namespace mainspring::inline v0 {

#define MAINSPRING_ERROR_MAKER(name, code_)                                        \
  template <class... Args>                                                         \
  Error name(fmt::format_string<Args...> text, Args&&... args) {                   \
    return Error{Errc::code_, fmt::format(text, std::forward<Args>(args)...)};     \
  }
MAINSPRING_ERROR_MAKER(invalid, invalid_argument)
MAINSPRING_ERROR_MAKER(corrupt, corrupt_data)
MAINSPRING_ERROR_MAKER(unsupported, unsupported)
MAINSPRING_ERROR_MAKER(not_found, not_found)
MAINSPRING_ERROR_MAKER(out_of_memory, out_of_memory)
MAINSPRING_ERROR_MAKER(exhausted, resource_exhausted)
MAINSPRING_ERROR_MAKER(io_error, io_error)
MAINSPRING_ERROR_MAKER(cancelled, cancelled)
MAINSPRING_ERROR_MAKER(internal_error, internal)
#undef MAINSPRING_ERROR_MAKER

/// Puts context before an error's message, once per room.
inline Error within(std::string_view where, Error e) {
  e.message = fmt::format("{}: {}", where, e.message);
  return e;
}

/// A name from a file as a message may show it: short and printable.
inline std::string shown(std::string_view name) {
  std::string text(name.substr(0, 80));
  for (char& c : text)
    if (c < 0x20 || c > 0x7e) c = '?';
  if (name.size() > text.size()) text += "...";
  return text;
}

}  // namespace mainspring::inline v0
