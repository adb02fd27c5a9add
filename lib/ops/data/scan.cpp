// Scan (state…, x…) body (state…, x at t…) -> (state…, y at t…)  num_scan_inputs; scan_input_axes, scan_input_directions (1: from the end),
// scan_output_axes, scan_output_directions (1: in reverse)  ->  state… after the last step, y… of all steps along the axis.
// legacy_batch = 1 (opset 8): operands are lengths i64 [batch]?, state…, x…; each has an axis 0 for the batch before all others, x and y then the steps;
// `directions` stands for scan_input_directions; y beyond a sequence's length is zero.
#include "ops/data/control.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kName = "Scan";

/// Where the operands stand.
struct Form {
  bool legacy;
  size_t first, states, inputs;  // operands [first, first + states), then the inputs
};

Result<Form> form_of(const Attrs& attrs, size_t operands) {
  MAINSPRING_TRY(const size_t captures, captures_of(kName, attrs, operands));
  const bool legacy = attrs.i("legacy_batch") != 0;
  const int64_t own = static_cast<int64_t>(operands - captures) - legacy, inputs = attrs.i("num_scan_inputs");
  if (inputs < 1 || inputs > own) return invalid("{}: {} of {} operands are scanned", kName, inputs, own);
  return Form{legacy, legacy ? size_t{1} : 0, static_cast<size_t>(own - inputs), static_cast<size_t>(inputs)};
}

int64_t listed(const Attrs& attrs, const char* name, size_t i) {
  const auto list = attrs.is(name);
  return i < list.size() ? list[i] : 0;
}

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  MAINSPRING_TRY(const Form f, form_of(c.attrs, c.in.size()));
  if (f.legacy && has(c, 0)) MAINSPRING_TRY_VOID(need_ints(kName, c, 0, "sequence_lens"));
  MAINSPRING_TRY(const Graph* body, body_of(kName, c, 0, f.states + f.inputs, f.states));
  Dim steps = Dim::unknown(), batch = Dim::unknown();
  for (size_t i = 0; i < f.states + f.inputs; ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need(kName, c, f.first + i, "operand"));
    const size_t state = i < f.states;
    if (!x->ranked || (state && !f.legacy)) continue;
    MAINSPRING_TRY_VOID(want_rank(kName, *x, "an operand", f.legacy ? 2 - state : 1));
    if (f.legacy) { MAINSPRING_TRY(batch, same_dim(kName, "the batch", batch, x->dims[0])); }
    if (state) continue;
    size_t axis = 1;
    if (!f.legacy) { MAINSPRING_TRY(axis, axis_of(kName, listed(c.attrs, "scan_input_axes", i - f.states), x->dims.size())); }
    MAINSPRING_TRY(steps, same_dim(kName, "the number of steps", steps, x->dims[axis]));
  }
  MAINSPRING_TRY(const size_t n, outputs_of(kName, c, body->outputs.size()));
  std::vector<ValueInfo> out;
  for (size_t i = 0; i < n; ++i) {
    ValueInfo v = output_of(*body, i);
    const bool state = i < f.states;
    if (v.container != Container::tensor) return invalid("{}: output {} of the body is no tensor", kName, i);
    if (state && !f.legacy) {
      MAINSPRING_TRY(v, either(kName, c.in[i], v));
    } else if (v.ranked) {
      if (!state) {
        size_t axis = 0;
        if (!f.legacy) { MAINSPRING_TRY(axis, axis_of(kName, listed(c.attrs, "scan_output_axes", i - f.states), v.dims.size() + 1)); }
        v.dims.insert(v.dims.begin() + static_cast<ptrdiff_t>(axis), steps);
      }
      if (f.legacy) v.dims.insert(v.dims.begin(), batch);
      MAINSPRING_TRY(v, bounded(kName, v.dtype, std::move(v.dims)));
    }
    out.push_back(std::move(v));
  }
  return out;
}

/// The tensor with axis `from` at place `to`, in reverse order along it if so asked.
Result<Tensor> moved(DynamicCall& c, const Tensor& x, int from, int to, bool reversed) {
  if (from == to && !reversed) return x;
  const Shape& s = x.shape();
  const auto strides = strides_of(s);
  Shape shape;
  std::vector<Axis> axes;
  for (int k = 0, rest = 0; k < s.rank(); ++k) {
    if (k != to && rest == from) ++rest;
    const int source = k == to ? from : rest++;
    shape.push_back(s[source]);
    axes.push_back({s[source], 0, strides[static_cast<size_t>(source)]});
  }
  MAINSPRING_TRY(Tensor y, c.make(x.dtype(), shape));
  const auto dense = strides_of(shape);
  for (size_t k = 0; k < axes.size(); ++k) axes[k].to = dense[k];
  const std::byte* data = x.bytes().data();
  Axis& along = axes[static_cast<size_t>(to)];
  if (reversed) {
    data += std::max<int64_t>(along.n - 1, 0) * along.from * bytes_of(x.dtype());
    along.from = -along.from;
  }
  copy_strided(axes, bytes_of(x.dtype()), y.data(), data);
  return owned(c, std::move(y));
}

Shape without_first(const Shape& s) { return Shape(s.dims().subspan(1)); }

