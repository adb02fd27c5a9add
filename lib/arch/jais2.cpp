// Jais 2. https://huggingface.co/inceptionai. Layer norms, rope, squared ReLU without a gate, biases everywhere.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_jais2;
const Arch arch_jais2{
    .name = "jais2", .norm = Norm::layer, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "relu_sqr", .gated = false}}); }};

}  // namespace mainspring::inline v0
