// Log lines. In: a level and a fmt string. Out: the host's sink, or silence. Formatting happens only for lines that someone wants.
#pragma once

#include <fmt/format.h>

#include "core/context_impl.h"

namespace mainspring::inline v0 {

/// Hands a finished line to the sink of `context`. Callers use log().
void write_log(const Context::Impl& context, Level level, std::string_view line);

/// log(context, Level::info, "kv cache: {} bytes", n). Any thread; one line for each call.
template <class... Args>
void log(const Context::Impl& context, Level level, fmt::format_string<Args...> text, Args&&... args) {
  if (!context.logs(level)) return;
  const std::string line = fmt::format(text, std::forward<Args>(args)...);
  write_log(context, level, line);
}
template <class... Args>
void log(const Context& context, Level level, fmt::format_string<Args...> text, Args&&... args) {
  log(*context.impl(), level, text, std::forward<Args>(args)...);
}

}  // namespace mainspring::inline v0
