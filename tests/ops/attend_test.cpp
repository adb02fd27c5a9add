#include <cmath>
#include <limits>

#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<StepSegments> kOnce = {{{0, 1, 0, 0}}};

OpCase attend(std::string name, std::vector<In> in, Attrs attrs = {}) {
  return {.name = std::move(name), .op = "attend", .in = std::move(in), .attrs = std::move(attrs), .steps = kOnce, .row_alone = false};
}
In seen(Dims dims) { return {.dims = std::move(dims), .dtype = DType::boolean}; }
const std::string kRowsFirst = "bshd";

const OpCase kAttend[] = {
    attend("one", {rows({1, 1, 1, 1}), rows({1, 1, 1, 1}), rows({1, 1, 1, 1})}),
    attend("small", {rows({2, 3, 5, 7}), rows({2, 3, 11, 7}), rows({2, 3, 11, 5})}),
    attend("heads of 32", {rows({1, 4, 33, 32}), rows({1, 4, 33, 32}), rows({1, 4, 33, 32}), rows({1, 1, 1, 33})}),
    attend("rows first", {rows({2, 33, 3, 16}), rows({2, 40, 3, 16}), rows({2, 40, 3, 24}), rows({2, 1, 33, 40})}, {{"layout", kRowsFirst}, {"scale", 0.5}}),
    attend("blocks", {rows({1, 2, 30, 16}), rows({1, 2, 530, 16}), rows({1, 2, 530, 17}), rows({30, 530})}),
    attend("many queries", {rows({1, 1, 270, 8}), rows({1, 1, 40, 8}), rows({1, 1, 40, 8})}),
    attend("causal", {rows({1, 2, 37, 16}), rows({1, 2, 37, 16}), rows({1, 2, 37, 16})}, {{"causal", 1}}),
    attend("causal blocks", {rows({1, 1, 300, 16}), rows({1, 1, 300, 16}), rows({1, 1, 300, 16}), rows({1, 1, 300, 300})}, {{"causal", 1}}),
    attend("causal with a past", {rows({1, 2, 5, 16}), rows({1, 2, 290, 16}), rows({1, 2, 290, 16})}, {{"causal", 1}}),
    attend("more queries than keys", {rows({1, 2, 40, 16}), rows({1, 2, 9, 16}), rows({1, 2, 9, 16})}, {{"causal", 1}}),
    attend("shared keys", {rows({2, 6, 9, 16}), rows({2, 2, 21, 16}), rows({2, 2, 21, 16}), seen({2, 6, 9, 21})}),
    attend("shared keys, rows first", {rows({2, 9, 6, 16}), rows({2, 21, 2, 16}), rows({2, 21, 2, 16})}, {{"layout", kRowsFirst}, {"causal", 1}}),
    attend("shared keys, many queries", {rows({1, 4, 150, 8}), rows({1, 2, 150, 8}), rows({1, 2, 150, 8})}, {{"causal", 1}}),
    attend("a step", {rows({2, 4, 1, 32}), rows({2, 4, 70, 32}), rows({2, 4, 70, 32}), rows({2, 1, 1, 70})}, {{"causal", 1}}),
    attend("a step of shared keys", {rows({2, 1, 8, 32}), rows({2, 300, 2, 32}), rows({2, 300, 2, 32}), seen({2, 8, 1, 300})}, {{"layout", kRowsFirst}}),
    attend("transposed", {rows({2, 3, 40, 16}), rows({2, 3, 16, 70}), rows({2, 3, 70, 16})}, {{"k_transposed", 1}}),
    attend("transposed, rows first", {rows({2, 40, 3, 16}), rows({2, 3, 16, 270}), rows({2, 270, 3, 16})}, {{"layout", kRowsFirst}, {"k_transposed", 1}, {"causal", 1}}),
    attend("padding", {rows({3, 2, 7, 16}), rows({3, 2, 40, 16}), rows({3, 2, 40, 16}), seen({3, 1, 1, 40})}),
    attend("few keys, some none", {rows({1, 2, 50, 16}), rows({1, 2, 3, 16}), rows({1, 2, 3, 16}), seen({50, 3})}),
    attend("one word for all keys", {rows({1, 2, 20, 16}), rows({1, 2, 30, 16}), rows({1, 2, 30, 16}), seen({20, 1})}),
    attend("one number for all keys", {rows({1, 2, 20, 16}), rows({1, 2, 30, 16}), rows({1, 2, 30, 16}), rows({1, 2, 1, 1})}),
    attend("by head", {rows({2, 4, 20, 16}), rows({2, 4, 30, 16}), rows({2, 4, 30, 16}), rows({4, 20, 30})}, {{"scale", 1.0}}),
    attend("capped", {rows({1, 2, 20, 16}, Fill::wide), rows({1, 2, 30, 16}), rows({1, 2, 30, 16}), rows({20, 30})}, {{"softcap", 20.0}}),
    attend("no keys", {rows({1, 2, 5, 16}), rows({1, 2, 0, 16}), rows({1, 2, 0, 16})}),
    attend("no queries", {rows({1, 2, 0, 16}), rows({1, 2, 3, 16}), rows({1, 2, 3, 16})}),
    attend("no heads", {rows({1, 0, 4, 16}), rows({1, 0, 3, 16}), rows({1, 0, 3, 16})}),
};
MAINSPRING_OP_TEST(OpAttend, kAttend);

TEST(OpAttend, weighs_values) {
  constexpr float none = -std::numeric_limits<float>::infinity(), low = std::numeric_limits<float>::lowest();
  using Floats = std::vector<float>;
  const auto q = data_of({1, 1, 1, 1}, Floats{1}), k = data_of({1, 1, 2, 1}, Floats{0, std::log(3.f)}), v = data_of({1, 1, 2, 1}, Floats{4, 8});
  const auto y = [&](std::vector<float> mask) { return run_reference("attend", {q, k, v, data_of({2}, mask)}, {})[0].floats()[0]; };
  EXPECT_FLOAT_EQ(y({0, 0}), 7);
  EXPECT_FLOAT_EQ(y({0, none}), 4);
  EXPECT_FLOAT_EQ(y({low, low}), 6) << "a mask as exporters write it: all keys are equally far";
  EXPECT_EQ(y({none, none}), 0);
}

TEST(OpAttend, refuses_what_does_not_fit) {
  const OpDef* op = find_op("attend");
  const auto says = [&](std::vector<Dims> dims, Attrs attrs) {
    std::vector<ValueInfo> in(4);
    for (size_t i = 0; i < 4; ++i) in[i].present = i < dims.size(), in[i].dims = i < dims.size() ? dims[i] : Dims{};
    const auto got = op->infer(OpCall{in, attrs});
    return got ? std::string("accepted") : got.error().message;
  };
  const Dims q = {1, 4, 5, 8}, k = {1, 2, 6, 8};
  EXPECT_EQ(says({q, k, k}, {}), "accepted");
  EXPECT_EQ(says({q, {1, 3, 6, 8}, {1, 3, 6, 8}}, {}), "attend: 4 heads of q, expected a multiple of 3");
  EXPECT_EQ(says({q, k, {1, 2, 7, 8}}, {}), "attend: q is f32 [1, 4, 5, 8], k is f32 [1, 2, 6, 8], v is f32 [1, 2, 7, 8] in layout bhsd");
  EXPECT_EQ(says({q, k, k, {7}}, {}), "attend: extents 7 and 6 do not broadcast");
  EXPECT_EQ(says({q, k, k}, {{"layout", std::string("sbhd")}}), "attend: layout is 'sbhd', expected bhsd or bshd");
}

}  // namespace
}  // namespace mainspring::inline v0
