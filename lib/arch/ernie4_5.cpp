// ERNIE 4.5 (dense). https://ernie.baidu.com/blog/posts/ernie4.5. Llama's block.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_ernie4_5;
const Arch arch_ernie4_5{
    .name = "ernie4_5", .rope = Rope::norm, .inert = "rope.dimension_sections expert_count expert_used_count", .unused = "attn_output.bias"};

}  // namespace mainspring::inline v0
