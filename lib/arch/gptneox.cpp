// GPT-NeoX, Pythia, RedPajama-INCITE. arXiv:2204.06745. Layer norms, rope on a part of each head, plain GELU; attention and feed-forward side by side
// (each with its own norm) where the file says so.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gptneox;
const Arch arch_gptneox{.name = "gptneox", .norm = Norm::layer, .block = [](Build& b, V x, int) {
                          return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}, .parallel = b.key_b("use_parallel_residual", true)});
                        }};

}  // namespace mainspring::inline v0
