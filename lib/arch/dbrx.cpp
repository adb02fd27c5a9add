// DBRX. https://www.databricks.com/blog/introducing-dbrx-new-state-art-open-llm. Layer norms without bias, q, k, v in one matrix and cut to a range,
// routed experts.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_dbrx;
const Arch arch_dbrx{.name = "dbrx", .norm = Norm::layer, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn_norm = "attn_output_norm"}); }};

}  // namespace mainspring::inline v0
