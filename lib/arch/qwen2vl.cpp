// Qwen 2 VL and 2.5 VL (text). arXiv:2409.12191. Qwen 2 whose rope has an axis each for time, height and width: all the position, for text.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen2vl;
const Arch arch_qwen2vl{.name = "qwen2vl", .unused = "output.bias", .prepare = [](Build& b) { b.read_rope_sections(false); }};

}  // namespace mainspring::inline v0
