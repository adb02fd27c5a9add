// Qwen 3 MoE. arXiv:2505.09388. Qwen 3 with routed experts, weights brought to a sum of one, no shared expert.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen3moe;
const Arch arch_qwen3moe{.name = "qwen3moe", .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true}}); }};

}  // namespace mainspring::inline v0
