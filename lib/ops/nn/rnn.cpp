// RNN, GRU, LSTM(x [T,B,I], w [D,g*H,I], r [D,g*H,H], b? [D,2*g*H], lens? [B], h? [D,B,H], LSTM: c? [D,B,H], p? [D,3*H]) -> y? [T,D,B,H], y_h? [D,B,H], LSTM: y_c?
//   attrs activations, activation_alpha, activation_beta, clip, direction, hidden_size, layout (1: batch first), input_forget, linear_before_reset
//   RNN   h' = f(x·W + h·R + b)
//   GRU   z, r = f(…); n = g(x·Wn + (r∘h)·Rn + b), or r∘(h·Rn + Rb); h' = (1-z)∘n + z∘h          gates z r h
//   LSTM  i, f, o = f(… + p∘c), n = g(…); c' = f∘c + i∘n; h' = o∘h(c')                             gates i o f c; o's peephole sees c'
#include "ops/nn/rnn.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "ops/activation.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

struct ActivationKind {
  std::string_view name;
  bool has_alpha, has_beta;
  double alpha, beta;
  double (*f)(double x, double alpha, double beta);
};
constexpr ActivationKind kActivations[] = {
    {"relu", false, false, 0, 0, [](double x, double, double) { return x > 0 ? x : 0; }},
    {"tanh", false, false, 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"sigmoid", false, false, 0, 0, [](double x, double, double) { return activation::sigmoid(x); }},
    {"affine", true, true, 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"leakyrelu", true, false, 0.01, 0, [](double x, double a, double) { return x >= 0 ? x : a * x; }},
    {"thresholdedrelu", true, false, 1, 0, [](double x, double a, double) { return x >= a ? x : 0; }},
    {"scaledtanh", true, true, 1, 1, [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"hardsigmoid", true, true, 0.2, 0.5, [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }},
    {"elu", true, false, 1, 0, [](double x, double a, double) { return x >= 0 ? x : a * std::expm1(x); }},
    {"softsign", false, false, 0, 0, [](double x, double, double) { return x / (1 + std::fabs(x)); }},
    {"softplus", false, false, 0, 0, [](double x, double, double) { return activation::softplus(x); }},
};

struct Activation {
  const ActivationKind* kind = nullptr;
  double alpha = 0, beta = 0;
  double operator()(double x) const { return kind->f(x, alpha, beta); }
};

/// All directions' activations, in order. Empty where a name is none.
std::vector<Activation> activations_of(const Attrs& attrs, RnnKind kind, int64_t directions) {
  static constexpr std::string_view kDefault[3][3] = {{"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
  const size_t each = kind == RnnKind::rnn ? 1 : kind == RnnKind::gru ? 2 : 3;
  const std::span<const std::string> names = attrs.ss("activations");
  const std::span<const double> alphas = attrs.fs("activation_alpha"), betas = attrs.fs("activation_beta");
  std::vector<Activation> all;
  size_t alpha = 0, beta = 0;  // given values go, in order, to the functions that take one
  for (size_t i = 0; i < each * at(directions); ++i) {
    std::string name(kDefault[static_cast<size_t>(kind)][i % each]);
    if (i < names.size()) name = names[i];
    else if (!names.empty() && names.size() >= each) name = names[i % each];
    for (char& ch : name) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
    Activation a;
    for (const ActivationKind& k : kActivations)
      if (k.name == name) a = {&k, k.alpha, k.beta};
    if (a.kind == nullptr) return {};
    if (a.kind->has_alpha && alpha < alphas.size()) a.alpha = alphas[alpha++];
    if (a.kind->has_beta && beta < betas.size()) a.beta = betas[beta++];
    all.push_back(a);
  }
  return all;
}

constexpr std::string_view kDirections[] = {"forward", "reverse", "bidirectional"};
int64_t directions_of(const Attrs& attrs) { return attrs.s("direction", "forward") == "bidirectional" ? 2 : 1; }

/// out[n] += Σ x[k] × w[k][n].
void add_product(std::span<const double> x, const double* w, std::span<double> out) {
  for (size_t k = 0; k < x.size(); ++k)
    for (size_t n = 0; n < out.size(); ++n) out[n] += x[k] * w[k * out.size() + n];
}

/// What a step of one direction reads and changes.
struct Cell {
  RnnKind kind;
  int64_t hidden;
  double clip;
  bool input_forget, linear_before_reset;
  const Activation* act;
  const double *r, *rb, *p;  // recurrent weights; recurrent bias or null; peepholes or null

  double clipped(double x) const { return clip > 0 ? std::clamp(x, -clip, clip) : x; }
  /// gates: x·W + biases (a GRU's recurrent bias of n apart); seen: h as it is multiplied. Changes h and c.
  void step(std::span<double> gates, std::span<const double> seen, std::span<double> h, std::span<double> c) const {
    const size_t n = at(hidden);
    const auto gate = [&](size_t g) { return gates.subspan(g * n, n); };
    if (kind != RnnKind::gru) add_product(seen, r, gates);
    if (kind == RnnKind::rnn) {
      for (size_t i = 0; i < n; ++i) h[i] = act[0](clipped(gates[i]));
      return;
    }
    if (kind == RnnKind::lstm) return lstm(gate(0), gate(1), gate(2), gate(3), h, c);
    std::vector<double> all(3 * n, 0.0);
    add_product(seen, r, all);
    std::vector<double> n_part(all.begin() + static_cast<std::ptrdiff_t>(2 * n), all.end());
    for (size_t i = 0; i < n; ++i) {
      gate(0)[i] = act[0](clipped(gate(0)[i] + all[i]));
      gate(1)[i] = act[0](clipped(gate(1)[i] + all[n + i]));
      if (linear_before_reset) n_part[i] = gate(1)[i] * (n_part[i] + (rb ? rb[2 * n + i] : 0));
    }
    if (!linear_before_reset) {
      std::fill(n_part.begin(), n_part.end(), 0.0);
      for (size_t k = 0; k < n; ++k) {
        const double x = gate(1)[k] * seen[k];
        for (size_t i = 0; i < n; ++i) n_part[i] += x * r[k * 3 * n + 2 * n + i];
      }
      for (size_t i = 0; i < n; ++i) n_part[i] += rb ? rb[2 * n + i] : 0;
    }
    for (size_t i = 0; i < n; ++i) {
      const double fresh = act[1](clipped(gate(2)[i] + n_part[i]));
      h[i] = (1 - gate(0)[i]) * fresh + gate(0)[i] * h[i];
    }
  }
  void lstm(std::span<const double> in, std::span<const double> out, std::span<const double> forget, std::span<const double> fresh, std::span<double> h, std::span<double> c) const {
    const size_t n = at(hidden);
    for (size_t j = 0; j < n; ++j) {
      const double i = act[0](clipped(in[j] + (p ? p[j] * c[j] : 0)));
      const double f = input_forget ? 1 - i : act[0](clipped(forget[j] + (p ? p[2 * n + j] * c[j] : 0)));
      c[j] = f * c[j] + i * act[1](clipped(fresh[j]));
      const double o = act[0](clipped(out[j] + (p ? p[n + j] * c[j] : 0)));
      h[j] = o * act[2](clipped(c[j]));
    }
  }
};

void reference(const OpArgs& a, RnnKind kind) {
  // [D, gates × H, K] -> [D, K, gates × H]
  const auto turned = [](const TensorView& v) {
    const std::vector<double> from = numbers_of(v);
    std::vector<double> to(from.size());
    const int64_t n = v.shape[1], k = v.shape[2];
    for (int64_t d = 0; d < v.shape[0]; ++d)
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < k; ++j) to[at((d * k + j) * n + i)] = from[at((d * n + i) * k + j)];
    return to;
  };
  run_rnn(a, kind, {turned(a.in[1]), turned(a.in[2])});
}

Result<std::vector<ValueInfo>> infer_RNN(const OpCall& c) { return infer_rnn("RNN", c, RnnKind::rnn, false); }
void reference_RNN(const OpArgs& a) { reference(a, RnnKind::rnn); }
Result<std::vector<ValueInfo>> infer_GRU(const OpCall& c) { return infer_rnn("GRU", c, RnnKind::gru, false); }
void reference_GRU(const OpArgs& a) { reference(a, RnnKind::gru); }
Result<std::vector<ValueInfo>> infer_LSTM(const OpCall& c) { return infer_rnn("LSTM", c, RnnKind::lstm, false); }
void reference_LSTM(const OpArgs& a) { reference(a, RnnKind::lstm); }

}  // namespace

Result<std::vector<ValueInfo>> infer_rnn(const char* op, const OpCall& c, RnnKind kind, bool transposed) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3, 3));
  MAINSPRING_TRY(const ValueInfo* w, need_number(op, c, 1, "w"));
  MAINSPRING_TRY(const ValueInfo* r, need_number(op, c, 2, "r"));
  MAINSPRING_TRY_VOID(want_rank(op, *w, "w", 3, 3));
  MAINSPRING_TRY_VOID(want_rank(op, *r, "r", 3, 3));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "direction", "forward", kDirections));
  MAINSPRING_TRY(const int64_t batch_first, int_attr(op, c.attrs, "layout", 0, 0, 1));
  const int64_t directions = directions_of(c.attrs), gates = gates_of(kind);
  if (activations_of(c.attrs, kind, directions).empty()) return invalid("{}: an unknown name among the activations", op);
  Dim hidden = dim_of(*r, transposed ? 1 : 2);
  if (c.attrs.has("hidden_size")) MAINSPRING_TRY_VOID(want_equal(op, "attribute hidden_size", c.attrs.i("hidden_size"), hidden));
  if (!hidden.is_constant() && c.attrs.i("hidden_size") > 0) hidden = c.attrs.i("hidden_size");
  const Dim batch = dim_of(*x, batch_first ? 0 : 1), steps = dim_of(*x, batch_first ? 1 : 0);
  const Dim d = directions, all = times(hidden, gates);
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "w", transposed ? Dims{d, dim_of(*x, 2), all} : Dims{d, all, dim_of(*x, 2)}));
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "r", transposed ? Dims{d, hidden, all} : Dims{d, all, hidden}));
  MAINSPRING_TRY_VOID(want_dims(op, c, 3, "b", {d, times(all, 2)}));
  MAINSPRING_TRY_VOID(want_dims(op, c, 4, "sequence_lens", {batch}));
  const Dims state = batch_first ? Dims{batch, d, hidden} : Dims{d, batch, hidden};
  MAINSPRING_TRY_VOID(want_dims(op, c, 5, "initial_h", state));
  if (kind == RnnKind::lstm) {
    MAINSPRING_TRY_VOID(want_dims(op, c, 6, "initial_c", state));
    MAINSPRING_TRY_VOID(want_dims(op, c, 7, "p", {d, times(hidden, 3)}));
  }
  std::vector<ValueInfo> out{tensor_of(x->dtype, batch_first ? Dims{batch, steps, d, hidden} : Dims{steps, d, batch, hidden}), tensor_of(x->dtype, state)};
  if (kind == RnnKind::lstm) out.push_back(out[1]);
  return first_outputs(c, std::move(out));
}

