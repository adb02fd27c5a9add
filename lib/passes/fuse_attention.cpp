// softmax(scale * q kᵀ + mask) v becomes `attend`, with whatever the exporter spread over it: factors on q, k or the scores, a mask that is added or chosen by
// Where, a guard against rows that see nothing, the Transposes that split and join the heads. BERT, ViT, GPT and T5 look like this. After lower_matmul.
#include <algorithm>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

struct Attention {
  ValueId q = kNone, k = kNone, v = kNone, mask = kNone;
  bool mask_excludes = false;  ///< a bool mask: true where a key is not seen
  bool k_transposed = false;
  double scale = 1;
};

struct Matcher {
  const Rewrite& r;

  const Node* plain_matmul(ValueId v) const {
    const Node* n = r.sole(v, "matmul");
    const bool plain = n != nullptr && n->attrs.s("act").empty() && std::all_of(n->in.begin() + 2, n->in.end(), [](ValueId x) { return x == kNone; });
    return plain ? n : nullptr;
  }
  /// x of x * c or x / c, c taken into `scale`; else v itself.
  ValueId unscaled(ValueId v, double& scale) const {
    const Node* n = r.sole(v);
    if (n == nullptr || n->in.size() != 2) return v;
    for (size_t k = 0; k < 2; ++k) {
      const auto c = r.scalar(n->in[1 - k]);
      if (!c || (n->op == "Div" && (k == 1 || *c == 0)) || (n->op != "Mul" && n->op != "Div")) continue;
      if (r.value(v).dims != r.value(n->in[k]).dims) continue;
      scale *= n->op == "Mul" ? *c : 1 / *c;
      return n->in[k];
    }
    return v;
  }
  /// where(isnan(s), 0, s): s.
  ValueId unguarded(ValueId v) const {
    const Node* n = r.sole(v, "Where");
    if (n == nullptr || r.scalar(n->in[1]) != 0.0) return v;
    const Node* nan = r.sole(n->in[0], "IsNaN");
    return nan != nullptr && nan->in[0] == n->in[2] && r.uses(n->in[2]) == 2 ? n->in[2] : v;
  }
  bool scores(ValueId v, Attention& a) const;
};

/// From the softmax's operand down to q kᵀ.
bool Matcher::scores(ValueId v, Attention& a) const {
  v = unscaled(v, a.scale);
  const bool scaled_outside = a.scale != 1;
  if (const Node* add = r.sole(v, "Add"); add != nullptr) {
    for (size_t k = 0; k < 2; ++k) {
      double scale = a.scale;
      const ValueId inner = unscaled(add->in[k], scale);
      if (plain_matmul(inner) == nullptr || scaled_outside || r.value(add->in[1 - k]).dtype != DType::f32) continue;
      a.mask = add->in[1 - k];
      a.scale = scale;
      v = inner;
      break;
    }
  } else if (const Node* where = r.sole(v, "Where"); where != nullptr && !scaled_outside) {
    for (size_t k = 1; k < 3; ++k) {
      const auto far = r.scalar(where->in[3 - k]);
      const ValueId inner = unscaled(where->in[k], a.scale);
      if (!far || *far > -1e4 || plain_matmul(inner) == nullptr) continue;
      a.mask = where->in[0];
      a.mask_excludes = k == 2;
      v = inner;
      break;
    }
  }
  const Node* qk = plain_matmul(v);
  if (qk == nullptr || qk->attrs.i("trans_a") != 0) return false;
  a.scale *= qk->attrs.f("alpha", 1);
  a.q = unscaled(qk->in[0], a.scale);
  a.k = unscaled(qk->in[1], a.scale);
  a.k_transposed = qk->attrs.i("trans_b") == 0;
  return true;
}

std::optional<Attention> attention(const Rewrite& r, const Node& n) {
  if (n.op != "matmul" || !n.attrs.s("act").empty() || n.attrs.i("trans_a") != 0 || n.attrs.i("trans_b") != 0 || n.attrs.f("alpha", 1) != 1) return std::nullopt;
  if (std::any_of(n.in.begin() + 2, n.in.end(), [](ValueId x) { return x != kNone; })) return std::nullopt;
  const Matcher m{r};
  const ValueId p = m.unguarded(n.in[0]);
  const Node* softmax = r.maker(p);
  if (softmax == nullptr || softmax->op != "Softmax" || (p == n.in[0] && r.uses(p) != 1) || softmax->attrs.i("legacy_flatten") != 0) return std::nullopt;
  const auto rank = static_cast<int64_t>(r.value(p).dims.size());
  const int64_t axis = softmax->attrs.i("axis", -1);
  if (rank != 4 || (axis != -1 && axis != rank - 1)) return std::nullopt;
  Attention a;
  a.v = n.in[1];
  if (!m.scores(softmax->in[0], a)) return std::nullopt;
  const Dims &q = r.value(a.q).dims, &k = r.value(a.k).dims, &v = r.value(a.v).dims;
  if (q.size() != 4 || k.size() != 4 || v.size() != 4 || k[0] != q[0] || v[0] != q[0] || k[1] != v[1] || k[1] != q[1]) return std::nullopt;
  return a;
}

/// x of Transpose(x) by that permutation, else kNone.
ValueId before(const Rewrite& r, ValueId v, const std::vector<int64_t>& perm) {
  const Node* n = r.maker(v);
  if (n == nullptr || n->op != "Transpose") return kNone;
  const auto p = n->attrs.is("perm");
  return std::equal(p.begin(), p.end(), perm.begin(), perm.end()) ? n->in[0] : kNone;
}

}  // namespace

Result<bool> pass_fuse_attention(Graph& graph, const PassContext&) {
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == "matmul"; })) return false;
  const std::vector<int64_t> split{0, 2, 1, 3}, split_turned{0, 2, 3, 1};
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    auto a = attention(r, n);
    if (!a) {
      r.keep(n);
      continue;
    }
    if (a->mask_excludes) {
      MAINSPRING_TRY(a->mask, r.add("Not", n.name, {a->mask}));
    }
    Attrs attrs{{"scale", a->scale}};
    const ValueId q = before(r, a->q, split), v = before(r, a->v, split), k = before(r, a->k, a->k_transposed ? split_turned : split);
    if (q != kNone && k != kNone && v != kNone) {  // heads stay where the projections left them; the Transpose that joins them again cancels with ours
      attrs.set("layout", std::string("bshd"));
      MAINSPRING_TRY(const ValueId y, r.add("attend", n.name, {q, k, v, a->mask}, std::move(attrs)));
      r.make(n.out[0], "Transpose", n.name, {y}, {{"perm", split}});
      continue;
    }
    attrs.set("k_transposed", int64_t{a->k_transposed});
    r.make(n.out[0], "attend", n.name, {a->q, a->k, a->v, a->mask}, std::move(attrs));
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
