// openPangu Embedded. arXiv:2505.22375. Llama's block with biases in attention.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_pangu_embedded;
const Arch arch_pangu_embedded{.name = "pangu-embedded", .unused = "rope_freqs.weight"};

}  // namespace mainspring::inline v0
