// Qwen 1.5 and 2 MoE. arXiv:2407.10671. Qwen 2 with routed experts whose weights are the softmax over all of them (not brought to a sum of one),
// and a shared expert behind a sigmoid gate.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen2moe;
const Arch arch_qwen2moe{.name = "qwen2moe", .block = [](Build& b, V x, int) { return b.decoder(x, {.moe = {.norm = false}}); }};

}  // namespace mainspring::inline v0
