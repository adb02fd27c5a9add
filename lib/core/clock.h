// The clock that deadlines are told in (StopConditions::deadline_ns). Session sets them, the executor reads it between tiles: both ask here.
#pragma once

#include <chrono>
#include <cstdint>

namespace mainspring::inline v0 {

/// Nanoseconds of the steady clock.
inline int64_t now_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace mainspring::inline v0
