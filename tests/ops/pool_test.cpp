// pool: extents, and windows that cannot be. Values: tests/cpu/tensor_pool_test.cpp.
#include <gtest/gtest.h>

#include "ops/op.h"

namespace {

using namespace mainspring;
using Ints = std::vector<int64_t>;

Result<Dims> extents(Dims x, const Attrs& attrs) {
  ValueInfo v;
  v.dims = std::move(x);
  auto out = find_op("pool")->infer({{&v, 1}, attrs});
  if (!out) return out.error();
  return (*out)[0].dims;
}

TEST(Pool, extents_follow_the_window) {
  EXPECT_EQ(*extents({1, 8, 8, 4}, {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}}), (Dims{1, 3, 3, 4}));
  EXPECT_EQ(*extents({1, 8, 8, 4}, {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}), (Dims{1, 4, 4, 4}));
  EXPECT_EQ(*extents({1, 8, 8, 4}, {{"global", int64_t{1}}}), (Dims{1, 1, 1, 4}));
  EXPECT_FALSE((*extents({1, Dim::unknown(), 8, 4}, {{"kernel", Ints{3, 3}}}))[1].is_known());
}

TEST(Pool, windows_that_cannot_be_are_refused) {
  for (const Attrs& attrs : {Attrs{}, Attrs{{"kernel", Ints{3}}}, Attrs{{"kernel", Ints{9, 9}}}, Attrs{{"kernel", Ints{0, 1}}}, Attrs{{"kernel", Ints{2, 2}}, {"strides", Ints{0, 1}}},
                             Attrs{{"kernel", Ints{2, 2}}, {"pads", Ints{1}}}, Attrs{{"kernel", Ints{2, 2}}, {"kind", std::string("least")}},
                             Attrs{{"kernel", Ints{int64_t{1} << 62, 2}}, {"dilations", Ints{16, 1}}}})
    EXPECT_FALSE(extents({1, 8, 8, 4}, attrs));
}

}  // namespace
