// Pools against the operator's reference, resizing against coordinates written out here.
#include "cpu/bind/tensor_binders.h"
#include "cpu/tensor_harness.h"
#include "ops/op.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

std::vector<int64_t> inferred(const Tensor& x, const Attrs& attrs) {
  ValueInfo v;
  v.dims = Dims(x.dims.begin(), x.dims.end());
  const auto out = op_pool.infer({{&v, 1}, attrs});
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  std::vector<int64_t> dims;
  if (out)
    for (const Dim& d : (*out)[0].dims) dims.push_back(d.times);
  return dims;
}

TEST(TensorPool, windows_of_every_kind) {
  using Ints = std::vector<int64_t>;
  struct Case {
    Ints x;
    Attrs attrs;
  };
  const Case cases[] = {
      {{2, 9, 11, 5}, {{"kernel", Ints{3, 2}}, {"strides", Ints{2, 1}}}},
      {{1, 8, 8, 67}, {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
      {{1, 8, 9, 16}, {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}, {"ceil_mode", int64_t{1}}}},
      {{1, 12, 12, 3}, {{"kernel", Ints{3, 3}}, {"dilations", Ints{2, 3}}, {"pads", Ints{2, 2, 2, 2}}}},
      {{2, 30, 8}, {{"kernel", Ints{5}}, {"strides", Ints{3}}, {"pads", Ints{2, 2}}}},
      {{1, 4, 5, 6, 9}, {{"kernel", Ints{2, 3, 2}}, {"pads", Ints{0, 1, 1, 1, 1, 0}}}},
      {{2, 7, 6, 33}, {{"global", int64_t{1}}}},
  };
  for (const Case& c : cases)
    for (const char* kind : {"max", "average"})
      for (const int64_t count_pads : {0, 1}) {
        Attrs attrs = c.attrs;
        attrs.set("kind", std::string(kind));
        attrs.set("count_include_pad", count_pads);
        const Tensor x = dense(DType::f32, c.x, 3);
        Tensor want = dense(DType::f32, inferred(x, attrs));
        const TensorView in = view(x), out = view(want);
        op_pool.reference({{&in, 1}, {&out, 1}, attrs, StepInfo{}});
        expect_each(cpu::bind_pool, "pool", attrs, {x}, {dense(DType::f32, want.dims)}, [&](size_t, int64_t e) { return at(want, e); }, [](double w) { return 2e-6 * (1 + std::fabs(w)); });
      }
}

TEST(TensorPool, averages_by_hand) {
  const Tensor x = constant(DType::f32, {1, 3, 1}, {1, 2, 6});
  const Attrs attrs = {{"kind", std::string("average")}, {"kernel", std::vector<int64_t>{2}}, {"pads", std::vector<int64_t>{1, 0}}, {"count_include_pad", int64_t{1}}};
  const double want[] = {0.5, 1.5, 4};
  EXPECT_EQ(inferred(x, attrs), (std::vector<int64_t>{1, 3, 1}));
  expect_each(cpu::bind_pool, "pool", attrs, {x}, {dense(DType::f32, {1, 3, 1})}, [&](size_t, int64_t e) { return want[e]; }, [](double) { return 0.0; });
}

double along(const Tensor& x, int64_t plane, double h, double w, int64_t channels, int64_t c) {
  const auto pixel = [&](double i, double j) {
    const int64_t n = x.dims[channels > 1 ? 1 : 2], m = x.dims[channels > 1 ? 2 : 3];
    const int64_t a = std::clamp<int64_t>(static_cast<int64_t>(i), 0, n - 1), b = std::clamp<int64_t>(static_cast<int64_t>(j), 0, m - 1);
    return at(x, ((plane * n + a) * m + b) * channels + c);
  };
  const double i = std::floor(h), j = std::floor(w), f = h - i, g = w - j;
  return (pixel(i, j) * (1 - g) + pixel(i, j + 1) * g) * (1 - f) + (pixel(i + 1, j) * (1 - g) + pixel(i + 1, j + 1) * g) * f;
}

TEST(TensorResize, nearest_and_linear_wherever_the_channels_are) {
  const auto text = [](const char* s) { return std::string(s); };
  const Tensor first = dense(DType::f32, {2, 3, 5, 7}, 1), last = dense(DType::f32, {2, 5, 7, 3}, 1);
  for (const bool channels_last : {false, true}) {
    const Tensor& x = channels_last ? last : first;
    const std::vector<int64_t> y = channels_last ? std::vector<int64_t>{2, 10, 21, 3} : std::vector<int64_t>{2, 3, 10, 21};
    const int64_t c = channels_last ? 3 : 1;
    const auto place = [&](int64_t e) { return std::tuple{e / c / 210, e / c % 210 / 21, e / c % 21, e % c}; };
    const Attrs nearest = {{"mode", text("nearest")}, {"coordinate_transformation_mode", text("asymmetric")}, {"nearest_mode", text("floor")}};
    expect_each(cpu::bind_resize, "Resize", nearest, {x}, {dense(DType::f32, y)}, [&](size_t, int64_t e) {
      const auto [plane, h, w, channel] = place(e);
      return along(x, plane, static_cast<double>(h / 2), static_cast<double>(w / 3), c, channel);
    }, [](double) { return 0.0; });
    const Attrs linear = {{"mode", text("linear")}};
    expect_each(cpu::bind_resize, "Resize", linear, {x}, {dense(DType::f32, y)}, [&](size_t, int64_t e) {
      const auto [plane, h, w, channel] = place(e);
      return along(x, plane, (static_cast<double>(h) + 0.5) / 2 - 0.5, (static_cast<double>(w) + 0.5) / 3 - 0.5, c, channel);
    }, [](double) { return 2e-6; });
    const Attrs corners = {{"mode", text("linear")}, {"coordinate_transformation_mode", text("align_corners")}};
    expect_each(cpu::bind_resize, "Resize", corners, {x}, {dense(DType::f32, y)}, [&](size_t, int64_t e) {
      const auto [plane, h, w, channel] = place(e);
      return along(x, plane, static_cast<double>(h) * 4 / 9, static_cast<double>(w) * 6 / 20, c, channel);
    }, [](double) { return 4e-6; });
  }
}

}  // namespace
