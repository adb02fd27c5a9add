// The operators of com.microsoft, which no test of ONNX shows: each against the ONNX operators that it stands for, or against numbers worked out by hand.
#include "support/tensor_call.h"

namespace mainspring::inline v0 {
namespace {

using namespace test;

constexpr double kClose = 1e-5;  // what f32 rounding between the operators of the longer way leaves

Operand sum(Operand a, Operand b) {  // b is broadcast over a's leading extents
  Operand y(a.dtype, a.shape);
  for (int64_t i = 0; i < a.shape.elements(); ++i) store(y.view(), i, load(a.view(), i) + load(b.view(), i % b.shape.elements()));
  return y;
}
Operand decoded(Operand q, double scale, double zero) {
  Operand y(DType::f32, q.shape);
  for (int64_t i = 0; i < q.shape.elements(); ++i) store(y.view(), i, (load(q.view(), i) - zero) * scale);
  return y;
}
Operand coded(Operand x, double scale, double zero) {
  Operand q(DType::u8, x.shape);
  for (int64_t i = 0; i < x.shape.elements(); ++i) store(q.view(), i, std::fmin(255, std::fmax(0, std::nearbyint(load(x.view(), i) / scale) + zero)));
  return q;
}
Operand scalar(double x, DType t = DType::f32) { return numbers(t, {}, {x}); }

TEST(Contrib, gelus) {
  const Operand x = floats({2, 3}, {-3, -1, -0.25, 0, 0.5, 2}), b = floats({3}, {0.5, -0.5, 1});
  const auto erf = [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); };
  const auto tanh = [](double v) { return 0.5 * v * (1 + std::tanh(0.7978845608 * (v + 0.044715 * v * v * v))); };
  const auto each = [](Operand from, auto f) {
    Operand y(from.dtype, from.shape);
    for (int64_t i = 0; i < from.shape.elements(); ++i) store(y.view(), i, f(load(from.view(), i)));
    return y;
  };
  expect_near(run("com.microsoft.Gelu", {x})[0], each(x, erf), kClose);
  expect_near(run("com.microsoft.BiasGelu", {x, b})[0], each(sum(x, b), erf), kClose);
  expect_near(run("com.microsoft.FastGelu", {x})[0], each(x, tanh), kClose);
  expect_near(run("com.microsoft.FastGelu", {x, b})[0], each(sum(x, b), tanh), kClose);
  expect_near(run("com.microsoft.QuickGelu", {x}, {{"alpha", 2.0}})[0], each(x, [](double v) { return v / (1 + std::exp(-2 * v)); }), kClose);
  expect_near(run("com.microsoft.BiasAdd", {x, b, x})[0], sum(sum(x, b), x), kClose);
  expect_near(run("com.microsoft.BiasSplitGelu", {floats({1, 4}, {2, 3, 1, -1}), floats({4}, {0, 0, 0, 0})})[0], floats({1, 2}, {2 * erf(1), 3 * erf(-1)}), kClose);
  expect_refused("com.microsoft.BiasGelu", {x, floats({2}, {1, 2})});
  expect_refused("com.microsoft.BiasSplitGelu", {floats({1, 3}, {1, 2, 3}), floats({3}, {1, 2, 3})});
}

TEST(Contrib, norms_of_sums) {
  const Operand x = noise(DType::f32, {2, 3, 8}, 1), skip = noise(DType::f32, {2, 3, 8}, 2), one = noise(DType::f32, {1, 3, 8}, 3);
  const Operand gamma = noise(DType::f32, {8}, 4), beta = noise(DType::f32, {8}, 5), bias = noise(DType::f32, {8}, 6);
  auto y = run("com.microsoft.SkipLayerNormalization", {x, skip, gamma, beta, bias}, {{"epsilon", 1e-5}}, 4);
  const Operand all = sum(sum(x, skip), bias);
  expect_near(y[3], all, kClose);
  const auto norm = run("LayerNormalization", {all, gamma, beta}, {{"epsilon", 1e-5}}, 3);
  for (size_t i = 0; i < 3; ++i) expect_near(y[i], norm[i], kClose);
  expect_near(run("com.microsoft.SkipLayerNormalization", {x, one, gamma}, {{"epsilon", 1e-5}})[0], run("LayerNormalization", {sum(x, one), gamma}, {{"epsilon", 1e-5}})[0], kClose);
  const Operand rms = run("RMSNormalization", {all, gamma}, {{"epsilon", 1e-5}})[0];
  y = run("com.microsoft.SkipSimplifiedLayerNormalization", {x, skip, gamma, bias}, {{"epsilon", 1e-5}}, 4);
  expect_near(y[0], rms, kClose);
  expect_near(y[3], all, kClose);
  expect_near(run("SimplifiedLayerNormalization", {all, gamma}, {{"epsilon", 1e-5}})[0], rms, kClose);
  expect_refused("com.microsoft.SkipLayerNormalization", {x, noise(DType::f32, {2, 2, 8}, 1), gamma});
}

TEST(Contrib, embeddings) {
  const Operand ids = numbers(DType::i32, {1, 3}, {2, 0, 9}), segments = numbers(DType::i32, {1, 3}, {1, 0, 1}), mask = numbers(DType::i32, {1, 3}, {1, 1, 0});
  const Operand words = floats({3, 2}, {1, 2, 3, 4, 5, 6}), positions = floats({4, 2}, {10, 20, 30, 40, 50, 60, 70, 80}), table = floats({2, 2}, {0.5, 0.25, -0.5, 1});
  const Operand gamma = floats({2}, {2, 3}), beta = floats({2}, {1, -1});
  auto y = run("com.microsoft.EmbedLayerNormalization", {ids, segments, words, positions, table, gamma, beta, mask}, {}, 3);
  // The last word is beyond the table and adds nothing.
  const Operand all = floats({1, 3, 2}, {5 + 10 - 0.5, 6 + 20 + 1, 1 + 30 + 0.5, 2 + 40 + 0.25, 50 - 0.5, 60 + 1});
  expect_near(y[2], all, kClose);
  expect_near(y[0], run("LayerNormalization", {all, gamma, beta}, {{"epsilon", 1e-12}})[0], kClose);
  EXPECT_EQ(y[1].numbers(), std::vector<double>{2});
  // The same tables as codes.
  const auto one = [&](Operand t) { return coded(t, 0.25, 100); };
  const Operand s = scalar(0.25), z = scalar(100, DType::u8);
  const Operand small = floats({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_near(run("com.microsoft.QEmbedLayerNormalization", {ids, segments, one(words), one(small), one(table), one(gamma), one(beta), mask, s, s, s, s, s, z, z, z, z, z}, {}, 1)[0],
              run("com.microsoft.EmbedLayerNormalization", {ids, segments, words, small, table, gamma, beta, mask}, {}, 1)[0], kClose);
}

TEST(Contrib, group_norms) {
  const Operand x = noise(DType::f32, {2, 4, 3, 2}, 7), gamma = noise(DType::f32, {4}, 8), beta = noise(DType::f32, {4}, 9);
  const Attrs first{{"groups", int64_t{2}}, {"activation", int64_t{0}}, {"channels_last", int64_t{0}}, {"epsilon", 1e-5}};
  expect_near(run("com.microsoft.GroupNorm", {x, gamma, beta}, first)[0], run("GroupNormalization", {x, gamma, beta}, {{"num_groups", int64_t{2}}, {"epsilon", 1e-5}})[0], kClose);
  Operand last(DType::f32, {2, 3, 2, 4}), per_image = noise(DType::f32, {2, 4}, 3);
  const auto moved = [](int64_t i) { return ((i / 24 * 4 + i % 4) * 6) + i / 4 % 6; };  // [N, 6, C] from [N, C, 6]
  for (int64_t i = 0; i < 48; ++i) store(last.view(), i, load(Operand(x).view(), moved(i)));
  const Attrs second{{"groups", int64_t{2}}, {"activation", int64_t{1}}, {"epsilon", 1e-5}};
  auto got = run("com.microsoft.GroupNorm", {last, gamma, beta}, second);
  Operand want = run("com.microsoft.GroupNorm", {x, gamma, beta}, first)[0], silu(DType::f32, {2, 3, 2, 4});
  for (int64_t i = 0; i < 48; ++i) {
    const double v = load(want.view(), moved(i));
    store(silu.view(), i, v / (1 + std::exp(-v)));
  }
  expect_near(got[0], silu, kClose);
  auto skipped = run("com.microsoft.SkipGroupNorm", {last, gamma, beta, per_image, gamma}, second, 2);
  for (int64_t i = 0; i < 48; ++i)
    EXPECT_NEAR(load(skipped[1].view(), i), load(last.view(), i) + load(per_image.view(), i / 24 * 4 + i % 4) + load(Operand(gamma).view(), i % 4), 1e-6);
}

TEST(Contrib, products) {
  const Operand a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 0, 0, 1, 1, 1});
  const Operand y = floats({2, 2}, {4, 5, 10, 11}), at = floats({3, 2}, {1, 4, 2, 5, 3, 6}), bt = floats({2, 3}, {1, 0, 1, 0, 1, 1});
  const Attrs both{{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 2.0}};
  expect_near(run("com.microsoft.FusedMatMul", {a, b})[0], y, 0);
  expect_near(run("com.microsoft.FusedMatMul", {at, bt}, both)[0], sum(y, y), 0);
  expect_near(run("com.microsoft.TransposeMatMul", {at, bt}, both)[0], sum(y, y), 0);
  // transBatchA: [M, B, K] stands for [B, M, K].
  const Operand mbk = noise(DType::f32, {2, 3, 4}, 1), right = noise(DType::f32, {3, 4, 5}, 2);
  Operand bmk(DType::f32, {3, 2, 4});
  for (int64_t i = 0; i < 24; ++i) store(bmk.view(), i, load(Operand(mbk).view(), (i / 4 % 2 * 3 + i / 8) * 4 + i % 4));
  expect_near(run("com.microsoft.FusedMatMul", {mbk, right}, {{"transBatchA", int64_t{1}}})[0], run("com.microsoft.FusedMatMul", {bmk, right})[0], kClose);
  expect_near(run("com.microsoft.FusedGemm", {a, b, floats({2}, {-5, -20})}, {{"activation", "Relu"}, {"beta", 1.0}})[0], floats({2, 2}, {0, 0, 5, 0}), 0);
  expect_near(run("com.microsoft.FusedMatMulActivation", {a, b}, {{"activation", "LeakyRelu"}, {"activation_alpha", 0.5}, {"alpha", -1.0}})[0], floats({2, 2}, {-2, -2.5, -5, -5.5}), kClose);
  expect_near(run("com.microsoft.GemmFastGelu", {a, b, floats({2}, {1, -1})})[0], run("com.microsoft.FastGelu", {y, floats({2}, {1, -1})})[0], kClose);
  expect_refused("com.microsoft.FusedMatMul", {a, a});
  expect_refused("com.microsoft.FusedGemm", {a, b}, {{"activation", "Nonsense"}});
}

TEST(Contrib, convolutions) {
  const Operand x = noise(DType::f32, {1, 4, 5, 6}, 1), w = noise(DType::f32, {2, 2, 3, 3}, 2), b = noise(DType::f32, {2}, 3), z = noise(DType::f32, {1, 2, 5, 6}, 4);
  const std::vector<int64_t> pads{1, 1, 1, 1};
  const Attrs plain{{"group", int64_t{2}}, {"pads", pads}};
  Operand y = run("Conv", {x, w, b}, plain)[0];
  Operand relu = sum(y, z);
  for (int64_t i = 0; i < relu.shape.elements(); ++i) store(relu.view(), i, std::fmax(0, load(relu.view(), i)));
  expect_near(run("com.microsoft.FusedConv", {x, w, b, z}, {{"group", int64_t{2}}, {"pads", pads}, {"activation", "Relu"}})[0], relu, kClose);
  // Channels last: the same numbers elsewhere.
  const auto last = [](Operand t) {
    const int64_t n = t.shape[0], c = t.shape[1], plane = t.shape[2] * t.shape[3];
    Operand to(t.dtype, Shape{n, t.shape[2], t.shape[3], c});
    for (int64_t i = 0; i < t.shape.elements(); ++i) store(to.view(), i, load(t.view(), (i / (c * plane) * c + i % c) * plane + i / c % plane));
    return to;
  };
  expect_near(run("com.microsoft.NhwcConv", {last(x), last(w), b}, plain)[0], last(y), kClose);
  const Attrs pool{{"kernel_shape", std::vector<int64_t>{2, 3}}, {"strides", std::vector<int64_t>{2, 1}}};
  expect_near(run("com.microsoft.NhwcMaxPool", {last(x)}, pool)[0], last(run("MaxPool", {x}, pool)[0]), 0);
  const Operand q = coded(x, 0.01, 128), s = scalar(0.01), u = scalar(128, DType::u8), qw = coded(w, 0.01, 128), big = scalar(0.05);
  expect_near(run("com.microsoft.QLinearConv", {last(q), s, u, qw, s, u, big, u}, {{"group", int64_t{2}}, {"pads", pads}, {"channels_last", int64_t{1}}})[0],
              last(run("QLinearConv", {q, s, u, qw, s, u, big, u}, plain)[0]), 0);
}

TEST(Contrib, products_of_codes) {
  const Operand a = noise(DType::u8, {3, 20}, 1), b = noise(DType::i8, {20, 4}, 2), scales = floats({4}, {0.5, 0.25, 0.125, 1}), zeros = numbers(DType::i8, {4}, {3, -1, 0, 2});
  Operand w(DType::f32, {20, 4});
  for (int64_t i = 0; i < 80; ++i) store(w.view(), i, (load(Operand(b).view(), i) - load(Operand(zeros).view(), i % 4)) * load(Operand(scales).view(), i % 4));
  const Operand bias = floats({4}, {1, 2, 3, 4}), left = decoded(a, 0.5, 7);
  const Operand y = sum(run("com.microsoft.FusedMatMul", {left, w})[0], bias);
  expect_near(run("com.microsoft.MatMulIntegerToFloat", {a, b, scalar(0.5), scales, scalar(7, DType::u8), zeros, bias})[0], y, kClose);
  // Codes of 0 to 255 with a scale of 1 are their own range, when 0 and 255 are among them.
  Operand whole = noise(DType::f32, {2, 20}, 3);
  for (int64_t i = 0; i < 40; ++i) store(whole.view(), i, std::floor(std::fabs(load(whole.view(), i)) * 255));
  store(whole.view(), 5, 255);
  expect_near(run("com.microsoft.DynamicQuantizeMatMul", {whole, b, scales, zeros, bias})[0], sum(run("com.microsoft.FusedMatMul", {whole, w})[0], bias), kClose);
  // QGemm: c counts in steps of the product.
  const Operand c = numbers(DType::i32, {4}, {10, -20, 30, 40});
  Operand more = run("com.microsoft.FusedMatMul", {left, w})[0];
  for (int64_t i = 0; i < 12; ++i) store(more.view(), i, load(more.view(), i) + load(Operand(c).view(), i % 4) * 0.5 * load(Operand(scales).view(), i % 4));
  const std::vector<Operand> operands{a, scalar(0.5), scalar(7, DType::u8), b, scales, zeros, c};
  expect_near(run("com.microsoft.QGemm", operands)[0], more, kClose);
  std::vector<Operand> coded_too = operands;
  coded_too.push_back(scalar(40));
  coded_too.push_back(scalar(100, DType::u8));
  expect_near(run("com.microsoft.QGemm", coded_too)[0], coded(more, 40, 100), 0);
  Operand turned(DType::i8, {4, 20});
  for (int64_t i = 0; i < 80; ++i) store(turned.view(), i, load(Operand(b).view(), i % 20 * 4 + i / 20));
  std::vector<Operand> transposed = operands;
  transposed[3] = turned;
  expect_near(run("com.microsoft.QGemm", transposed, {{"transB", int64_t{1}}})[0], more, kClose);
  expect_refused("com.microsoft.MatMulIntegerToFloat", {a, b, scalar(0.5), floats({3}, {1, 2, 3})});
}

TEST(Contrib, narrow_weights) {
  for (const int64_t bits : {2, 4, 8}) {
    const int64_t k = 40, n = 3, block = 32, blocks = 2, each = 8 / bits, zero_bytes = (blocks * bits + 7) / 8;
    const Operand a = noise(DType::f32, {2, k}, 1), scales = noise(DType::f32, {n, blocks}, 2);
    Operand b(DType::u8, {n, blocks, block / each}), zeros(DType::u8, {n * zero_bytes}), w(DType::f32, {k, n});
    for (int64_t i = 0; i < b.shape.elements(); ++i) store(b.view(), i, static_cast<double>(i * 37 % 256));
    for (int64_t i = 0; i < zeros.shape.elements(); ++i) store(zeros.view(), i, static_cast<double>(i * 91 % 256));
    const auto code = [&](Operand& from, int64_t row, int64_t i) { return static_cast<double>(load_int(from.view(), row + i / each) >> (i % each * bits) & ((1 << bits) - 1)); };
    for (const bool with_zeros : {false, true}) {
      for (int64_t i = 0; i < k * n; ++i) {
        const int64_t row = i % n, group = i / n / block;
        const double zero = with_zeros ? code(zeros, row * zero_bytes, group) : static_cast<double>(1 << (bits - 1));
        store(w.view(), i, (code(b, row * blocks * block / each, i / n) - zero) * load(Operand(scales).view(), row * blocks + group));
      }
      const Attrs attrs{{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}};
      expect_near(run("com.microsoft.MatMulNBits", {a, b, scales, with_zeros ? zeros : Operand()}, attrs)[0], run("com.microsoft.FusedMatMul", {a, w})[0], kClose);
    }
    expect_refused("com.microsoft.MatMulNBits", {a, b, noise(DType::f32, {n}, 1)}, {{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}});
  }
}

TEST(Contrib, codes_of_numbers) {
  const Operand a = noise(DType::u8, {2, 3, 4}, 1), b = noise(DType::u8, {3, 1}, 2), sa = scalar(0.02), sb = scalar(0.03), za = scalar(50, DType::u8), zb = scalar(20, DType::u8);
  const Operand sy = scalar(0.05), zy = scalar(60, DType::u8);
  const Operand x = decoded(a, 0.02, 50), y = decoded(b, 0.03, 20);
  Operand added(DType::f32, {2, 3, 4}), product(DType::f32, {2, 3, 4}), sigmoid(DType::f32, {2, 3, 4}), leaky(DType::f32, {2, 3, 4});
  for (int64_t i = 0; i < 24; ++i) {
    const double p = load(Operand(x).view(), i), q = load(Operand(y).view(), i / 4 % 3);
    store(added.view(), i, p + q), store(product.view(), i, p * q), store(sigmoid.view(), i, 1 / (1 + std::exp(-p))), store(leaky.view(), i, p >= 0 ? p : 0.3 * p);
  }
  expect_near(run("com.microsoft.QLinearAdd", {a, sa, za, b, sb, zb, sy, zy})[0], coded(added, 0.05, 60), 0.02);  // a tie may fall elsewhere
  expect_near(run("com.microsoft.QLinearMul", {a, sa, za, b, sb, zb, sy, zy})[0], coded(product, 0.05, 60), 0.02);
  expect_near(run("com.microsoft.QLinearSigmoid", {a, sa, za, sy, zy})[0], coded(sigmoid, 0.05, 60), 0.02);
  expect_near(run("com.microsoft.QLinearLeakyRelu", {a, sa, za, sy, zy}, {{"alpha", 0.3}})[0], coded(leaky, 0.05, 60), 0.02);
  Operand mean(DType::f32, {2, 1, 4}), soft(DType::f32, {2, 3, 4});
  for (int64_t i = 0; i < 8; ++i) {
    double s = 0, e = 0;
    for (int64_t r = 0; r < 3; ++r) s += load(Operand(x).view(), (i / 4 * 3 + r) * 4 + i % 4) / 3, e += std::exp(load(Operand(x).view(), (i / 4 * 3 + r) * 4 + i % 4));
    store(mean.view(), i, s);
    for (int64_t r = 0; r < 3; ++r) store(soft.view(), (i / 4 * 3 + r) * 4 + i % 4, std::exp(load(Operand(x).view(), (i / 4 * 3 + r) * 4 + i % 4)) / e);
  }
  expect_near(run("com.microsoft.QLinearReduceMean", {a, sa, za, sy, zy}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{1}}})[0], coded(mean, 0.05, 60), 0.02);
  expect_near(run("com.microsoft.QLinearSoftmax", {a, sa, za, scalar(1.0 / 256), scalar(0, DType::u8)}, {{"axis", int64_t{1}}, {"opset", int64_t{13}}})[0], coded(soft, 1.0 / 256, 0), 0.02);
  const Operand condition = numbers(DType::boolean, {3, 1}, {1, 0, 1});
  Operand chosen(DType::f32, {2, 3, 4});
  for (int64_t i = 0; i < 24; ++i) store(chosen.view(), i, i / 4 % 3 == 1 ? load(Operand(y).view(), 1) : load(Operand(x).view(), i));
  expect_near(run("com.microsoft.QLinearWhere", {condition, a, sa, za, b, sb, zb, sy, zy})[0], coded(chosen, 0.05, 60), 0.02);
}

