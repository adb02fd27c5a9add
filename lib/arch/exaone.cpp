// EXAONE 3. arXiv:2408.03541. Llama's block with rope by halves.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_exaone;
const Arch arch_exaone{.name = "exaone"};

}  // namespace mainspring::inline v0
