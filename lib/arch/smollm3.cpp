// SmolLM 3. https://huggingface.co/blog/smollm3. Llama's block; every fourth layer has no rope (arXiv:2501.18795).
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_smollm3;
const Arch arch_smollm3{.name = "smollm3", .rope = Rope::norm, .block = [](Build& b, V x, int layer) {
                          return b.decoder(x, {.attention = {.rope = (layer + 1) % 4 != 0}});
                        }};

}  // namespace mainspring::inline v0
