// LSTM, GRU and RNN of ONNX on the CPU: every instruction set against the references, and bit for bit over workers and the order of tiles.
#include <cmath>

#include "tests/cpu/linear_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

struct Shape {
  int64_t times, batch, inputs, hidden;
};
struct Case {
  const char* op;
  const char* direction = "forward";
  bool before_reset = false, batch_first = false, bias = true, states = true;
  std::vector<int32_t> lengths = {};  ///< empty: absent
  bool y = true, last = true;
};

int64_t gates_of(std::string_view op) { return op == "LSTM" ? 4 : op == "GRU" ? 3 : 1; }
std::vector<Tensor> operands(const Case& c, const Shape& s) {
  const int64_t d = c.direction == std::string_view("bidirectional") ? 2 : 1, g = gates_of(c.op);
  const float scale = 1 / std::sqrt(static_cast<float>(s.hidden));
  std::vector<Tensor> in;
  in.push_back(c.batch_first ? dense({s.batch, s.times, s.inputs}, 1, 1) : dense({s.times, s.batch, s.inputs}, 1, 1));
  in.push_back(dense({d, g * s.hidden, s.inputs}, 2, scale, true));
  in.push_back(dense({d, g * s.hidden, s.hidden}, 3, scale, true));
  in.push_back(c.bias ? dense({d, 2 * g * s.hidden}, 4, 0.3f, true) : absent());
  in.push_back(absent());
  if (!c.lengths.empty()) {
    in.back() = ints({s.batch}, c.lengths);
    in.back().symbolic = false;
  }
  const std::vector<int64_t> state = c.batch_first ? std::vector<int64_t>{s.batch, d, s.hidden} : std::vector<int64_t>{d, s.batch, s.hidden};
  in.push_back(c.states ? dense(state, 5, 0.5f) : absent());
  if (g == 4) in.push_back(c.states ? dense(state, 6, 0.5f) : absent());
  return in;
}

std::vector<Tensor> outputs(const Case& c, const Shape& s, const std::vector<Tensor>& in) {
  const int64_t d = in[1].dims[0], h = s.hidden;
  const auto out = [](bool present, std::vector<int64_t> dims) { return present ? result(std::move(dims), DType::f32) : absent(); };
  const std::vector<int64_t> state = c.batch_first ? std::vector<int64_t>{s.batch, d, h} : std::vector<int64_t>{d, s.batch, h};
  std::vector<Tensor> outs = {out(c.y, c.batch_first ? std::vector<int64_t>{s.batch, s.times, d, h} : std::vector<int64_t>{s.times, d, s.batch, h}), out(c.last, state)};
  if (gates_of(c.op) == 4) outs.push_back(out(c.last, state));
  return outs;
}
Attrs attrs_of(const Case& c, const Shape& s) {
  return {{"hidden_size", s.hidden}, {"direction", std::string(c.direction)}, {"linear_before_reset", int64_t{c.before_reset}}, {"layout", int64_t{c.batch_first}}};
}

Bound bound(const Case& c, const Shape& s, const std::vector<Tensor>& in, IsaSet isa, int workers) {
  const cpu::Binder binder = gates_of(c.op) == 4 ? cpu::bind_lstm : gates_of(c.op) == 3 ? cpu::bind_gru : cpu::bind_rnn;
  return Bound(binder, c.op, attrs_of(c, s), in, outputs(c, s, in), isa, false, workers);
}

/// f32 sums of k products, then gates, which shrink errors: a few ulp of the sums' terms, over the steps that a state remembers.
double tolerance(const Shape& s) { return 3e-7 * std::sqrt(static_cast<double>(s.inputs + s.hidden)) * std::min<double>(static_cast<double>(s.times), 8) + 1e-6; }

void compare(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  if (!got.present) return;
  double worst = 0;
  for (size_t i = 0; i < want.memory->size() / sizeof(float); ++i) {
    const double e = std::abs(static_cast<double>(got.at<float>(0)[i]) - static_cast<double>(want.at<float>(0)[i]));
    worst = e > worst || std::isnan(e) ? e : worst;
  }
  EXPECT_LE(worst, tolerance) << what;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* op : {"LSTM", "GRU", "RNN"})
    for (const bool before_reset : {false, true}) {
      if (before_reset && gates_of(op) != 3) continue;
      for (const char* direction : {"forward", "reverse", "bidirectional"}) all.push_back({op, direction, before_reset});
      all.push_back({op, "bidirectional", before_reset, true});
      all.push_back({op, "forward", before_reset, false, false, false});
      all.push_back({op, "bidirectional", before_reset, false, true, true, {3, 0, 5}});
      all.push_back({op, "forward", before_reset, true, true, true, {5, 5, 5}});
      all.push_back({op, "reverse", before_reset, false, true, true, {}, false, true});
      all.push_back({op, "forward", before_reset, false, true, true, {}, true, false});
    }
  return all;
}

