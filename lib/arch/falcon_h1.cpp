// Falcon H1. arXiv:2507.22448. Attention and a Mamba 2 block side by side from one norm.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_falcon_h1;
const Arch arch_falcon_h1{
    .name = "falcon-h1",
    .inert = "attention.recurrent_layers",
    .unused = "rope_freqs.weight attn_output.bias",
    .prepare = [](Build& b) { b.read_ssm(); },
    .block = [](Build& b, V x, int) { return b.decoder(x, {.mix = [](Build& at, V h) { return at.add(at.attention(h), at.mamba2(h), "mix"); }}); }};

}  // namespace mainspring::inline v0
