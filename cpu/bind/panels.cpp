#include "cpu/bind/linear.h"

#include <algorithm>

#include "core/checked.h"
#include "cpu/bind/rows.h"

namespace mainspring::inline v0::cpu {
namespace {

/// About this many source bytes are packed at a time: work enough for a thread, and pages of the source are given back in steps of it.
constexpr int64_t kPieceBytes = 512 << 10;

struct PackJob {
  PanelLayout layout;
  int64_t panels_per_piece = 1;
};

struct PanelSpan {
  int64_t first, last;
};

int64_t all_panels(const PanelLayout& l) { return l.panels() * l.matrices; }
PanelSpan piece_of(const PackJob& job, int64_t piece) {
  const int64_t first = piece * job.panels_per_piece;
  return {first, std::min(first + job.panels_per_piece, all_panels(job.layout))};
}

void pack_piece(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const PackJob& job = *static_cast<const PackJob*>(user);
  const PanelLayout& l = job.layout;
  const size_t row_bytes = l.row_bytes();
  const PanelSpan span = piece_of(job, piece);
  for (int64_t i = span.first; i < span.last; ++i) {
    const int64_t matrix = i / l.panels(), output = i % l.panels() * l.width();
    const int64_t valid = std::min<int64_t>(l.width(), l.outputs - output);
    const std::byte* rows = source + static_cast<size_t>(matrix * l.outputs + output) * row_bytes;
    std::byte* panel = panels + static_cast<size_t>(i) * l.panel_bytes();
    if (l.qgemm)
      l.qgemm->pack(rows, row_bytes, valid, l.k, panel);
    else if (l.bgemm)
      bgemm_pack(rows, row_bytes, valid, l.k, panel);
    else
      gemm_pack(l.dtype, rows, row_bytes, valid, l.k, panel);
  }
}

// Source rows before panel i.
int64_t rows_before(const PanelLayout& l, int64_t i) { return i / l.panels() * l.outputs + std::min(i % l.panels() * l.width(), l.outputs); }

std::pair<size_t, size_t> piece_reads(const void* user, int64_t piece) {
  const PackJob& job = *static_cast<const PackJob*>(user);
  const PanelSpan span = piece_of(job, piece);
  const size_t first = static_cast<size_t>(rows_before(job.layout, span.first)), last = static_cast<size_t>(rows_before(job.layout, span.last));
  return {first * job.layout.row_bytes(), (last - first) * job.layout.row_bytes()};
}

}  // namespace

size_t PanelLayout::row_bytes() const { return static_cast<size_t>(row_bytes_of(dtype, k)); }

std::string PanelLayout::name() const {
  if (qgemm) return fmt::format("qgemm {}", qgemm->name);
  return fmt::format("{}16 {}", bgemm ? "pairs" : "panels", name_of(dtype));  // the same bytes for every instruction set
}

bool takes_lowered(DType weight, int64_t k, IsaSet isa) {
  return select_qgemm(weight, k, isa, nullptr) != nullptr || select_bgemm(weight, k, isa, nullptr) != nullptr;
}

bool panel_layout(const Operand& w, bool lowered, IsaSet isa, Choices* choices, PanelLayout* out, std::string* why) {
  const size_t rank = w.dims.size();
  *out = {.dtype = w.dtype, .outputs = w.dims[rank - 2].times, .k = w.dims[rank - 1].times};
  for (size_t i = 0; i + 2 < rank; ++i) out->matrices *= w.dims[i].times;
  if (!lowered) return gemm_packs(w.dtype);
  if (w.dtype == DType::bf16)
    out->bgemm = select_bgemm(w.dtype, out->k, isa, why);
  else
    out->qgemm = select_qgemm(w.dtype, out->k, isa, why);
  const bool packs = out->qgemm != nullptr && !out->qgemm->codes;
  if (packs && choices != nullptr) out->qgemm = measured_qgemm(*out->qgemm, out->outputs, out->k, isa, *choices, why);
  return packs || out->bgemm != nullptr;
}

Packing packing_of(const PanelLayout& layout, int input) {
  auto job = std::make_shared<PackJob>();
  job->layout = layout;
  const int64_t source_bytes = static_cast<int64_t>(layout.row_bytes()) * layout.width();
  job->panels_per_piece = std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, source_bytes));
  Packing p;
  p.input = input;
  p.layout = layout.name();
  p.bytes = layout.bytes();
  p.pieces = ceil_div(all_panels(layout), job->panels_per_piece);
  p.pack = pack_piece;
  p.reads = piece_reads;
  p.user = std::move(job);
  return p;
}

}  // namespace mainspring::inline v0::cpu
