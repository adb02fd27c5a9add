// Plain panels made of source rows, and the kernel's run over them. 256 k of all outputs at a time, so that what is written stays in the nearest
// cache while the outputs' words come to stand side by side.
#include <algorithm>

#include "cpu/kernels/qgemm/formats.h"
#include "cpu/kernels/qgemm/qgemm.h"

namespace mainspring::inline v0 {
namespace {

using qgemm::Codes;
using qgemm::Factors;

/// One source block becomes output o of the 32-k blocks from `to` on.
template <int scales>
void put_block(const CodeFormat& format, int block, const std::byte* from, int width, int o, uint8_t* to) {
  using Plain = qgemm::Plain<scales>;
  const int64_t record = qgemm::records_bytes<Plain>(1) * width;
  uint8_t codes[256];
  float d[16];
  format.split(from, codes, d);
  const auto offset = static_cast<float>(-format.offset);
  for (int b = 0; b < block / 32; ++b, to += record + 32 * width) {
    Factors f = {};
    for (int i = 0; i < scales; ++i) f.d[i] = d[scales * b + i], f.m[i] = offset * f.d[i];
    Plain::put(f, {to, width, o});
    Codes c;
    std::memcpy(c.w, codes + 32 * b, 32);
    qgemm::put_codes<Plain>(to + record, width, o, c);
  }
}

/// The panel of `valid` outputs whose rows begin at `rows`; the others are zero.
template <int scales>
void put_panel(const CodeFormat& format, const std::byte* rows, int64_t valid, int64_t k, int width, uint8_t* panel) {
  using Plain = qgemm::Plain<scales>;
  const DTypeInfo info = info_of(format.dtype);
  const int64_t blocks = k / info.block;
  const auto stride = static_cast<size_t>(qgemm::panel_size<Plain>(width, info.block));
  if (valid < width) std::memset(panel, 0, static_cast<size_t>(blocks) * stride);
  for (int64_t b = 0; b < blocks; ++b, panel += stride)
    for (int64_t o = 0; o < valid; ++o) put_block<scales>(format, info.block, rows + (o * blocks + b) * info.bytes, width, static_cast<int>(o), panel);
}

}  // namespace

void QgemmKernel::from_rows(const QgemmArgs& a) const {
  const DTypeInfo info = info_of(weight);
  const int64_t row_bytes = a.k / info.block * info.bytes;
  const bool two = codes->span == 16;
  const size_t bytes = two ? qgemm::panel_size<qgemm::Plain<2>>(width, a.k) : qgemm::panel_size<qgemm::Plain<1>>(width, a.k);
  auto* panels = reinterpret_cast<uint8_t*>(a.scratch);
  QgemmArgs part = a;
  part.panels = a.scratch;
  const int64_t together = a.rows > 1 ? 2 : 1;  // as many as scratch holds and a kernel takes at once
  for (int64_t p = 0; p < a.panels_count; p += part.panels_count) {
    const int64_t first = p * width;
    part.panels_count = std::min(together, a.panels_count - p);
    part.outputs = std::min(part.panels_count * width, a.outputs - first);
    part.y = a.y + first;
    part.bias = a.bias ? a.bias + first : nullptr;
    for (int64_t i = 0; i < part.panels_count; ++i)
      (two ? put_panel<2> : put_panel<1>)(*codes, a.panels + (first + i * width) * row_bytes, std::min<int64_t>(width, part.outputs - i * width), a.k, width,
                                          panels + static_cast<size_t>(i) * bytes);
    run(part);
  }
}

}  // namespace mainspring::inline v0
