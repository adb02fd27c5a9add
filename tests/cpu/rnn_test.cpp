// LSTM, GRU and RNN of ONNX on the CPU: every instruction set against the equations in double, and bit for bit over workers and the order of tiles.
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
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

using Numbers = std::vector<double>;
struct Outputs {
  Numbers y, y_h, y_c;
};

/// The operators' equations, one row after the other.
class Net {
 public:
  Net(const Case& c, const Shape& s, const std::vector<Tensor>& in) : c_(c), s_(s), in_(in), gates_(gates_of(c.op)) {}

  Outputs run() const {
    const int64_t directions = in_[1].dims[0], states = directions * s_.batch * s_.hidden;
    Outputs o{Numbers(static_cast<size_t>(s_.times * states)), Numbers(static_cast<size_t>(states)), Numbers(static_cast<size_t>(states))};
    for (int64_t d = 0; d < directions; ++d)
      for (int64_t b = 0; b < s_.batch; ++b) row(d, b, directions, &o);
    return o;
  }

 private:
  double at(size_t input, int64_t i) const { return in_[input].present ? in_[input].at<float>(0)[i] : 0; }
  int64_t state(int64_t d, int64_t b, int64_t directions) const { return (c_.batch_first ? b * directions + d : d * s_.batch + b) * s_.hidden; }

  void row(int64_t d, int64_t b, int64_t directions, Outputs* o) const {
    const int64_t H = s_.hidden, length = c_.lengths.empty() ? s_.times : c_.lengths[static_cast<size_t>(b)];
    Numbers h(static_cast<size_t>(H)), cell(static_cast<size_t>(H));
    for (int64_t u = 0; u < H; ++u) {
      h[static_cast<size_t>(u)] = at(5, state(d, b, directions) + u);
      cell[static_cast<size_t>(u)] = in_.size() > 6 ? at(6, state(d, b, directions) + u) : 0;
    }
    const bool back = d == 1 || c_.direction == std::string_view("reverse");
    for (int64_t i = 0; i < length; ++i) {
      const int64_t t = back ? length - 1 - i : i;
      const float* x = in_[0].at<float>(0) + (c_.batch_first ? b * s_.times + t : t * s_.batch + b) * s_.inputs;
      next(d, x, &h, &cell);
      const int64_t to = (c_.batch_first ? (b * s_.times + t) * directions + d : (t * directions + d) * s_.batch + b) * H;
      for (int64_t u = 0; u < H; ++u) o->y[static_cast<size_t>(to + u)] = h[static_cast<size_t>(u)];
    }
    for (int64_t u = 0; u < H; ++u) {
      o->y_h[static_cast<size_t>(state(d, b, directions) + u)] = h[static_cast<size_t>(u)];
      o->y_c[static_cast<size_t>(state(d, b, directions) + u)] = cell[static_cast<size_t>(u)];
    }
  }

  double of_x(int64_t d, int64_t gate, int64_t u, const float* x) const {
    const int64_t row = (d * gates_ + gate) * s_.hidden + u;
    double sum = at(3, d * 2 * gates_ * s_.hidden + gate * s_.hidden + u);
    for (int64_t i = 0; i < s_.inputs; ++i) sum += at(1, row * s_.inputs + i) * x[i];
    return sum;
  }
  double of_h(int64_t d, int64_t gate, int64_t u, const Numbers& h) const {
    const int64_t row = (d * gates_ + gate) * s_.hidden + u;
    double sum = at(3, (d * 2 + 1) * gates_ * s_.hidden + gate * s_.hidden + u);
    for (int64_t i = 0; i < s_.hidden; ++i) sum += at(2, row * s_.hidden + i) * h[static_cast<size_t>(i)];
    return sum;
  }

