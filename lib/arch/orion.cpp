// Orion 14B. arXiv:2401.12246. Llama's block with layer norms.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_orion;
const Arch arch_orion{.name = "orion", .norm = Norm::layer};

}  // namespace mainspring::inline v0
