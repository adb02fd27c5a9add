// Gemma 1. arXiv:2403.08295. Embeddings times sqrt(d_model), gated GELU, tied output.
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gemma;
const Arch arch_gemma{.name = "gemma",
                      .prepare = [](Build& b) { b.c.embedding_scale = std::sqrt(static_cast<double>(b.c.d_model)); },
                      .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "gelu"}}); }};

}  // namespace mainspring::inline v0
