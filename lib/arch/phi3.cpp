// Phi-3 and Phi-4 (mini). arXiv:2404.14219. Llama's block with q, k, v in one matrix and gate and up in one; long contexts by LongRoPE's two sets
// of factors (arXiv:2402.13753). Files state a sliding window that none of the models was evaluated with here: all layers see everything.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_phi3;
const Arch arch_phi3{.name = "phi3", .inert = "attention.sliding_window attention.sliding_window_pattern", .block = [](Build& b, V x, int) {
                       return b.decoder(x, {.ffn = {.packed_gate = true}});
                     }};

}  // namespace mainspring::inline v0
