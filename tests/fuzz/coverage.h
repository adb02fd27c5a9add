// Which code an input reached, from gcc's or clang's -fsanitize-coverage=trace-pc. One thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fuzz {

/// Forgets what has run since the last call. True when a step from one block of code to another was new, or was made a new number of times (of
/// 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more).
bool saw_something_new();
/// How many different steps there have been.
size_t steps_seen();

}  // namespace fuzz