void run_rnn(const OpArgs& a, RnnKind kind, const RnnWeights& weights) {
  const Shape& xs = a.in[0].shape;
  const bool batch_first = a.attrs.i("layout") == 1;
  const int64_t steps = xs[batch_first ? 1 : 0], batch = xs[batch_first ? 0 : 1], input = xs[2];
  const int64_t directions = directions_of(a.attrs), gates = gates_of(kind);
  if (weights.r.empty()) return;
  int64_t hidden = 1;  // r has directions × gates × hidden² elements
  while (directions * gates * hidden * hidden < static_cast<int64_t>(weights.r.size())) ++hidden;
  const int64_t all = gates * hidden;
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> b = numbers_of(a.in[3]), p = has(a, 7) ? numbers_of(a.in[7]) : std::vector<double>();
  const std::vector<int64_t> lens = has(a, 4) ? ints_of(a.in[4]) : std::vector<int64_t>(at(batch), steps);
  // States are kept as [direction, batch, hidden]; the operands' order is undone and done by these.
  const auto state_at = [&](int64_t d, int64_t n) { return (batch_first ? n * directions + d : d * batch + n) * hidden; };
  const auto row_at = [&](int64_t t, int64_t n) { return (batch_first ? n * steps + t : t * batch + n) * input; };
  std::vector<double> h(at(directions * batch * hidden), 0.0), c = h;
  if (has(a, 5)) h = numbers_of(a.in[5]);
  if (kind == RnnKind::lstm && has(a, 6)) c = numbers_of(a.in[6]);
  std::vector<double> y(wanted(a, 0) ? at(steps * batch * directions * hidden) : 0, 0.0);
  const auto quantised = [&](std::vector<double>& rows) {
    if (!weights.rows_to_u8) return;
    const DynamicU8 q = dynamic_u8(rows);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = q.values[i] * q.scale;
  };
  quantised(x);
  const std::vector<Activation> act = activations_of(a.attrs, kind, directions);
  std::vector<double> gates_of_row(at(all)), seen(at(batch * hidden));
  for (int64_t d = 0; d < directions; ++d) {
    const double* bias = b.empty() ? nullptr : b.data() + d * 2 * all;
    const Cell cell{kind, hidden, a.attrs.f("clip"), a.attrs.i("input_forget") != 0, a.attrs.i("linear_before_reset") != 0,
                    act.data() + d * static_cast<int64_t>(act.size()) / directions, weights.r.data() + d * hidden * all,
                    bias ? bias + all : nullptr, p.empty() ? nullptr : p.data() + d * 3 * hidden};
    const bool backward = d == 1 || a.attrs.s("direction", "forward") == "reverse";
    for (int64_t step = 0; step < steps; ++step) {
      for (int64_t n = 0; n < batch; ++n) std::copy_n(h.data() + state_at(d, n), hidden, seen.data() + n * hidden);
      quantised(seen);
      for (int64_t n = 0; n < batch; ++n) {
        const int64_t length = std::clamp<int64_t>(lens[at(n)], 0, steps);
        if (step >= length) continue;
        const int64_t t = backward ? length - 1 - step : step;
        for (int64_t i = 0; i < all; ++i) {
          const bool apart = kind == RnnKind::gru && i >= 2 * hidden;
          gates_of_row[at(i)] = bias ? bias[i] + (apart ? 0 : bias[all + i]) : 0;
        }
        add_product(std::span(x).subspan(at(row_at(t, n)), at(input)), weights.w.data() + d * input * all, gates_of_row);
        const std::span<double> now = std::span(h).subspan(at(state_at(d, n)), at(hidden));
        cell.step(gates_of_row, std::span(seen).subspan(at(n * hidden), at(hidden)), now, std::span(c).subspan(at(state_at(d, n)), at(hidden)));
        if (!y.empty()) std::copy_n(now.data(), hidden, y.data() + (batch_first ? (n * steps + t) * directions + d : (t * directions + d) * batch + n) * hidden);
      }
    }
  }
  if (wanted(a, 0)) put_numbers(a.out[0], y);
  if (wanted(a, 1)) put_numbers(a.out[1], h);
  if (wanted(a, 2)) put_numbers(a.out[2], c);
}

constinit const OpDef op_RNN{.name = "RNN", .min_in = 3, .max_in = 6, .n_out = 2, .infer = infer_RNN, .reference = reference_RNN};
constinit const OpDef op_GRU{.name = "GRU", .min_in = 3, .max_in = 6, .n_out = 2, .infer = infer_GRU, .reference = reference_GRU};
constinit const OpDef op_LSTM{.name = "LSTM", .min_in = 3, .max_in = 8, .n_out = 3, .infer = infer_LSTM, .reference = reference_LSTM};

}  // namespace mainspring::inline v0
