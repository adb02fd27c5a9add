// Activations, arithmetic and gated units against the references' scalar functions in double, within the errors that elementwise.h states.
#include "cpu/kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include "cpu/linear_harness.h"
#include "ops/activation.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

std::vector<const ElementwiseKernel*> elementwise_here() { return usable(elementwise_kernels()); }

/// Values of all sizes, both signs: a fine grid where functions bend, then powers of two.
std::vector<float> samples() {
  std::vector<float> x;
  for (int i = -20000; i <= 20000; ++i) x.push_back(static_cast<float>(i) / 1000.0f);
  for (int e = -140; e < 100; ++e)
    for (float sign : {1.0f, -1.0f}) x.push_back(sign * std::ldexp(1.37f, e));
  for (float v : {0.0f, -0.0f, 88.0f, -88.0f, 104.0f, -104.0f}) x.push_back(v);
  return x;
}

struct Function {
  UnaryOp op;
  double (*exact)(double);
  double relative, absolute_of_x;  ///< error <= relative * |y| + absolute_of_x * |x|
};

const Function kFunctions[] = {
    {UnaryOp::silu, activation::silu, 1e-6, 1e-38},
    {UnaryOp::gelu, activation::gelu, 1e-6, 1e-6},
    {UnaryOp::gelu_erf, activation::gelu_erf, 1e-6, 2e-7},
    {UnaryOp::gelu_quick, activation::gelu_quick, 4e-6, 1e-7},
    {UnaryOp::relu, activation::relu, 0, 0},
    {UnaryOp::relu_sqr, activation::relu_sqr, 6e-8, 0},
    {UnaryOp::sigmoid, activation::sigmoid, 3e-7, 0},
    {UnaryOp::tanh, activation::tanh, 2.4e-7, 0},
    {UnaryOp::softplus, activation::softplus, 4e-7, 0},
    {UnaryOp::exp, activation::exp, 2.4e-7, 0},
    {UnaryOp::neg, activation::neg, 0, 0},
};

TEST(Elementwise, functions_are_as_accurate_as_they_say) {
  const std::vector<float> x = samples();
  std::vector<float> y(x.size());
  for (const ElementwiseKernel* kernel : elementwise_here())
    for (const Function& f : kFunctions) {
      kernel->fn->unary[static_cast<int>(f.op)]({x.data(), y.data(), static_cast<int64_t>(x.size()), 0, 0});
      for (size_t i = 0; i < x.size(); ++i) {
        const double in = static_cast<double>(x[i]), want = f.exact(in);
        if (std::fabs(want) > 3.4e38) continue;
        ASSERT_NEAR(static_cast<double>(y[i]), want, f.relative * std::fabs(want) + f.absolute_of_x * std::fabs(in) + 2e-37)
            << kernel->name << " function " << static_cast<int>(f.op) << " at " << x[i];
      }
    }
}

TEST(Elementwise, infinities_and_nan_come_out_as_they_should) {
  const float x[] = {INFINITY, -INFINITY, NAN, 1e30f, -1e30f};
  float y[5];
  for (const ElementwiseKernel* kernel : elementwise_here()) {
    auto run = [&](UnaryOp op) { kernel->fn->unary[static_cast<int>(op)]({x, y, 5, 1, 0}); };
    for (const UnaryOp op : {UnaryOp::silu, UnaryOp::gelu, UnaryOp::gelu_erf, UnaryOp::gelu_quick, UnaryOp::relu, UnaryOp::relu_sqr, UnaryOp::sigmoid,
                             UnaryOp::tanh, UnaryOp::softplus, UnaryOp::exp}) {
      run(op);
      EXPECT_TRUE(std::isnan(y[2])) << kernel->name << " function " << static_cast<int>(op) << " hides a NaN";
      EXPECT_FALSE(std::isnan(y[0])) << kernel->name << " function " << static_cast<int>(op);
      EXPECT_FALSE(std::isnan(y[4])) << kernel->name << " function " << static_cast<int>(op);
    }
    run(UnaryOp::gelu_erf);
    EXPECT_EQ(y[0], INFINITY);
    EXPECT_EQ(y[3], 1e30f);
    EXPECT_EQ(y[4], 0);
    run(UnaryOp::sigmoid);
    EXPECT_EQ(y[0], 1);
    EXPECT_EQ(y[1], 0);
  }
}

TEST(Elementwise, an_element_does_not_know_its_place) {
  const std::vector<float> x = samples();
  std::vector<float> whole(x.size()), one(x.size());
  for (const ElementwiseKernel* kernel : elementwise_here())
    for (int op = 0; op < static_cast<int>(UnaryOp::count); ++op) {
      const auto fn = kernel->fn->unary[op];
      fn({x.data(), whole.data(), static_cast<int64_t>(x.size()), 3, 1});
      for (size_t i = 0; i < x.size(); i += 1 + i % 23) fn({&x[i], &one[i], static_cast<int64_t>(std::min<size_t>(1 + i % 23, x.size() - i)), 3, 1});
      EXPECT_EQ(0, std::memcmp(whole.data(), one.data(), x.size() * 4)) << kernel->name << " function " << op;
    }
}

