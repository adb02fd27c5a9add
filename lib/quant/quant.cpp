#include "quant/quant.h"

#include <cstring>

#include "quant/half.h"
#include "quant/iq.h"
#include "quant/k_quants.h"
#include "quant/mxfp4.h"
#include "quant/q4_q5_q8.h"
#include "quant/ternary.h"

namespace mainspring::inline v0 {
namespace {

void decode_f32(const void* in, int64_t n, float* out) {
  if (n > 0) std::memcpy(out, in, static_cast<size_t>(n) * 4);
}
bool encode_f32(const float* in, int64_t n, void* out) {
  if (n > 0) std::memcpy(out, in, static_cast<size_t>(n) * 4);
  return n >= 0;
}

template <float (*Convert)(uint16_t)>
void decode_16(const void* in, int64_t n, float* out) {
  const Le16* words = static_cast<const Le16*>(in);
  for (int64_t i = 0; i < n; ++i) out[i] = Convert(bits_of(words[i]));
}
template <uint16_t (*Convert)(float)>
bool encode_16(const float* in, int64_t n, void* out) {
  Le16* words = static_cast<Le16*>(out);
  for (int64_t i = 0; i < n; ++i) words[i] = le16_of(Convert(in[i]));
  return n >= 0;
}

constexpr BlockFormat kScalars[] = {
    {DType::f32, 0, name_of(DType::f32), 1, 4, decode_f32, encode_f32},
    {DType::f16, 1, name_of(DType::f16), 1, 2, decode_16<f16_to_f32>, encode_16<f32_to_f16>},
    {DType::bf16, 30, name_of(DType::bf16), 1, 2, decode_16<bf16_to_f32>, encode_16<f32_to_bf16>},
};

// Rows stand in the order of DType from q4_0 on, so that a dtype is an index; checked below.
constexpr BlockFormat kBlocks[] = {
#define MAINSPRING_BLOCK_FORMAT(type, number, pod, encoder) \
  {DType::type, number, name_of(DType::type), info_of(DType::type).block, static_cast<int>(sizeof(pod)), decode_##type, encoder},
#include "quant/formats.inc"
#undef MAINSPRING_BLOCK_FORMAT
};

constexpr int kFirst = static_cast<int>(DType::q4_0);
constexpr int kCount = static_cast<int>(DType::q8_rows) - kFirst;
constexpr bool table_fits_dtypes() {
  if (static_cast<int>(sizeof(kBlocks) / sizeof(*kBlocks)) != kCount) return false;
  for (int i = 0; i < kCount; ++i)
    if (static_cast<int>(kBlocks[i].dtype) != kFirst + i || kBlocks[i].bytes != info_of(kBlocks[i].dtype).bytes) return false;
  return true;
}
static_assert(table_fits_dtypes(), "formats.inc and DType disagree in order or size");

struct PlainType {
  uint32_t number;
  DType dtype;
};
constexpr PlainType kPlain[] = {{24, DType::i8}, {25, DType::i16}, {26, DType::i32}, {27, DType::i64}, {28, DType::f64}};

}  // namespace

const BlockFormat* format_of(DType dtype) {
  const int i = static_cast<int>(dtype) - kFirst;
  if (i >= 0 && i < kCount) return &kBlocks[i];
  for (const BlockFormat& f : kScalars)
    if (f.dtype == dtype) return &f;
  return nullptr;
}

std::optional<DType> dtype_of_gguf(uint32_t ggml_type) {
  for (const BlockFormat& f : kScalars)
    if (static_cast<uint32_t>(f.gguf_type) == ggml_type) return f.dtype;
  for (const BlockFormat& f : kBlocks)
    if (static_cast<uint32_t>(f.gguf_type) == ggml_type) return f.dtype;
  for (const PlainType& p : kPlain)
    if (p.number == ggml_type) return p.dtype;
  return std::nullopt;
}

}  // namespace mainspring::inline v0
