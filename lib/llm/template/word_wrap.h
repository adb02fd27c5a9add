// Python's textwrap.wrap(text, expand_tabs=False, replace_whitespace=False). In: one paragraph. Out: its lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainspring::inline v0::jinja {

struct WrapOptions {
  int64_t width = 79;  ///< > 0
  bool break_long_words = true;
  bool break_on_hyphens = true;
};
std::vector<std::string> wrap_words(std::string_view text, const WrapOptions& options);

}  // namespace mainspring::inline v0::jinja
