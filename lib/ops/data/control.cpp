// If (condition) bodies then, else -> what the branch gives
// Loop (most i64?, condition bool?, carried…) body (turn, condition, carried…) -> (condition, carried…, made…)
//   -> carried…, then each `made` of all turns along a new axis 0. Without a condition operand, what the body says of it does not count.
// SequenceMap (sequence, x…) body (element, x or element…) -> (y…) -> a sequence for each y
// A node's last n_captures operands belong to its bodies.
#include "ops/data/control.h"

#include <limits>

namespace mainspring::inline v0 {

Result<size_t> captures_of(const char* op, const Attrs& attrs, size_t operands) {
  const int64_t n = attrs.i("n_captures");
  if (n < 0 || static_cast<size_t>(n) > operands) return invalid("{}: {} captures of {} operands", op, n, operands);
  return static_cast<size_t>(n);
}

Result<const Graph*> body_of(const char* op, const OpCall& c, size_t i, size_t own, size_t least) {
  if (i >= c.bodies.size() || c.bodies[i] == nullptr) return invalid("{}: body {} is absent", op, i);
  MAINSPRING_TRY(const size_t captures, captures_of(op, c.attrs, c.in.size()));
  const Graph& g = *c.bodies[i];
  if (g.inputs.size() != own + captures) return invalid("{}: the body has {} inputs, expected {}", op, g.inputs.size() - std::min(captures, g.inputs.size()), own);
  if (g.outputs.size() < least) return invalid("{}: the body has {} outputs, expected at least {}", op, g.outputs.size(), least);
  return &g;
}

ValueInfo output_of(const Graph& body, size_t i) {
  const Value& v = body.values[static_cast<size_t>(body.outputs[i])];
  ValueInfo info = v.ranked ? tensor_of(v.dtype, v.dims) : unranked(v.dtype);
  info.container = v.container;
  for (Dim& d : info.dims)
    if (!d.is_constant()) d = Dim::unknown();
  return info;
}

Shape least_shape(const Graph& body, size_t i) {
  Shape s;
  for (const Dim d : output_of(body, i).dims) s.push_back(d.is_constant() ? d.times : 0);
  return s;
}

Result<size_t> outputs_of(const char* op, const OpCall& c, size_t most) {
  if (c.n_out == kVariadic) return most;
  if (c.n_out < 0 || static_cast<size_t>(c.n_out) > most) return invalid("{}: {} outputs, the body gives {}", op, c.n_out, most);
  return static_cast<size_t>(c.n_out);
}

Result<std::vector<Datum>> turn(const char* op, DynamicCall& c, std::span<const Datum> own, size_t outputs) {
  MAINSPRING_TRY_VOID(c.go_on());
  MAINSPRING_TRY(std::vector<Datum> given, c.run_body(0, own));
  if (given.size() != outputs) return invalid("{}: the body gives {} outputs, expected {}", op, given.size(), outputs);
  return given;
}

// ---- Stack -----------------------------------------------------------------------------------------------------------------

Result<void> Stack::make_room(DynamicCall& c, int64_t rows) {
  Shape shape{rows};
  for (const int64_t d : row_.dims()) shape.push_back(d);
  MAINSPRING_TRY(Tensor wider, c.make(rows_.dtype(), shape));
  const int64_t bytes = n_ * row_.elements() * bytes_of(rows_.dtype());
  if (bytes > 0) std::memcpy(wider.data(), rows_.bytes().data(), static_cast<size_t>(bytes));
  if (rows_.dtype() == DType::string) keepers_.push_back(std::move(rows_));
  rows_ = std::move(wider);
  room_ = rows;
  return {};
}

Result<void> Stack::push(DynamicCall& c, const Datum& item) {
  if (!item.is_tensor()) return invalid("{}: what the body makes is no tensor", op_);
  const Tensor& t = item.tensor;
  if (n_ == 0 && room_ == 0) {
    row_ = t.shape();
    if (row_.rank() == Shape::kMaxRank) return invalid("{}: the output has rank {}, expected at most {}", op_, row_.rank() + 1, Shape::kMaxRank);
    MAINSPRING_TRY(rows_, c.make(t.dtype(), {0}));
    MAINSPRING_TRY_VOID(make_room(c, std::max<int64_t>(first_, 1)));
  }
  if (t.dtype() != rows_.dtype() || t.shape() != row_) return invalid("{}: what the body makes changes its dtype or extents from turn to turn", op_);
  if (n_ == room_) MAINSPRING_TRY_VOID(make_room(c, room_ < most_ / 2 ? 2 * room_ : std::max(most_, room_ + 1)));
  const int64_t bytes = row_.elements() * bytes_of(t.dtype());
  if (bytes > 0) std::memcpy(rows_.data() + n_ * bytes, t.bytes().data(), static_cast<size_t>(bytes));
  ++n_;
  if (t.dtype() != DType::string) return {};
  keepers_.push_back(t);
  if (keepers_.size() < 4096) return {};  // bookkeeping that must not grow with the turns
  MAINSPRING_TRY(rows_, owned(c, std::move(rows_)));
  keepers_.clear();
  return {};
}

Result<Tensor> Stack::finish(DynamicCall& c, const Graph& body, size_t i) {
  if (room_ == 0) {
    MAINSPRING_TRY(rows_, c.make(output_of(body, i).dtype, {0}));
    row_ = least_shape(body, i);
  }
  if (n_ != room_ || room_ == 0) MAINSPRING_TRY_VOID(make_room(c, n_));
  return owned(c, std::move(rows_));
}

namespace {

// ---- If --------------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_if(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* condition, need_dtype("If", c, 0, "cond", DType::boolean));
  MAINSPRING_TRY(const Graph* yes, body_of("If", c, 0, 0, 0));
  MAINSPRING_TRY(const Graph* no, body_of("If", c, 1, 0, 0));
  if (const auto known = ints_of(*condition); known && known->size() == 1) (*known)[0] != 0 ? no = yes : yes = no;  // the other branch does not count
  MAINSPRING_TRY(const size_t n, outputs_of("If", c, std::min(yes->outputs.size(), no->outputs.size())));
  std::vector<ValueInfo> out;
  for (size_t i = 0; i < n; ++i) {
    MAINSPRING_TRY(ValueInfo v, either("If", output_of(*yes, i), output_of(*no, i)));
    out.push_back(std::move(v));
  }
  return out;
}

Result<void> branch(DynamicCall& c) {
  MAINSPRING_TRY(const int64_t condition, one_int("If", c.in[0], "cond"));
  MAINSPRING_TRY(std::vector<Datum> given, c.run_body(condition != 0 ? 0 : 1, {}));
  if (given.size() < c.out.size()) return invalid("If: the branch gives {} outputs, expected {}", given.size(), c.out.size());
  std::move(given.begin(), given.begin() + static_cast<ptrdiff_t>(c.out.size()), c.out.begin());
  return {};
}

// ---- Loop ------------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_loop(const OpCall& c) {
  MAINSPRING_TRY(const size_t captures, captures_of("Loop", c.attrs, c.in.size()));
  if (c.in.size() < captures + 2) return invalid("Loop: {} operands, expected at least {}", c.in.size(), captures + 2);
  if (has(c, 0)) MAINSPRING_TRY_VOID(need_ints("Loop", c, 0, "M"));
  if (has(c, 1)) MAINSPRING_TRY_VOID(need_dtype("Loop", c, 1, "cond", DType::boolean));
  const size_t carried = c.in.size() - captures - 2;
  MAINSPRING_TRY(const Graph* body, body_of("Loop", c, 0, carried + 2, carried + 1));
  MAINSPRING_TRY(const size_t n, outputs_of("Loop", c, body->outputs.size() - 1));
  std::vector<ValueInfo> out;
  for (size_t i = 0; i < n; ++i) {
    ValueInfo v = output_of(*body, i + 1);
    if (i < carried && c.in[i + 2].present) {  // no turn at all gives it back as it came
      const Container container = v.container;
      MAINSPRING_TRY(v, either("Loop", c.in[i + 2], v));
      v.container = container;
    } else if (i >= carried && v.ranked) {
      v.dims.insert(v.dims.begin(), Dim::unknown());
      MAINSPRING_TRY(v, bounded("Loop", v.dtype, std::move(v.dims)));
    }
    out.push_back(std::move(v));
  }
  return out;
}

