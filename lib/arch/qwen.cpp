// Qwen 1. arXiv:2309.16609. Llama's block with q, k, v in one matrix with a bias; files state twice the feed-forward's width.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen;
const Arch arch_qwen{.name = "qwen", .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.width = b.n_ff() / 2}}); }};

}  // namespace mainspring::inline v0
