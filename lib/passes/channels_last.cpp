// Images and signals with their channels last: convolutions of [n, c, spatial…] become `conv` on [n, spatial…, c], and what stands between them (activations,
// sums, pools, concatenations, resizes, reductions) works on that form too, so that Transposes remain only where a region of such nodes begins or ends.
// A value may be wanted in both forms; each is made at most once. Needs constant extents.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/nn/conv_fused.h"
#include "ops/numeric/chain.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

using Ints = std::vector<int64_t>;

Ints to_last(size_t rank) {
  Ints perm{0};
  for (size_t i = 2; i < rank; ++i) perm.push_back(static_cast<int64_t>(i));
  perm.push_back(1);
  return perm;
}

Ints to_first(size_t rank) {
  Ints perm{0, static_cast<int64_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i) perm.push_back(static_cast<int64_t>(i));
  return perm;
}

/// Where an axis of [n, c, spatial…] stands in [n, spatial…, c].
int64_t last_axis(int64_t axis, size_t rank) { return axis == 0 ? 0 : axis == 1 ? static_cast<int64_t>(rank) - 1 : axis - 1; }

struct ChannelsLast {
  Rewrite& r;
  Allocator& allocator;
  std::vector<ValueId> last{};  ///< by old value: its channels-last form in the new list, or kNone
  std::vector<bool> first{};    ///< by old value: a node of the new list makes it as it was

  bool has_last(ValueId v) const { return v != kNone && static_cast<size_t>(v) < last.size() && last[static_cast<size_t>(v)] != kNone; }
  void set_last(ValueId v, ValueId form) {
    if (last.size() <= static_cast<size_t>(v)) last.resize(static_cast<size_t>(v) + 1, kNone);
    last[static_cast<size_t>(v)] = form;
  }
  const Dims& dims(ValueId v) const { return r.value(v).dims; }
  size_t rank(ValueId v) const { return dims(v).size(); }

  Result<ValueId> turned(ValueId v, const Ints& perm, std::string_view name);
  Result<ValueId> last_form(ValueId v);
  Result<ValueId> operand(ValueId v, size_t rank);
  Result<void> plain(ValueId v);
  Result<void> keep(const Node& n);
  Result<ValueId> int_weight(const Ints& v);
  Result<bool> conv(const Node& n);
  Result<bool> pool(const Node& n);
  Result<bool> elementwise(const Node& n);
  Result<bool> by_axis(const Node& n);
  Result<bool> reduce(const Node& n);
  Result<bool> resize(const Node& n);
  Result<bool> transpose(const Node& n);
  Result<void> take(const Node& n);
};

Result<ValueId> ChannelsLast::int_weight(const Ints& v) {
  MAINSPRING_TRY(Tensor t, int_tensor(allocator, v));
  return r.weight({}, std::move(t));
}

/// A Transpose, or a Reshape where only extents of one move.
Result<ValueId> ChannelsLast::turned(ValueId v, const Ints& perm, std::string_view name) {
  const Dims& from = dims(r.now(v));
  Ints moved, shape;
  for (const int64_t axis : perm) {
    shape.push_back(from[static_cast<size_t>(axis)].times);
    if (shape.back() != 1) moved.push_back(axis);
  }
  if (!std::is_sorted(moved.begin(), moved.end())) return r.add("Transpose", name, {v}, {{"perm", perm}});
  MAINSPRING_TRY(const ValueId to, int_weight(shape));
  return r.add("Reshape", name, {v, to}, {{"allowzero", int64_t{1}}});
}

Result<ValueId> ChannelsLast::last_form(ValueId v) {
  if (has_last(v)) return last[static_cast<size_t>(v)];
  MAINSPRING_TRY(const ValueId form, turned(v, to_last(rank(v)), r.value(v).name));
  set_last(v, form);
  return form;
}

/// An operand that broadcasts to values of `to` axes.
Result<ValueId> ChannelsLast::operand(ValueId v, size_t to) {
  if (has_last(v)) return last[static_cast<size_t>(v)];
  const Dims& d = dims(r.now(v));
  if (std::all_of(d.begin(), d.end(), [](Dim x) { return x == Dim(1); }) && d.size() <= to) return r.now(v);
  Ints shape(to - d.size(), 1);
  for (const Dim& x : d) shape.push_back(x.times);
  ValueId full = v;
  if (d.size() != to) {
    MAINSPRING_TRY(const ValueId extents, int_weight(shape));
    MAINSPRING_TRY(full, r.add("Reshape", r.value(v).name, {v, extents}, {{"allowzero", int64_t{1}}}));
  }
  return d.size() == to ? last_form(v) : turned(full, to_last(to), r.value(v).name);
}

