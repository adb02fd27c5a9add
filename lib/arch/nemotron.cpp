// Nemotron 4 and Minitron. arXiv:2402.16819. Layer norms, rope on a part of each head, squared ReLU without a gate.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_nemotron;
const Arch arch_nemotron{
    .name = "nemotron", .norm = Norm::layer, .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "relu_sqr", .gated = false}}); }};

}  // namespace mainspring::inline v0
