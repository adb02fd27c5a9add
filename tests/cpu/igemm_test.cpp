// Products of bytes on the CPU: every instruction set against sums in int64, exactly; and what is made of the sums.
#include <cmath>

#include "cpu/kernels/igemm/igemm.h"
#include "tests/cpu/linear_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

struct Shape {
  int64_t batches, rows, k, outputs;
};

int64_t byte(const Tensor& t, int64_t i) {
  if (!t.present) return 0;
  const int64_t n = static_cast<int64_t>(t.memory->size());
  const std::byte b = t.memory->data()[n == 1 ? 0 : i];
  return t.dtype == DType::i8 ? static_cast<int8_t>(b) : static_cast<int64_t>(b);
}
double number(const Tensor& t, int64_t i) { return !t.present ? 1 : reinterpret_cast<const float*>(t.memory->data())[t.memory->size() == 4 ? 0 : i]; }

/// Σ (x - zx)(w - zw) of batch b, row r, output o.
int64_t sum(const Shape& s, const Tensor& x, const Tensor& zx, const Tensor& w, const Tensor& zw, int64_t b, int64_t r, int64_t o) {
  const int64_t matrix = w.dims.size() > 2 ? b : 0;
  int64_t v = 0;
  for (int64_t k = 0; k < s.k; ++k) v += (byte(x, (b * s.rows + r) * s.k + k) - byte(zx, 0)) * (byte(w, (matrix * s.k + k) * s.outputs + o) - byte(zw, o));
  return v;
}

template <class Each>
void each_output(const Shape& s, Each each) {
  int64_t i = 0;
  for (int64_t b = 0; b < s.batches; ++b)
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t o = 0; o < s.outputs; ++o, ++i) each(b, r, o, i);
}

std::vector<Shape> shapes() { return {{1, 1, 1, 1}, {1, 1, 64, 16}, {1, 9, 33, 17}, {2, 5, 70, 130}, {1, 67, 12, 31}, {3, 2, 7, 300}}; }

TEST(Igemm, MatMulIntegerIsExactOnEveryInstructionSet) {
  for (const Shape& s : shapes())
    for (const DType a : {DType::u8, DType::i8})
      for (const DType w : {DType::u8, DType::i8})
        for (const int kind : {0, 1, 2, 3}) {  // no zero points; one; one for each column; matrices that are computed, one for each batch
          const Tensor x = random_bytes(a, {s.batches, s.rows, s.k}, 1);
          const Tensor m = kind == 3 ? random_bytes(w, {s.batches, s.k, s.outputs}, 2) : random_bytes(w, {s.k, s.outputs}, 2, true);
          const Tensor zx = kind ? random_bytes(a, {1}, 3) : absent(), zw = kind == 2 ? random_bytes(w, {s.outputs}, 4) : kind ? random_bytes(w, {1}, 4) : absent();
          for (const IsaSet isa : isa_sets()) {
            Bound b(cpu::bind_matmul_integer, "MatMulInteger", {}, {x, m, zx, zw}, {result({s.batches, s.rows, s.outputs}, DType::i32)}, isa);
            ASSERT_TRUE(b.ok()) << b.error();
            b.run(0, 5);
            int wrong = 0;
            each_output(s, [&](int64_t n, int64_t r, int64_t o, int64_t i) { wrong += reinterpret_cast<int32_t*>(b.out().memory->data())[i] != sum(s, x, zx, m, zw, n, r, o); });
            EXPECT_EQ(wrong, 0) << b.binding().kernel << " " << s.rows << " rows, kind " << kind << " " << name_of(a) << " " << name_of(w);
          }
        }
}

