// What follows a convolution or a matrix product element by element, and reads it alone, is done where its results are still in registers: a bias, a residual,
// an activation.
#include <algorithm>
#include <map>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

bool takes_epilogue(std::string_view op) { return op == "conv" || op == "conv_transpose" || op == "matmul" || op == "block_linear"; }

struct Act {
  std::string_view name;
  double a = 0, b = 0;
  bool parameters = false;
};

std::optional<Act> act_of(const Rewrite& r, const Node& n) {
  if (n.op == "Relu") return Act{"relu"};
  if (n.op == "Sigmoid") return Act{"sigmoid"};
  if (n.op == "Tanh") return Act{"tanh"};
  if (n.op == "Softplus") return Act{"softplus"};
  if (n.op == "Mish") return Act{"mish"};
  if (n.op == "HardSwish") return Act{"hard_swish"};
  if (n.op == "Swish" && n.attrs.f("alpha", 1) == 1) return Act{"silu"};
  if (n.op == "Gelu") return Act{n.attrs.s("approximate", "none") == "tanh" ? "gelu" : "gelu_erf"};
  if (n.op == "LeakyRelu") return Act{"leaky_relu", n.attrs.f("alpha", 0.01), 0, true};
  if (n.op == "Elu") return Act{"elu", n.attrs.f("alpha", 1), 0, true};
  if (n.op == "HardSigmoid") return Act{"hard_sigmoid", n.attrs.f("alpha", 0.2), n.attrs.f("beta", 0.5), true};
  if (n.op == "Clip") {
    const auto bound = [&](size_t i, double otherwise) { return n.in.size() > i && n.in[i] != kNone ? r.scalar(r.now(n.in[i])) : std::optional(otherwise); };
    const auto low = bound(1, -3.4028234663852886e38), high = bound(2, 3.4028234663852886e38);
    if (low && high && *low <= *high) return Act{"clip", *low, *high, true};
  }
  return std::nullopt;
}

/// A constant with one number for each index of the last axis, as operand `bias` wants it; kNone where it is none.
Result<ValueId> bias_of(Rewrite& r, ValueId v, Dim last) {
  v = r.now(v);
  if (!r.is_weight(v) || r.value(v).dtype != DType::f32 || r.value(v).dims.empty() || r.value(v).dims.back() != last) return kNone;
  const Dims& dims = r.value(v).dims;
  for (size_t i = 0; i + 1 < dims.size(); ++i)
    if (dims[i] != Dim(1)) return kNone;
  if (dims.size() == 1) return v;
  MAINSPRING_TRY(Tensor flat, content_of(r.value(v)).reshaped({last.times}));
  Value w = r.value(v);
  w.dims = {last};
  return r.graph().add_value(std::move(w));
}

}  // namespace

Result<bool> pass_fuse_epilogue(Graph& graph, const PassContext&) {
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return takes_epilogue(n.op); })) return false;
  Rewrite r(graph);
  std::map<ValueId, Node> open;  // by what they make: nodes that can still take something
  for (const Node& n : r.nodes()) {
    if (takes_epilogue(n.op)) {
      open[n.out[0]] = n;
      r.keep(n);
      continue;
    }
    bool fused = false;
    for (size_t k = 0; k < n.in.size() && k < 2 && !fused && n.out.size() == 1; ++k) {
      const auto found = open.find(n.in[k]);
      if (found == open.end() || r.uses(n.in[k]) != 1 || !r.is_f32(n.out[0]) || r.value(n.out[0]).dims != r.value(n.in[k]).dims) continue;
      Node f = found->second;
      f.in.resize(std::max<size_t>(f.in.size(), 4), kNone);
      const bool has_act = !f.attrs.s("act").empty();
      if (n.op == "Add" && n.in.size() == 2 && f.attrs.i("act_first") == 0) {
        const ValueId other = n.in[1 - k];
        const Dims& y = r.value(n.out[0]).dims;
        ValueId bias = kNone;
        if (!has_act && f.in[2] == kNone && f.in[3] == kNone) {
          MAINSPRING_TRY(bias, bias_of(r, other, y.back()));
        }
        if (bias != kNone) {
          f.in[2] = bias;
        } else if (f.in[3] == kNone && r.is_f32(r.now(other)) && r.value(r.now(other)).dims == y) {
          f.in[3] = other;
          if (has_act) f.attrs.set("act_first", int64_t{1});
        } else {
          continue;
        }
      } else if (const auto act = k == 0 && !has_act ? act_of(r, n) : std::nullopt) {
        f.attrs.set("act", std::string(act->name));
        if (act->parameters) {
          f.attrs.set("act_a", act->a);
          f.attrs.set("act_b", act->b);
        }
      } else {
        continue;
      }
      f.out = n.out;
      r.make(n.out[0], f.op, f.name, f.in, f.attrs);
      open[n.out[0]] = std::move(f);
      fused = true;
    }
    if (!fused) r.keep(n);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
