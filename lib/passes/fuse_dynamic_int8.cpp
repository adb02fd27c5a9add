// Floats times int8 matrices as quantisers of ONNX write them: DynamicQuantizeLinear, MatMulInteger or ConvInteger, Cast, Mul by both scales and Add of a
// bias become int8_linear or int8_conv. The bytes of x never stand in memory, and neither do the sums.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

/// A weight of f32 with 1 or n elements, all extents but `axis` (counted from the end) being 1, as a vector; kNone where v is none such.
Result<ValueId> vector_of(Rewrite& r, ValueId v, int64_t n, size_t behind) {
  v = r.now(v);
  if (!r.is_weight(v) || !r.is_f32(v)) return kNone;
  const Dims& dims = r.value(v).dims;
  int64_t elements = 1;
  for (const Dim& d : dims) elements *= d.times;
  if (elements != 1 && elements != n) return kNone;
  if (elements > 1 && (dims.size() <= behind || dims[dims.size() - 1 - behind] != Dim(n))) return kNone;
  if (dims.size() == 1) return v;
  Value flat = r.value(v);
  flat.dims = {Dim(elements)};
  return r.graph().add_value(std::move(flat));
}

/// The other operand of a node with two.
ValueId other(const Node& n, ValueId v) { return n.in[0] == v ? n.in[1] : n.in[0]; }

struct Found {
  const Node *product = nullptr, *quantize = nullptr;
  ValueId scale = kNone;  ///< of w
};

/// What `mul` scales: (Cast(product)) * (scale of x * scale of w), the operands of both in any order.
Found found_at(const Rewrite& r, const Node& mul) {
  Found f;
  for (const ValueId sums : mul.in) {
    const Node* cast = r.sole(sums, "Cast");
    const Node* product = cast != nullptr ? r.sole(cast->in[0]) : nullptr;
    if (product == nullptr || (product->op != "MatMulInteger" && product->op != "ConvInteger") || product->in.size() < 3 || !r.is_weight(r.now(product->in[1]))) continue;
    const Node *quantize = r.maker(product->in[0]), *scales = r.maker(other(mul, sums));
    if (quantize == nullptr || quantize->op != "DynamicQuantizeLinear" || quantize->out.size() < 3 || scales == nullptr || scales->op != "Mul") continue;
    if (product->in[0] != quantize->out[0] || product->in[2] != quantize->out[2]) continue;
    if (scales->in[0] != quantize->out[1] && scales->in[1] != quantize->out[1]) continue;
    f = {product, quantize, other(*scales, quantize->out[1])};
  }
  return f;
}

struct Fused {
  Node node;
  int64_t outputs = 0;
  size_t behind = 0;  ///< extents behind the one of the outputs
};

Result<Fused> fused(Rewrite& r, const Node& mul) {
  Fused to;
  const Found f = found_at(r, mul);
  if (f.product == nullptr || !r.is_f32(mul.out[0])) return to;
  const bool conv = f.product->op == "ConvInteger";
  const Dims& w = r.value(r.now(f.product->in[1])).dims;
  if (w.size() < 2 || !constant(w) || (!conv && w.size() != 2)) return to;
  to.outputs = (conv ? w[0] : w[1]).times;
  to.behind = conv ? w.size() - 2 : 0;
  MAINSPRING_TRY(const ValueId scale, vector_of(r, f.scale, to.outputs, to.behind));
  if (scale == kNone || r.value(mul.out[0]).dims != r.value(f.product->out[0]).dims) return to;
  to.node.op = conv ? "int8_conv" : "int8_linear";
  to.node.name = f.product->name;
  to.node.attrs = f.product->attrs;
  to.node.in = {f.quantize->in[0], f.product->in[1], scale};
  if (f.product->in.size() > 3 && f.product->in[3] != kNone) to.node.in.push_back(f.product->in[3]);
  return to;
}

}  // namespace

Result<bool> pass_fuse_dynamic_int8(Graph& graph, const PassContext&) {
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == "DynamicQuantizeLinear"; })) return false;
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    // Add looks first whether a bias belongs to a product; a Mul that such an Add has taken dies with dead_code.
    const bool add = n.op == "Add" && n.in.size() == 2;
    bool done = false;
    for (size_t i = 0; i < (add ? 2u : n.op == "Mul" ? 1u : 0u) && !done; ++i) {
      const Node* mul = add ? r.sole(n.in[i], "Mul") : &n;
      if (mul == nullptr || mul->in.size() != 2) continue;
      MAINSPRING_TRY(Fused f, fused(r, *mul));
      if (f.node.op.empty()) continue;
      if (add) {
        MAINSPRING_TRY(const ValueId bias, vector_of(r, n.in[1 - i], f.outputs, f.behind));
        if (bias == kNone || r.value(bias).dims[0] != Dim(f.outputs) || r.value(n.out[0]).dims != r.value(mul->out[0]).dims) continue;
        f.node.in.resize(4, kNone);
        f.node.in.push_back(bias);
      }
      r.make(n.out[0], f.node.op, f.node.name, f.node.in, f.node.attrs);
      done = true;
    }
    if (!done) r.keep(n);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
