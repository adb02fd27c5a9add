#include "support/op_test.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "cpu/binding.h"
#include "ops/shape.h"
#include "support/op_rig.h"

namespace mainspring::inline v0::optest {
namespace {

// ---- cases → problems and steps -------------------------------------------------------------------------------------------

std::vector<int64_t> symbols_of(int64_t n) { return {n, (n + 1) / 2}; }

int64_t rows_of(const StepSegments& segments) {
  int64_t n = 0;
  for (const Segment& s : segments) n += s.rows;
  return n;
}

std::vector<StepSegments> steps_of(const OpCase& c) {
  if (!c.steps.empty()) return c.steps;
  return {{}, {{0, 1, 0, 0}}, {{0, 2, 0, 4095}}, {{0, 5, 0, 131070}}, {{0, 17, 0, 3}}};
}

/// False, with a test failure, where inference refuses the case.
bool make_problem(const OpCase& c, Problem* p) {
  p->c = &c;
  p->op = find_op(c.op);
  if (!p->op) {
    ADD_FAILURE() << "no operator " << c.op;
    return false;
  }
  for (size_t i = 0; i < static_cast<size_t>(p->op->max_in); ++i) {
    const In in = i < c.in.size() ? c.in[i] : absent();
    p->in.push_back(ValueInfo{in.dtype, in.dims, in.state, in.present});
  }
  auto out = p->op->infer(OpCall{p->in, c.attrs, {}, p->op->n_out});
  if (!out) {
    ADD_FAILURE() << out.error().message;
    return false;
  }
  p->out = *std::move(out);
  EXPECT_EQ(p->out.size(), static_cast<size_t>(p->op->n_out));
  int state = -1;
  for (size_t i = 0; i < c.in.size(); ++i)
    if (c.in[i].state != StateKind::none) state = static_cast<int>(i);
  for (const ValueInfo& o : p->out) p->state_of.push_back(o.state == StateKind::none ? -1 : state);
  int64_t most = 1, context = 1;
  for (const StepSegments& s : steps_of(c)) {
    most = std::max(most, rows_of(s));
    for (const Segment& g : s) {
      p->sequences = std::max(p->sequences, g.sequence + 1);
      context = std::max<int64_t>(context, g.first_position + g.rows);
    }
  }
  p->max_symbols = symbols_of(most);
  p->blocks_per_sequence = static_cast<int32_t>((context + kKvBlock - 1) / kKvBlock);
  p->node.op = c.op;
  p->node.name = c.name;
  p->node.attrs = c.attrs;
  for (size_t i = 0; i < p->in.size(); ++i) p->node.in.push_back(p->in[i].present ? static_cast<ValueId>(i) : kNone);
  for (size_t i = 0; i < p->out.size(); ++i) p->node.out.push_back(static_cast<ValueId>(p->in.size() + i));
  return true;
}

/// Blocks in no order, none used twice.
std::vector<int32_t> make_table(const Problem& p, Random& random) {
  int64_t blocks = 0;
  for (const ValueInfo& v : p.in)
    if (v.present && (v.state == StateKind::kv_keys || v.state == StateKind::kv_values)) blocks = v.dims[0].times;
  std::vector<int32_t> all(static_cast<size_t>(blocks));
  std::iota(all.begin(), all.end(), 0);
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  const size_t wanted = static_cast<size_t>(p.sequences) * static_cast<size_t>(p.blocks_per_sequence);
  if (blocks && all.size() < wanted) ADD_FAILURE() << "the case has " << blocks << " blocks and needs " << wanted;
  all.resize(blocks ? wanted : 0);
  return all;
}

std::vector<StepInput> make_inputs(const Problem& p) {
  std::vector<StepInput> steps;
  const std::vector<StepSegments> segments = steps_of(*p.c);
  for (size_t s = 0; s < segments.size(); ++s) {
    StepInput step{{}, symbols_of(rows_of(segments[s])), segments[s]};
    for (size_t i = 0; i < p.c->in.size(); ++i) {
      In in = p.c->in[i];
      const bool once = in.weight || in.state != StateKind::none;  // a state's later contents come from carry_state
      if (once && s > 0) {
        step.in.push_back(steps[0].in[i]);
        continue;
      }
      if (in.fill == Fill::ids && in.limit == 0) in.limit = std::max<int64_t>(1, step.symbols[0]);  // rows of this step
      Random random(p.c->seed * 1000003u + i * 101 + s * 7919);
      step.in.push_back(make_data(in, step.symbols, step.segments, random));
    }
    while (step.in.size() < p.in.size()) step.in.push_back({.present = false});
    steps.push_back(std::move(step));
  }
  return steps;
}

// ---- implementations ---------------------------------------------------------------------------------------------------------

constexpr const char* kNoBinder = "no binder";

struct Variant {
  int workers = 1;
  bool strided = false;
  uint64_t order = 0;  ///< 0: tiles in order
};

/// Something that computes a Problem's steps: an engine holds a Rig.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::vector<Data> run(const StepInput& step, std::span<const int32_t> table, const std::string& what) = 0;
};

TensorView view_of(const Operand& o, const StepEnv& env) {
  TensorView v;
  v.dtype = o.dtype;
  if (!o) return v;
  v.data = env.at(o.ref);
  for (const Dim& d : o.dims) v.shape.push_back(env.extent(d));
  v.row_stride = o.row_stride;
  return v;
}

class ReferenceEngine final : public Engine {
 public:
  ReferenceEngine(const Problem& p, bool strided) : p_(p), rig_(p, strided, 0, 0, 1) {}
  std::vector<Data> run(const StepInput& step, std::span<const int32_t> table, const std::string& what) override {
    return rig_.run(step, table, what, [this](const StepEnv& env) {
      std::vector<TensorView> in, out;
      for (const Operand& o : rig_.in()) in.push_back(view_of(o, env));
      for (const Operand& o : rig_.out()) out.push_back(view_of(o, env));
      p_.op->reference(OpArgs{in, out, p_.c->attrs, env.info});
    });
  }

