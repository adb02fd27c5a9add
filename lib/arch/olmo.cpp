// OLMo 1. arXiv:2402.00838. Llama's block with layer norms that have no weights, and q, k, v cut to a range in some files.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_olmo;
const Arch arch_olmo{.name = "olmo", .norm = Norm::layer, .rope = Rope::norm, .norm_weights = false};

}  // namespace mainspring::inline v0
