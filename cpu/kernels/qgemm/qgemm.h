// Quantised linear layers: y = x * w^T with w in a block format and x in int8 rows.
// In: weight rows as GGUF blocks, packed once into panels; activations as q8_rows or q16_rows. Out: f32.
//
// A panel holds `width` outputs over the whole of k: first the quants of every 32 k (4 k of each output side by side, so that one
// broadcast of 4 activation bytes meets all outputs), then the scales. It holds exactly the information of the source blocks and
// serves one row and many. Outputs beyond the last are padded with zero weights.
//
// Bits do not depend on company: per output and 32-k block, in ascending k, the integer dot product is exact and is followed by one fixed
// sequence of f32 FMAs on an accumulator that lives over all of k. Row count, position in a tile and panel runs change nothing.
//
// Formats of codes times scales (lib/quant/codes.h) have no panels in memory: their source rows are read as they are, and panels of bytes are made of
// them in the worker's scratch, where they meet all rows of the tile. The same kernels run over these, with the same promise.
//
// Use: kernel = select_qgemm(dtype, k, isa, &why) at bind time; allocate panel_count(n) * kernel->panel_bytes(k) bytes, 64-byte aligned;
// kernel->pack each panel (any thread, any order); then (*kernel)(args) from as many threads as there are disjoint tiles of y. Where kernel->codes
// is not null there is nothing to pack, and args.panels are source rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/qgemm/qgemm_args.h"
#include "mainspring/types.h"
#include "quant/codes.h"

namespace mainspring::inline v0 {

struct QgemmKernel {
  const char* name;      ///< "avx2 q4_1", for explain
  Isa isa;
  DType weight;
  int width;             ///< outputs in a panel
  int row_tile;          ///< rows that are worked on together; a caller that cuts rows does well to cut at multiples of it
  int row_tile_wide;     ///< the same for q16_rows
  int64_t k_multiple;    ///< the format's block
  const CodeFormat* codes;  ///< not null: weights are source rows; panel_bytes, pack, unpack and decode_row are null
  /// Bytes of one panel, a multiple of 32 (64 for width 16).
  size_t (*panel_bytes)(int64_t k);
  /// Packs `valid_outputs` (1..width) source rows, `row_bytes` apart, into one panel; the other outputs become zero weights.
  void (*pack)(const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel);
  /// Restores the source blocks of output `row` (counted over all panels): byte for byte what was packed.
  void (*unpack)(const std::byte* panels, int64_t k, int64_t row, std::byte* blocks);
  /// Decodes weight row `row` out of the panels: the very floats that lib/quant's decoder gives (tied embeddings).
  void (*decode_row)(const std::byte* panels, int64_t k, int64_t row, float* out);
  QgemmFn run;  ///< over panels

  /// Over panels, or source rows: a.panels is then the run's first row, the others follow it, and a.scratch is needed.
  void operator()(const QgemmArgs& a) const {
    if (codes) from_rows(a);
    else run(a);
  }
  int64_t panel_count(int64_t outputs) const { return (outputs + width - 1) / width; }

 private:
  void from_rows(const QgemmArgs& a) const;  // from_rows.cpp
};

/// Every kernel, best first (kernels.inc).
std::span<const QgemmKernel> qgemm_kernels();

/// The best kernel for this weight format, k and machine, or null. `why` (may be null) tells why better ones, or all, declined.
const QgemmKernel* select_qgemm(DType weight, int64_t k, IsaSet isa, std::string* why);

/// `first` and the others that give the same bits and that this machine has, in the table's order. The scalar kernel is no peer: it is never faster.
///
/// Integer sums are exact and the f32 sequence is that of the format, whatever the registers. But VNNI, and the tiles, multiply unsigned codes: where a
/// format's are signed they add 128, which the sums give back in f32 in a place of its own. So signed formats have two classes, the others one.
std::vector<const QgemmKernel*> qgemm_peers(const QgemmKernel& first, int64_t k, IsaSet isa);
/// The class: kernels of one format give equal bits when it is equal.
int qgemm_numerics(const QgemmKernel& kernel);

/// A quantiser of rows, and of parts of rows.
struct QuantizeRow {
  QuantizeBlocksFn blocks = nullptr;
  void operator()(const float* x, int64_t k, std::byte* row) const { blocks(x, k, 0, k / 32, row); }
  explicit operator bool() const { return blocks != nullptr; }
};
/// The best quantiser to `rows` (q8_rows, q16_rows or bf16) for this machine.
QuantizeRow select_quantize(DType rows, IsaSet isa);

}  // namespace mainspring::inline v0