TEST(Igemm, FloatsOfSums) {
  for (const Shape& s : shapes())
    for (const bool per_column : {false, true}) {
      const Tensor x = random_bytes(DType::u8, {s.batches, s.rows, s.k}, 1), m = random_bytes(DType::i8, {s.k, s.outputs}, 2, true);
      const Tensor sx = positive({1}, 3), sw = positive({per_column ? s.outputs : 1}, 4), zx = random_bytes(DType::u8, {1}, 5), zw = random_bytes(DType::i8, {per_column ? s.outputs : 1}, 6);
      const Tensor bias = per_column ? dense({s.outputs}, 7) : absent();
      std::vector<std::byte> first;
      for (const IsaSet isa : isa_sets()) {
        Bound b(cpu::bind_matmul_integer_to_float, "com.microsoft.MatMulIntegerToFloat", {}, {x, m, sx, sw, zx, zw, bias}, {result({s.batches, s.rows, s.outputs}, DType::f32)}, isa);
        ASSERT_TRUE(b.ok()) << b.error();
        b.run(0, 5);
        double worst = 0;
        each_output(s, [&](int64_t n, int64_t r, int64_t o, int64_t i) {
          const double v = static_cast<double>(sum(s, x, zx, m, zw, n, r, o)) * number(sx, 0) * number(sw, o), want = v + (bias.present ? number(bias, o) : 0);
          worst = std::max(worst, std::abs(b.out().at<float>(0)[i] - want) / (std::abs(v) + std::abs(want) + 1e-30));
        });
        EXPECT_LE(worst, 4 * 6e-8) << b.binding().kernel;  // four roundings
        if (first.empty()) first = b.bytes();
        EXPECT_EQ(first, b.bytes()) << b.binding().kernel << ": other bits than the scalar kernel's";
      }
    }
}

TEST(Igemm, BytesOfSums) {
  for (const Shape& s : shapes())
    for (const DType t : {DType::u8, DType::i8}) {
      const Tensor x = random_bytes(t, {s.batches, s.rows, s.k}, 1), m = random_bytes(t, {s.k, s.outputs}, 2, true);
      const Tensor sx = positive({1}, 3), sw = positive({1}, 4), zx = random_bytes(t, {1}, 5), zw = random_bytes(t, {1}, 6), zy = random_bytes(t, {1}, 8);
      Tensor sy = positive({1}, 7);
      sy.at<float>(0)[0] = sx.at<float>(0)[0] * sw.at<float>(0)[0] * 300 * std::sqrt(static_cast<float>(s.k));
      std::vector<std::byte> first;
      for (const IsaSet isa : isa_sets()) {
        Bound b(cpu::bind_qlinear_matmul, "QLinearMatMul", {}, {x, sx, zx, m, sw, zw, sy, zy}, {result({s.batches, s.rows, s.outputs}, t)}, isa);
        ASSERT_TRUE(b.ok()) << b.error();
        b.run(0, 5);
        int wrong = 0;
        each_output(s, [&](int64_t n, int64_t r, int64_t o, int64_t i) {
          const double v = static_cast<double>(sum(s, x, zx, m, zw, n, r, o)) * number(sx, 0) * number(sw, 0) / number(sy, 0) + static_cast<double>(byte(zy, 0));
          const double want = std::clamp(v, t == DType::i8 ? -128.0 : 0.0, t == DType::i8 ? 127.0 : 255.0);
          wrong += std::abs(static_cast<double>(byte(b.out(), i)) - want) > 0.5 + 1e-4;  // the nearest, or either of two where it lies between
        });
        EXPECT_EQ(wrong, 0) << b.binding().kernel;
        if (first.empty()) first = b.bytes();
        EXPECT_EQ(first, b.bytes()) << b.binding().kernel << ": other bits than the scalar kernel's";
      }
    }
}