TEST(Elementwise, gated_units_agree_with_double) {
  const Tensor g = floats({1, 1003}, 3, 3), u = floats({1, 1003}, 4, 3);
  Tensor y = output({1, 1003});
  y.allocate();
  double (*const acts[])(double) = {activation::silu, activation::gelu,     activation::gelu_erf,
                                    activation::relu, activation::relu_sqr, activation::sigmoid};
  for (const ElementwiseKernel* kernel : elementwise_here()) {
    for (int act = 0; act < 6; ++act) {
      kernel->fn->glu[act]({g.at<float>(0), u.at<float>(0), y.at<float>(0), 1003, 0, 0});
      for (int64_t i = 0; i < 1003; ++i) {
        const double gate = static_cast<double>(g.at<float>(0)[i]), up = static_cast<double>(u.at<float>(0)[i]);
        ASSERT_NEAR(static_cast<double>(y.at<float>(0)[i]), acts[act](gate) * up,
                    1e-6 * (std::fabs(acts[act](gate)) + std::fabs(gate)) * std::fabs(up))
            << kernel->name << " act " << act;
      }
    }
    kernel->fn->glu[static_cast<int>(GluAct::swiglu_oai)]({g.at<float>(0), u.at<float>(0), y.at<float>(0), 1003, 1.702f, 2});
    for (int64_t i = 0; i < 1003; ++i) {
      const double gate = std::min(static_cast<double>(g.at<float>(0)[i]), 2.0), up = std::clamp(static_cast<double>(u.at<float>(0)[i]), -2.0, 2.0);
      ASSERT_NEAR(static_cast<double>(y.at<float>(0)[i]), gate * activation::sigmoid(static_cast<double>(1.702f) * gate) * (up + 1),
                  4e-6 * std::fabs(gate))
          << kernel->name;
    }
    EXPECT_TRUE(y.memory->intact());
  }
}

/// The binary ops round once, so results are exact.
TEST(ElementwiseBind, operands_broadcast) {
  const IsaSet isa = machine();
  const Tensor a = floats({6, 3, 37}, 3, 1, true, 5);
  Tensor one = vector_of({1}, 8), last = vector_of({37}, 9), same = floats({6, 3, 37}, 10, 1, true, 2), column = floats({6, 3, 1}, 11, 1, true, 4);
  for (const Tensor& b : {one, last, same, column})
    for (const char* op : {"add", "sub", "mul", "div"}) {
      Bound k(cpu::bind_binary, op, {}, {a, b}, {output({6, 3, 37}, DType::f32, 1)}, isa);
      ASSERT_TRUE(k.ok()) << k.error();
      k.run(6, 1);
      for (int64_t r = 0; r < 18; ++r)
        for (int64_t i = 0; i < 37; ++i) {
          const float x = a.at<float>(r)[i], y = b.at<float>(b.rows() == 1 ? 0 : r)[b.row_elements() == 1 ? 0 : i];
          const float want = *op == 'a' ? x + y : *op == 's' ? x - y : *op == 'm' ? x * y : x / y;
          ASSERT_EQ(k.out().at<float>(r)[i], want) << op << " row " << r << " element " << i;
        }
    }
}

TEST(ElementwiseBind, long_rows_are_cut_and_all_of_them_is_done) {
  const IsaSet isa = machine();
  for (const int64_t d : {4095, 4096, 4097, 12289, 40000}) {
    const Tensor x = floats({2, d}, 3, 1, true, 3);
    Bound b(cpu::bind_unary, "neg", {}, {x}, {output({2, d}, DType::f32, 9)}, isa);
    Bound cap(cpu::bind_unary, "softcap", {{"cap", 0.5}}, {x}, {output({2, d})}, isa);
    ASSERT_TRUE(b.ok() && cap.ok());
    b.run(2, 1);
    cap.run(2, 1);
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t i = 0; i < d; ++i) {
        ASSERT_EQ(b.out().at<float>(r)[i], -x.at<float>(r)[i]) << d;
        ASSERT_NEAR(cap.out().at<float>(r)[i], 0.5 * std::tanh(static_cast<double>(x.at<float>(r)[i]) / 0.5), 2e-7);
      }
  }
}

