// The int8 peak of AMX. Apart from roof.cpp, which needs nothing of the system.
#pragma once

#include <cstdint>

namespace mainspring::roof {

/// Has this processor int8 tiles, and may this process use them? Asks Linux for that.
bool has_amx();
/// Ten tile products, n times. Only where has_amx().
void int8_amx(int64_t n);
/// Sixteen rows of 64 k by sixteen columns, multiplied and added.
inline constexpr double kAmxOps = 16 * 64 * 16 * 2;

}  // namespace mainspring::roof
