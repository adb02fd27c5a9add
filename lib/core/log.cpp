#include "core/log.h"

#include <cstdio>

namespace mainspring::inline v0 {

void write_log(const Context::Impl& context, Level level, std::string_view line) {
  const ContextOptions& options = context.options();
  if (options.log) {
    options.log(options.log_user, level, line);
    return;
  }
  // Only where MAINSPRING_LOG asked for it. One fwrite, so that lines of several threads don't mix.
  constexpr const char* names[] = {"debug", "info", "warning", "error"};
  const std::string text = fmt::format("mainspring {}: {}\n", names[static_cast<int>(level)], line);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace mainspring::inline v0
