// Formats whose weights are small integers times scales, and whose blocks are too dense to multiply with as they are. In: a block, at any
// address. Out: a weight's integer as a code that is not negative, and the scales: weight = scale * (code - offset), exact in f32. Kernels need no
// other idea of these formats, and their decoders are made of the same functions.
#pragma once

#include <cstdint>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct CodeFormat {
  DType dtype;
  int span;    ///< weights of a scale: 16 or 32
  int offset;  ///< below 64
  int most;    ///< the greatest code, at most 127
  /// One block: info_of(dtype).block codes, and a scale for each `span` of them. Total, as decode is (quant.h).
  void (*split)(const void* block, uint8_t* codes, float* scales);
};

#define MAINSPRING_CODE_FORMAT(type, span, offset, most) void split_##type(const void* block, uint8_t* codes, float* scales);
#include "quant/codes.inc"
#undef MAINSPRING_CODE_FORMAT

inline constexpr CodeFormat kCodeFormats[] = {
#define MAINSPRING_CODE_FORMAT(type, span, offset, most) {DType::type, span, offset, most, split_##type},
#include "quant/codes.inc"
#undef MAINSPRING_CODE_FORMAT
};

/// Null for a format that is none of them.
constexpr const CodeFormat* code_format_of(DType dtype) {
  for (const CodeFormat& f : kCodeFormats)
    if (f.dtype == dtype) return &f;
  return nullptr;
}

}  // namespace mainspring::inline v0