/// One number as input i of the body takes it: some files declare a scalar, some one element.
template <class T>
Result<Datum> number(DynamicCall& c, const Graph& body, size_t i, T value) {
  MAINSPRING_TRY(Tensor t, c.make(dtype_of<T>, body.values[static_cast<size_t>(body.inputs[i])].dims.size() == 1 ? Shape{1} : Shape{}));
  t.span<T>()[0] = value;
  return Datum(std::move(t));
}

Result<void> loop(DynamicCall& c) {
  const Graph& body = *c.bodies[0];
  MAINSPRING_TRY(const size_t captures, captures_of("Loop", c.attrs, c.in.size()));
  const size_t carried = c.in.size() - captures - 2, made = body.outputs.size() - 1 - carried;
  int64_t most = std::numeric_limits<int64_t>::max(), go = 1;
  if (c.in[0]) { MAINSPRING_TRY(most, one_int("Loop", c.in[0], "M")); }
  if (c.in[1]) { MAINSPRING_TRY(go, one_int("Loop", c.in[1], "cond")); }
  std::vector<Datum> own(c.in.begin(), c.in.end() - static_cast<ptrdiff_t>(captures));
  std::vector<Stack> stacks(made, Stack("Loop", std::min<int64_t>(most, 16), most));
  for (int64_t i = 0; i < most && go != 0; ++i) {
    MAINSPRING_TRY(own[0], number(c, body, 0, i));
    MAINSPRING_TRY(own[1], number(c, body, 1, go != 0));
    MAINSPRING_TRY(std::vector<Datum> given, turn("Loop", c, own, body.outputs.size()));
    if (c.in[1]) { MAINSPRING_TRY(go, one_int("Loop", given[0], "the condition")); }
    for (size_t k = 0; k < carried; ++k) own[k + 2] = std::move(given[k + 1]);
    for (size_t k = 0; k < made; ++k) MAINSPRING_TRY_VOID(stacks[k].push(c, given[1 + carried + k]));
  }
  for (size_t i = 0; i < c.out.size(); ++i) {
    if (i < carried) c.out[i] = std::move(own[i + 2]);
    else { MAINSPRING_TRY(c.out[i], stacks[i - carried].finish(c, body, i + 1)); }
  }
  return {};
}

