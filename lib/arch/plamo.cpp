// PLaMo 13B. https://huggingface.co/pfnet/plamo-13b. Attention and feed-forward side by side from one norm.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_plamo;
const Arch arch_plamo{.name = "plamo", .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn_norm = nullptr, .parallel = true}); }};

}  // namespace mainspring::inline v0
