// OpenELM. arXiv:2404.14619. Heads and widths grow with the layer; a norm on each head of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_openelm;
const Arch arch_openelm{.name = "openelm", .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true}}); }};

}  // namespace mainspring::inline v0
