// Ministral 3 and Mistral Small 3. https://mistral.ai/news/mistral-3; temperature of q as in Llama 4. Llama's block, YaRN (arXiv:2309.00071), and
// queries that grow with the logarithm of the position beyond the original context.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_mistral3;
const Arch arch_mistral3{.name = "mistral3", .rope = Rope::norm, .inert = "attention.temperature_length", .prepare = [](Build& b) {
                           b.c.temperature_scale = b.key_f("attention.temperature_scale", 0);
                           b.c.temperature_length = b.c.n_ctx_orig;
                         }};

}  // namespace mainspring::inline v0