/// Sees to it that the plain form is there.
Result<void> ChannelsLast::plain(ValueId v) {
  if (!has_last(v) || r.now(v) != v || r.maker(v) == nullptr || first[static_cast<size_t>(v)]) return {};
  MAINSPRING_TRY(const ValueId back, turned(last[static_cast<size_t>(v)], to_first(rank(v)), r.value(v).name));
  r.replace(v, back);
  return {};
}

Result<void> ChannelsLast::keep(const Node& n) {
  for (const ValueId v : n.in)
    if (v != kNone) MAINSPRING_TRY_VOID(plain(v));
  r.keep(n);
  for (const ValueId v : n.out) first[static_cast<size_t>(v)] = true;
  return {};
}

/// Pads from auto_pad, as numbers; false where the node's form is not one of conv's.
bool explicit_pads(const Node& n, const Dims& x, const Dims& y, const Ints& kernel, bool transposed, Attrs& attrs) {
  const size_t axes = kernel.size();
  const std::string_view mode = n.attrs.s("auto_pad", "NOTSET");
  const auto item = [&](const char* name, size_t i, int64_t otherwise) {
    const auto list = n.attrs.is(name);
    return i < list.size() ? list[i] : otherwise;
  };
  Ints strides, dilations, extra, pads(axes * 2, 0);
  for (size_t i = 0; i < axes; ++i) {
    strides.push_back(item("strides", i, 1));
    dilations.push_back(item("dilations", i, 1));
    extra.push_back(item("output_padding", i, 0));
    pads[i] = item("pads", i, 0);
    pads[axes + i] = item("pads", axes + i, 0);
    const int64_t reach = dilations[i] * (kernel[i] - 1) + 1, in = x[2 + i].times, out = y[2 + i].times;
    if (transposed && (mode.starts_with("SAME") || !n.attrs.is("output_shape").empty())) {
      const int64_t total = strides[i] * (in - 1) + extra[i] + reach - out;
      const int64_t smaller = total / 2;
      pads[i] = mode == "SAME_UPPER" ? smaller : total - smaller;
      pads[axes + i] = total - pads[i];
    } else if (mode.starts_with("SAME")) {
      const int64_t total = std::max<int64_t>(0, (out - 1) * strides[i] + reach - in);
      pads[i] = mode == "SAME_LOWER" ? total - total / 2 : total / 2;
      pads[axes + i] = total - pads[i];
    } else if (mode == "VALID") {
      pads[i] = pads[axes + i] = 0;
    }
    if (pads[i] < 0 || pads[axes + i] < 0) return false;
  }
  attrs.set("strides", strides);
  attrs.set("dilations", dilations);
  attrs.set("pads", pads);
  if (transposed) attrs.set("output_padding", extra);
  return true;
}

Result<bool> ChannelsLast::conv(const Node& n) {
  const bool transposed = n.op == "ConvTranspose";
  const ValueId w = r.now(n.in[1]);
  if (!r.is_f32(n.in[0]) || !r.is_f32(w) || rank(n.in[0]) < 3 || rank(n.in[0]) > 5 || rank(w) != rank(n.in[0])) return false;
  if (dims(n.out[0]).size() != rank(w) || !constant(dims(n.out[0]))) return false;
  for (const ValueId v : {n.in[0], n.out[0]})
    for (const Dim& d : dims(v))
      if (d.times == 0) return false;
  Ints kernel;
  for (size_t i = 2; i < rank(w); ++i) kernel.push_back(dims(w)[i].times);
  Attrs attrs{{"group", n.attrs.i("group", 1)}};
  if (!explicit_pads(n, dims(n.in[0]), dims(n.out[0]), kernel, transposed, attrs)) return false;
  const char* op = transposed ? "conv_transpose" : "conv";
  Dims x{dims(n.in[0])[0]};
  for (size_t i = 2; i < rank(n.in[0]); ++i) x.push_back(dims(n.in[0])[i]);
  x.push_back(dims(n.in[0])[1]);
  if (!conv_shape(op, transposed, x, dims(w), attrs)) return false;
  MAINSPRING_TRY(const ValueId in, last_form(n.in[0]));
  MAINSPRING_TRY_VOID(plain(n.in[1]));  // computed weights
  MAINSPRING_TRY(const ValueId y, r.add(op, n.name, {in, r.now(n.in[1]), n.in.size() > 2 ? n.in[2] : kNone}, std::move(attrs)));
  set_last(n.out[0], y);
  return true;
}