 private:
  const Problem& p_;
  Rig rig_;
};

class KernelEngine final : public Engine {
 public:
  /// Null where the binder refuses (`why` says why) or there is none.
  static std::unique_ptr<KernelEngine> make(const Problem& p, IsaSet isa, const Variant& v, const std::vector<Data>& in, std::string* why) {
    const cpu::Binder binder = cpu::binder_of(p.op->name);
    if (!binder) {
      *why = kNoBinder;
      return nullptr;
    }
    Rig sizes(p, v.strided, 0, 0, v.workers);
    auto first = bind(p, binder, isa, v, sizes);
    if (!first) {
      *why = first.error().message;
      if (first.error().code != Errc::unsupported) ADD_FAILURE() << "bind refused with " << name_of(first.error().code) << ": " << *why;
      return nullptr;
    }
    auto engine = std::unique_ptr<KernelEngine>(new KernelEngine(p, v, *first));
    auto second = bind(p, binder, isa, v, engine->rig_);
    if (!second) return nullptr;
    engine->binding_ = *std::move(second);
    engine->pack(in);
    return engine;
  }

  const std::string& kernel() const { return binding_.kernel; }

  std::vector<Data> run(const StepInput& step, std::span<const int32_t> table, const std::string& what) override {
    auto out = rig_.run(step, table, what, [this](const StepEnv& env) { execute(env); });
    for (size_t i = 0; i < panels_.size(); ++i)
      if (panels_[i].raw() != panels_packed_[i]) ADD_FAILURE() << what << ": a step wrote to panels";
    return out;
  }

 private:
  KernelEngine(const Problem& p, const Variant& v, const KernelBinding& sizes)
      : v_(v),
        rig_(p, v.strided, static_cast<int64_t>(sizes.scratch_bytes), static_cast<int64_t>(sizes.worker_scratch_bytes), v.workers), random_(v.order) {}

  static Result<KernelBinding> bind(const Problem& p, cpu::Binder binder, IsaSet isa, const Variant& v, const Rig& rig) {
    const Symbol symbols[] = {{"n_tokens", 1, 1, p.max_symbols[0]}, {"n_outputs", 1, 1, p.max_symbols[1]}};
    return binder(BindRequest{&p.node, p.op, rig.in(), rig.out(), symbols, p.c->exact_request, v.workers, p.sequences, int64_t{p.blocks_per_sequence} * kKvBlock}, isa);
  }

  std::vector<int64_t> order(int64_t n) {
    std::vector<int64_t> tiles(static_cast<size_t>(n));
    std::iota(tiles.begin(), tiles.end(), int64_t{0});
    for (size_t i = tiles.size(); v_.order && i > 1; --i) std::swap(tiles[i - 1], tiles[static_cast<size_t>(random_.below(static_cast<int64_t>(i)))]);
    return tiles;
  }

