// Phi-3.5 MoE. arXiv:2404.14219. Phi-3 with biases on norms and routed experts.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_phimoe;
const Arch arch_phimoe{.name = "phimoe", .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.packed_gate = true}}); }};

}  // namespace mainspring::inline v0
