// DeepSeek MoE 1. arXiv:2401.06066. Llama's block; all layers but the first ones route by softmax over all experts and add shared ones.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_deepseek;
const Arch arch_deepseek{.name = "deepseek", .rope = Rope::norm, .block = [](Build& b, V x, int) { return b.decoder(x, {.moe = {.norm = false}}); }};

}  // namespace mainspring::inline v0
