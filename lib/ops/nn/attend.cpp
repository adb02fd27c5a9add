// attend(q [b, H, s, d], k [b, h, t, d], v [b, h, t, dv], mask?) -> [b, H, s, dv]          what passes make of attention in graphs; H is a multiple of h
//   w_j = scale * q·k_j, or softcap * tanh(w_j / softcap), plus the mask; y = Σ exp(w_j) v_j / Σ exp(w_j). Head i reads head i / (H / h) of k and v.
//   mask broadcasts to [b, H, s, t]: f32 is added, bool excludes keys where it is false. A query that sees no key, or only weights of -inf, gives 0.
//   attrs scale (1 / sqrt d); softcap (0: none); causal (0): query i sees keys j <= i + t - s; layout ("bhsd", or "bshd": q [b, s, H, d], k [b, t, h, d],
//   v [b, t, h, dv], y [b, s, H, dv]); k_transposed (0): k is [b, h, d, t] ("bshd": [b, h, d, t] too)
#include <cmath>
#include <limits>
#include <vector>

#include "ops/nn/place.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kOp = "attend";

struct Layout {
  bool rows_first, k_transposed;  ///< "bshd"
  explicit Layout(const Attrs& a) : rows_first(a.s("layout") == "bshd"), k_transposed(a.i("k_transposed") != 0) {}
  // Axes of q, v and y; of k.
  size_t heads() const { return rows_first ? 2 : 1; }
  size_t rows() const { return rows_first ? 1 : 2; }
  size_t k_heads() const { return k_transposed ? 1 : heads(); }
  size_t k_rows() const { return k_transposed ? 3 : rows(); }
  size_t k_depth() const { return k_transposed ? 2 : 3; }
};

/// Both extents may be the same.
bool may_equal(Dim a, Dim b) { return !a.is_constant() || !b.is_constant() || a == b; }

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  constexpr const char* names[] = {"q", "k", "v"};
  for (size_t i = 0; i < 3; ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need(kOp, c, i, names[i]));
    if (x->dtype != DType::f32) return invalid("{}: {} is {}, expected f32", kOp, names[i], name_of(x->dtype));
    MAINSPRING_TRY_VOID(want_rank(kOp, *x, names[i], 4, 4));
  }
  const std::string_view layout = c.attrs.s("layout", "bhsd");
  if (layout != "bhsd" && layout != "bshd") return invalid("{}: layout is '{}', expected bhsd or bshd", kOp, layout);
  const double softcap = c.attrs.f("softcap");
  if (!(softcap >= 0 && std::isfinite(softcap))) return invalid("{}: softcap is {}, expected 0 or a positive number", kOp, softcap);
  const Layout l(c.attrs);
  const ValueInfo &q = c.in[0], &k = c.in[1], &v = c.in[2];
  if (!q.ranked || !k.ranked || !v.ranked) return one(of_rank(DType::f32, 4));
  const Dim t = k.dims[l.k_rows()], h = k.dims[l.k_heads()], heads = q.dims[l.heads()];
  if (!may_equal(q.dims[0], k.dims[0]) || !may_equal(k.dims[0], v.dims[0]) || !may_equal(h, v.dims[l.heads()]) || !may_equal(t, v.dims[l.rows()]) ||
      !may_equal(q.dims[3], k.dims[l.k_depth()]))
    return invalid("{}: q is {}, k is {}, v is {} in layout {}", kOp, text_of(q), text_of(k), text_of(v), layout);
  if (heads.is_constant() && h.is_constant() && (h.times == 0 ? heads.times != 0 : heads.times % h.times != 0))
    return invalid("{}: {} heads of q, expected a multiple of {}", kOp, heads.times, h.times);
  if (has(c, 3)) {
    const ValueInfo& mask = c.in[3];
    if (mask.dtype != DType::f32 && mask.dtype != DType::boolean) return invalid("{}: mask is {}, expected f32 or bool", kOp, name_of(mask.dtype));
    const ValueInfo both[] = {mask, tensor_of(DType::f32, {q.dims[0], heads, q.dims[l.rows()], t})};
    MAINSPRING_TRY(const ValueInfo wide, broadcast(kOp, DType::f32, both));
    if (all_constant(mask) && all_constant(both[1]) && wide.dims != both[1].dims) return invalid("{}: mask is {}, expected what broadcasts to {}", kOp, text_of(mask), text_of(both[1]));
  }
  Dims y = q.dims;
  y[3] = v.dims[3];
  return one(tensor_of(DType::f32, std::move(y)));
}

/// Element (b, head, row, i) of a tensor, whatever its layout.
struct Access {
  const TensorView& x;
  std::vector<int64_t> strides;
  size_t head, row, depth;
  Access(const TensorView& v, size_t h, size_t r, size_t d) : x(v), strides(strides_of(v, 4)), head(h), row(r), depth(d) {}
  float& at(int64_t b, int64_t h, int64_t r, int64_t i) const { return x.as<float>()[b * strides[0] + h * strides[head] + r * strides[row] + i * strides[depth]]; }
};

void reference(const OpArgs& a) {
  const Layout l(a.attrs);
  const Access q(a.in[0], l.heads(), l.rows(), 3), k(a.in[1], l.k_heads(), l.k_rows(), l.k_depth()), v(a.in[2], l.heads(), l.rows(), 3);
  const Access y(a.out[0], l.heads(), l.rows(), 3);
  const TensorView& mask = a.in[3];
  const std::vector<int64_t> sm = mask ? strides_of(mask, 4) : std::vector<int64_t>(4);
  const auto extent = [](const TensorView& x, size_t axis) { return x.shape[static_cast<int>(axis)]; };
  const int64_t heads = extent(q.x, l.heads()), group = heads / std::max<int64_t>(1, extent(v.x, l.heads())), s = extent(q.x, l.rows());
  const int64_t t = extent(v.x, l.rows()), d = extent(q.x, 3), dv = extent(v.x, 3);
  const double scale = a.attrs.f("scale", 1 / std::sqrt(static_cast<double>(d))), cap = a.attrs.f("softcap");
  const bool causal = a.attrs.i("causal") != 0;
  const double none = -std::numeric_limits<double>::infinity();
  std::vector<double> w(static_cast<size_t>(t));
  for (int64_t b = 0; b < extent(q.x, 0); ++b)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t i = 0; i < s; ++i) {
        double top = none, sum = 0;
        for (int64_t j = 0; j < t; ++j) {
          double& x = w[static_cast<size_t>(j)];
          x = 0;
          for (int64_t e = 0; e < d; ++e) x += static_cast<double>(q.at(b, head, i, e)) * static_cast<double>(k.at(b, head / group, j, e));
          x *= scale;
          if (cap != 0) x = cap * std::tanh(x / cap);
          const int64_t at = b * sm[0] + head * sm[1] + i * sm[2] + j * sm[3];
          if (mask) x = mask.dtype == DType::boolean ? (mask.as<uint8_t>()[at] ? x : none) : x + static_cast<double>(mask.as<float>()[at]);
          if (causal && j > i + t - s) x = none;
          top = std::max(top, x);
        }
        for (double& x : w) sum += x = x == none ? 0 : std::exp(x - top);
        for (int64_t e = 0; e < dv; ++e) {
          double out = 0;
          for (int64_t j = 0; j < t; ++j) out += w[static_cast<size_t>(j)] * static_cast<double>(v.at(b, head / group, j, e));
          y.at(b, head, i, e) = sum == 0 ? 0.0f : static_cast<float>(out / sum);
        }
      }
}

}  // namespace

constinit const OpDef op_attend{.name = kOp, .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
