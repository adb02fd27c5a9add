// Fused chains: each operation in every instruction set against its scalar value in double, broadcasting and programs against the operator's reference.
#include "cpu/kernels/chain/chain.h"

#include "cpu/tensor_harness.h"
#include "ops/numeric/chain.h"
#include "ops/op.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

double ulp_of(double y) {
  const float f = std::fabs(static_cast<float>(y));
  if (std::isinf(f)) return HUGE_VAL;
  return static_cast<double>(std::nextafterf(f, INFINITY)) - static_cast<double>(f);
}

std::vector<float> samples() {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) * 0.00517f);
  for (int i = 0; i < 2000; ++i) x.push_back(static_cast<float>(i - 1000) * 7.31f);
  for (int i = -400; i <= 400; ++i) x.push_back(static_cast<float>(i) * 1.57079633f);
  for (int e = -149; e < 128; ++e)
    for (float sign : {1.0f, -1.0f}) x.push_back(sign * std::ldexp(1.37f, e));
  for (float v : {0.0f, -0.0f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 8388607.5f, 4194304.5f, 88.7f, -88.7f, 104.0f, -104.0f, INFINITY, -INFINITY, NAN}) x.push_back(v);
  return x;
}

struct Accuracy {
  ChainOp op;
  double ulps, of_x;  ///< error <= ulps * ulp(result) + of_x * |x|
};
const Accuracy kUnary[] = {
    {ChainOp::copy, 0, 0}, {ChainOp::neg, 0, 0}, {ChainOp::abs, 0, 0}, {ChainOp::sign, 0, 0}, {ChainOp::logical_not, 0, 0}, {ChainOp::relu, 0, 0},
    {ChainOp::reciprocal, 1, 0}, {ChainOp::sqrt, 1, 0}, {ChainOp::exp, 2, 0}, {ChainOp::log, 3, 0}, {ChainOp::erf, 3, 0}, {ChainOp::sigmoid, 4, 0},
    {ChainOp::tanh, 3, 0}, {ChainOp::floor, 0, 0}, {ChainOp::ceil, 0, 0}, {ChainOp::round, 0, 0}, {ChainOp::sin, 3, 0}, {ChainOp::cos, 3, 0},
    {ChainOp::atan, 3, 0}, {ChainOp::softplus, 4, 0}, {ChainOp::softsign, 2, 0}, {ChainOp::silu, 12, 0}, {ChainOp::gelu, 12, 1e-6},
    {ChainOp::gelu_erf, 12, 2e-7}, {ChainOp::mish, 4, 0}, {ChainOp::is_nan, 0, 0}, {ChainOp::is_inf, 0, 0},
};

TEST(Chain, functions_of_one_operand_are_accurate) {
  const std::vector<float> x = samples();
  std::vector<float> y(x.size()), part(x.size());
  for (const ChainKernel* kernel : usable(chain_kernels()))
    for (const Accuracy& f : kUnary) {
      const auto fn = kernel->fn->op[static_cast<int>(f.op)];
      const auto n = static_cast<int64_t>(x.size());
      fn({x.data(), x.data(), x.data(), true, true, true, y.data(), n});
      for (size_t i = 0; i < x.size(); ++i) {
        const double in = static_cast<double>(x[i]), want = chain_value(f.op, in, 0.0, 0.0), got = static_cast<double>(y[i]);
        if (std::isinf(in) && f.op >= ChainOp::softsign && f.op <= ChainOp::mish) continue;  // 0 * inf on the way
        const bool tiny = f.op >= ChainOp::exp && std::fabs(want) < 1.2e-38 && std::fabs(got) < 1.5e-38;  // not normal: a few steps of the smallest number, or none
        const double small = f.op >= ChainOp::silu && f.op <= ChainOp::mish ? 2e-37 : 0;  // x times what is no longer normal
        if (std::isnan(want) ? std::isnan(got) : tiny || static_cast<float>(want) == y[i] || std::fabs(want - got) <= f.ulps * ulp_of(want) + f.of_x * std::fabs(in) + small) continue;
        ADD_FAILURE() << kernel->name << " operation " << static_cast<int>(f.op) << " at " << x[i] << ": " << got << ", expected " << want << " (" << std::fabs(want - got) / ulp_of(want) << " ulp)";
        break;
      }
      for (int64_t i = 0; i < n; i += 1 + i % 23) fn({&x[static_cast<size_t>(i)], x.data(), x.data(), true, true, true, &part[static_cast<size_t>(i)], std::min<int64_t>(1 + i % 23, n - i)});
      EXPECT_EQ(0, std::memcmp(y.data(), part.data(), y.size() * 4)) << kernel->name << " operation " << static_cast<int>(f.op) << " knows its place";
    }
}

