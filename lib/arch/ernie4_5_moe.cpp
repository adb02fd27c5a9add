// ERNIE 4.5 MoE. https://ernie.baidu.com/blog/posts/ernie4.5. Leading layers are dense, of the others every n-th routes: softmax with a bias for the
// choice, and a shared expert. Which layers these are the tensors say.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_ernie4_5_moe;
const Arch arch_ernie4_5_moe{
    .name = "ernie4_5-moe", .rope = Rope::norm, .inert = "rope.dimension_sections interleave_moe_layer_step", .unused = "attn_output.bias"};

}  // namespace mainspring::inline v0
