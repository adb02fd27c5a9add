#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const OpCase kRms[] = {
    {.name = "odd", .op = "rms_norm", .in = {rows({kN, 63}), vec({63})}, .attrs = {{"eps", 1e-6}}},
    {.name = "one", .op = "rms_norm", .in = {rows({kN, 1}), vec({1})}, .attrs = {{"eps", 1e-6}}},
    {.name = "bare", .op = "rms_norm", .in = {rows({kN, 256})}, .attrs = {{"eps", 1e-5}}},
    {.name = "long", .op = "rms_norm", .in = {rows({kN, 2049}, Fill::wide), vec({2049})}, .attrs = {{"eps", 1e-6}}},
    {.name = "heads", .op = "rms_norm", .in = {rows({kN, 5, 17}), vec({17})}, .attrs = {{"eps", 1e-6}}},
    {.name = "by head", .op = "rms_norm", .in = {rows({kN, 5, 64}), vec({5, 64})}, .attrs = {{"eps", 1e-6}}},
    {.name = "residual", .op = "rms_norm", .in = {rows({kN, 67}), vec({67}), rows({kN, 67})}, .attrs = {{"eps", 1e-6}}},
    {.name = "bare residual of heads", .op = "rms_norm", .in = {rows({kN, 5, 17}), absent(), rows({kN, 5, 17})}, .attrs = {{"eps", 1e-6}}},
};
// The rounding of an element may fall on the other side of a tie, and the scale may be an ulp off.
const OpCase kRmsQuant[] = {
    {.name = "plain", .op = "rms_norm_quant", .in = {rows({kN, 96}), vec({96})}, .attrs = {{"eps", 1e-6}}, .quant_steps = 1},
    {.name = "bare", .op = "rms_norm_quant", .in = {rows({kN, 256})}, .attrs = {{"eps", 1e-6}}, .quant_steps = 1},
    {.name = "long", .op = "rms_norm_quant", .in = {rows({kN, 2048}, Fill::wide), vec({2048})}, .attrs = {{"eps", 1e-5}}, .quant_steps = 1},
    // 16 bits: the norm itself may be off by its own rounding, 4 ulp of a value that takes 15 of the 24 bits of f32: a rounding may fall elsewhere, and meet the low byte -128
    {.name = "16 bits", .op = "rms_norm_quant", .in = {rows({kN, 576}), vec({576})}, .attrs = {{"eps", 1e-5}, {"rows", "q16_rows"}}, .quant_steps = 2},
    {.name = "heads", .op = "rms_norm_quant", .in = {rows({kN, 3, 32}), vec({3, 32})}, .attrs = {{"eps", 1e-5}}, .may_refuse = true, .quant_steps = 1},
};
const OpCase kRmsAddQuant[] = {
    {.name = "plain", .op = "rms_norm_add_quant", .in = {rows({kN, 96}), vec({96}), rows({kN, 96}), vec({96})}, .attrs = {{"eps", 1e-6}, {"eps_next", 1e-3}}, .quant_steps = 1},
    {.name = "bare", .op = "rms_norm_add_quant", .in = {rows({kN, 256}), absent(), rows({kN, 256})}, .attrs = {{"eps", 1e-5}, {"eps_next", 1e-5}}, .quant_steps = 1},
    {.name = "16 bits", .op = "rms_norm_add_quant", .in = {rows({kN, 576}), vec({576}), rows({kN, 576}), vec({576})}, .attrs = {{"eps", 1e-5}, {"rows", "q16_rows"}}, .quant_steps = 2},
    {.name = "heads", .op = "rms_norm_add_quant", .in = {rows({kN, 3, 32}), vec({32}), rows({kN, 3, 32}), vec({32})}, .may_refuse = true, .quant_steps = 1},
};
const OpCase kLayer[] = {
    {.name = "odd", .op = "layer_norm", .in = {rows({kN, 63}), vec({63}), vec({63})}, .attrs = {{"eps", 1e-5}}},
    {.name = "no bias", .op = "layer_norm", .in = {rows({kN, 128}), vec({128})}, .attrs = {{"eps", 1e-5}}},
    {.name = "bare", .op = "layer_norm", .in = {rows({kN, 67}, Fill::wide)}, .attrs = {{"eps", 1e-5}}},
    {.name = "bias only", .op = "layer_norm", .in = {rows({kN, 67}), absent(), vec({67})}, .attrs = {{"eps", 1e-5}}},
    {.name = "offset", .op = "layer_norm", .in = {rows({kN, 1024}, Fill::unit), vec({1024}), vec({1024})}, .attrs = {{"eps", 1e-5}}},
    {.name = "by head", .op = "layer_norm", .in = {rows({kN, 3, 33}), vec({3, 33}), vec({3, 33})}, .attrs = {{"eps", 1e-5}}},
};
const OpCase kL2[] = {
    {.name = "odd", .op = "l2_norm", .in = {rows({kN, 63})}, .attrs = {{"eps", 1e-6}}},
    {.name = "one", .op = "l2_norm", .in = {rows({kN, 1}, Fill::unit)}, .attrs = {{"eps", 1e-6}}},
    {.name = "heads", .op = "l2_norm", .in = {rows({kN, 4, 128}, Fill::wide)}, .attrs = {{"eps", 1e-6}}},
    {.name = "below eps", .op = "l2_norm", .in = {rows({kN, 17}, Fill::unit)}, .attrs = {{"eps", 100.0}}},
};
const OpCase kSoftmax[] = {
    {.name = "odd", .op = "softmax", .in = {rows({kN, 63})}},
    {.name = "one", .op = "softmax", .in = {rows({kN, 1})}},
    {.name = "wide", .op = "softmax", .in = {rows({kN, 1031}, Fill::wide)}},
    {.name = "heads", .op = "softmax", .in = {rows({kN, 3, 16})}},
};

MAINSPRING_OP_TEST(OpRmsNorm, kRms);
MAINSPRING_OP_TEST(OpRmsNormQuant, kRmsQuant);
MAINSPRING_OP_TEST(OpRmsNormAddQuant, kRmsAddQuant);
MAINSPRING_OP_TEST(OpLayerNorm, kLayer);
MAINSPRING_OP_TEST(OpL2Norm, kL2);
MAINSPRING_OP_TEST(OpSoftmax, kSoftmax);

}  // namespace
}  // namespace mainspring::inline v0
