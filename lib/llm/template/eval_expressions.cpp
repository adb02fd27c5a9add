#include <algorithm>

#include "llm/template/evaluator.h"
#include "llm/template/formatting.h"
#include "llm/template/tables.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

struct Level {
  explicit Level(int& depth) : depth_(depth) { ++depth_; }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  int& depth_;
};

Error operand_error(std::string_view op, Value a, Value b) {
  if (a.is(Kind::undefined)) return undefined_error(*a.undefined);
  if (b.is(Kind::undefined)) return undefined_error(*b.undefined);
  return invalid("unsupported operand type(s) for {}: '{}' and '{}'", op, type_name(a), type_name(b));
}

// str + str; Markup escapes the other side.
Result<Value> add_strings(Heap& heap, const Str& a, const Str& b) {
  if (!a.markup && !b.markup) {
    MAINSPRING_TRY(std::string_view text, heap.concat(a.text, b.text));
    return Value::of(heap.make<Str>(text, false, a.length + b.length));
  }
  TextBuilder out(heap);
  if (a.markup) out.append(a.text);
  else append_escaped(out, a.text);
  if (b.markup) out.append(b.text);
  else append_escaped(out, b.text);
  if (out.over()) return out.over_error();
  return make_markup(heap, out.view());
}

Result<Value> add_lists(Heap& heap, const List& a, const List& b, Kind kind) {
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>((a.size + b.size) / 4)));
  MAINSPRING_TRY(Value * items, heap.array<Value>(a.size + b.size));
  std::copy(a.items, a.items + a.size, items);
  std::copy(b.items, b.items + b.size, items + a.size);
  return Value::of(heap.make<List>(items, a.size + b.size), kind);
}

Result<Value> repeat(Heap& heap, Value v, Value times) {
  if (times.is(Kind::big) && !times.big->negative) return heap.memory_error();
  int64_t n = times.is(Kind::big) ? 0 : std::max<int64_t>(times.int64(), 0);
  size_t size = v.is_string() ? v.text().size() : v.list->size;
  size_t unit = v.is_string() ? 1 : sizeof(Value);
  if (size == 0) n = 0;
  if (n > 0 && static_cast<size_t>(n) > heap.room() / unit / size) return heap.memory_error();
  size_t total = size * static_cast<size_t>(n);
  if (v.is_string()) {
    TextBuilder out(heap);
    MAINSPRING_TRY_VOID(heap.charge_bytes(total));
    out.repeat(v.text(), n);
    if (out.over()) return out.over_error();
    return make_like(heap, *v.string, out.view());
  }
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(total / 4)));
  MAINSPRING_TRY(Value * items, heap.array<Value>(total));
  for (size_t i = 0; i < total; ++i) items[i] = v.list->items[i % size];
  return Value::of(heap.make<List>(items, total), v.kind);
}

bool repeats(Value v, Value times) { return (v.is_string() || v.is_sequence()) && times.is_int(); }

}  // namespace

Result<Value> apply_operator(Evaluator& ev, Arithmetic op, Value a, Value b) {
  Heap& heap = ev.heap();
  if (a.is_number() && b.is_number()) return arithmetic(heap, op, a, b);
  if (op == Arithmetic::add) {
    if (a.is_string() && b.is_string()) return add_strings(heap, *a.string, *b.string);
    if (a.is_sequence() && a.kind == b.kind) return add_lists(heap, *a.list, *b.list, a.kind);
  }
  if (op == Arithmetic::multiply && repeats(a, b)) return repeat(heap, a, b);
  if (op == Arithmetic::multiply && repeats(b, a)) return repeat(heap, b, a);
  if (op == Arithmetic::modulo && a.is_string()) return format_percent(ev, *a.string, b);
  return operand_error(symbol(op), a, b);
}

Error Evaluator::locate(uint32_t at, Error e) {
  if (located_) return e;
  located_ = true;
  Error placed = error_at(ast_.stream.source, at, e.message);
  placed.code = e.code;
  return placed;
}

Result<void> Evaluator::enter_level() {
  if (depth_ >= options_.limits.max_depth) return heap_.depth_error();
  ++depth_;
  return {};
}

Result<Value> Evaluator::eval(const Expr& e) {
  if (e.kind == ExprKind::constant) return e.value;
  if (e.kind == ExprKind::name) return eval_name(e);
  Level level(depth_);
  if (depth_ > options_.limits.max_depth) return locate(e.at, heap_.depth_error());
  if (Result<void> ok = heap_.charge(); !ok) return locate(e.at, std::move(ok).error());
  return located(e.at, eval_kind(e));
}

