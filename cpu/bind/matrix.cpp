#include "cpu/bind/matrix.h"

#include <cmath>

namespace mainspring::inline v0::cpu {
namespace {

// Rough rates of one core, for cutting tiles only: a factor of two either way still gives tiles between 5 and 100 µs.
constexpr double kReadBytesPerNs = 10;
double int8_macs_per_ns(Isa isa) { return isa == Isa::scalar ? 2 : isa == Isa::avx2 ? 50 : isa == Isa::amx ? 200 : 100; }
double f32_macs_per_ns(Isa isa) { return isa == Isa::scalar ? 3 : isa == Isa::avx2 ? 18 : 30; }
constexpr double kBf16MacsPerNs = 500;  // a tile product of 8192 every 16 cycles is 1000, of which loads and sums leave half
double decoded_per_ns(const Matrix& m) { return m.qgemm ? 3 : 0.8; }

void estimate(Matrix& m) {
  const double macs = static_cast<double>(m.layout.k) * m.layout.width();
  const double bytes = m.decoded ? static_cast<double>(m.layout.row_bytes()) * m.layout.width() : static_cast<double>(m.layout.panel_bytes());
  m.read_ns = bytes / kReadBytesPerNs + (m.decoded ? macs / decoded_per_ns(m) : 0);
  m.row_ns = macs * (m.wide ? 2 : 1) / (m.qgemm ? int8_macs_per_ns(m.qgemm->isa) : m.bgemm ? kBf16MacsPerNs : f32_macs_per_ns(m.gemm->isa));
}

}  // namespace

Result<Matrix> bind_matrix(const BindRequest& q, const Operand& w, int input, DType x, IsaSet isa, KernelBinding* b) {
  if (!w.is_weight || w.dims.size() < 2) return unsupported("{}: the matrix is not a constant weight", q.node->op);
  for (const Dim& d : w.dims)
    if (!d.is_constant()) return unsupported("{}: the matrix has a symbolic extent", q.node->op);
  const BlockFormat* format = format_of(w.dtype);
  if (!format) return unsupported("{}: no decoder for weights of {}", q.node->op, name_of(w.dtype));
  Matrix m;
  const int64_t k = w.dims.back().times;
  if (k % format->block) return unsupported("{}: depth {} is no multiple of {}'s block of {}", q.node->op, k, format->name, format->block);
  const bool lowered = is_lowered_rows(x);
  if (!lowered && x != DType::f32) return unsupported("{}: activations of {}, expected f32, bf16, q8_rows or q16_rows", q.node->op, name_of(x));
  std::string why;
  const bool packed = panel_layout(w, lowered, isa, q.choices, &m.layout, &why);
  if (x == DType::bf16)
    m.bgemm = m.layout.bgemm;
  else
    m.qgemm = m.layout.qgemm;
  if (lowered && !m.qgemm && !m.bgemm) return unsupported("{}: {} with {} weights: {}", q.node->op, name_of(x), format->name, packed ? "no kernel for this pair" : why);
  b->why = std::move(why);
  m.wide = x == DType::q16_rows;
  if (!lowered) m.gemm = &select_gemm(isa);
  m.row_tile = m.qgemm ? (m.wide ? m.qgemm->row_tile_wide : m.qgemm->row_tile) : m.bgemm ? m.bgemm->row_tile : m.gemm->row_tile;
  if (!packed) {
    m.decoded = format;
    m.weights = reinterpret_cast<const std::byte*>(w.ref.offset);
    b->kernel = m.qgemm ? fmt::format("qgemm.{} {}x{}{} of source rows", m.qgemm->name, m.row_tile, m.layout.width(), m.wide ? " int16" : "")
                        : fmt::format("gemm.{} {}x16 of decoded {}", m.gemm->name, m.row_tile, format->name);
    b->bytes_read = static_cast<int64_t>(m.layout.row_bytes()) * m.layout.outputs * m.layout.matrices;
  } else {
    b->packings.push_back(packing_of(m.layout, input));
    b->kernel = m.qgemm   ? fmt::format("qgemm.{} {}x{}{}", m.qgemm->name, m.row_tile, m.layout.width(), m.wide ? " int16" : "")
                : m.bgemm ? fmt::format("bgemm.{} {}x16", m.bgemm->name, m.row_tile)
                          : fmt::format("gemm.{}.{} {}x16", m.gemm->name, format->name, m.row_tile);
    b->bytes_read = static_cast<int64_t>(m.layout.bytes());
  }
  estimate(m);
  return m;
}

void Matrix::run(int64_t index, int64_t first, int64_t count, const std::byte* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                 const float* bias, std::byte* scratch) const {
  const int64_t outputs = outputs_of(first, count);
  const int64_t panel = index * layout.panels() + first;
  if (qgemm) {
    const size_t before = decoded ? static_cast<size_t>(index * layout.outputs + first * layout.width()) * layout.row_bytes()
                                  : static_cast<size_t>(panel) * layout.panel_bytes();
    (*qgemm)({weights + before, x, x_stride, y, y_stride, bias, layout.k, rows, count, outputs, wide, scratch});
    return;
  }
  if (bgemm) {
    bgemm->run({weights + static_cast<size_t>(panel) * layout.panel_bytes(), x, x_stride, y, y_stride, bias, layout.k, rows, count, outputs});
    return;
  }
  const float* xf = reinterpret_cast<const float*>(x);
  const int64_t stride = x_stride / 4;
  if (!decoded) {
    gemm->run(layout.dtype)(
        {weights + static_cast<size_t>(panel) * layout.panel_bytes(), xf, stride, y, y_stride, bias, layout.k, rows, count, outputs});
    return;
  }
  const size_t row_bytes = layout.row_bytes();
  for (int64_t p = 0; p < count; ++p) {
    const int64_t o = p * kGemmWidth;
    const std::byte* w = weights + static_cast<size_t>(index * layout.outputs + first * kGemmWidth + o) * row_bytes;
    const int64_t valid = std::min<int64_t>(kGemmWidth, outputs - o);
    for (int64_t r = 0; r < rows; r += kGemmDecodedRows)
      gemm_decoded(*gemm,
                   {decoded, w, row_bytes, xf + r * stride, stride, y + r * y_stride + o, y_stride, bias ? bias + o : nullptr, layout.k,
                    std::min(kGemmDecodedRows, rows - r), valid},
                   scratch);
  }
}

Cut cut_of(const Matrix& m, int64_t rows, int64_t panels, int64_t copies, int workers) {
  constexpr double kLeastNs = 5'000, kCacheBytes = 192 << 10;
  if (rows <= 0) return {1, 1, 0, 0};
  // Rows: what stays in the level 2 cache while panels pass by, and what one panel can do within the time.
  const double row_bytes = static_cast<double>(m.layout.k) * (m.qgemm ? (m.wide ? 2.375 : 1.375) : m.bgemm ? 2 : 4);
  // Decoded weights: as many rows as share a decoding; of f32 rows only a stretch of kGemmChunk is in use at a time.
  const double fits = std::min(kTileNs / m.row_ns, m.decoded ? static_cast<double>(kGemmDecodedRows) : std::min(kCacheBytes / row_bytes, 64.0));
  Cut c;
  c.rows = std::max<int64_t>(m.row_tile, static_cast<int64_t>(fits) / m.row_tile * m.row_tile);
  c.row_tiles = ceil_div(rows, c.rows);
  c.rows = ceil_div(ceil_div(rows, c.row_tiles), m.row_tile) * m.row_tile;  // even tiles, whole row tiles
  c.row_tiles = ceil_div(rows, c.rows);
  // Panels: up to the time, but enough tiles to share out evenly.
  const double panel_ns = std::max(m.read_ns, 1.0) + static_cast<double>(std::min(rows, c.rows)) * m.row_ns;
  const int64_t most = std::max<int64_t>(1, static_cast<int64_t>(kTileNs / panel_ns));
  const int64_t least = static_cast<int64_t>(kLeastNs / panel_ns) + 1;
  const int64_t share = ceil_div(panels * c.row_tiles * copies, int64_t{8} * std::max(1, workers));
  c.panels = std::min({most, std::max(least, share), panels});
  c.panels = ceil_div(panels, ceil_div(panels, c.panels));
  c.panel_tiles = ceil_div(panels, c.panels);
  return c;
}

}  // namespace mainspring::inline v0::cpu