  void pack(const std::vector<Data>& in) {
    rig_.put_weights(in);
    std::vector<const std::byte*> addresses;
    panels_.reserve(binding_.packings.size());
    for (const Packing& packing : binding_.packings) {
      Block& b = panels_.emplace_back(static_cast<int64_t>(packing.bytes) + 128);
      const Operand& source = rig_.in()[static_cast<size_t>(packing.input)];
      for (int64_t piece : order(packing.pieces)) packing.pack(packing.user.get(), reinterpret_cast<const std::byte*>(source.ref.offset), piece, b.data() + 64);
      for (int64_t i = 0; i < 64; ++i)
        if (b.data()[i] != std::byte{0xff} || b.data()[b.size() - 64 + i] != std::byte{0xff}) {
          ADD_FAILURE() << "packing " << packing.layout << " writes outside its panels";
          break;
        }
      panels_packed_.push_back(b.raw());
      addresses.push_back(b.data() + 64);
    }
    steps_ = binding_.finish(binding_, addresses, rig_.scratch());
  }

  void execute(const StepEnv& env) {
    for (const Step& s : steps_)
      for (int64_t tile : order(s.tiles(s.params, env))) s.run(s.params, env, tile, v_.order ? static_cast<int>(random_.below(v_.workers)) : 0);
  }

