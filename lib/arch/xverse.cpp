// XVERSE. https://github.com/xverse-ai/XVERSE-13B. Llama's block.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_xverse;
const Arch arch_xverse{.name = "xverse", .rope = Rope::norm};

}  // namespace mainspring::inline v0
