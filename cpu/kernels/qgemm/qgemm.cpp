#include "cpu/kernels/qgemm/qgemm.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "cpu/kernels/qgemm/formats.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {

#define MAINSPRING_QGEMM(isa, dtype, Format, width, row_tile) void qgemm_##isa##_##dtype(const QgemmArgs&);
#define MAINSPRING_QGEMM_ROWS(isa, dtype, plain, width, row_tile) void qgemm_##isa##_##plain(const QgemmArgs&);
#include "cpu/kernels/qgemm/kernels.inc"
#undef MAINSPRING_QGEMM_ROWS
#undef MAINSPRING_QGEMM
void quantize_q8_avx2(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row);
void quantize_q16_avx2(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row);
void quantize_bf16_avx2(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row);

namespace {

using qgemm::Codes;
using qgemm::Record;

const uint8_t* bytes(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }
uint8_t* bytes(std::byte* p) { return reinterpret_cast<uint8_t*>(p); }

template <class F, int W>
size_t panel_bytes(int64_t k) {
  return qgemm::panel_size<F>(W, k);
}

template <class F, int W>
void pack(const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel) {
  constexpr PanelLayout layout = F::kLayout;
  constexpr int subs = layout.unit / 32;
  const int64_t units = k / layout.unit;
  std::memset(panel, 0, layout.scales % 4 == 0 ? 0 : panel_bytes<F, W>(k));  // what rounds records up is zero
  const uint8_t nothing[F::kBlock] = {};  // all bytes zero decode to zero in every format, so does the padding
  for (int o = 0; o < W; ++o) {
    const uint8_t* block = o < valid_outputs ? bytes(rows) + static_cast<size_t>(o) * row_bytes : nothing;
    for (int64_t u = 0; u < units; ++u) {
      const qgemm::Place at = qgemm::place_of<F>(W, k, u);
      F::put(block, Record<uint8_t>{bytes(panel) + at.record, W, o});
      for (int sub = 0; sub < subs; ++sub) {
        Codes c;
        F::load(block, sub, c);
        qgemm::put_codes<F>(bytes(panel) + at.quants + sub * layout.quants * W, W, o, c);
      }
      if (o < valid_outputs) block += F::kBlock;
    }
  }
}

// Source block `unit` of output o of one panel.
template <class F, int W>
void unpack_block(const uint8_t* panel, int64_t k, int o, int64_t unit, uint8_t* block) {
  constexpr PanelLayout layout = F::kLayout;
  constexpr int subs = layout.unit / 32;
  std::memset(block, 0, F::kBlock);
  const qgemm::Place at = qgemm::place_of<F>(W, k, unit);
  F::get(block, Record<const uint8_t>{panel + at.record, W, o});
  for (int sub = 0; sub < subs; ++sub) {
    Codes c;
    qgemm::get_codes<F>(panel + at.quants + sub * layout.quants * W, W, o, c);
    F::store(block, sub, c);
  }
}

template <class F, int W>
void unpack(const std::byte* panels, int64_t k, int64_t row, std::byte* blocks) {
  const uint8_t* panel = bytes(panels) + static_cast<size_t>(row / W) * panel_bytes<F, W>(k);
  for (int64_t u = 0; u < k / F::kLayout.unit; ++u)
    unpack_block<F, W>(panel, k, static_cast<int>(row % W), u, bytes(blocks) + static_cast<size_t>(u) * F::kBlock);
}

template <class F, int W, DType T>
void decode_row(const std::byte* panels, int64_t k, int64_t row, float* out) {
  const uint8_t* panel = bytes(panels) + static_cast<size_t>(row / W) * panel_bytes<F, W>(k);
  const BlockFormat* format = format_of(T);
  uint8_t block[F::kBlock];
  for (int64_t u = 0; u < k / F::kLayout.unit; ++u) {
    unpack_block<F, W>(panel, k, static_cast<int>(row % W), u, block);
    format->decode(block, F::kLayout.unit, out + u * F::kLayout.unit);
  }
}

#define MAINSPRING_QGEMM(isa, dtype, Format, width, row_tile)                                                                         \
  {#isa " " #dtype, Isa::isa, DType::dtype, width, row_tile, row_tile > 1 ? row_tile / 2 : 1, qgemm::Format::kLayout.unit, nullptr, panel_bytes<qgemm::Format, width>, \
   pack<qgemm::Format, width>, unpack<qgemm::Format, width>, decode_row<qgemm::Format, width, DType::dtype>, qgemm_##isa##_##dtype},
#define MAINSPRING_QGEMM_ROWS(isa, dtype, plain, width, row_tile)                                                                     \
  {#isa " " #dtype, Isa::isa, DType::dtype, width, row_tile, row_tile > 1 ? row_tile / 2 : 1, info_of(DType::dtype).block, code_format_of(DType::dtype), \
   nullptr, nullptr, nullptr, nullptr, qgemm_##isa##_##plain},
constexpr QgemmKernel kKernels[] = {
#include "cpu/kernels/qgemm/kernels.inc"
};
#undef MAINSPRING_QGEMM_ROWS
#undef MAINSPRING_QGEMM

// Each format of codes has a kernel that its codes and scales suit.
constexpr struct {
  int max, scales;
} plain15x1{15, 1}, plain31x1{31, 1}, plain127x1{127, 1}, plain31x2{31, 2}, plain127x2{127, 2};
#define MAINSPRING_QGEMM(isa, dtype, Format, width, row_tile)
#define MAINSPRING_QGEMM_ROWS(isa, dtype, plain, width, row_tile) \
  static_assert(code_format_of(DType::dtype)->most <= plain.max && 32 / code_format_of(DType::dtype)->span == plain.scales);
#include "cpu/kernels/qgemm/kernels.inc"
#undef MAINSPRING_QGEMM_ROWS
#undef MAINSPRING_QGEMM

template <DType rows>
void quantize_scalar(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row) {
  quantise_blocks(rows, x, k, first, count, row);
}

}  // namespace

std::span<const QgemmKernel> qgemm_kernels() { return kKernels; }

const QgemmKernel* select_qgemm(DType weight, int64_t k, IsaSet isa, std::string* why) {
  bool known = false;
  for (const QgemmKernel& kernel : kKernels) {
    if (kernel.weight != weight) continue;
    known = true;
    const char* separator = why && !why->empty() ? "; " : "";
    if (!isa.has(kernel.isa)) {
      if (why) *why += fmt::format("{}{}: not on this machine or above the cap", separator, kernel.name);
      continue;
    }
    if (k <= 0 || k % kernel.k_multiple != 0) {
      if (why) *why += fmt::format("{}{}: k = {}, needs a multiple of {}", separator, kernel.name, k, kernel.k_multiple);
      continue;
    }
    return &kernel;
  }
  if (!known && why) *why += fmt::format("qgemm: no kernel for weights in {}", name_of(weight));
  return nullptr;
}

int qgemm_numerics(const QgemmKernel& kernel) {
  const bool signed_codes = kernel.weight == DType::q8_0 || kernel.weight == DType::iq4_nl || kernel.weight == DType::iq4_xs;
  return signed_codes && kernel.isa != Isa::scalar && kernel.isa != Isa::avx2 ? 1 : 0;
}

std::vector<const QgemmKernel*> qgemm_peers(const QgemmKernel& first, int64_t k, IsaSet isa) {
  std::vector<const QgemmKernel*> peers = {&first};
  for (const QgemmKernel& kernel : kKernels)
    if (&kernel != &first && kernel.weight == first.weight && kernel.isa != Isa::scalar && isa.has(kernel.isa) && k % kernel.k_multiple == 0 &&
        qgemm_numerics(kernel) == qgemm_numerics(first))
      peers.push_back(&kernel);
  return peers;
}

QuantizeRow select_quantize(DType rows, IsaSet isa) {
  if (rows == DType::bf16) return {isa.has(Isa::avx2) ? quantize_bf16_avx2 : quantize_scalar<DType::bf16>};
  if (rows == DType::q16_rows) return {isa.has(Isa::avx2) ? quantize_q16_avx2 : quantize_scalar<DType::q16_rows>};
  return {isa.has(Isa::avx2) ? quantize_q8_avx2 : quantize_scalar<DType::q8_rows>};
}

}  // namespace mainspring::inline v0