Result<Value> Evaluator::eval_kind(const Expr& e) {
  switch (e.kind) {
    case ExprKind::constant: return e.value;
    case ExprKind::name: return eval_name(e);
    case ExprKind::tuple: return eval_items(e, Kind::tuple);
    case ExprKind::list: return eval_items(e, Kind::list);
    case ExprKind::dict: return eval_dict(e);
    case ExprKind::negate:
    case ExprKind::positive:
    case ExprKind::logical_not: return eval_unary(e);
    case ExprKind::logical_and:
    case ExprKind::logical_or: {
      MAINSPRING_TRY(Value a, eval(*e.a));
      if (truthy(a) == (e.kind == ExprKind::logical_or)) return a;
      return eval(*e.b);
    }
    case ExprKind::arithmetic: return eval_arithmetic(e);
    case ExprKind::concat: return eval_concat(e);
    case ExprKind::compare: return eval_compare(e);
    case ExprKind::conditional: return eval_conditional(e);
    case ExprKind::attribute: {
      MAINSPRING_TRY(Value object, eval(*e.a));
      return attribute(object, e.name);
    }
    case ExprKind::item: return eval_item(e);
    case ExprKind::call: return eval_call(e);
    case ExprKind::filter: return eval_filter(e);
    case ExprKind::test: return eval_test(e);
    case ExprKind::namespace_ref:
    case ExprKind::slice: break;
  }
  return invalid("this expression has no value");
}

Result<Value> Evaluator::eval_name(const Expr& e) {
  Value v = slot(e.ref);
  return v.is(Kind::missing) ? make_undefined_name(heap_, e.name) : v;
}

Result<Value> Evaluator::eval_items(const Expr& e, Kind kind) {
  MAINSPRING_TRY(Value * items, heap_.array<Value>(e.items.size()));
  for (size_t i = 0; i < e.items.size(); ++i) {
    MAINSPRING_TRY(items[i], eval(*e.items[i]));
  }
  return Value::of(heap_.make<List>(items, e.items.size()), kind);
}

Result<Value> Evaluator::eval_dict(const Expr& e) {
  Dict* dict = make_dict(heap_);
  for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
    MAINSPRING_TRY(Value key, eval(*e.items[i]));
    MAINSPRING_TRY(Value value, eval(*e.items[i + 1]));
    MAINSPRING_TRY_VOID(dict_set(heap_, *dict, key, value));
  }
  return Value::of(dict);
}

Result<Value> Evaluator::eval_unary(const Expr& e) {
  MAINSPRING_TRY(Value v, eval(*e.a));
  if (e.kind == ExprKind::logical_not) return Value::of(!truthy(v));
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  char op = e.kind == ExprKind::negate ? '-' : '+';
  if (!v.is_number()) return invalid("bad operand type for unary {}: '{}'", op, type_name(v));
  if (op == '-') return negate(heap_, v);
  return v.is(Kind::boolean) ? Value::of(v.int64()) : v;
}

Result<Value> Evaluator::eval_arithmetic(const Expr& e) {
  MAINSPRING_TRY(Value a, eval(*e.a));
  MAINSPRING_TRY(Value b, eval(*e.b));
  return apply_operator(*this, e.op, a, b);
}

Result<Value> Evaluator::eval_concat(const Expr& e) {
  MAINSPRING_TRY(Value * parts, heap_.array<Value>(e.items.size()));
  for (size_t i = 0; i < e.items.size(); ++i) {
    MAINSPRING_TRY(parts[i], eval(*e.items[i]));
  }
  MAINSPRING_TRY(Value first, to_str(heap_, parts[0]));
  // Appending to the first part in place keeps `text = text ~ more` linear.
  std::string_view text = first.text();
  int64_t length = first.string->length;
  for (size_t i = 1; i < e.items.size(); ++i) {
    if (parts[i].is_string()) {
      MAINSPRING_TRY(text, heap_.concat(text, parts[i].text()));
      length += parts[i].string->length;
      continue;
    }
    TextBuilder part(heap_);
    MAINSPRING_TRY_VOID(append_str(part, parts[i]));
    if (part.over()) return part.over_error();
    MAINSPRING_TRY(text, heap_.concat(text, part.view()));
    length += count_code_points(part.view());
  }
  return Value::of(heap_.make<Str>(text, false, length));
}

