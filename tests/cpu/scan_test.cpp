// Recurrent ops on the CPU: bit for bit over chunks of the prompt, shares of a head, neighbours in the batch and the order of tiles.
// Against the reference, with strides and guards: tests/ops/recurrent_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "cpu/bind/bind.h"
#include "cpu/kernels/scan/scan.h"

namespace {

using namespace mainspring;

IsaSet machine() {
#if defined(MAINSPRING_EMULATE_ISA)
  return IsaSet{~0u};
#else
  return detect_isa();
#endif
}

/// An operand: extents behind the rows (or all, for weights), and how it is filled.
struct Tensor {
  std::vector<int64_t> dims;
  bool weight = false;
  float low = -1, high = 1;
  int64_t size() const { return dims.empty() ? 0 : std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()); }
};

struct Problem {
  const char* op;
  cpu::Binder binder;
  std::vector<Tensor> in;      ///< without the state; a tensor without extents is absent
  std::vector<int64_t> state;  ///< of a sequence
  std::vector<int64_t> out;    ///< of a row
  Attrs attrs = {};
};

std::vector<Problem> problems() {
  std::vector<Problem> all;
  for (int64_t channels : {5, 64, 100})
    all.push_back({"causal_conv", cpu::bind_causal_conv, {{{channels}}, {{channels, 4}, true}, {{channels}, true}}, {channels, 3}, {channels}, {{"act", std::string("silu")}}});
  all.push_back({"causal_conv", cpu::bind_causal_conv, {{{33}}, {{33, 2}, true}, {}}, {33, 1}, {33}, {}});
  for (int64_t p : {3, 64})
    for (int64_t n : {7, 16, 40})
      all.push_back({"ssm_scan", cpu::bind_ssm_scan,
                     {{{4, p}}, {{4}}, {{4}, true, -2, -0.1f}, {{2, n}}, {{2, n}}, {{4}, true}, {{4}, true}}, {4, p, n}, {4, p}, {}});
  for (const char* map : {"tile", "group"})
    all.push_back({"gated_delta", cpu::bind_gated_delta,
                   {{{2, 35}}, {{2, 35}}, {{6, 21}}, {{6}, false, -1, 0}, {{6}, false, 0, 1}}, {6, 21, 35}, {6, 21}, {{"head_map", std::string(map)}, {"scale", 0.3}}});
  return all;
}

/// One sequence's rows of every operand.
using Rows = std::vector<std::vector<float>>;

Rows rows_of(const Problem& p, int64_t rows, uint32_t seed) {
  Rows all;
  for (const Tensor& t : p.in) {
    std::mt19937 random(seed + static_cast<uint32_t>(all.size()) * 100);
    if (t.weight) random.seed(static_cast<uint32_t>(all.size()));
    std::uniform_real_distribution<float> uniform(t.low, t.high);
    std::vector<float> x(static_cast<size_t>(t.size() * (t.weight ? 1 : rows)));
    for (float& f : x) f = uniform(random);
    all.push_back(std::move(x));
  }
  return all;
}

struct Part {
  int32_t sequence;
  int64_t from, rows;
};

class Machine {
 public:
  Machine(const Problem& p, const ScanKernel& kernel, std::vector<Rows> sequences, uint32_t order) : p_(p), sequences_(std::move(sequences)), random_(order), order_(order) {
    const int64_t each = std::accumulate(p.state.begin(), p.state.end(), int64_t{1}, std::multiplies<>());
    state.assign(static_cast<size_t>(each) * sequences_.size(), NAN);  // what a new sequence finds is garbage
    out.resize(sequences_.size());
    node_.op = p.op;
    node_.attrs = p.attrs;
    isa_ = IsaSet{}.with(kernel.isa);
  }

  void step(const std::vector<Part>& parts) {
    std::vector<Segment> segments;
    int32_t row = 0;
    for (const Part& s : parts) {
      segments.push_back({row, static_cast<int32_t>(s.rows), s.sequence, static_cast<int32_t>(s.from)});
      row += static_cast<int32_t>(s.rows);
    }
    std::vector<std::vector<float>> memory(p_.in.size());
    std::vector<Operand> in;
    for (size_t i = 0; i < p_.in.size(); ++i) {
      const Tensor& t = p_.in[i];
      if (t.weight) memory[i] = sequences_[0][i];
      else
        for (const Part& s : parts) {
          const std::vector<float>& from = sequences_[static_cast<size_t>(s.sequence)][i];
          memory[i].insert(memory[i].end(), from.begin() + s.from * t.size(), from.begin() + (s.from + s.rows) * t.size());
        }
      in.push_back(operand(t.dims, t.weight, memory[i].data()));
    }
    Operand slots;
    slots.dims = {static_cast<int64_t>(sequences_.size())};
    slots.dims.insert(slots.dims.end(), p_.state.begin(), p_.state.end());
    slots.row_stride = static_cast<int64_t>(state.size() / sequences_.size());
    slots.state = StateKind::recurrent;
    slots.ref = {Space::constant, reinterpret_cast<int64_t>(state.data())};
    in.push_back(slots);
    const int64_t width = std::accumulate(p_.out.begin(), p_.out.end(), int64_t{1}, std::multiplies<>());
    std::vector<float> y(static_cast<size_t>(row * width), NAN);
    const Operand outs[] = {operand(p_.out, false, y.data()), slots};
    execute(in, outs, segments, row);
    size_t at = 0;
    for (const Part& s : parts) {
      auto& to = out[static_cast<size_t>(s.sequence)];
      const size_t n = static_cast<size_t>(s.rows * width);
      to.insert(to.end(), y.begin() + static_cast<int64_t>(at), y.begin() + static_cast<int64_t>(at + n));
      at += n;
    }
  }

