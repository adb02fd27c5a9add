// StarCoder 2. arXiv:2402.19173. Layer norms, grouped heads, rope, plain GELU, biases everywhere.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_starcoder2;
const Arch arch_starcoder2{
    .name = "starcoder2", .norm = Norm::layer, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}}); }};

}  // namespace mainspring::inline v0
