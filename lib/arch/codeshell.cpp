// CodeShell. arXiv:2403.15747. Layer norms, grouped heads, rope, plain GELU, biases everywhere.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_codeshell;
const Arch arch_codeshell{
    .name = "codeshell", .norm = Norm::layer, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}}); }};

}  // namespace mainspring::inline v0