Result<bool> Evaluator::compare_one(CompareOp op, Value a, Value b) {
  constexpr std::string_view symbols[] = {"==", "!=", "<", "<=", ">", ">="};
  switch (op) {
    case CompareOp::eq: return equals(heap_, a, b);
    case CompareOp::in: return contains(*this, b, a);
    case CompareOp::ne:
    case CompareOp::not_in: {
      MAINSPRING_TRY(bool yes, op == CompareOp::ne ? equals(heap_, a, b) : contains(*this, b, a));
      return !yes;
    }
    default: break;
  }
  MAINSPRING_TRY(int c, compare(heap_, a, b, symbols[static_cast<size_t>(op)]));
  if (c == 2) return false;  // not a number
  if (op == CompareOp::lt) return c < 0;
  if (op == CompareOp::le) return c <= 0;
  return op == CompareOp::gt ? c > 0 : c >= 0;
}

Result<Value> Evaluator::eval_compare(const Expr& e) {
  MAINSPRING_TRY(Value left, eval(*e.a));
  for (size_t i = 0; i < e.items.size(); ++i) {
    MAINSPRING_TRY(Value right, eval(*e.items[i]));
    MAINSPRING_TRY(bool holds, compare_one(e.compare_ops[i], left, right));
    if (!holds) return Value::of(false);
    left = right;
  }
  return Value::of(true);
}

Result<Value> Evaluator::eval_conditional(const Expr& e) {
  MAINSPRING_TRY(Value test, eval(*e.b));
  if (truthy(test)) return eval(*e.a);
  if (e.c != nullptr) return eval(*e.c);
  return make_undefined_hint(heap_, "the inline if-expression evaluated to false and no else section was defined");
}

Result<Value> Evaluator::eval_item(const Expr& e) {
  MAINSPRING_TRY(Value object, eval(*e.a));
  if (e.b->kind == ExprKind::slice) return eval_slice(object, *e.b);
  MAINSPRING_TRY(Value key, eval(*e.b));
  return item(object, key);
}

namespace {

struct SliceBounds {
  int64_t start = 0, step = 1, count = 0;
};

// Python's slice.indices: parts that are missing or out of range are clamped.
SliceBounds slice_bounds(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step, int64_t length) {
  auto clamp = [&](int64_t v, int64_t low, int64_t high) {
    if (v < 0) v = v < -length ? low : v + length;
    return std::clamp(v, low, high);
  };
  int64_t low = step < 0 ? -1 : 0, high = step < 0 ? length - 1 : length;
  int64_t from = start ? clamp(*start, low, high) : step < 0 ? high : low;
  int64_t to = stop ? clamp(*stop, low, high) : step < 0 ? low : high;
  SliceBounds b{from, step, 0};
  if (step > 0 && to > from) b.count = (to - from - 1) / step + 1;
  if (step < 0 && to < from) b.count = (from - to - 1) / -step + 1;
  return b;
}

Result<Value> slice_text(Heap& heap, const Str& s, const SliceBounds& b) {
  if (b.step == 1) {
    auto start = static_cast<size_t>(b.start), count = static_cast<size_t>(b.count);
    if (!s.ascii()) {
      MAINSPRING_TRY_VOID(heap.charge_bytes(s.text.size()));
      start = byte_offset(s.text, b.start);
      count = byte_offset(s.text.substr(start), b.count);
    }
    return Value::of(heap.make<Str>(s.text.substr(start, count), s.markup, b.count));
  }
  MAINSPRING_TRY_VOID(heap.charge_bytes(s.text.size() * 4));
  if (s.text.size() * sizeof(char32_t) > heap.room()) return heap.memory_error();
  std::u32string points;
  for (size_t i = 0; i < s.text.size();) points += next_code_point(s.text, i);
  std::string out;
  for (int64_t i = 0; i < b.count; ++i) append_utf8(out, points[static_cast<size_t>(b.start + i * b.step)]);
  return make_like(heap, s, out);
}

}  // namespace