TEST(Igemm, FloatsThatAreQuantisedOnTheWay) {
  for (const Shape& s : {Shape{1, 1, 64, 16}, {1, 9, 33, 17}, {2, 130, 170, 40}}) {
    Tensor x = dense({s.batches, s.rows, s.k}, 1, 3);
    x.at<float>(0)[0] = NAN;
    const Tensor m = random_bytes(DType::i8, {s.k, s.outputs}, 2, true), sw = positive({s.outputs}, 4), bias = dense({s.outputs}, 7);
    float least = 0, most = 0;
    for (int64_t i = 0; i < s.batches * s.rows * s.k; ++i) least = std::fmin(least, x.at<float>(0)[i]), most = std::fmax(most, x.at<float>(0)[i]);
    const IgemmScale q = igemm_scale(least, most);
    Tensor u = random_bytes(DType::u8, x.dims, 1);
    for (int64_t i = 0; i < s.batches * s.rows * s.k; ++i) {
      const float v = x.at<float>(0)[i];
      u.memory->data()[i] = static_cast<std::byte>(std::isnan(v) ? q.zero : static_cast<int>(std::clamp(std::nearbyint(v / q.scale) + static_cast<float>(q.zero), 0.0f, 255.0f)));
    }
    Tensor zx = random_bytes(DType::u8, {1}, 1);
    zx.memory->data()[0] = static_cast<std::byte>(q.zero);
    std::vector<std::byte> first;
    for (const IsaSet isa : isa_sets()) {
      Bound b(cpu::bind_dynamic_quantize_matmul, "com.microsoft.DynamicQuantizeMatMul", {}, {x, m, sw, absent(), bias}, {result({s.batches, s.rows, s.outputs}, DType::f32)}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      b.run(0, 5);
      double worst = 0;
      each_output(s, [&](int64_t n, int64_t r, int64_t o, int64_t i) {
        const double v = static_cast<double>(sum(s, u, zx, m, absent(), n, r, o)) * static_cast<double>(q.scale) * number(sw, o), want = v + number(bias, o);
        worst = std::max(worst, std::abs(b.out().at<float>(0)[i] - want) / (std::abs(v) + std::abs(want) + 1e-30));
      });
      EXPECT_LE(worst, 4 * 6e-8) << b.binding().kernel;
      if (first.empty()) first = b.bytes();
      EXPECT_EQ(first, b.bytes()) << b.binding().kernel;
    }
  }
}

TEST(Igemm, QGemmTransposesAndAddsCounts) {
  const Shape s{1, 6, 37, 45};
  const Tensor x = random_bytes(DType::u8, {s.rows, s.k}, 1), w = random_bytes(DType::i8, {s.outputs, s.k}, 2, true);
  const Tensor sx = positive({1}, 3), sw = positive({s.outputs}, 4), zx = random_bytes(DType::u8, {1}, 5), zw = random_bytes(DType::i8, {s.outputs}, 6);
  Tensor c = ints({s.outputs}, std::vector<int32_t>(static_cast<size_t>(s.outputs), 1234));
  c.symbolic = false;
  for (const IsaSet isa : isa_sets()) {
    Bound b(cpu::bind_qgemm, "com.microsoft.QGemm", {{"transB", int64_t{1}}}, {x, sx, zx, w, sw, zw, c}, {result({s.rows, s.outputs}, DType::f32)}, isa);
    ASSERT_TRUE(b.ok()) << b.error();
    b.run(0);
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t o = 0; o < s.outputs; ++o) {
        int64_t v = 0;
        for (int64_t k = 0; k < s.k; ++k) v += (byte(x, r * s.k + k) - byte(zx, 0)) * (byte(w, o * s.k + k) - byte(zw, o));
        const double unit = number(sx, 0) * number(sw, o);
        EXPECT_NEAR(b.out().at<float>(0)[r * s.outputs + o], static_cast<double>(v + 1234) * unit, unit * static_cast<double>(std::abs(v) + 1234) * 4 * 6e-8);
      }
  }
}


struct ConvCase {
  std::vector<int64_t> x, w;  ///< extents
  std::vector<int64_t> strides, dilations, pads;
  int64_t group = 1;
  Attrs attrs() const { return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"group", group}}; }
  std::vector<int64_t> y() const {
    std::vector<int64_t> out{x[0], w[0]};
    const size_t axes = x.size() - 2;
    for (size_t i = 0; i < axes; ++i) out.push_back((x[2 + i] + pads[i] + pads[axes + i] - dilations[i] * (w[2 + i] - 1) - 1) / strides[i] + 1);
    return out;
  }
};