TEST(ElementwiseBind, glu_quant_is_glu_then_quantize_rows) {
  for (const ElementwiseKernel* kernel : elementwise_here()) {
    const IsaSet isa = *cap(machine(), kernel->name);
    const Tensor g = floats({5, 5056}, 3, 1, true, 5), u = floats({5, 5056}, 4);
    for (const char* act : {"silu", "gelu", "swiglu_oai"}) {
      const Attrs attrs = {{"act", std::string(act)}};
      Bound glu(cpu::bind_glu, "glu", attrs, {g, u}, {output({5, 5056}, DType::f32, 1)}, isa);
      Bound fused(cpu::bind_glu_quant, "glu_quant", attrs, {g, u}, {output({5, 5056}, DType::q8_rows, 1)}, isa);
      Bound fused_bf16(cpu::bind_glu_quant, "glu_quant", attrs, {g, u}, {output({5, 5056}, DType::bf16, 1)}, isa);
      ASSERT_TRUE(glu.ok() && fused.ok() && fused_bf16.ok()) << fused.error() << fused_bf16.error();
      glu.run(5, 1);
      fused.run(5, 2);
      fused_bf16.run(5, 2);
      const Tensor want = quantised(glu.out()), want_bf16 = rounded(glu.out());
      for (int64_t r = 0; r < 5; ++r) EXPECT_EQ(0, std::memcmp(want_bf16.row(r), fused_bf16.out().row(r), 2 * 5056)) << kernel->name << " " << act << " row " << r;
      for (int64_t r = 0; r < 5; ++r)
        EXPECT_EQ(0, std::memcmp(want.row(r), fused.out().row(r), 5056 + 632 + 1264)) << kernel->name << " " << act << " row " << r;
    }
  }
}

TEST(ElementwiseBind, attn_temperature_scales_by_position) {
  const Tensor x = floats({4, 2, 24}, 3, 1, true, 4);
  const std::vector<int32_t> positions = {0, 8191, 8192, 100000};
  Bound b(cpu::bind_attn_temperature, "attn_temperature", {{"length", 8192.0}, {"scale", 0.1}, {"offset", 1.0}}, {x, ints({4}, positions)},
          {output({4, 2, 24})}, machine());
  ASSERT_TRUE(b.ok()) << b.error();
  b.run(4, 1);
  for (int64_t r = 0; r < 8; ++r) {
    const double factor = 1 + 0.1 * std::log(1 + std::floor((positions[static_cast<size_t>(r / 2)] + 1) / 8192.0));
    for (int64_t i = 0; i < 24; ++i)
      ASSERT_NEAR(static_cast<double>(b.out().at<float>(r)[i]), static_cast<double>(x.at<float>(r)[i]) * factor,
                  2e-7 * std::fabs(static_cast<double>(x.at<float>(r)[i]) * factor));
  }
}

TEST(CopyBind, slices_joins_repeats_and_gathers) {
  const IsaSet isa = machine();
  const Tensor x = floats({5, 3, 20}, 3, 1, true, 4), y = floats({5, 3, 7}, 4, 1, true, 2);
  Bound slice(cpu::bind_slice, "slice", {{"start", int64_t{6}}, {"length", int64_t{9}}}, {x}, {output({5, 3, 9}, DType::f32, 3)}, isa);
  Bound concat(cpu::bind_concat, "concat", {}, {x, y}, {output({5, 3, 27}, DType::f32, 1)}, isa);
  Bound reshape(cpu::bind_reshape, "reshape", {{"dims", std::vector<int64_t>{-1, 60}}}, {x}, {output({5, 60}, DType::f32, 1)}, isa);
  Bound tile(cpu::bind_repeat_heads, "repeat_heads", {{"times", int64_t{2}}, {"mode", std::string("tile")}}, {x}, {output({5, 6, 20})}, isa);
  Bound group(cpu::bind_repeat_heads, "repeat_heads", {{"times", int64_t{2}}, {"mode", std::string("group")}}, {x},
              {output({5, 6, 20}, DType::f32, 8)}, isa);
  Bound gather(cpu::bind_gather_rows, "gather_rows", {}, {x, ints({2}, {4, 1})}, {output({2, 3, 20}, DType::f32, 2)}, isa);
  for (Bound* b : {&slice, &concat, &reshape, &tile, &group}) {
    ASSERT_TRUE(b->ok()) << b->error();
    b->run(5, 1);
  }
  for (int64_t r = 0; r < 15; ++r) {
    EXPECT_EQ(0, std::memcmp(slice.out().row(r), x.at<float>(r) + 6, 36));
    EXPECT_EQ(0, std::memcmp(concat.out().row(r), x.row(r), 80));
    EXPECT_EQ(0, std::memcmp(concat.out().at<float>(r) + 20, y.row(r), 28));
    EXPECT_EQ(0, std::memcmp(reshape.out().at<float>(r / 3) + r % 3 * 20, x.row(r), 80));
    for (int64_t j = 0; j < 2; ++j) {
      EXPECT_EQ(0, std::memcmp(tile.out().row(r / 3 * 6 + j * 3 + r % 3), x.row(r), 80));
      EXPECT_EQ(0, std::memcmp(group.out().row(r / 3 * 6 + r % 3 * 2 + j), x.row(r), 80));
    }
  }
  ASSERT_TRUE(gather.ok()) << gather.error();
  // one symbol counts both the rows of x and those taken; both ids lie in x even when it is thought two rows long
  gather.run(5 > 2 ? 2 : 2);
  EXPECT_EQ(0, std::memcmp(gather.out().row(3), x.row(3), 240)) << "row 1 of x";
  EXPECT_EQ(gather.out().at<float>(0)[0], 0) << "row 4 lies beyond the two rows of this step";
}

}  // namespace
