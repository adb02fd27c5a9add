// Activations that exporters spell out: x * sigmoid(x), x * clip(x + 3, 0, 6) / 6, x * hard_sigmoid(x), x / 2 * (1 + erf(x / sqrt 2)), its tanh form,
// x * tanh(softplus(x)). And what exporters guard against in vain: where(isnan(softmax), 0, softmax) stays, as it may hold.
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

bool is(std::optional<double> v, double want) { return v && std::fabs(*v - want) <= std::fabs(want) * 1e-3; }

/// The other operand of a Mul or Add.
ValueId other(const Node& n, ValueId v) { return n.in[0] == v ? n.in[1] : n.in[0]; }

struct Matcher {
  const Rewrite& r;

  /// The operand beside a constant of about that value; kNone where it is no such node.
  ValueId beside(const Node* n, std::string_view op, double constant) const {
    if (n == nullptr || n->op != op || n->in.size() != 2) return kNone;
    if (is(r.scalar(n->in[1]), constant)) return n->in[0];
    if (op != "Div" && op != "Sub" && is(r.scalar(n->in[0]), constant)) return n->in[1];
    return kNone;
  }
  const Node* node(ValueId v) const { return r.maker(v); }
  const Node* node(ValueId v, std::string_view op) const {
    const Node* n = r.maker(v);
    return n != nullptr && n->op == op ? n : nullptr;
  }
  /// clip(x + 3, 0, 6): x.
  ValueId relu6_of_3(ValueId v) const {
    const Node* clip = node(v, "Clip");
    if (clip == nullptr || clip->in.size() < 3 || !r.scalar(clip->in[1]) || *r.scalar(clip->in[1]) != 0 || !is(r.scalar(clip->in[2]), 6)) return kNone;
    return beside(node(clip->in[0]), "Add", 3);
  }
  /// erf(x / sqrt 2) + 1: x.
  ValueId erf_plus_1(ValueId v) const {
    const ValueId e = beside(node(v), "Add", 1);
    const Node* erf = e == kNone ? nullptr : node(e, "Erf");
    if (erf == nullptr) return kNone;
    const ValueId by_div = beside(node(erf->in[0]), "Div", std::sqrt(2.0));
    return by_div != kNone ? by_div : beside(node(erf->in[0]), "Mul", std::sqrt(0.5));
  }
  /// tanh(sqrt(2/pi) * (x + 0.044715 x^3)) + 1: x.
  ValueId tanh_plus_1(ValueId v) const {
    const ValueId t = beside(node(v), "Add", 1);
    const Node* tanh = t == kNone ? nullptr : node(t, "Tanh");
    if (tanh == nullptr) return kNone;
    const ValueId sum = beside(node(tanh->in[0]), "Mul", std::sqrt(2 / 3.14159265358979));
    const Node* add = sum == kNone ? nullptr : node(sum, "Add");
    if (add == nullptr) return kNone;
    for (const ValueId x : add->in) {
      const ValueId cube = beside(node(other(*add, x)), "Mul", 0.044715);
      const Node* pow = cube == kNone ? nullptr : node(cube, "Pow");
      if (pow != nullptr && pow->in[0] == x && is(r.scalar(pow->in[1]), 3)) return x;
    }
    return kNone;
  }
};

struct Found {
  const char* op = nullptr;
  ValueId x = kNone;
  Attrs attrs{};
};

/// a * b, with a constant factor on the way where the form has one.
Found product(const Matcher& m, ValueId a, ValueId b) {
  if (const Node* s = m.node(b, "Sigmoid"); s != nullptr && s->in[0] == a) return {"Swish", a};
  if (const Node* s = m.node(b, "HardSigmoid"); s != nullptr && s->in[0] == a && is(s->attrs.f("alpha", 0.2), 1.0 / 6) && is(s->attrs.f("beta", 0.5), 0.5)) return {"HardSwish", a};
  if (const ValueId clip = m.beside(m.node(b), "Div", 6); clip != kNone && m.relu6_of_3(clip) == a) return {"HardSwish", a};
  if (const ValueId clip = m.beside(m.node(b), "Mul", 1.0 / 6); clip != kNone && m.relu6_of_3(clip) == a) return {"HardSwish", a};
  if (const Node* t = m.node(b, "Tanh"); t != nullptr)
    if (const Node* s = m.node(t->in[0], "Softplus"); s != nullptr && s->in[0] == a) return {"Mish", a};
  for (const bool tanh : {false, true}) {  // (x / 2) * (1 + f(x)), or x * ((1 + f(x)) / 2)
    const auto gate = [&](ValueId v) { return tanh ? m.tanh_plus_1(v) : m.erf_plus_1(v); };
    const auto half = [&](ValueId v) {
      const ValueId x = m.beside(m.node(v), "Mul", 0.5);
      return x != kNone ? x : m.beside(m.node(v), "Div", 2);
    };
    const Attrs attrs = {{"approximate", std::string(tanh ? "tanh" : "none")}};
    if (const ValueId x = half(a); x != kNone && gate(b) == x) return {"Gelu", x, attrs};
    if (const ValueId g = half(b); g != kNone && gate(g) == a) return {"Gelu", a, attrs};
  }
  return {};
}

Found activation(const Rewrite& r, const Node& n) {
  const Matcher m{r};
  if (n.in.size() == 2 && n.op == "Div" && is(r.scalar(n.in[1]), 6)) {  // x * clip(x + 3, 0, 6) / 6
    const Node* mul = m.node(n.in[0], "Mul");
    for (size_t k = 0; mul != nullptr && k < 2; ++k)
      if (m.relu6_of_3(mul->in[1 - k]) == mul->in[k]) return {"HardSwish", mul->in[k]};
    if (const ValueId x = m.relu6_of_3(n.in[0]); x != kNone) return {"HardSigmoid", x, {{"alpha", 1.0 / 6}, {"beta", 0.5}}};
  }
  if (n.op != "Mul" || n.in.size() != 2) return {};
  for (size_t k = 0; k < 2; ++k) {
    if (Found f = product(m, n.in[k], n.in[1 - k]); f.op != nullptr) return f;
    if (is(r.scalar(n.in[k]), 0.5)) {  // 0.5 * (x * (1 + f(x)))
      const Node* mul = m.node(n.in[1 - k], "Mul");
      for (size_t j = 0; mul != nullptr && j < 2; ++j) {
        if (m.erf_plus_1(mul->in[j]) == mul->in[1 - j]) return {"Gelu", mul->in[1 - j], {{"approximate", std::string("none")}}};
        if (m.tanh_plus_1(mul->in[j]) == mul->in[1 - j]) return {"Gelu", mul->in[1 - j], {{"approximate", std::string("tanh")}}};
      }
    }
    if (is(r.scalar(n.in[k]), 1.0 / 6)) {
      const Node* mul = m.node(n.in[1 - k], "Mul");
      for (size_t j = 0; mul != nullptr && j < 2; ++j)
        if (m.relu6_of_3(mul->in[1 - j]) == mul->in[j]) return {"HardSwish", mul->in[j]};
    }
  }
  return {};
}

}  // namespace

Result<bool> pass_fuse_activations(Graph& graph, const PassContext&) {
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    const Found f = r.value(n.out.empty() ? 0 : n.out[0]).dtype == DType::f32 ? activation(r, n) : Found{};
    if (f.op == nullptr) r.keep(n);
    else r.make(n.out[0], f.op, n.name, {f.x}, f.attrs);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