  Variant v_;
  Rig rig_;
  Random random_;
  KernelBinding binding_;
  std::vector<Block> panels_;
  std::vector<std::vector<std::byte>> panels_packed_;
  std::vector<Step> steps_;
};

// ---- comparison --------------------------------------------------------------------------------------------------------------

enum class Rule { exact, pointwise, pairs, reduction };

Rule rule_of(std::string_view op) {
  constexpr std::string_view exact[] = {"embed",        "quantize_rows", "add",      "sub",   "mul",      "div",    "relu",
                                        "neg",          "slice",         "reshape",  "concat", "repeat_heads", "gather_rows", "kv_store"};
  constexpr std::string_view pointwise[] = {"silu", "gelu", "gelu_erf", "gelu_quick", "relu_sqr", "sigmoid", "tanh",      "softplus",
                                            "exp",  "scale", "softcap", "glu",        "attn_temperature"};
  if (op == "rope") return Rule::pairs;
  if (std::find(std::begin(exact), std::end(exact), op) != std::end(exact)) return Rule::exact;
  return std::find(std::begin(pointwise), std::end(pointwise), op) != std::end(pointwise) ? Rule::pointwise : Rule::reduction;
}

/// Inputs of a pointwise op that belong to element i of its output.
template <class F>
void for_inputs_at(const StepInput& step, const Data& out, F f) {
  for (const Data& d : step.in)
    if (d.present && d.dtype == DType::f32 && d.shape == out.shape) f(d.as<float>());
}

bool same_value(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

constexpr double kAnything = -1;

/// |y - reference| allowed for each element of each output: see op_test.h.
std::vector<std::vector<double>> tolerances(const Problem& p, Engine& reference, const StepInput& step, std::span<const int32_t> table,
                                            const std::vector<Data>& out) {
  const Rule rule = rule_of(p.op->name);
  std::vector<std::vector<double>> tolerance;
  for (const Data& d : out) tolerance.emplace_back(static_cast<size_t>(d.shape.elements()), 0.0);
  if (rule == Rule::exact) return tolerance;
  double size = 0x1p-9;
  Random random(p.c->seed + 77);
  for (int round = 0; round < 4; ++round) {
    StepInput moved = step;
    for (Data& d : moved.in)
      if (d.present) d = perturbed(d, size, random);
    const std::vector<Data> other = reference.run(moved, table, "perturbed");
    bool same_ints = true;
    for (size_t o = 0; o < out.size(); ++o) same_ints = same_ints && (out[o].dtype != DType::i32 || out[o].bytes == other[o].bytes);
    if (!same_ints && size > 0x1p-20) {  // another choice of experts: a smaller step
      size /= 8;
      --round;
      continue;
    }
    for (size_t o = 0; o < out.size(); ++o) {
      const std::vector<float> a = out[o].floats(), b = other[o].floats();
      for (size_t i = 0; i < a.size(); ++i) {
        const double moved_by = same_value(static_cast<double>(a[i]), static_cast<double>(b[i])) ? 0 : std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        tolerance[o][i] = std::max(tolerance[o][i], std::isnan(moved_by) ? std::numeric_limits<double>::infinity() : moved_by / size);
      }
    }
  }
  double depth = 1;
  if (rule == Rule::reduction) {
    for (const Data& d : step.in) depth = std::max(depth, static_cast<double>(d.present ? d.shape.back() : 1));
    bool cache = false, memory = false;
    for (const ValueInfo& v : p.in) {
      cache = cache || v.state == StateKind::kv_keys;
      memory = memory || v.state == StateKind::recurrent;
    }
    for (const Segment& g : step.segments) depth = std::max(depth, static_cast<double>(cache ? g.first_position + g.rows : memory ? g.rows : 1));
  }
  for (size_t o = 0; o < out.size(); ++o) {
    const std::vector<float> y = out[o].floats();
    const size_t length = static_cast<size_t>(std::max<int64_t>(1, out[o].shape.back()));
    for (size_t row = 0; row < y.size(); row += length) {
      const auto begin = tolerance[o].begin() + static_cast<std::ptrdiff_t>(row);
      const double most = *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(length));
      for (size_t i = row; i < row + length; ++i) {
        const double s = rule == Rule::pointwise ? tolerance[o][i] : most;
        // 8: functions are good to 4 ulp, and their factors may be rounded above the result's size (erf near -1 in gelu_erf).
        const double ulps = rule == Rule::pointwise ? 8 : 4;
        // A factor below the least normal float may count as zero, before it meets the other inputs.
        double least = static_cast<double>(std::numeric_limits<float>::min());
        if (rule == Rule::pointwise)
          for_inputs_at(step, out[o], [&](const float* x) { least *= std::max(1.0, std::fabs(static_cast<double>(x[i]))); });
        tolerance[o][i] = p.c->error * 0x1p-24 * (4 * std::sqrt(depth) * s + ulps * std::fabs(static_cast<double>(y[i]))) + least;
        // NaN stays NaN, but what ∞ times 0 gives is nobody's promise.
        bool nan = false;
        if (rule == Rule::pointwise) for_inputs_at(step, out[o], [&](const float* x) { nan = nan || std::isnan(x[i]); });
        if (rule == Rule::pointwise && std::isnan(y[i]) && !nan) tolerance[o][i] = kAnything;
      }
    }
  }
  return tolerance;
}

/// q8_rows and q16_rows results: each element within `quanta` of its block's scale.
void compare_quantised(const Data& got, const Data& want, double quanta, const std::string& what) {
  const double most = want.dtype == DType::q16_rows ? 32512 : 127;
  const std::vector<float> a = got.floats(), b = want.floats();
  for (size_t i = 0; i < a.size(); ++i) {
    const size_t block = i / 32 * 32;
    float top = 0;
    for (size_t j = block; j < block + 32; ++j) top = std::max(top, std::fabs(b[j]));
    const double allowed = quanta * static_cast<double>(top) / most * 1.001;
    if (!(std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= allowed) && !same_value(static_cast<double>(a[i]), static_cast<double>(b[i]))) {
      ADD_FAILURE() << what << ": element " << i << " is " << a[i] << ", reference " << b[i] << ", allowed " << quanta << " quanta";
      return;
    }
  }
}

void compare(const Problem& p, const std::vector<Data>& got, const std::vector<Data>& want, const std::vector<std::vector<double>>& tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t o = 0; o < got.size(); ++o) {
    const std::string where = fmt::format("{}, output {} {}", what, o, text_of(p.out[o]));
    if (is_quantised_rows(want[o].dtype) && p.c->quant_steps > 0) {
      compare_quantised(got[o], want[o], p.c->quant_steps, where);
      continue;
    }
    if (want[o].dtype != DType::f32) {
      EXPECT_TRUE(got[o].bytes == want[o].bytes) << where << ": bytes differ from the reference";
      continue;
    }
    const std::vector<float> a = got[o].floats(), b = want[o].floats();
    int64_t wrong = 0;
    size_t worst = 0;
    double ratio = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]), off = std::fabs(x - y);
      if (same_value(x, y) || off <= tolerance[o][i] || tolerance[o][i] == kAnything) continue;
      const double r = std::isnan(off) || tolerance[o][i] == 0 ? std::numeric_limits<double>::max() : off / tolerance[o][i];
      if (wrong++ == 0 || r > ratio) worst = i, ratio = r;
    }
    if (wrong)
      ADD_FAILURE() << fmt::format("{}: {} of {} elements are off, the worst is {}: {} for {}, allowed {:.3g}", where, wrong, a.size(), worst, a[worst], b[worst],
                                   tolerance[o][worst]);
  }
}

