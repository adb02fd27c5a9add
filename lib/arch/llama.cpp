// Llama 1-3, Mistral, Mixtral, SmolLM 1-2 and the many that share their block. arXiv:2302.13971, arXiv:2407.21783, arXiv:2401.04088.
// Pre-norm, grouped heads, gated SiLU; a file with experts routes by softmax and weighs the chosen ones to a sum of one (Mixtral).
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_llama;
const Arch arch_llama{.name = "llama", .rope = Rope::norm};

}  // namespace mainspring::inline v0
