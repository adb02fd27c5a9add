// Nanbeige 4. arXiv:2512.06266. Llama's block. Files may ask for several runs through the layers, which this build does not have.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_nanbeige;
const Arch arch_nanbeige{.name = "nanbeige", .rope = Rope::norm, .prepare = [](Build& b) {
                           if (const int64_t loops = b.key_i("num_loops", 1); loops != 1)
                             b.fail(unsupported("key 'nanbeige.num_loops' is {}, which this build does not honour", loops));
                         }};

}  // namespace mainspring::inline v0