void compare_bits(const std::vector<Data>& got, const std::vector<Data>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t o = 0; o < got.size(); ++o) {
    if (got[o].bytes == want[o].bytes) continue;
    const auto at = std::mismatch(got[o].bytes.begin(), got[o].bytes.end(), want[o].bytes.begin()).first - got[o].bytes.begin();
    const std::vector<float> a = got[o].floats(), b = want[o].floats();
    const size_t i = static_cast<size_t>(at) / static_cast<size_t>(info_of(got[o].dtype).bytes);
    ADD_FAILURE() << what << ", output " << o << ": bits differ from byte " << at
                  << (i < a.size() && info_of(got[o].dtype).block == 1 ? fmt::format(", element {}: {} and {}", i, a[i], b[i]) : "");
  }
}

// ---- the checks ---------------------------------------------------------------------------------------------------------------

/// Replaces the state operands of a step by what the step before left.
void carry_state(const Problem& p, const std::vector<Data>& out, StepInput* next) {
  for (size_t o = 0; o < out.size(); ++o)
    if (p.state_of[o] >= 0) next->in[static_cast<size_t>(p.state_of[o])] = out[o];
}

/// Row r of the step as a step of its own.
StepInput row_of(const Problem& p, const StepInput& step, int32_t r, SymbolId symbol) {
  StepInput one;
  one.symbols = step.symbols;
  one.symbols[static_cast<size_t>(symbol)] = 1;
  for (const Segment& s : step.segments)
    if (r >= s.first_row && r < s.first_row + s.rows) one.segments = {{0, 1, s.sequence, s.first_position + r - s.first_row}};
  for (size_t i = 0; i < step.in.size(); ++i) {
    const Data& d = step.in[i];
    if (!d.present || p.in[i].dims.empty() || p.in[i].dims[0] != Dim(1, symbol)) {
      one.in.push_back(d);
      continue;
    }
    Shape shape = d.shape;
    shape[0] = 1;
    const auto bytes = static_cast<std::ptrdiff_t>(outer_bytes(d.dtype, d.shape));
    one.in.push_back(Data{d.dtype, shape, {d.bytes.begin() + r * bytes, d.bytes.begin() + (r + 1) * bytes}});
  }
  return one;
}

/// Each row on its own, one after another, against `want`, bit for bit.
void check_rows_alone(const Problem& p, Engine& engine, const StepInput& step, std::span<const int32_t> table, const std::vector<Data>& want, const std::string& what) {
  SymbolId symbol = kNone;
  for (size_t o = 0; o < p.out.size(); ++o)
    if (p.state_of[o] < 0 && !p.out[o].dims.empty() && !p.out[o].dims[0].is_constant()) symbol = p.out[o].dims[0].symbol;
  if (std::string_view(p.op->name).ends_with("kv_store")) symbol = 0;
  if (symbol == kNone) return;
  const auto n = static_cast<int32_t>(step.symbols[static_cast<size_t>(symbol)]);
  std::vector<Data> got = want;
  StepInput from = step;
  const bool stateful = *std::max_element(p.state_of.begin(), p.state_of.end()) >= 0;
  const int32_t every = stateful ? 1 : 1 + n / 8;  // a row without a past can be looked at without the others
  for (int32_t r = 0; r < n; r += every) {
    const std::vector<Data> one = engine.run(row_of(p, from, r, symbol), table, what);
    carry_state(p, one, &from);
    for (size_t o = 0; o < got.size(); ++o) {
      if (p.state_of[o] >= 0) got[o] = one[o];
      else std::copy(one[o].bytes.begin(), one[o].bytes.end(), got[o].bytes.begin() + r * static_cast<std::ptrdiff_t>(outer_bytes(got[o].dtype, got[o].shape)));
    }
  }
  if (n) compare_bits(got, want, what + ", each row alone");
}

struct Setup {
  Problem problem;
  std::vector<StepInput> steps;
  std::vector<int32_t> table;
  bool ok = false;
  explicit Setup(const OpCase& c) {
    if (!make_problem(c, &problem)) return;
    steps = make_inputs(problem);
    Random random(c.seed + 5);
    table = make_table(problem, random);
    ok = !::testing::Test::HasFatalFailure();
  }
};