TEST(Rnn, TheReferenceOnEveryInstructionSet) {
  for (const Case& c : cases())
    for (const Shape& shape : {Shape{5, 3, 7, 5}, {1, 1, 16, 16}, {2, 9, 40, 33}, {9, 1, 3, 64}, {3, 2, 8, 31}}) {
      Shape s = shape;
      if (!c.lengths.empty()) s.times = 5, s.batch = 3;
      const std::vector<Tensor> in = operands(c, s);
      const auto want = reference_of(c.op, attrs_of(c, s), in, outputs(c, s, in));
      for (const IsaSet isa : isa_sets()) {
        Bound b = bound(c, s, in, isa, 2);
        ASSERT_TRUE(b.ok()) << b.error();
        b.run(0, 7);
        const std::string what = fmt::format("{} {} {}x{}x{}x{} {}", c.op, c.direction, s.times, s.batch, s.inputs, s.hidden, b.binding().kernel);
        compare(b.out(0), want[0], tolerance(s), what + " Y");
        compare(b.out(1), want[1], tolerance(s), what + " Y_h");
        if (gates_of(c.op) == 4) compare(b.out(2), want[2], tolerance(s) * 2, what + " Y_c");
      }
    }
}

// Many rows, and a net so large that its units are shared out: other tiles, the same bits.
TEST(Rnn, WorkersAndTilesChangeNoBit) {
  for (const Case& c : {Case{"LSTM", "bidirectional"}, Case{"GRU", "forward", true}, Case{"GRU", "forward", false}, Case{"RNN", "reverse"}})
    for (const Shape& s : {Shape{4, 70, 20, 48}, {3, 1, 32, 700}, {40, 2, 16, 24}}) {
      const std::vector<Tensor> in = operands(c, s);
      for (const IsaSet isa : isa_sets()) {
        Bound one = bound(c, s, in, isa, 1);
        ASSERT_TRUE(one.ok()) << one.error();
        one.run(0);
        for (const int workers : {2, 16}) {
          Bound many = bound(c, s, in, isa, workers);
          many.run(0, static_cast<uint32_t>(workers));
          for (size_t i = 0; i < (gates_of(c.op) == 4 ? 3u : 2u); ++i) EXPECT_EQ(one.bytes(i), many.bytes(i)) << c.op << " " << s.hidden << " output " << i << " " << many.binding().kernel;
        }
      }
    }
}

TEST(Rnn, WhatTheKernelsDoNotTakeIsRefused) {
  const Case c{"LSTM"};
  const Shape s{2, 1, 4, 4};
  std::vector<Tensor> in = operands(c, s);
  in[1].weight = false;
  EXPECT_FALSE(bound(c, s, in, machine(), 1).ok());
  in = operands(c, s);
  in.push_back(dense({1, 3 * s.hidden}, 9, 1));
  EXPECT_FALSE(bound(c, s, in, machine(), 1).ok());
}


TEST(Rnn, DynamicQuantizeLstmFollowsItsReference) {
  for (const char* direction : {"forward", "bidirectional"})
    for (const DType t : {DType::i8, DType::u8})
      for (const Shape& s : {Shape{1, 1, 16, 16}, {6, 1, 24, 40}, {3, 5, 10, 33}, {2, 1, 30, 300}}) {
        const bool by_column = s.hidden % 2 == 1;
        const int64_t d = direction == std::string_view("bidirectional") ? 2 : 1, columns = 4 * s.hidden;
        const std::vector<int64_t> scales = by_column ? std::vector<int64_t>{d, columns} : std::vector<int64_t>{d};
        const auto scale = [&](uint32_t seed) {
          Tensor x = positive(scales, seed, true);
          for (int64_t r = 0; r < x.rows(); ++r)
            for (int64_t i = 0; i < x.row_elements(); ++i) x.at<float>(r)[i] = x.at<float>(r)[i] * 0.2f / std::sqrt(static_cast<float>(s.hidden));
          return x;
        };
        const std::vector<Tensor> in = {dense({s.times, s.batch, s.inputs}, 1), random_bytes(t, {d, s.inputs, columns}, 2, true), random_bytes(t, {d, s.hidden, columns}, 3, true),
                                        dense({d, 2 * columns}, 4, 0.3f, true), absent(), dense({d, s.batch, s.hidden}, 5, 0.5f), dense({d, s.batch, s.hidden}, 6, 0.5f), absent(),
                                        scale(8), random_bytes(t, scales, 9, true), scale(10), random_bytes(t, scales, 11, true)};
        const Attrs attrs = {{"hidden_size", s.hidden}, {"direction", std::string(direction)}};
        const std::vector<Tensor> outs = {result({s.times, d, s.batch, s.hidden}, DType::f32), result({d, s.batch, s.hidden}, DType::f32), result({d, s.batch, s.hidden}, DType::f32)};
        const auto want = reference_of("com.microsoft.DynamicQuantizeLSTM", attrs, in, outs);
        std::vector<std::byte> first;
        for (const int workers : {1, 2, 16})
          for (const IsaSet isa : isa_sets()) {
            Bound b(cpu::bind_dynamic_quantize_lstm, "com.microsoft.DynamicQuantizeLSTM", attrs, in, outs, isa, false, workers);
            ASSERT_TRUE(b.ok()) << b.error();
            b.run(0, 3);
            // After the first step a unit may be rounded to the neighbouring byte: 2 / 255 of a weight's range of 128 * 0.002 / sqrt(hidden).
            const double tolerance = s.times == 1 ? 3e-6 : 2e-2 / std::sqrt(static_cast<double>(s.hidden));
            for (size_t i = 0; i < 3; ++i) compare(b.out(i), want[i], tolerance, fmt::format("{} {}x{}x{} {} output {}", direction, s.times, s.batch, s.hidden, b.binding().kernel, i));
          }
      }
}

}  // namespace
