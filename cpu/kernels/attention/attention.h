// Attention over paged keys and values: y = Σ_j softmax_j(scale * q·k_j) v_j, by online softmax (Milakov & Gimelshein 2018, arXiv:1805.02867)
// over blocks of 64 keys. In: f32 queries, KV blocks in f32, f16 or q8_0. Out: f32 rows. Knows nothing of steps, tiles or threads (cpu/bind/attention.cpp).
//
// Keys lie transposed in their block, so a score needs no sum over lanes: 8 or 16 keys side by side, each added up over d in ascending
// order. Results have lanes over the value's elements and add up keys in ascending order. Every query is computed by this one sequence of FMAs,
// whatever stands beside it in a register tile; the softmax begins afresh every kAttentionSplit positions and the parts are merged in
// order. So a row's bits depend on that row and its keys alone. Garbage (NaN) in slots that a row does not see never meets its numbers.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/attention/attention_args.h"

namespace mainspring::inline v0 {

struct AttentionKernel {
  const char* name;   ///< "avx2"
  Isa isa;
  int macs_per_ns;    ///< rough speed of one core, to size tiles
  const AttentionIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const AttentionKernel> attention_kernels();
/// The best for this machine.
const AttentionKernel& select_attention(IsaSet isa);

}  // namespace mainspring::inline v0
