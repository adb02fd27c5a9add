// Qwen 3 VL (text). arXiv:2511.21631. Qwen 3 whose rope has an axis each for time, height and width, interleaved: all the position, for text.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen3vl;
const Arch arch_qwen3vl{.name = "qwen3vl",
                        .inert = "n_deepstack_layers",
                        .unused = "cls.output.weight cls.output.bias",
                        .prepare = [](Build& b) { b.read_rope_sections(true); },
                        .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true}}); }};

}  // namespace mainspring::inline v0