/// GlobalAveragePool and GlobalMaxPool are reductions, the others `pool`.
Result<bool> ChannelsLast::pool(const Node& n) {
  if (!r.is_f32(n.in[0]) || rank(n.in[0]) < 3 || !has_last(n.in[0]) || n.out.size() != 1) return false;
  if (n.op == "GlobalAveragePool" || n.op == "GlobalMaxPool") {
    Ints axes(rank(n.in[0]) - 2);
    std::iota(axes.begin(), axes.end(), 1);
    MAINSPRING_TRY(const ValueId over, int_weight(axes));
    MAINSPRING_TRY(const ValueId y, r.add(n.op == "GlobalMaxPool" ? "ReduceMax" : "ReduceMean", n.name, {last[static_cast<size_t>(n.in[0])], over}, {{"keepdims", int64_t{1}}}));
    set_last(n.out[0], y);
    return true;
  }
  const auto kernel = n.attrs.is("kernel_shape");
  Attrs attrs{{"kind", std::string(n.op == "MaxPool" ? "max" : "average")},
              {"kernel", Ints(kernel.begin(), kernel.end())},
              {"ceil_mode", n.attrs.i("ceil_mode")},
              {"count_include_pad", n.attrs.i("count_include_pad")}};
  const Dims &x = dims(n.in[0]), &y = dims(n.out[0]);
  if (kernel.size() + 2 != x.size() || y.size() != x.size() || x.size() > 5 || !constant(x) || !constant(y)) return false;
  if (!explicit_pads(n, x, y, Ints(kernel.begin(), kernel.end()), false, attrs)) return false;
  MAINSPRING_TRY(const ValueId v, r.add("pool", n.name, {last[static_cast<size_t>(n.in[0])]}, std::move(attrs)));
  set_last(n.out[0], v);
  return true;
}

/// One element depends on those at the same place.
bool is_elementwise(const Rewrite& r, const Node& n) {
  std::vector<ChainOperand> operands;
  for (const ValueId v : n.in) {
    ChainOperand o;
    o.present = v != kNone;
    if (o.present) {
      o.dtype = r.value(r.now(v)).dtype;
      o.scalar = r.scalar(r.now(v));
    }
    operands.push_back(o);
  }
  return n.out.size() == 1 && chain_of(n.op, n.attrs, operands, r.value(n.out[0]).dtype).has_value();
}

Result<bool> ChannelsLast::elementwise(const Node& n) {
  if (n.out.empty() || !r.value(n.out[0]).ranked) return false;
  const size_t to = rank(n.out[0]);
  bool any = false;
  for (const ValueId v : n.in) {
    if (v == kNone) continue;
    const Value& x = r.value(r.now(v));
    if (!x.ranked || !constant(x.dims) || x.dims.size() > to) return false;
    any |= has_last(v) && rank(v) == to;
    if (has_last(v) && rank(v) != to) return false;
  }
  if (!any || !is_elementwise(r, n)) return false;
  std::vector<ValueId> in;
  for (size_t k = 0; k < n.in.size(); ++k) {
    if (n.in[k] == kNone || (n.op == "Clip" && k > 0)) {
      in.push_back(n.in[k]);
      continue;
    }
    MAINSPRING_TRY(const ValueId v, operand(n.in[k], to));
    in.push_back(v);
  }
  MAINSPRING_TRY(const ValueId y, r.add(n.op, n.name, std::move(in), n.attrs));
  set_last(n.out[0], y);
  return true;
}

/// Concat, Softmax, Split, whose axis moves.
Result<bool> ChannelsLast::by_axis(const Node& n) {
  if (n.in.empty() || !r.value(n.out[0]).ranked) return false;
  const size_t to = rank(n.out[0]);
  const bool concat = n.op == "Concat";
  if (n.attrs.i("legacy_flatten") != 0) return false;
  for (const ValueId v : concat ? std::span<const ValueId>(n.in) : std::span<const ValueId>(n.in).first(1))
    if (!has_last(v) || rank(v) != to) {
      if (!concat || v == kNone || rank(v) != to || !constant(dims(v))) return false;
    }
  if (std::none_of(n.in.begin(), n.in.end(), [&](ValueId v) { return has_last(v); })) return false;
  int64_t axis = n.attrs.i("axis", n.op == "Split" ? 0 : -1);
  if (axis < 0) axis += static_cast<int64_t>(to);
  Attrs attrs = n.attrs;
  attrs.set("axis", last_axis(axis, to));
  std::vector<ValueId> in;
  for (size_t k = 0; k < n.in.size(); ++k) {
    if (!concat && k > 0) {
      in.push_back(r.now(n.in[k]));
      continue;
    }
    MAINSPRING_TRY(const ValueId v, last_form(n.in[k]));
    in.push_back(v);
  }
  MAINSPRING_TRY(auto out, r.graph().add_node(n.op, n.name, std::move(in), std::move(attrs), static_cast<int>(n.out.size())));
  for (size_t k = 0; k < out.size(); ++k) set_last(n.out[k], out[k]);
  return true;
}

