#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<OpCase>& cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (int t = 0; t < kDTypes; ++t) {
      const DType d = static_cast<DType>(t);
      const bool scalar = d == DType::f32 || d == DType::f16 || d == DType::bf16;
      if (!scalar && (!is_block_format(d) || is_quantised_rows(d))) continue;
      In table = weights(d, {37, scalar ? 67 : 256 * 3});
      v.push_back({.name = name_of(d), .op = "embed", .in = {table, ids({kN}, 37)}});
      table.also_linear = true;
      v.push_back({.name = std::string(name_of(d)) + " tied", .op = "embed", .in = {table, ids({kN}, 37)}});
    }
    v.push_back({.name = "one row of one", .op = "embed", .in = {weights(DType::f32, {1, 1}), ids({kN}, 1)}});
    return v;
  }();
  return all;
}

MAINSPRING_OP_TEST(OpEmbed, cases());

}  // namespace
}  // namespace mainspring::inline v0
