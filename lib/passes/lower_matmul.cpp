// MatMul, Gemm and com.microsoft.FusedMatMul of f32 become `matmul`, which takes operands turned, a factor and a bias. Needs constant extents.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

bool is_matrix(const Rewrite& r, ValueId v) {
  if (!r.is_f32(v) || r.value(v).dims.size() < 2) return false;
  return std::none_of(r.value(v).dims.begin(), r.value(v).dims.end(), [](Dim d) { return d.times == 0; });
}

/// What a Transpose of the last two axes alone reads, else kNone.
ValueId turned(const Rewrite& r, ValueId v) {
  const Node* n = r.maker(v);
  if (n == nullptr || n->op != "Transpose") return kNone;
  const auto perm = n->attrs.is("perm");
  for (size_t i = 0; i < perm.size(); ++i) {
    const size_t want = i + 2 == perm.size() ? i + 1 : i + 1 == perm.size() ? i - 1 : i;
    if (perm[i] != static_cast<int64_t>(want)) return kNone;
  }
  return perm.size() >= 2 ? n->in[0] : kNone;
}

struct Product {
  ValueId a = kNone, b = kNone, bias = kNone, add = kNone;
  bool trans_a = false, trans_b = false;
  double alpha = 1;
};

std::optional<Product> product(const Rewrite& r, const Node& n) {
  Product p{n.in[0], n.in[1]};
  if (!is_matrix(r, p.a) || !is_matrix(r, p.b) || !r.is_f32(n.out[0])) return std::nullopt;
  if (n.op == "Gemm") {
    p.trans_a = n.attrs.i("transA") != 0;
    p.trans_b = n.attrs.i("transB") != 0;
    p.alpha = n.attrs.f("alpha", 1);
    const double beta = n.attrs.f("beta", 1);
    if (n.in.size() < 3 || n.in[2] == kNone || beta == 0) return p;
    if (beta != 1 || !r.is_f32(n.in[2])) return std::nullopt;
    (r.value(n.in[2]).dims.size() == 1 ? p.bias : p.add) = n.in[2];
    return p;
  }
  if (n.op == "com.microsoft.FusedMatMul") {
    if (n.attrs.i("transBatchA") != 0 || n.attrs.i("transBatchB") != 0) return std::nullopt;
    p.trans_a = n.attrs.i("transA") != 0;
    p.trans_b = n.attrs.i("transB") != 0;
    p.alpha = n.attrs.f("alpha", 1);
  }
  if (const ValueId b = turned(r, p.b); b != kNone && is_matrix(r, b)) {
    p.b = b;
    p.trans_b = !p.trans_b;
  }
  return p;
}

}  // namespace

Result<bool> pass_lower_matmul(Graph& graph, const PassContext&) {
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    const bool candidate = n.op == "MatMul" || n.op == "Gemm" || n.op == "com.microsoft.FusedMatMul";
    const auto p = candidate ? product(r, n) : std::nullopt;
    if (!p) {
      r.keep(n);
      continue;
    }
    r.make(n.out[0], "matmul", n.name, {p->a, p->b, p->bias, p->add}, {{"trans_a", int64_t{p->trans_a}}, {"trans_b", int64_t{p->trans_b}}, {"alpha", p->alpha}});
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
