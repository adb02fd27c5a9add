// MiniCPM 1 and 2. arXiv:2404.06395. Granite's block; old files state none of its scales.
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_minicpm;
const Arch arch_minicpm{.name = "minicpm", .rope = Rope::norm, .prepare = [](Build& b) {
                          constexpr double kBaseWidth = 256;
                          b.c.embedding_scale = b.key_f("embedding_scale", 12);
                          b.c.residual_scale = b.key_f("residual_scale", 1.4 / std::sqrt(static_cast<double>(b.c.n_layers)));
                          const double divisor = b.key_f("logit_scale", static_cast<double>(b.c.d_model) / kBaseWidth);
                          b.c.logit_scale = divisor == 0 ? 0 : 1 / divisor;
                        }};

}  // namespace mainspring::inline v0
