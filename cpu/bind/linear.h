// What passes and other binders may ask about linear layers. In: a weight's format and the machine. Out: which layout its panels would have.
#pragma once

#include <string>

#include "cpu/kernels/bgemm/bgemm.h"
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/kernels/qgemm/qgemm.h"
#include "mainspring/ext/provider.h"

namespace mainspring::inline v0::cpu {

/// True when a linear layer with this weight format and depth takes lowered activations, bf16 with bf16 weights, else q8_rows and q16_rows: then the
/// default arithmetic has them.
bool takes_lowered(DType weight, int64_t k, IsaSet isa);

/// Panels of weights [matrices, outputs, k]: panels of one matrix follow each other, matrices do not share panels.
struct PanelLayout {
  const QgemmKernel* qgemm = nullptr;  ///< the kernel, where the panels are its own
  const BgemmKernel* bgemm = nullptr;  ///< the same; both null: float panels, which any gemm reads
  DType dtype = DType::f32;
  int64_t matrices = 1, outputs = 0, k = 0;
  int width() const { return qgemm ? qgemm->width : kGemmWidth; }
  size_t panel_bytes() const { return qgemm ? qgemm->panel_bytes(k) : gemm_panel_bytes(dtype, k); }
  int64_t panels() const { return (outputs + width() - 1) / width(); }  ///< of one matrix
  size_t bytes() const { return panel_bytes() * static_cast<size_t>(panels() * matrices); }
  size_t row_bytes() const;  ///< of a source row
  std::string name() const;
};

/// The layout that a linear layer on weight `w` ([..., outputs, k], all constant) packs, where it packs one: with `lowered` activations the panels of the
/// best qgemm or bgemm, else float panels. Whoever reads panels asks here, so that a tied embedding finds those of its linear layer.
/// `choices` (may be null) measures where several kernels would do. False when there is no kernel and when the source rows are read (block formats
/// with f32 activations, and formats of codes). `why` (may be null) tells why better kernels declined, or what was measured.
bool panel_layout(const Operand& w, bool lowered, IsaSet isa, Choices* choices, PanelLayout* out, std::string* why = nullptr);

/// The fastest of `first` and its peers for one row and many of this matrix.
const QgemmKernel* measured_qgemm(const QgemmKernel& first, int64_t outputs, int64_t k, IsaSet isa, Choices& choices, std::string* why);

/// The packing of operand `input` into that layout.
Packing packing_of(const PanelLayout& layout, int input);

}  // namespace mainspring::inline v0::cpu
