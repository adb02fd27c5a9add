#include "quant/codes.h"

#include "quant/iq.h"
#include "quant/ternary.h"

namespace mainspring::inline v0 {
namespace {

void decode(const CodeFormat& f, const void* blocks, int64_t n, float* out) {
  const DTypeInfo info = info_of(f.dtype);
  const uint8_t* block = static_cast<const uint8_t*>(blocks);
  uint8_t codes[256];
  float scales[16];
  for (int64_t left = n / info.block; left > 0; --left, block += info.bytes, out += info.block) {
    f.split(block, codes, scales);
    for (int i = 0; i < info.block; ++i) out[i] = scales[i / f.span] * static_cast<float>(codes[i] - f.offset);
  }
}

}  // namespace

#define MAINSPRING_CODE_FORMAT(type, span, offset, most) \
  void decode_##type(const void* blocks, int64_t n, float* out) { decode(*code_format_of(DType::type), blocks, n, out); }
#include "quant/codes.inc"
#undef MAINSPRING_CODE_FORMAT

}  // namespace mainspring::inline v0
