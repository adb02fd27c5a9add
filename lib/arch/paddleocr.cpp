// PaddleOCR VL (text). arXiv:2510.14528. ERNIE 4.5 with a rope of several axes and pairs by halves: all axes are the position, for text.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_paddleocr;
const Arch arch_paddleocr{.name = "paddleocr", .inert = "expert_count expert_used_count", .prepare = [](Build& b) { b.read_rope_sections(false); }};

}  // namespace mainspring::inline v0
