// The constant tables that the grid formats of iq.h index. Data of the file format, in read-only memory; nothing runs at start.
// A grid row is one integer with element 0 in its lowest byte, whatever the machine's byte order.
#pragma once

#include <cstdint>

namespace mainspring::inline v0 {

/// A struct only so that a constant expression can return it; no functions, so ISA-specific sources may use it.
template <class Row, int N>
struct Grid {
  Row row[N];
};

extern const Grid<uint64_t, 2048> kGridIq1;    ///< rows of 8 signed bytes in -1, 0, 1 (iq1_s and iq1_m)
extern const Grid<uint64_t, 256> kGridIq2Xxs;  ///< rows of 8 of 8, 25, 43
extern const Grid<uint64_t, 512> kGridIq2Xs;   ///< as above
extern const Grid<uint64_t, 1024> kGridIq2S;   ///< as above
extern const Grid<uint32_t, 256> kGridIq3Xxs;  ///< rows of 4 of 4, 12, 20, 28, 36, 44, 52, 62
extern const Grid<uint32_t, 512> kGridIq3S;    ///< rows of 4 odd numbers in 1..15
extern const Grid<uint8_t, 128> kSignBytes;    ///< a 7-bit code and above it the bit that makes the number of ones even
extern const int8_t kIq4Values[16];            ///< iq4_nl and iq4_xs

}  // namespace mainspring::inline v0
