// Layer norm spelt out: d = x - mean(x); y = d / sqrt(mean(d^2) + epsilon) * scale + shift, over the last axis, becomes LayerNormalization; without the mean,
// RMSNormalization.
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

struct Matcher {
  const Rewrite& r;

  const Node* node(ValueId v, std::string_view op) const {
    const Node* n = r.maker(v);
    return n != nullptr && n->op == op ? n : nullptr;
  }
  /// The mean of what, over the last axis, which is kept.
  ValueId mean_of(ValueId v) const {
    const Node* n = node(v, "ReduceMean");
    if (n == nullptr || n->attrs.i("keepdims", 1) != 1 || n->in.size() < 2 || !r.value(n->in[0]).ranked) return kNone;
    const auto axes = r.ints(n->in[1]);
    const auto rank = static_cast<int64_t>(r.value(n->in[0]).dims.size());
    return axes && axes->size() == 1 && ((*axes)[0] == -1 || (*axes)[0] == rank - 1) ? n->in[0] : kNone;
  }
  /// The square of what.
  ValueId square_of(ValueId v) const {
    if (const Node* n = node(v, "Pow"); n != nullptr && r.scalar(n->in[1]) == 2.0) return n->in[0];
    if (const Node* n = node(v, "Mul"); n != nullptr && n->in[0] == n->in[1]) return n->in[0];
    return kNone;
  }
  /// sqrt(mean(d^2) + epsilon): d.
  ValueId deviation(ValueId v, double& epsilon) const {
    const Node* root = node(v, "Sqrt");
    if (root == nullptr)
      if (const Node* pow = node(v, "Pow"); pow != nullptr && r.scalar(pow->in[1]) == 0.5) root = pow;
    const Node* sum = root == nullptr ? nullptr : node(root->in[0], "Add");
    if (sum == nullptr) return kNone;
    for (size_t k = 0; k < 2; ++k) {
      const auto e = r.scalar(sum->in[k]);
      if (!e || *e < 0 || *e > 1e-2) continue;
      const ValueId mean = mean_of(sum->in[1 - k]);
      const ValueId d = mean == kNone ? kNone : square_of(mean);
      if (d == kNone) continue;
      epsilon = *e;
      return d;
    }
    return kNone;
  }
  /// d / sqrt(mean(d^2) + epsilon), or d * (1 / sqrt(…)): d.
  ValueId normalised(ValueId v, double& epsilon) const {
    if (const Node* n = node(v, "Div"); n != nullptr && deviation(n->in[1], epsilon) == n->in[0]) return n->in[0];
    if (const Node* n = node(v, "Mul"); n != nullptr)
      for (size_t k = 0; k < 2; ++k) {
        const Node* inverse = node(n->in[1 - k], "Reciprocal");
        if (inverse == nullptr)
          if (const Node* div = node(n->in[1 - k], "Div"); div != nullptr && r.scalar(div->in[0]) == 1.0) {
            if (deviation(div->in[1], epsilon) == n->in[k]) return n->in[k];
            continue;
          }
        if (inverse != nullptr && deviation(inverse->in[0], epsilon) == n->in[k]) return n->in[k];
      }
    return kNone;
  }
  /// x - mean(x): x. The same value where x is not centred.
  ValueId centred(ValueId d) const {
    const Node* n = node(d, "Sub");
    return n != nullptr && mean_of(n->in[1]) == n->in[0] ? n->in[0] : kNone;
  }
  bool vector_of_last(ValueId v, ValueId x) const {
    return r.is_weight(v) && r.value(v).dims.size() == 1 && r.value(x).ranked && !r.value(x).dims.empty() && r.value(x).dims.back() == r.value(v).dims[0];
  }
};

struct Found {
  ValueId x = kNone, scale = kNone, shift = kNone;
  double epsilon = 0;
  bool centred = false;
};

/// normalised * scale (+ shift), whichever is there.
Found norm(const Rewrite& r, const Node& n) {
  const Matcher m{r};
  Found f;
  const Node* mul = &n;
  if (n.op == "Add" && n.in.size() == 2)
    for (size_t k = 0; k < 2; ++k)
      if (r.is_weight(n.in[k]) && m.node(n.in[1 - k], "Mul") != nullptr) {
        f.shift = n.in[k];
        mul = m.node(n.in[1 - k], "Mul");
      }
  if (mul->op != "Mul" || mul->in.size() != 2) return {};
  for (size_t k = 0; k < 2; ++k) {
    const ValueId d = m.normalised(mul->in[1 - k], f.epsilon);
    if (d == kNone || !m.vector_of_last(mul->in[k], d) || r.value(d).dtype != DType::f32) continue;
    f.scale = mul->in[k];
    f.x = m.centred(d);
    f.centred = f.x != kNone;
    if (!f.centred) f.x = d;
    if (f.shift != kNone && (!f.centred || !m.vector_of_last(f.shift, f.x))) return {};
    return f;
  }
  return {};
}

}  // namespace

Result<bool> pass_fuse_layer_norm(Graph& graph, const PassContext&) {
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    const Found f = norm(r, n);
    if (f.x == kNone) r.keep(n);
    else if (f.centred) r.make(n.out[0], "LayerNormalization", n.name, f.shift == kNone ? std::vector{f.x, f.scale} : std::vector{f.x, f.scale, f.shift}, {{"axis", int64_t{-1}}, {"epsilon", f.epsilon}});
    else r.make(n.out[0], "RMSNormalization", n.name, {f.x, f.scale}, {{"axis", int64_t{-1}}, {"epsilon", f.epsilon}});
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