TEST(Contrib, pools_and_joins_of_codes) {
  const Operand a = noise(DType::u8, {1, 2, 3, 4}, 1), s = scalar(0.1), z = scalar(10, DType::u8), sy = scalar(0.05), zy = scalar(3, DType::u8);
  const Operand sixteenth = scalar(0.0625);  // means of 1, 2, 4 and 12 steps of 0.1 are no ties in it
  const Attrs window{{"kernel_shape", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 0, 0}}};
  expect_near(run("com.microsoft.QLinearAveragePool", {a, s, z, sixteenth, zy}, window)[0], coded(run("AveragePool", {decoded(a, 0.1, 10)}, window)[0], 0.0625, 3), 0);
  expect_near(run("com.microsoft.QLinearGlobalAveragePool", {a, s, z, sixteenth, zy})[0], coded(run("GlobalAveragePool", {decoded(a, 0.1, 10)})[0], 0.0625, 3), 0);
  const Operand left = numbers(DType::u8, {2, 2}, {10, 20, 30, 40}), right = numbers(DType::u8, {2, 1}, {12, 14});
  // (10-10)×0.1/0.05+3 …; the right one has steps of 1 from 12 on.
  expect_near(run("com.microsoft.QLinearConcat", {sy, zy, left, s, z, right, scalar(1), scalar(12, DType::u8)}, {{"axis", int64_t{1}}})[0], numbers(DType::u8, {2, 3}, {3, 23, 3, 43, 63, 43}), 0);
  expect_refused("com.microsoft.QLinearConcat", {sy, zy, left, s}, {{"axis", int64_t{1}}});
}

