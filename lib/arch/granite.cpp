// Granite 3 and 4 (dense). https://github.com/ibm-granite/granite-3.0-language-models. Llama's block with scales on embeddings, residuals, scores and
// (as a divisor) logits; Granite 4 files may turn rope off.
#include "arch/build.h"

namespace mainspring::inline v0 {

void read_granite_scales(Build& b) {
  b.c.embedding_scale = b.key_f("embedding_scale", 0);
  b.c.residual_scale = b.key_f("residual_scale", 0);
  const double divisor = b.key_f("logit_scale", 0);
  b.c.logit_scale = divisor == 0 ? 0 : 1 / divisor;
}

extern const Arch arch_granite;

const Arch arch_granite{.name = "granite", .rope = Rope::norm, .prepare = read_granite_scales, .block = [](Build& b, V x, int) {
                          return b.decoder(x, {.attention = {.rope = b.key_b("rope.scaling.finetuned", true)}});
                        }};

}  // namespace mainspring::inline v0