/// The steps of one scan over axis 0 of the inputs. `states` are those before, then those after.
Result<std::vector<Tensor>> steps_of(DynamicCall& c, std::vector<Datum>& states, std::span<const Tensor> inputs, const char* directions, int64_t steps) {
  const Graph& body = *c.bodies[0];
  const size_t made = body.outputs.size() - states.size();
  std::vector<Stack> stacks(made, Stack(kName, steps, steps));
  std::vector<std::shared_ptr<void>> keepers;
  for (const Tensor& x : inputs) keepers.push_back(std::make_shared<Tensor>(x));
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<Datum> own = states;
    for (size_t i = 0; i < inputs.size(); ++i)
      own.emplace_back(rows_of(inputs[i], keepers[i], listed(c.attrs, directions, i) != 0 ? steps - 1 - t : t, without_first(inputs[i].shape())));
    MAINSPRING_TRY(std::vector<Datum> given, turn(kName, c, own, body.outputs.size()));
    for (size_t i = 0; i < made; ++i) MAINSPRING_TRY_VOID(stacks[i].push(c, given[states.size() + i]));
    std::move(given.begin(), given.begin() + static_cast<ptrdiff_t>(states.size()), states.begin());
  }
  std::vector<Tensor> out;
  for (size_t i = 0; i < made; ++i) {
    MAINSPRING_TRY(Tensor y, stacks[i].finish(c, body, states.size() + i));
    out.push_back(std::move(y));
  }
  return out;
}

/// y with rows of zeros behind it.
Result<Tensor> lengthened(DynamicCall& c, Tensor y, int64_t rows) {
  if (y.shape()[0] == rows) return y;
  Shape shape = y.shape();
  shape[0] = rows;
  MAINSPRING_TRY(Tensor all, c.make(y.dtype(), shape));
  const size_t bytes = y.bytes().size();
  if (bytes > 0) std::memcpy(all.data(), y.bytes().data(), bytes);
  if (all.bytes().size() > bytes) std::memset(all.data() + bytes, 0, all.bytes().size() - bytes);
  return owned(c, std::move(all));
}

Result<void> scan_batch(DynamicCall& c, const Form& f) {
  const auto operands = c.in.subspan(1, f.states + f.inputs);
  const Shape& shape = operands[f.states].tensor.shape();
  const int64_t batch = shape[0], steps = shape[1];
  std::vector<Stack> stacks(c.out.size(), Stack(kName, batch, batch));
  std::vector<std::shared_ptr<void>> keepers;
  for (const Datum& d : operands) keepers.push_back(std::make_shared<Tensor>(d.tensor));
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<Datum> states;
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < operands.size(); ++i) {
      Tensor row = rows_of(operands[i].tensor, keepers[i], b, without_first(operands[i].tensor.shape()));
      if (i < f.states) states.emplace_back(std::move(row));
      else inputs.push_back(std::move(row));
    }
    int64_t n = steps;
    if (c.in[0]) n = b < c.in[0].tensor.elements() ? std::clamp<int64_t>(load_int(view_of(c.in[0].tensor), b), 0, steps) : 0;
    MAINSPRING_TRY(std::vector<Tensor> made, steps_of(c, states, inputs, "directions", n));
    for (size_t i = 0; i < stacks.size(); ++i) {
      Datum row;
      if (i < f.states) row = std::move(states[i]);
      else { MAINSPRING_TRY(row, lengthened(c, std::move(made[i - f.states]), steps)); }
      MAINSPRING_TRY_VOID(stacks[i].push(c, row));
    }
  }
  for (size_t i = 0; i < stacks.size(); ++i) { MAINSPRING_TRY(c.out[i], stacks[i].finish(c, *c.bodies[0], i)); }
  return {};
}

Result<void> scan(DynamicCall& c) {
  MAINSPRING_TRY(const Form f, form_of(c.attrs, c.in.size()));
  if (f.legacy) return scan_batch(c, f);
  std::vector<Datum> states(c.in.begin(), c.in.begin() + static_cast<ptrdiff_t>(f.states));
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < f.inputs; ++i) {
    const Tensor& x = c.in[f.states + i].tensor;
    MAINSPRING_TRY(Tensor first, moved(c, x, axis_in(listed(c.attrs, "scan_input_axes", i), x.shape().rank()), 0, false));
    inputs.push_back(std::move(first));
  }
  MAINSPRING_TRY(std::vector<Tensor> made, steps_of(c, states, inputs, "scan_input_directions", inputs[0].shape()[0]));
  for (size_t i = 0; i < c.out.size(); ++i) {
    if (i < f.states) {
      c.out[i] = std::move(states[i]);
      continue;
    }
    const Tensor& y = made[i - f.states];
    MAINSPRING_TRY(const size_t axis, axis_of(kName, listed(c.attrs, "scan_output_axes", i - f.states), static_cast<size_t>(y.shape().rank())));
    MAINSPRING_TRY(c.out[i], moved(c, y, 0, static_cast<int>(axis), listed(c.attrs, "scan_output_directions", i - f.states) != 0));
  }
  return {};
}

}  // namespace

constinit const OpDef op_Scan{.name = "Scan", .min_in = 0, .max_in = kVariadic, .n_out = kVariadic, .infer = infer, .dynamic = scan};

}  // namespace mainspring::inline v0
