#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const Attrs kYarn{{"mode", "neox"}, {"base", 10000.0}, {"freq_scale", 0.25}, {"ext_factor", 1.0}, {"attn_factor", 0.9}, {"n_ctx_orig", 4096}};
const std::vector<StepSegments> kFar = {{{0, 3, 0, 0}}, {{0, 2, 0, 1000}, {2, 3, 1, 131069}}, {{0, 1, 0, 999999}}};

const std::vector<OpCase>& rope_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (const char* mode : {"norm", "neox"}) {
      const std::string name = mode;
      auto add = [&](std::string what, int64_t heads, int64_t d, Attrs attrs, bool factors) {
        attrs.set("mode", name);
        const int64_t n_rot = attrs.i("n_rot", d);
        std::vector<In> in{rows({kN, heads, d}), positions()};
        if (factors) in.push_back(vec({n_rot / 2}, Fill::unit));
        v.push_back({.name = name + " " + what, .op = "rope", .in = in, .attrs = attrs, .steps = kFar});
      };
      add("64", 3, 64, {{"base", 10000.0}}, false);
      add("2", 1, 2, {{"base", 10000.0}}, false);
      add("partial", 2, 80, {{"n_rot", 32}, {"base", 1e6}}, false);
      add("odd pairs", 5, 26, {{"n_rot", 22}, {"base", 10000.0}}, false);
      add("scaled", 4, 128, {{"base", 500000.0}, {"freq_scale", 0.125}}, false);
      add("factors", 2, 64, {{"base", 500000.0}, {"attn_factor", 1.19}}, true);
      add("yarn", 3, 64, kYarn, false);
      add("yarn, partial, factors", 3, 96, [] { Attrs a = kYarn; a.set("n_rot", int64_t{64}); return a; }(), true);
    }
    return v;
  }();
  return all;
}

const OpCase kTemperature[] = {
    {.name = "matrix", .op = "attn_temperature", .in = {rows({kN, 67}), positions()}, .attrs = {{"length", 8192.0}, {"scale", 0.1}, {"offset", 1.0}}},
    {.name = "heads", .op = "attn_temperature", .in = {rows({kN, 3, 16}), positions()}, .attrs = {{"length", 16}, {"scale", 0.1}}},
};

MAINSPRING_OP_TEST(OpRope, rope_cases());
MAINSPRING_OP_TEST(OpAttnTemperature, kTemperature);

}  // namespace
}  // namespace mainspring::inline v0