TEST(Chain, functions_of_more_operands_are_accurate) {
  const float v[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.5f, -3.25f, 0.3f, 7.0f, INFINITY, -INFINITY, NAN, 1e-30f};
  std::vector<float> a, b, c;
  for (float x : v)
    for (float y : v)
      for (float z : {0.5f, -2.0f, 1e30f}) a.push_back(x), b.push_back(y), c.push_back(z);
  std::vector<float> y(a.size());
  for (const ChainKernel* kernel : usable(chain_kernels()))
    for (int op = static_cast<int>(ChainOp::add); op < static_cast<int>(ChainOp::count); ++op)
      for (int still = 0; still < 8; ++still) {
        const bool sa = !(still & 1), sb = !(still & 2), sc = !(still & 4);
        const int arity = chain_arity(static_cast<ChainOp>(op));
        if (!(sa || sb || (sc && arity > 2))) continue;
        kernel->fn->op[op]({&a[100], &b[100], &c[100], sa, sb, sc, y.data(), static_cast<int64_t>(a.size() - 100)});
        for (size_t i = 0; i + 100 < a.size(); ++i) {
          const auto in = [&](const std::vector<float>& x, bool step) { return static_cast<double>(x[step ? i + 100 : 100]); };
          const double x = in(a, sa), w = in(b, sb), z = in(c, sc), want = chain_value(static_cast<ChainOp>(op), x, w, z), got = static_cast<double>(y[i]);
          const double twice = static_cast<ChainOp>(op) == ChainOp::fma && std::isfinite(want) ? 1.2e-7 * (std::fabs(x * w) + std::fabs(z)) : 0;  // a product that is rounded
          if (static_cast<ChainOp>(op) == ChainOp::clip && (std::isnan(w))) continue;
          ASSERT_TRUE(std::isnan(want) ? std::isnan(got) : static_cast<float>(want) == y[i] || std::fabs(want - got) <= 3 * ulp_of(want) + twice)
              << kernel->name << " operation " << op << " of " << x << ", " << w << ": " << got << ", expected " << want;
        }
      }
}

/// What the operator's reference makes of a program.
std::vector<Tensor> by_reference(const ChainProgram& p, const std::vector<Tensor>& in, std::vector<Tensor> out) {
  std::vector<TensorView> x(kMaxChainOperands), y;
  for (size_t i = 0; i < p.in.size(); ++i) x[i] = view(in[static_cast<size_t>(p.in[i])]);
  for (Tensor& t : out) t.allocate(), y.push_back(view(t));
  const Attrs attrs = chain_attrs(p);
  op_chain.reference({x, y, attrs, StepInfo{}});
  return out;
}

void check_program(const ChainProgram& p, const std::vector<Tensor>& in, const std::vector<Tensor>& out, const std::string& op = "chain", const Attrs& attrs = {}) {
  const std::vector<Tensor> want = by_reference(p, in, out);
  const bool own = op == "chain";
  expect_each(own ? cpu::bind_chain : cpu::bind_elementwise, op, own ? chain_attrs(p) : attrs, in, out, [&](size_t o, int64_t e) { return at(want[o], e); },
              [](double w) { return 4e-6 * std::fabs(w) + 1e-6; });
}

