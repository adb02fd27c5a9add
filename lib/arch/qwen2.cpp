// Qwen 2 and 2.5. arXiv:2407.10671, arXiv:2412.15115. Llama's block with biases on q, k and v, and rope by halves.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen2;
const Arch arch_qwen2{.name = "qwen2"};

}  // namespace mainspring::inline v0
