// Where things lie inside a panel. Constants only (internal linkage): shared by packing, by the scalar kernel and by the ISA files.
//
// A panel is read from front to back once (two streams cost a third of the read bandwidth). It is a row of groups, each `group` units of k
// (fewer in the last): first their scale records, `scales * width` bytes each, together rounded up to 4 * width; then for every 32 k
// `quants * width` bytes. So everything but a record begins at a multiple of 4 * width bytes, and whole vector loads stay in a cache line.
//
// The quants of 32 k are rows of `width` words of 4 bytes, the word of output o at o; byte t of a word belongs to k = 4g + t of "code
// group" g (0..7):
//   nibbles  4 rows: row j holds code group j in the low and j + 4 in the high nibbles
//   bits     1 row:  bit g belongs to code group g (the fifth bit of 5-bit, the third of 3-bit codes)
//   crumbs   2 rows: row v holds code groups 4v..4v+3 in bit pairs 0..3 (the low two bits of 2- and 3-bit, the top two of 6-bit codes)
//   bytes    8 rows: row g holds code group g
// A record is a list of items, each `width` wide: see the formats below.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

struct PanelLayout {
  int unit;    // k that one scale record covers
  int group;   // units whose records stand together
  int quants;  // bytes an output takes for 32 k
  int scales;  // bytes an output takes for one unit
};

constexpr PanelLayout kLayoutQ4_0{32, 2, 16, 2};     // nibbles | d f16
constexpr PanelLayout kLayoutQ4_1{32, 1, 16, 4};     // nibbles | d f16, m f16
constexpr PanelLayout kLayoutQ5_0{32, 2, 20, 2};     // nibbles bits | d f16
constexpr PanelLayout kLayoutQ5_1{32, 1, 20, 4};     // nibbles bits | d f16, m f16
constexpr PanelLayout kLayoutQ8_0{32, 2, 32, 2};     // bytes | d f16
constexpr PanelLayout kLayoutIq4Nl{32, 2, 16, 2};    // nibbles | d f16
constexpr PanelLayout kLayoutMxfp4{32, 4, 16, 1};    // nibbles | e u8
constexpr PanelLayout kLayoutQ2K{256, 1, 8, 20};     // crumbs | 16 x (scale in the low, min in the high nibble), d f16, dmin f16
constexpr PanelLayout kLayoutQ3K{256, 1, 12, 18};    // crumbs bits | 16 x scale i8, d f16
constexpr PanelLayout kLayoutQ4K{256, 1, 16, 20};    // nibbles | 8 x (scale u8, min u8), d f16, dmin f16
constexpr PanelLayout kLayoutQ5K{256, 1, 20, 20};    // nibbles bits | 8 x (scale u8, min u8), d f16, dmin f16
constexpr PanelLayout kLayoutQ6K{256, 1, 24, 18};    // nibbles crumbs | 16 x scale i8, d f16
constexpr PanelLayout kLayoutIq4Xs{256, 1, 16, 10};  // nibbles | 8 x scale i8, d f16

// A plain panel, what run.h and from_rows.cpp make of others: bytes | floats d0 (k 0..15, or all 32), m0, d1, m1, of which a format has the first.
constexpr PanelLayout plain_layout(int floats) { return {32, 1, 32, 4 * floats}; }

// The signed values behind the 4-bit codes of iq4_nl and iq4_xs, and of mxfp4 (in halves).
constexpr int8_t kPanelIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr int8_t kPanelIq4Raised[16] = {1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15};  // plus 128, as bytes
constexpr int8_t kPanelMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace mainspring::inline v0
