// Baichuan 1 and 2 (7B). arXiv:2309.10305. Llama's block. The 13B model (40 layers) has ALiBi instead of rope, which this build does not have.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_baichuan;
const Arch arch_baichuan{.name = "baichuan", .rope = Rope::norm, .prepare = [](Build& b) {
                           constexpr int kLayersOf7B = 32, kLayersOf13B = 40;
                           if (b.c.n_layers != kLayersOf7B) b.c.rope = Rope::none;
                           if (b.c.n_layers == kLayersOf13B) b.fail(unsupported("Baichuan 13B has ALiBi, which this build does not honour"));
                         }};

}  // namespace mainspring::inline v0