std::string step_name(const char* who, size_t s, const StepInput& step) { return fmt::format("{}, step {} of {} rows", who, s, step.symbols[0]); }

}  // namespace

void check_reference(const OpCase& c) {
  Setup setup(c);
  if (!setup.ok) return;
  const Problem& p = setup.problem;
  ReferenceEngine dense(p, false), strided(p, true);
  for (size_t s = 0; s < setup.steps.size(); ++s) {
    const std::string what = step_name("reference", s, setup.steps[s]);
    const std::vector<Data> out = dense.run(setup.steps[s], setup.table, what);
    compare_bits(strided.run(setup.steps[s], setup.table, what + ", strided"), out, what + ", strided");
    if (c.row_alone) check_rows_alone(p, dense, setup.steps[s], setup.table, out, what);
    if (s + 1 < setup.steps.size()) carry_state(p, out, &setup.steps[s + 1]);
  }
}

std::string check_kernel(const OpCase& c, Isa isa) {
  Setup setup(c);
  if (!setup.ok) return "refused: by inference";
  const Problem& p = setup.problem;
  const auto capped = cap(detect_isa(), name_of(isa));
  if (!capped) return "refused: no such instruction set";
  ReferenceEngine reference(p, false);
  constexpr Variant variants[] = {{1, false, 0}, {2, false, 11}, {7, true, 12}};
  std::vector<std::unique_ptr<KernelEngine>> engines;
  for (const Variant& v : variants) {
    std::string why;
    engines.push_back(KernelEngine::make(p, *capped, v, setup.steps[0].in, &why));
    if (!engines.back() && v.strided) {  // dense only: a refusal is fine
      engines.pop_back();
      continue;
    }
    if (!engines.back()) {
      if (!c.may_refuse && why != kNoBinder) ADD_FAILURE() << "refused: " << why;
      return "refused: " + why;
    }
  }
  for (size_t s = 0; s < setup.steps.size(); ++s) {
    const StepInput& step = setup.steps[s];
    const std::string what = step_name(engines[0]->kernel().c_str(), s, step);
    const std::vector<Data> want = reference.run(step, setup.table, "reference");
    const std::vector<Data> got = engines[0]->run(step, setup.table, what);
    compare(p, got, want, tolerances(p, reference, step, setup.table, want), what);
    for (size_t v = 1; v < engines.size(); ++v) {
      const std::string variant = fmt::format("{}, {} workers{}", what, variants[v].workers, variants[v].strided ? ", strided" : "");
      compare_bits(engines[v]->run(step, setup.table, variant), got, variant);
    }
    if (c.row_alone) check_rows_alone(p, *engines[0], step, setup.table, got, what);
    if (s + 1 < setup.steps.size()) carry_state(p, want, &setup.steps[s + 1]);
  }
  return engines[0]->kernel();
}

std::vector<Data> run_reference(const char* op, const std::vector<Data>& in, const Attrs& attrs, std::span<const Segment> segments,
                                const std::vector<StateKind>& states, std::span<const int32_t> block_table) {
  OpCase c{.name = op, .op = op, .attrs = attrs};
  for (size_t i = 0; i < in.size(); ++i) {
    In x{.dtype = in[i].dtype, .state = i < states.size() ? states[i] : StateKind::none, .present = in[i].present};
    for (int64_t d : in[i].shape.dims()) x.dims.push_back(Dim(d));
    c.in.push_back(x);
  }
  if (!segments.empty()) c.steps = {StepSegments(segments.begin(), segments.end())};
  Problem p;
  if (!make_problem(c, &p)) return {};
  ReferenceEngine engine(p, false);
  StepInput step{in, {0, 0}, {segments.begin(), segments.end()}};
  while (step.in.size() < p.in.size()) step.in.push_back({.present = false});
  return engine.run(step, block_table, op);
}

void for_each(std::span<const OpCase> cases, const std::function<void(const OpCase&)>& body) {
  for (const OpCase& c : cases) {
    SCOPED_TRACE(fmt::format("case {} {}", c.op, c.name));
    body(c);
  }
}

bool lacks(Isa isa) {
  if (isa == Isa::amx) request_tiles();
  return !detect_isa().has(isa);
}

}  // namespace mainspring::inline v0::optest
