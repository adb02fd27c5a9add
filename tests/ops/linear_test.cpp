#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<StepSegments> kFew = {{{0, 1, 0, 0}}, {}, {{0, 2, 0, 1}}, {{0, 7, 0, 3}}};
const std::vector<StepSegments> kMany = {{{0, 37, 0, 0}}, {{0, 1, 0, 67}}};

template <class F>
void for_weight_formats(F f) {
  for (int t = 0; t < kDTypes; ++t) {
    const DType d = static_cast<DType>(t);
    const bool scalar = d == DType::f32 || d == DType::f16 || d == DType::bf16;
    if (scalar || (is_block_format(d) && !is_quantised_rows(d))) f(d, scalar);
  }
}

const std::vector<OpCase>& linear_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for_weight_formats([&v](DType d, bool scalar) {
      const std::string name = name_of(d);
      const int64_t block = info_of(d).block, k = scalar ? 63 : block * 3;
      v.push_back({.name = name, .op = "linear", .in = {rows({kN, k}), weights(d, {37, k})}, .steps = kFew});
      v.push_back({.name = name + " bias", .op = "linear", .in = {rows({kN, k}), weights(d, {64, k}), vec({64})}, .steps = kFew});
      if (d == DType::bf16) {
        v.push_back({.name = name + " rows", .op = "linear", .in = {quantised({kN, 96}, d), weights(d, {37, 96})}, .steps = kFew, .may_refuse = true});
        v.push_back({.name = name + " rows heads", .op = "linear", .in = {quantised({kN, 3, 64}, d), weights(d, {33, 64}), vec({33})}, .steps = kFew, .may_refuse = true});
        v.push_back({.name = name + " rows many", .op = "linear", .in = {quantised({kN, 256}, d), weights(d, {131, 256}), absent(), rows({kN, 131})}, .steps = kMany, .may_refuse = true});
      }
      if (scalar) return;
      const int64_t kq = std::max<int64_t>(block, 64) * 3;
      v.push_back({.name = name + " q8", .op = "linear", .in = {quantised({kN, kq}), weights(d, {37, kq})}, .steps = kFew, .may_refuse = true});
      v.push_back({.name = name + " q8 bias", .op = "linear", .in = {quantised({kN, kq}), weights(d, {96, kq}), vec({96})}, .steps = kFew, .may_refuse = true});
      v.push_back({.name = name + " q16", .op = "linear", .in = {quantised({kN, kq}, DType::q16_rows), weights(d, {37, kq}), vec({37})}, .steps = kFew, .may_refuse = true});
      v.push_back({.name = name + " q8 block", .op = "linear", .in = {quantised({kN, block}), weights(d, {1, block})}, .steps = kFew, .may_refuse = true});
    });
    for (DType d : {DType::f32, DType::f16, DType::bf16, DType::q4_k}) {
      v.push_back({.name = std::string(name_of(d)) + " many", .op = "linear", .in = {rows({kN, 256}), weights(d, {131, 256})}, .steps = kMany});
      v.push_back({.name = std::string(name_of(d)) + " heads", .op = "linear", .in = {rows({kN, 3, 256}), weights(d, {17, 256}), vec({17})}, .steps = kFew});
    }
    for (DType d : {DType::f32, DType::f16, DType::q8_0, DType::q4_k}) {
      const std::string name = std::string(name_of(d)) + " residual";
      v.push_back({.name = name, .op = "linear", .in = {rows({kN, 256}), weights(d, {131, 256}), absent(), rows({kN, 131})}, .steps = kMany});
      v.push_back({.name = name + " heads", .op = "linear", .in = {rows({kN, 3, 256}), weights(d, {17, 256}), vec({17}), rows({kN, 3, 17})}, .steps = kFew});
      if (!is_block_format(d)) continue;
      v.push_back({.name = name + " q8", .op = "linear", .in = {quantised({kN, 512}), weights(d, {131, 512}), vec({131}), rows({kN, 131})}, .steps = kMany, .may_refuse = true});
      v.push_back({.name = name + " q16", .op = "linear", .in = {quantised({kN, 512}, DType::q16_rows), weights(d, {37, 512}), absent(), rows({kN, 37})}, .steps = kFew, .may_refuse = true});
    }
    for (DType d : {DType::f32, DType::f16})
      v.push_back({.name = std::string(name_of(d)) + " ones", .op = "linear", .in = {rows({kN, 1}), weights(d, {1, 1})}, .steps = kFew});
    for (DType d : {DType::q4_0, DType::q4_1, DType::q8_0, DType::q4_k, DType::q6_k}) {
      v.push_back({.name = std::string(name_of(d)) + " q8 many", .op = "linear", .in = {quantised({kN, 512}), weights(d, {131, 512})}, .steps = kMany, .may_refuse = true});
      v.push_back({.name = std::string(name_of(d)) + " q16 many", .op = "linear", .in = {quantised({kN, 512}, DType::q16_rows), weights(d, {131, 512})}, .steps = kMany, .may_refuse = true});
      v.push_back({.name = std::string(name_of(d)) + " q8 heads", .op = "linear", .in = {quantised({kN, 3, 256}), weights(d, {33, 256}), vec({33})}, .steps = kFew, .may_refuse = true});
    }
    return v;
  }();
  return all;
}

const std::vector<OpCase>& head_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for_weight_formats([&v](DType d, bool scalar) {
      const int64_t k = scalar ? 31 : info_of(d).block;
      v.push_back({.name = name_of(d), .op = "head_linear", .in = {rows({kN, 3, k}), weights(d, {3, 37, k})}, .steps = kFew});
    });
    return v;
  }();
  return all;
}

In row_of(Fill fill, Dims dims) { return rows(std::move(dims), fill); }

const OpCase kQuantise[] = {
    {.name = "32", .op = "quantize_rows", .in = {rows({kN, 32})}},
    {.name = "odd blocks", .op = "quantize_rows", .in = {rows({kN, 32 * 5})}},
    {.name = "heads", .op = "quantize_rows", .in = {rows({kN, 3, 96})}},
    {.name = "long", .op = "quantize_rows", .in = {row_of(Fill::wide, {kN, 4096})}},
    {.name = "special", .op = "quantize_rows", .in = {row_of(Fill::special, {kN, 256})}},
    {.name = "16 bits", .op = "quantize_rows", .in = {rows({kN, 32 * 5})}, .attrs = {{"rows", "q16_rows"}}},
    {.name = "bf16", .op = "quantize_rows", .in = {rows({kN, 3, 96})}, .attrs = {{"rows", "bf16"}}},
    {.name = "bf16 special", .op = "quantize_rows", .in = {row_of(Fill::special, {kN, 256})}, .attrs = {{"rows", "bf16"}}},
    {.name = "16 bits heads", .op = "quantize_rows", .in = {rows({kN, 3, 96})}, .attrs = {{"rows", "q16_rows"}}},
    {.name = "16 bits special", .op = "quantize_rows", .in = {row_of(Fill::special, {kN, 256})}, .attrs = {{"rows", "q16_rows"}}},
};

MAINSPRING_OP_TEST(OpLinear, linear_cases());
MAINSPRING_OP_TEST(OpHeadLinear, head_cases());
MAINSPRING_OP_TEST(OpQuantizeRows, kQuantise);

}  // namespace
}  // namespace mainspring::inline v0