  std::vector<float> state;
  std::vector<std::vector<float>> out;

 private:
  static Operand operand(const std::vector<int64_t>& dims, bool weight, float* data) {
    Operand o;
    if (dims.empty()) return o;
    o.dims.assign(dims.begin(), dims.end());
    o.is_weight = weight;
    const int64_t n = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
    if (!weight) o.dims.insert(o.dims.begin(), Dim(1, 0));
    o.row_stride = weight ? n / dims[0] : n;
    o.ref = {Space::constant, reinterpret_cast<int64_t>(data)};
    return o;
  }

  void execute(const std::vector<Operand>& in, std::span<const Operand> outs, const std::vector<Segment>& segments, int64_t rows) {
    const Symbol symbols[] = {{"n_tokens", 1, 1, 4096}};
    auto bound = p_.binder(BindRequest{.node = &node_, .op = nullptr, .in = in, .out = outs, .symbols = symbols}, isa_);
    ASSERT_TRUE(bound) << bound.error().message;
    std::vector<std::vector<std::byte>> panels;
    std::vector<const std::byte*> packed;
    for (const Packing& k : bound->packings) {
      panels.emplace_back(k.bytes);
      for (int64_t i = 0; i < k.pieces; ++i) k.pack(k.user.get(), reinterpret_cast<const std::byte*>(in[static_cast<size_t>(k.input)].ref.offset), i, panels.back().data());
      packed.push_back(panels.back().data());
    }
    std::vector<std::byte> scratch(bound->worker_scratch_bytes + 64, std::byte{0xff});
    StepEnv env;
    env.symbols = &rows;
    env.info.segments = segments;
    env.worker_scratch = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
    for (const Step& s : bound->finish(*bound, packed, {})) {
      std::vector<int64_t> tiles(static_cast<size_t>(s.tiles(s.params, env)));
      std::iota(tiles.begin(), tiles.end(), 0);
      if (order_) std::shuffle(tiles.begin(), tiles.end(), random_);
      for (int64_t t : tiles) s.run(s.params, env, t, 0);
    }
  }

  const Problem& p_;
  std::vector<Rows> sequences_;
  std::mt19937 random_;
  uint32_t order_;
  Node node_;
  IsaSet isa_;
};

class ScanKernels : public ::testing::TestWithParam<int> {
 protected:
  const ScanKernel& kernel() const { return scan_kernels()[static_cast<size_t>(GetParam())]; }
  void SetUp() override {
    if (!machine().has(kernel().isa)) GTEST_SKIP() << "the machine has no " << kernel().name;
  }
};
INSTANTIATE_TEST_SUITE_P(isa, ScanKernels, ::testing::Range(0, 3), [](const auto& p) { return std::string(scan_kernels()[static_cast<size_t>(p.param)].name); });

bool same(const std::vector<float>& a, const std::vector<float>& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0; }

// A long chunk falls into smaller shares of a head than one token does: so this holds the cutting of tiles, too.
TEST_P(ScanKernels, bits_do_not_depend_on_chunks) {
  for (const Problem& p : problems()) {
    const int64_t length = 300;
    const Rows x = rows_of(p, length, 1);
    Machine whole(p, kernel(), {x}, 0);
    whole.step({{0, 0, length}});
    for (float f : whole.out[0]) ASSERT_TRUE(std::isfinite(f)) << p.op;
    for (const std::vector<int64_t>& chunks : {std::vector<int64_t>{1}, {2}, {3, 1, 50}, {299}}) {
      Machine cut(p, kernel(), {x}, 7);
      int64_t from = 0;
      for (size_t i = 0; from < length; ++i) {
        const int64_t n = std::min(chunks[i % chunks.size()], length - from);
        cut.step({{0, from, n}});
        from += n;
      }
      EXPECT_TRUE(same(cut.out[0], whole.out[0])) << p.op << " in chunks of " << chunks[0];
      EXPECT_TRUE(same(cut.state, whole.state)) << p.op << " in chunks of " << chunks[0];
    }
  }
}

TEST_P(ScanKernels, bits_do_not_depend_on_neighbours) {
  for (const Problem& p : problems()) {
    const Rows a = rows_of(p, 40, 1), b = rows_of(p, 9, 2);
    Machine alone_a(p, kernel(), {a}, 0), alone_b(p, kernel(), {b}, 0), both(p, kernel(), {a, b}, 3);
    alone_a.step({{0, 0, 40}});
    alone_b.step({{0, 0, 9}});
    both.step({{1, 0, 4}, {0, 0, 30}});
    both.step({{0, 30, 10}});
    both.step({{1, 4, 5}});
    EXPECT_TRUE(same(both.out[0], alone_a.out[0])) << p.op;
    EXPECT_TRUE(same(both.out[1], alone_b.out[0])) << p.op;
  }
}

TEST(ScanBind, refuses_taps_that_are_no_weight) {
  Operand x, w, state;
  x.dims = {Dim(1, 0), 8};
  w.dims = {8, 4};
  x.ref = w.ref = state.ref = {Space::arena, 0};
  state.dims = {1, 8, 3};
  const Operand in[] = {x, w, Operand{}, state}, out[] = {x, state};
  Node node;
  node.op = "causal_conv";
  const auto refused = cpu::bind_causal_conv(BindRequest{.node = &node, .op = nullptr, .in = in, .out = out, .symbols = {}}, IsaSet{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_EQ(refused.error().message, "causal_conv: w is computed, expected a weight");
}

}  // namespace
