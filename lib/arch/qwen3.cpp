// Qwen 3. arXiv:2505.09388. Llama's block with an RMS norm on each head of q and k before rope. Rerankers carry a classifier that a decoder ignores.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen3;
const Arch arch_qwen3{.name = "qwen3", .unused = "cls.output.weight cls.output.bias", .block = [](Build& b, V x, int) {
                        return b.decoder(x, {.attention = {.qk_norm = true}});
                      }};

}  // namespace mainspring::inline v0