std::vector<ConvCase> convolutions() {
  return {{{1, 5, 40}, {19, 5, 5}, {1}, {1}, {2, 2}},          {{2, 16, 300}, {8, 16, 3}, {1}, {5}, {5, 5}},
          {{1, 3, 50}, {7, 3, 4}, {3}, {2}, {1, 0}},           {{1, 4, 9, 9}, {6, 4, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
          {{2, 6, 14, 13}, {9, 2, 3, 2}, {2, 2}, {1, 1}, {0, 1, 1, 0}, 3}, {{1, 8, 20, 70}, {70, 8, 1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}},
          {{1, 9, 11, 30}, {9, 1, 3, 3}, {1, 2}, {2, 1}, {2, 1, 2, 1}, 9}, {{1, 1, 1}, {1, 1, 1}, {1}, {1}, {0, 0}}};
}

std::string text_of(const ConvCase& c) { return "x " + testing::PrintToString(c.x) + " w " + testing::PrintToString(c.w) + " strides " + testing::PrintToString(c.strides); }

TEST(Igemm, ConvIntegerIsExactOnEveryInstructionSet) {
  for (const ConvCase& c : convolutions())
    for (const DType a : {DType::u8, DType::i8})
      for (const DType t : {DType::u8, DType::i8})
        for (const int kind : {0, 1, 2}) {  // no zero points; one; one for each output channel
          const std::vector<Tensor> in = {random_bytes(a, c.x, 1), random_bytes(t, c.w, 2, true), kind ? random_bytes(a, {1}, 3) : absent(),
                                          kind ? random_bytes(t, {kind == 2 ? c.w[0] : 1}, 4) : absent()};
          const auto want = reference_of("ConvInteger", c.attrs(), in, {result(c.y(), DType::i32)});
          for (const IsaSet isa : isa_sets())
            for (const int workers : {1, 8}) {
              Bound b(cpu::bind_conv_integer, "ConvInteger", c.attrs(), in, {result(c.y(), DType::i32)}, isa, false, workers);
              ASSERT_TRUE(b.ok()) << b.error();
              b.run(0, 3);
              EXPECT_EQ(std::memcmp(b.out().memory->data(), want[0].memory->data(), want[0].memory->size()), 0) << text_of(c) << " " << b.binding().kernel << " kind " << kind;
            }
        }
}

TEST(Igemm, ConvolutionsOfFloatsAndBytes) {
  for (const ConvCase& c : convolutions()) {
    const int64_t oc = c.w[0];
    const std::vector<Tensor> floats_in = {dense(c.x, 1, 2), random_bytes(DType::i8, c.w, 2, true), positive({oc}, 3), random_bytes(DType::i8, {oc}, 4), dense({oc}, 5)};
    const auto want = reference_of("int8_conv", c.attrs(), floats_in, {result(c.y(), DType::f32)});
    Tensor counts = ints({oc}, std::vector<int32_t>(static_cast<size_t>(oc), -777));
    counts.symbolic = false;
    Tensor sy = positive({1}, 7);
    sy.at<float>(0)[0] = 0.01f;
    const std::vector<Tensor> bytes_in = {random_bytes(DType::u8, c.x, 1), positive({1}, 2), random_bytes(DType::u8, {1}, 3), random_bytes(DType::i8, c.w, 4, true), positive({oc}, 5),
                                          random_bytes(DType::i8, {1}, 6), sy, random_bytes(DType::u8, {1}, 8), counts};
    const auto want_bytes = reference_of("QLinearConv", c.attrs(), bytes_in, {result(c.y(), DType::u8)});
    for (const IsaSet isa : isa_sets()) {
      Bound f(cpu::bind_int8_conv, "int8_conv", c.attrs(), floats_in, {result(c.y(), DType::f32)}, isa);
      ASSERT_TRUE(f.ok()) << f.error();
      f.run(0, 3);
      double worst = 0;
      const auto n = static_cast<int64_t>(want[0].memory->size() / 4);
      for (int64_t i = 0; i < n; ++i) {
        const double got = reinterpret_cast<float*>(f.out().memory->data())[i], w = reinterpret_cast<float*>(want[0].memory->data())[i];
        worst = std::max(worst, std::abs(got - w) / (std::abs(w) + 3));  // three: the bias that a sum may have lost
      }
      EXPECT_LE(worst, 4 * 6e-8) << text_of(c) << " " << f.binding().kernel;
      Bound b(cpu::bind_qlinear_conv, "QLinearConv", c.attrs(), bytes_in, {result(c.y(), DType::u8)}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      b.run(0, 3);
      int far = 0, other = 0;
      for (size_t i = 0; i < want_bytes[0].memory->size(); ++i) {
        const int d = std::abs(static_cast<int>(b.out().memory->data()[i]) - static_cast<int>(want_bytes[0].memory->data()[i]));
        far += d > 1, other += d == 1;
      }
      EXPECT_EQ(far, 0) << text_of(c) << " " << b.binding().kernel;
      EXPECT_LE(other, 1 + n / 1000) << text_of(c) << ": only a quotient between two integers may round the other way in f32";
    }
  }
}

TEST(Quantize, BytesAndBack) {
  for (const DType t : {DType::u8, DType::i8})
    for (const bool by_axis : {false, true})
      for (const std::vector<int64_t>& dims : {std::vector<int64_t>{3, 5, 77}, {2, 3, 70000}, {1, 4, 8}}) {
        const int64_t n = by_axis ? dims[1] : 1;
        Tensor x = dense(dims, 1, 1);
        reinterpret_cast<float*>(x.memory->data())[3] = 1e9f;
        const Tensor scale = positive({n}, 2), zero = random_bytes(t, {n}, 3), bytes = random_bytes(t, dims, 4);
        const auto want = reference_of("QuantizeLinear", {}, {x, scale, zero}, {result(dims, t)});
        const auto floats_want = reference_of("DequantizeLinear", {}, {bytes, scale, zero}, {result(dims, DType::f32)});
        for (const IsaSet isa : isa_sets()) {
          Bound q(cpu::bind_quantize_linear, "QuantizeLinear", {}, {x, scale, zero}, {result(dims, t)}, isa);
          ASSERT_TRUE(q.ok()) << q.error();
          q.run(0, 1);
          EXPECT_EQ(std::memcmp(q.out().memory->data(), want[0].memory->data(), want[0].memory->size()), 0) << q.binding().kernel << " " << dims[2];
          Bound d(cpu::bind_dequantize_linear, "DequantizeLinear", {}, {bytes, scale, zero}, {result(dims, DType::f32)}, isa);
          ASSERT_TRUE(d.ok()) << d.error();
          d.run(0, 1);
          EXPECT_EQ(std::memcmp(d.out().memory->data(), floats_want[0].memory->data(), floats_want[0].memory->size()), 0) << d.binding().kernel << " " << dims[2];
        }
      }
}

TEST(Quantize, ByTheirOwnRange) {
  for (const int64_t n : {1, 7, 100, 150001})
    for (const float shift : {-5.0f, 0.0f, 9.0f}) {
      Tensor x = dense({n}, static_cast<uint32_t>(n), 1);
      for (int64_t i = 0; i < n; ++i) x.at<float>(0)[i] += shift;
      const auto want = reference_of("DynamicQuantizeLinear", {}, {x}, {result({n}, DType::u8), result({}, DType::f32), result({}, DType::u8)});
      for (const IsaSet isa : isa_sets()) {
        Bound b(cpu::bind_dynamic_quantize_linear, "DynamicQuantizeLinear", {}, {x}, {result({n}, DType::u8), result({}, DType::f32), result({}, DType::u8)}, isa);
        ASSERT_TRUE(b.ok()) << b.error();
        b.run(0, 2);
        for (size_t i = 0; i < 3; ++i) EXPECT_EQ(std::memcmp(b.out(i).memory->data(), want[i].memory->data(), want[i].memory->size()), 0) << n << " output " << i << " " << b.binding().kernel;
      }
    }
}

}  // namespace