TEST(ChainBind, operands_broadcast_in_every_way) {
  // (x0 + x1) * x2, and |x0 + x1| beside it
  ChainProgram p;
  p.in = {0, 1, 2};
  p.steps = {{ChainOp::add, 0, 1}, {ChainOp::mul, kChainSteps, 2}, {ChainOp::abs, kChainSteps}};
  p.outputs = {kChainSteps + 1, kChainSteps + 2};
  p.types = {DType::f32, DType::f16};
  const std::vector<std::vector<int64_t>> shapes[] = {
      {{}, {}, {}},
      {{1}, {1}, {1}},
      {{5000}, {5000}, {1}},
      {{3, 17}, {17}, {3, 1}},
      {{4, 3, 2000}, {3, 1}, {4, 1, 1}},
      {{2, 5, 7, 3}, {1, 5, 1, 1}, {3}},
      {{2, 1, 7, 1}, {1, 5, 1, 3}, {2, 5, 1, 3}},
      {{64, 5, 33}, {5, 33}, {64, 1, 33}},
      {{1, 1, 1000}, {37, 1, 1}, {1, 3, 1}},
      {{8, 6, 4, 4}, {1, 6, 1, 1}, {8, 6, 1, 1}},
      {{3, 0, 4}, {4}, {3, 1, 1}},
  };
  for (const auto& s : shapes) {
    std::vector<Tensor> in;
    std::vector<int64_t> dims;
    for (size_t i = 0; i < 3; ++i) {
      in.push_back(dense(DType::f32, s[i], static_cast<uint32_t>(i + 1)));
      dims.insert(dims.begin(), s[i].size() > dims.size() ? s[i].size() - dims.size() : 0, 1);
      for (size_t d = 0; d < s[i].size(); ++d)
        if (int64_t& n = dims[dims.size() - s[i].size() + d]; s[i][d] != 1) n = s[i][d];
    }
    check_program(p, in, {dense(DType::f32, dims), dense(DType::f16, dims)});
  }
}

TEST(ChainBind, dtypes_are_converted_on_the_way) {
  for (const DType t : {DType::f32, DType::f16, DType::bf16, DType::f64, DType::boolean, DType::i8, DType::u8, DType::i16, DType::u16, DType::i32, DType::u32, DType::i64})
    for (const DType u : {DType::f32, DType::f16, DType::bf16, DType::f64, DType::boolean, DType::i8, DType::u8, DType::i16, DType::u16, DType::i32, DType::u32, DType::i64}) {
      const ChainOperand x{t};
      const auto p = chain_of("Cast", {}, {&x, 1}, u);
      if (!p) continue;
      check_program(*p, {dense(t, {3, 700}, 4, is_unsigned_int(t) ? 0 : -120, 120)}, {dense(u, {3, 700})}, "Cast");
    }
}

TEST(ChainBind, integers_wrap_and_compare) {
  for (const DType t : {DType::i64, DType::i32, DType::u8})
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Equal", "Less", "GreaterOrEqual"}) {
      const std::vector<Tensor> in = {dense(t, {7, 300}, 1, 0, 250), dense(t, {7, 1}, 2, 1, 250)};
      const ChainOperand x[] = {{t}, {t}};
      const DType u = op[0] == 'E' || op[0] == 'L' || op[0] == 'G' ? DType::boolean : t;
      const auto p = chain_of(op, {}, x, u);
      ASSERT_TRUE(p) << op;
      check_program(*p, in, {dense(u, {7, 300})}, op);
    }
}

TEST(ChainBind, onnx_operators_become_chains) {
  const Tensor x = dense(DType::f32, {2, 6, 50}, 1), y = dense(DType::f32, {6, 1}, 2), truth = dense(DType::boolean, {2, 1, 50}, 3);
  const Tensor two = constant(DType::f32, {}, {2}), low = constant(DType::f32, {}, {-0.5}), high = constant(DType::f32, {1}, {1.25});
  struct Case {
    const char* op;
    Attrs attrs;
    std::vector<Tensor> in;
  };
  const Case cases[] = {{"Pow", {}, {x, two}}, {"Clip", {}, {x, low, high}}, {"Clip", {}, {x, absent(), high}}, {"Where", {}, {truth, x, y}}, {"PRelu", {}, {x, y}},
                        {"LeakyRelu", {{"alpha", 0.2}}, {x}}, {"Elu", {{"alpha", 1.5}}, {x}}, {"Selu", {}, {x}}, {"HardSigmoid", {}, {x}}, {"HardSwish", {}, {x}},
                        {"Swish", {{"alpha", 0.7}}, {x}}, {"Gelu", {{"approximate", std::string("tanh")}}, {x}}, {"Max", {}, {x, y, two}}, {"Mean", {}, {x, y}},
                        {"com.microsoft.FastGelu", {}, {x, dense(DType::f32, {50}, 5)}}};
  for (const Case& c : cases) {
    std::vector<ChainOperand> operands;
    for (const Tensor& t : c.in) operands.push_back({t.dtype, t.present});
    const auto p = chain_of(c.op, c.attrs, operands, DType::f32);
    ASSERT_TRUE(p) << c.op;
    check_program(*p, c.in, {dense(DType::f32, {2, 6, 50})}, c.op, c.attrs);
  }
}

