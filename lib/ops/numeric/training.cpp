// One step of an optimiser (ai.onnx.preview.training). Operands: rate r, count of updates t, then all tensors x, all gradients, and all of each state; outputs:
// all new x, then all of each new state. g = gradient + norm_coefficient·x.
//   Adagrad   state h.    attrs norm_coefficient, decay_factor (0), epsilon (1e-6). Duchi, Hazan and Singer 2011
//   Adam      states v h. attrs alpha (0.9), beta (0.999), epsilon (1e-6), norm_coefficient, norm_coefficient_post (0). Kingma and Ba 2014, arXiv:1412.6980
//   Momentum  state v.    attrs alpha, beta, norm_coefficient, mode ("standard", "nesterov")
#include <cmath>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

struct Optimiser {
  const char* name;
  size_t states;
  /// One element: x and its states change in place.
  void (*update)(const Attrs& attrs, double rate, double t, double gradient, double& x, double* state);
};

void adagrad(const Attrs& a, double rate, double t, double gradient, double& x, double* h) {
  const double g = a.f("norm_coefficient") * x + gradient;
  *h += g * g;
  x -= rate / (1 + t * a.f("decay_factor")) * g / (std::sqrt(*h) + a.f("epsilon", 1e-6));
}

void adam(const Attrs& a, double rate, double t, double gradient, double& x, double* state) {
  const double alpha = a.f("alpha", 0.9), beta = a.f("beta", 0.999), g = a.f("norm_coefficient") * x + gradient;
  double &v = state[0], &h = state[1];
  v = alpha * v + (1 - alpha) * g;
  h = beta * h + (1 - beta) * g * g;
  if (t > 0) rate *= std::sqrt(1 - std::pow(beta, t)) / (1 - std::pow(alpha, t));
  x = (1 - a.f("norm_coefficient_post")) * (x - rate * v / (std::sqrt(h) + a.f("epsilon", 1e-6)));
}

void momentum(const Attrs& a, double rate, double t, double gradient, double& x, double* v) {
  const double alpha = a.f("alpha"), g = a.f("norm_coefficient") * x + gradient;
  *v = alpha * *v + (t > 0 ? a.f("beta") : 1) * g;
  x -= rate * (a.s("mode") == "nesterov" ? g + alpha * *v : *v);
}

constexpr Optimiser kOptimisers[] = {{"ai.onnx.preview.training.Adagrad", 1, adagrad}, {"ai.onnx.preview.training.Adam", 2, adam}, {"ai.onnx.preview.training.Momentum", 1, momentum}};

Result<std::vector<ValueInfo>> infer_update(const Optimiser& op, const OpCall& c) {
  const size_t group = 2 + op.states;
  if (c.in.size() < 2 + group || (c.in.size() - 2) % group != 0) return invalid("{}: got {} operands, expected 2 and {} for each tensor", op.name, c.in.size(), group);
  const size_t n = (c.in.size() - 2) / group;
  for (size_t i = 0; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, i < 2 ? need_one(op.name, c, i, "operand") : need(op.name, c, i, "operand"));
    if (i >= 2 && all_constant(*x) && all_constant(c.in[2 + (i - 2) % n]) && x->dims != c.in[2 + (i - 2) % n].dims) return invalid("{}: extents of operand {} are not those of its tensor", op.name, i);
    if (!is_number(x->dtype)) return invalid("{}: operand {} is {}, expected numbers", op.name, i, name_of(x->dtype));
  }
  if (c.n_out > static_cast<int>((1 + op.states) * n)) return invalid("{}: {} outputs are wanted of {} tensors, expected at most {}", op.name, c.n_out, n, (1 + op.states) * n);
  std::vector<ValueInfo> all;
  for (size_t kind = 0; kind <= op.states; ++kind)
    for (size_t i = 0; i < n; ++i) {
      const ValueInfo& x = c.in[2 + (kind == 0 ? 0 : kind + 1) * n + i];
      all.push_back(x.ranked ? tensor_of(x.dtype, x.dims) : unranked(x.dtype));
    }
  if (c.n_out >= 1 && static_cast<size_t>(c.n_out) < all.size()) all.resize(static_cast<size_t>(c.n_out));
  return all;
}

void reference_update(const Optimiser& op, const OpArgs& a) {
  const size_t n = (a.in.size() - 2) / (2 + op.states);
  const double rate = load(a.in[0], 0), t = load(a.in[1], 0);
  for (size_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < a.in[2 + i].shape.elements(); ++k) {
      double x = load(a.in[2 + i], k), state[2] = {};
      for (size_t s = 0; s < op.states; ++s) state[s] = load(a.in[2 + (2 + s) * n + i], k);
      op.update(a.attrs, rate, t, load(a.in[2 + n + i], k), x, state);
      if (i < a.out.size()) store_one(a.out[i], k, x);
      for (size_t s = 0; s < op.states; ++s)
        if ((s + 1) * n + i < a.out.size()) store_one(a.out[(s + 1) * n + i], k, state[s]);
    }
}

template <int i>
constexpr OpDef optimiser() {
  return {.name = kOptimisers[i].name,
          .min_in = 3,
          .max_in = kVariadic,
          .n_out = kVariadic,
          .infer = [](const OpCall& c) { return infer_update(kOptimisers[i], c); },
          .reference = [](const OpArgs& a) { reference_update(kOptimisers[i], a); }};
}

}  // namespace

constinit const OpDef op_Adagrad = optimiser<0>();
constinit const OpDef op_Adam = optimiser<1>();
constinit const OpDef op_Momentum = optimiser<2>();

}  // namespace mainspring::inline v0