TEST(Contrib, codes_of_sixteen_bits) {
  const Operand x = floats({2, 2}, {1.5, -2, 100000, 0.26}), scales = floats({2}, {0.5, 0.01}), zeros = numbers(DType::u16, {2}, {10, 300});
  const Operand q = run("com.microsoft.QuantizeLinear", {x, scales, zeros}, {{"axis", int64_t{1}}})[0];
  expect_near(q, numbers(DType::u16, {2, 2}, {13, 100, 65535, 326}), 0);
  expect_near(run("com.microsoft.DequantizeLinear", {q, scales, zeros}, {{"axis", int64_t{1}}})[0], floats({2, 2}, {1.5, -2, 32762.5, 0.26}), kClose);
}

TEST(Contrib, lstm_of_codes) {
  // Weights with one scale, and inputs that are codes already: the rows' own rounding is all that differs from LSTM.
  const Operand w = noise(DType::i8, {2, 3, 16}, 1), r = noise(DType::i8, {2, 4, 16}, 2), b = noise(DType::f32, {2, 32}, 3), x = noise(DType::f32, {5, 2, 3}, 4);
  const Operand s = floats({2}, {0.01, 0.02}), z = numbers(DType::i8, {2}, {50, 40});
  const auto plain = [&](Operand q) {  // [D, K, 4H] of codes to [D, 4H, K]
    const int64_t k = q.shape[1];
    Operand to(DType::f32, {2, 16, k});
    for (int64_t d = 0; d < 2; ++d)
      for (int64_t n = 0; n < 16; ++n)
        for (int64_t i = 0; i < k; ++i) store(to.view(), (d * 16 + n) * k + i, (load(q.view(), (d * k + i) * 16 + n) - (d ? 40 : 50)) * (d ? 0.02 : 0.01));
    return to;
  };
  const Attrs attrs{{"hidden_size", int64_t{4}}, {"direction", "bidirectional"}};
  const auto got = run("com.microsoft.DynamicQuantizeLSTM", {x, w, r, b, {}, {}, {}, {}, s, z, s, z}, attrs, 3);
  const auto want = run("LSTM", {x, plain(w), plain(r), b}, attrs, 3);
  for (size_t i = 0; i < 3; ++i) expect_near(got[i], want[i], 0.05);  // steps of 2 / 255 of x and h, times weights of about 1, through gates
}

}  // namespace
}  // namespace mainspring::inline v0
