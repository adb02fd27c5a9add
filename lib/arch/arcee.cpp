// Arcee AFM 4.5B. https://www.arcee.ai/blog/deep-dive-afm-4-5b-the-first-arcee-foundational-model. Llama's block with a squared ReLU without a gate.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_arcee;
const Arch arch_arcee{
    .name = "arcee", .rope = Rope::norm, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "relu_sqr", .gated = false}}); }};

}  // namespace mainspring::inline v0