  void next(int64_t d, const float* x, Numbers* h, Numbers* cell) const {
    const Numbers old = *h;
    Numbers reset = old;
    const auto gate = [&](int64_t g, int64_t u) { return of_x(d, g, u, x) + of_h(d, g, u, old); };
    if (gates_ == 3)
      for (int64_t u = 0; u < s_.hidden; ++u) reset[static_cast<size_t>(u)] *= sigmoid(gate(1, u));
    for (int64_t u = 0; u < s_.hidden; ++u) {
      const auto i = static_cast<size_t>(u);
      if (gates_ == 4) {
        (*cell)[i] = sigmoid(gate(2, u)) * (*cell)[i] + sigmoid(gate(0, u)) * std::tanh(gate(3, u));
        (*h)[i] = sigmoid(gate(1, u)) * std::tanh((*cell)[i]);
      } else if (gates_ == 3) {
        const double z = sigmoid(gate(0, u)), n = std::tanh(of_x(d, 2, u, x) + (c_.before_reset ? sigmoid(gate(1, u)) * of_h(d, 2, u, old) : of_h(d, 2, u, reset)));
        (*h)[i] = (1 - z) * n + z * old[i];
      } else
        (*h)[i] = std::tanh(gate(0, u));
    }
  }

  const Case& c_;
  const Shape& s_;
  const std::vector<Tensor>& in_;
  int64_t gates_;
};

Tensor dense(std::vector<int64_t> dims, uint32_t seed, float scale, bool weight = false) {
  Tensor t = floats(std::move(dims), seed, scale, false);
  t.weight = weight;
  return t;
}

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

Bound bound(const Case& c, const Shape& s, const std::vector<Tensor>& in, IsaSet isa, int workers) {
  const int64_t d = in[1].dims[0], h = s.hidden;
  const auto out = [](bool present, std::vector<int64_t> dims) {
    if (!present) return absent();
    Tensor t = output(std::move(dims));
    t.symbolic = false;
    return t;
  };
  const std::vector<int64_t> state = c.batch_first ? std::vector<int64_t>{s.batch, d, h} : std::vector<int64_t>{d, s.batch, h};
  std::vector<Tensor> outs = {out(c.y, c.batch_first ? std::vector<int64_t>{s.batch, s.times, d, h} : std::vector<int64_t>{s.times, d, s.batch, h}), out(c.last, state)};
  if (gates_of(c.op) == 4) outs.push_back(out(c.last, state));
  Attrs attrs = {{"hidden_size", h}, {"direction", std::string(c.direction)}, {"linear_before_reset", int64_t{c.before_reset}}, {"layout", int64_t{c.batch_first}}};
  const cpu::Binder binder = gates_of(c.op) == 4 ? cpu::bind_lstm : gates_of(c.op) == 3 ? cpu::bind_gru : cpu::bind_rnn;
  return Bound(binder, c.op, std::move(attrs), in, std::move(outs), isa, false, workers);
}

/// f32 sums of k products, then gates, which shrink errors: a few ulp of the sums' terms, over the steps that a state remembers.
double tolerance(const Shape& s) { return 3e-7 * std::sqrt(static_cast<double>(s.inputs + s.hidden)) * std::min<double>(static_cast<double>(s.times), 8) + 1e-6; }

void compare(const Tensor& got, const Numbers& want, double tolerance, const std::string& what) {
  if (!got.present) return;
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double e = std::abs(got.at<float>(0)[i] - want[i]);
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

TEST(Rnn, TheEquationsOnEveryInstructionSet) {
  for (const Case& c : cases())
    for (const Shape& shape : {Shape{5, 3, 7, 5}, {1, 1, 16, 16}, {2, 9, 40, 33}, {9, 1, 3, 64}, {3, 2, 8, 31}}) {
      Shape s = shape;
      if (!c.lengths.empty()) s.times = 5, s.batch = 3;
      const std::vector<Tensor> in = operands(c, s);
      const Outputs want = Net(c, s, in).run();
      for (const IsaSet isa : isa_sets()) {
        Bound b = bound(c, s, in, isa, 2);
        ASSERT_TRUE(b.ok()) << b.error();
        b.run(0, 7);
        const std::string what = fmt::format("{} {} {}x{}x{}x{} {}", c.op, c.direction, s.times, s.batch, s.inputs, s.hidden, b.binding().kernel);
        compare(b.out(0), want.y, tolerance(s), what + " Y");
        compare(b.out(1), want.y_h, tolerance(s), what + " Y_h");
        if (gates_of(c.op) == 4) compare(b.out(2), want.y_c, tolerance(s) * 2, what + " Y_c");
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

}  // namespace