Result<Value> Evaluator::eval_slice(Value object, const Expr& s) {
  std::optional<int64_t> parts[3];
  const Expr* exprs[] = {s.a, s.b, s.c};
  for (int i = 0; i < 3; ++i) {
    if (exprs[i] == nullptr) continue;
    MAINSPRING_TRY(Value v, eval(*exprs[i]));
    if (v.is(Kind::none)) continue;
    if (!v.is_int()) return invalid("slice indices must be integers or None, got {}", type_name(v));
    MAINSPRING_TRY(parts[i], as_index("slice", v));
  }
  constexpr int64_t kFar = int64_t{1} << 40;  // beyond any length, and far from overflow
  int64_t step = std::clamp(parts[2].value_or(1), -kFar, kFar);
  if (step == 0) return invalid("slice step cannot be zero");
  std::optional<int64_t> length;
  if (object.is_string() || object.is_sequence() || object.is(Kind::range)) length = length_of(object);
  if (object.is(Kind::undefined)) return undefined_error(*object.undefined);
  if (!length) return invalid("'{}' object cannot be sliced", type_name(object));
  SliceBounds b = slice_bounds(parts[0], parts[1], step, *length);
  if (object.is_string()) return slice_text(heap_, *object.string, b);
  if (object.is(Kind::range)) {
    const Range& r = *object.range;
    Value v = Value::of_kind(Kind::range);
    int64_t start = r.at(b.start), by = r.step * b.step;
    v.range = heap_.make<Range>(start, start + by * b.count, by, b.count);
    return v;
  }
  MAINSPRING_TRY_VOID(heap_.charge(b.count / 4));
  if (b.step == 1) return Value::of(heap_.make<List>(object.list->items + b.start, static_cast<size_t>(b.count)), object.kind);
  MAINSPRING_TRY(Value * items, heap_.array<Value>(static_cast<size_t>(b.count)));
  for (int64_t i = 0; i < b.count; ++i) items[i] = object.list->items[b.start + i * b.step];
  return Value::of(heap_.make<List>(items, static_cast<size_t>(b.count)), object.kind);
}

Result<void> Evaluator::eval_star_arguments(const Expr& e, ArgumentStore& store) {
  if (e.star != nullptr) {
    MAINSPRING_TRY(Value v, eval(*e.star));
    MAINSPRING_TRY(std::vector<Value> items, collect(*this, v));
    store.positional.insert(store.positional.end(), items.begin(), items.end());
  }
  if (e.star_star != nullptr) {
    MAINSPRING_TRY(Value v, eval(*e.star_star));
    if (!v.is(Kind::dict)) return invalid("argument after ** must be a mapping, not {}", type_name(v));
    for (const Entry& entry : v.dict->span()) {
      if (!entry.key.is_string()) return invalid("keywords must be strings");
      for (const Keyword& k : store.keywords)
        if (k.name == entry.key.text()) return invalid("got multiple values for keyword argument '{}'", k.name);
      store.keywords.push_back({entry.key.text(), entry.value});
    }
  }
  return {};
}

Result<void> Evaluator::eval_arguments(const Expr& e, ArgumentStore& store) {
  store.positional.reserve(e.items.size());
  for (const Expr* item : e.items) {
    MAINSPRING_TRY(Value v, eval(*item));
    store.positional.push_back(v);
  }
  for (const KeywordExpr& k : e.keywords) {
    MAINSPRING_TRY(Value v, eval(*k.value));
    store.keywords.push_back({k.name, v});
  }
  if (e.star == nullptr && e.star_star == nullptr) return {};
  return eval_star_arguments(e, store);
}

Result<Value> Evaluator::eval_call(const Expr& e, const Value* caller) {
  MAINSPRING_TRY(Value callee, eval(*e.a));
  ArgumentStore store;
  MAINSPRING_TRY_VOID(eval_arguments(e, store));
  if (caller != nullptr) store.keywords.push_back({"caller", *caller});
  return call(callee, store.view());
}

Result<Value> Evaluator::eval_filter(const Expr& e, const Value* input) {
  Value v;
  if (e.a != nullptr && e.a->kind == ExprKind::filter && input != nullptr) {
    MAINSPRING_TRY(v, located(e.a->at, eval_filter(*e.a, input)));
  } else if (e.a != nullptr) {
    MAINSPRING_TRY(v, eval(*e.a));
  } else if (input != nullptr) {
    v = *input;
  }
  if (e.filter == nullptr) return invalid("no filter named '{}'", e.name);
  ArgumentStore store;
  MAINSPRING_TRY_VOID(eval_arguments(e, store));
  return e.filter->apply(*this, v, store.view());
}

Result<Value> Evaluator::eval_test(const Expr& e) {
  MAINSPRING_TRY(Value v, eval(*e.a));
  if (e.test == nullptr) return invalid("no test named '{}'", e.name);
  ArgumentStore store;
  MAINSPRING_TRY_VOID(eval_arguments(e, store));
  MAINSPRING_TRY(bool yes, e.test->apply(*this, v, store.view()));
  return Value::of(yes);
}

Result<Value> Evaluator::apply_filter(std::string_view name, Value input, const Arguments& args) {
  const FilterEntry* entry = find_filter(name);
  if (entry == nullptr) return invalid("no filter named '{}'", name);
  return entry->apply(*this, input, args);
}

Result<bool> Evaluator::apply_test(std::string_view name, Value input, const Arguments& args) {
  const TestEntry* entry = find_test(name);
  if (entry == nullptr) return invalid("no test named '{}'", name);
  return entry->apply(*this, input, args);
}

}  // namespace mainspring::inline v0::jinja