/// Reductions over spatial axes or channels that keep them as extents of one.
Result<bool> ChannelsLast::reduce(const Node& n) {
  if (!has_last(n.in[0]) || n.in.size() < 2 || n.attrs.i("keepdims", 1) != 1) return false;
  const auto axes = r.ints(r.now(n.in[1]));
  if (!axes || axes->empty()) return false;
  const size_t k = rank(n.in[0]);
  Ints moved;
  for (const int64_t a : *axes) moved.push_back(last_axis(a < 0 ? a + static_cast<int64_t>(k) : a, k));
  std::sort(moved.begin(), moved.end());
  MAINSPRING_TRY(const ValueId over, int_weight(moved));
  MAINSPRING_TRY(const ValueId y, r.add(n.op, n.name, {last[static_cast<size_t>(n.in[0])], over}, n.attrs));
  set_last(n.out[0], y);
  return true;
}

/// Sizes or scales, by axis, follow the axes.
Result<bool> ChannelsLast::resize(const Node& n) {
  if (!has_last(n.in[0]) || n.attrs.has("axes") || (n.in.size() > 1 && n.in[1] != kNone && n.attrs.s("coordinate_transformation_mode") == "tf_crop_and_resize")) return false;
  const size_t k = rank(n.in[0]);
  std::vector<ValueId> in{last[static_cast<size_t>(n.in[0])]};
  for (size_t i = 1; i < n.in.size(); ++i) {
    const ValueId v = r.now(n.in[i]);
    if (v == kNone || i == 1 || r.value(v).dims == Dims{Dim(0)}) {
      in.push_back(kNone);
      continue;
    }
    if (!r.is_weight(v) || r.value(v).dims != Dims{Dim(static_cast<int64_t>(k))}) return false;
    const Tensor from = content_of(r.value(v));
    MAINSPRING_TRY(Tensor t, Tensor::copy_bytes(from.dtype(), from.shape(), from.bytes().data(), from.bytes().size()));
    const auto width = static_cast<size_t>(info_of(from.dtype()).bytes);
    for (size_t a = 0; a < k; ++a) std::memcpy(t.data() + static_cast<size_t>(last_axis(static_cast<int64_t>(a), k)) * width, from.bytes().data() + a * width, width);
    in.push_back(r.weight({}, std::move(t)));
  }
  MAINSPRING_TRY(const ValueId y, r.add(n.op, n.name, std::move(in), n.attrs));
  set_last(n.out[0], y);
  return true;
}

/// A Transpose of what stands channels last reads that form.
Result<bool> ChannelsLast::transpose(const Node& n) {
  if (!has_last(n.in[0]) || n.attrs.is("perm").size() != rank(n.in[0])) return false;
  const size_t k = rank(n.in[0]);
  Ints perm;
  for (const int64_t axis : n.attrs.is("perm")) perm.push_back(last_axis(axis, k));
  if (std::is_sorted(perm.begin(), perm.end())) {
    r.replace(n.out[0], last[static_cast<size_t>(n.in[0])]);
    return true;
  }
  r.make(n.out[0], "Transpose", n.name, {last[static_cast<size_t>(n.in[0])]}, {{"perm", perm}});
  first[static_cast<size_t>(n.out[0])] = true;
  return true;
}

Result<void> ChannelsLast::take(const Node& n) {
  bool done = false;
  const bool reads = !n.in.empty() && n.in[0] != kNone;
  if (reads && (n.op == "Conv" || n.op == "ConvTranspose")) {
    MAINSPRING_TRY(done, conv(n));
  } else if (reads && (n.op == "MaxPool" || n.op == "AveragePool" || n.op == "GlobalAveragePool" || n.op == "GlobalMaxPool")) {
    MAINSPRING_TRY(done, pool(n));
  } else if (reads && (n.op == "Concat" || n.op == "Softmax" || n.op == "Split")) {
    MAINSPRING_TRY(done, by_axis(n));
  } else if (reads && n.op.starts_with("Reduce")) {
    MAINSPRING_TRY(done, reduce(n));
  } else if (reads && n.op == "Resize") {
    MAINSPRING_TRY(done, resize(n));
  } else if (reads && n.op == "Transpose") {
    MAINSPRING_TRY(done, transpose(n));
  } else if (reads) {
    MAINSPRING_TRY(done, elementwise(n));
  }
  return done ? Result<void>() : keep(n);
}

}  // namespace

Result<bool> pass_channels_last(Graph& graph, const PassContext& context) {
  const bool any = std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == "Conv" || n.op == "ConvTranspose"; });
  if (!any || context.allocator == nullptr) return false;
  Rewrite r(graph);
  ChannelsLast pass{r, *context.allocator};
  pass.first.assign(graph.values.size(), false);
  for (const Node& n : r.nodes()) MAINSPRING_TRY_VOID(pass.take(n));
  for (const ValueId v : graph.outputs) MAINSPRING_TRY_VOID(pass.plain(v));
  return r.finish();
}

}  // namespace mainspring::inline v0
