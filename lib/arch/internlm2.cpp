// InternLM 2 and 2.5. arXiv:2403.17297. Llama's block.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_internlm2;
const Arch arch_internlm2{.name = "internlm2", .rope = Rope::norm};

}  // namespace mainspring::inline v0
