// Granite 3 and 4 MoE. https://github.com/ibm-granite/granite-3.0-language-models. Granite with routed experts, weights brought to a sum of one, and
// in some files a shared expert.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_granitemoe;
const Arch arch_granitemoe{.name = "granitemoe", .rope = Rope::norm, .prepare = read_granite_scales};

}  // namespace mainspring::inline v0
