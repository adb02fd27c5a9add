// ChatGLM 2 and 3, GLM 4 9B. arXiv:2406.12793. Llama's block with gate and up in one matrix, rope on a part of each head.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_chatglm;
const Arch arch_chatglm{
    .name = "chatglm", .rope = Rope::norm, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.packed_gate = true}}); }};

}  // namespace mainspring::inline v0