TEST(ChainBind, batch_normalization_is_one) {
  for (const int64_t inner : {1, 49, 5000}) {
    const Tensor x = dense(DType::f32, {2, 5, inner}, 1), scale = dense(DType::f32, {5}, 2), bias = dense(DType::f32, {5}, 3), mean = dense(DType::f32, {5}, 4), var = dense(DType::f32, {5}, 5, 0.1, 2);
    expect_each(cpu::bind_batch_normalization, "BatchNormalization", {{"epsilon", 1e-3}}, {x, scale, bias, mean, var}, {dense(DType::f32, {2, 5, inner})},
                [&](size_t, int64_t e) {
                  const int64_t c = e / inner % 5;
                  return (at(x, e) - at(mean, c)) / std::sqrt(at(var, c) + 1e-3) * at(scale, c) + at(bias, c);
                },
                [](double w) { return 2e-6 * std::fabs(w) + 4e-6; });
  }
}

TEST(ChainProgram, joining_substitutes_an_operand) {
  const ChainOperand two[] = {{DType::f32}, {DType::f32}}, one[] = {{DType::f32}};
  ChainProgram add = *chain_of("Add", {}, two, DType::f32), relu = *chain_of("Relu", {}, one, DType::f32), mul = *chain_of("Mul", {}, two, DType::f32);
  add.in = {10, 11};
  relu.in = {20};  // relu of the sum
  mul.in = {11, 30};  // times relu
  const auto sum = chain_join(relu, 0, add);
  ASSERT_TRUE(sum);
  const auto all = chain_join(mul, 1, *sum);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->in, (std::vector<int64_t>{10, 11}));
  ChainProgram p = *all;
  p.in = {0, 1};
  const std::vector<Tensor> in = {dense(DType::f32, {9, 31}, 1), dense(DType::f32, {31}, 2)}, out = {dense(DType::f32, {9, 31})};
  check_program(p, in, out);
  const std::vector<Tensor> want = by_reference(p, in, out);
  for (int64_t e = 0; e < 9 * 31; ++e) EXPECT_FLOAT_EQ(at(want[0], e), at(in[1], e % 31) * std::max(0.0, at(in[0], e) + at(in[1], e % 31)));
}

TEST(ChainProgram, malformed_programs_are_refused) {
  ChainProgram p;
  p.in = {0};
  p.steps = {{ChainOp::relu, 0}};
  p.outputs = {kChainSteps};
  p.types = {DType::f32};
  EXPECT_TRUE(chain_program(chain_attrs(p), 1));
  EXPECT_FALSE(chain_program(chain_attrs(p), 0));
  for (const int64_t bad : {int64_t{1}, int64_t{-1}, kChainConstants, kChainSteps, kChainSteps + 5}) {
    ChainProgram q = p;
    q.steps[0].a = bad;
    EXPECT_FALSE(chain_program(chain_attrs(q), 1)) << bad;
  }
  for (const auto& change : {+[](Attrs& a) { a.set("code", std::vector<int64_t>{99, 0, 0, 0}); }, +[](Attrs& a) { a.set("outputs", std::vector<int64_t>{0}); },
                             +[](Attrs& a) { a.set("types", std::vector<int64_t>{200}); }, +[](Attrs& a) { a.set("code", std::vector<int64_t>{1, 0}); }}) {
    Attrs attrs = chain_attrs(p);
    change(attrs);
    EXPECT_FALSE(chain_program(attrs, 1));
  }
}

}  // namespace