// ---- SequenceMap -----------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_map(const OpCall& c) {
  constexpr const char* op = "SequenceMap";
  if (!has(c, 0) || c.in[0].container != Container::sequence) return invalid("{}: input 0 is no sequence", op);
  MAINSPRING_TRY(const size_t captures, captures_of(op, c.attrs, c.in.size()));
  MAINSPRING_TRY(const Graph* body, body_of(op, c, 0, c.in.size() - captures, 0));
  MAINSPRING_TRY(const size_t n, outputs_of(op, c, body->outputs.size()));
  std::vector<ValueInfo> out;
  for (size_t i = 0; i < n; ++i) {
    out.push_back(output_of(*body, i));
    if (out[i].container != Container::tensor) return invalid("{}: output {} of the body is no tensor", op, i);
    out[i].container = Container::sequence;
  }
  return out;
}

Result<void> map(DynamicCall& c) {
  constexpr const char* op = "SequenceMap";
  const Graph& body = *c.bodies[0];
  MAINSPRING_TRY(const size_t captures, captures_of(op, c.attrs, c.in.size()));
  const size_t n = c.in[0].items.size();
  std::vector<Datum> own(c.in.begin(), c.in.end() - static_cast<ptrdiff_t>(captures));
  for (size_t k = 0; k < own.size(); ++k)
    if (own[k].kind == Datum::Kind::sequence && own[k].items.size() != n) return invalid("{}: sequences of {} and {}", op, n, own[k].items.size());
  std::vector<std::vector<Datum>> out(c.out.size());
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < own.size(); ++k)
      if (c.in[k].kind == Datum::Kind::sequence) own[k] = c.in[k].items[i];
    MAINSPRING_TRY(std::vector<Datum> given, turn(op, c, own, body.outputs.size()));
    for (size_t k = 0; k < out.size(); ++k) out[k].push_back(std::move(given[k]));
  }
  for (size_t k = 0; k < out.size(); ++k) c.out[k] = Datum::sequence(output_of(body, k).dtype, std::move(out[k]));
  return {};
}

}  // namespace

constinit const OpDef op_If{.name = "If", .min_in = 1, .max_in = kVariadic, .n_out = kVariadic, .infer = infer_if, .dynamic = branch};
constinit const OpDef op_Loop{.name = "Loop", .min_in = 0, .max_in = kVariadic, .n_out = kVariadic, .infer = infer_loop, .dynamic = loop};
constinit const OpDef op_SequenceMap{.name = "SequenceMap", .min_in = 1, .max_in = kVariadic, .n_out = kVariadic, .infer = infer_map, .dynamic = map};

}  // namespace mainspring::inline v0
