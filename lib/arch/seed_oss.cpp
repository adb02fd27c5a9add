// Seed-OSS. https://github.com/ByteDance-Seed/seed-oss. Llama's block with biases on q, k and v; only the name of the second norm differs.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_seed_oss;
const Arch arch_seed_oss{.name = "seed_oss", .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn_norm = "post_attention_norm"}); }};

}  // namespace mainspring::inline v0
