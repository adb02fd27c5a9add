// The for loop and its `loop` variable.
#include <utility>

#include "llm/template/evaluator.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {
namespace {

// A loop's condition, run as the generator that Jinja makes of it: item by item, in variables of its own.
struct Condition {
  const Stmt* loop = nullptr;
  Iterator* source = nullptr;
  Activation* activation = nullptr;
};

}  // namespace

Result<bool> next_matching(Evaluator& ev, Iterator& it, Value& out) {
  auto& condition = *static_cast<Condition*>(it.state);
  for (;;) {
    MAINSPRING_TRY(bool more, condition.source->next(ev, out));
    if (!more) return false;
    Activation* outer = std::exchange(ev.act_, condition.activation);
    Result<void> assigned = ev.assign(*condition.loop->test_target, out);
    Result<Value> test = assigned ? ev.eval(*condition.loop->test) : Result<Value>(std::move(assigned).error());
    ev.act_ = outer;
    if (!test) return std::move(test).error();
    if (truthy(*test)) return true;
  }
}

// ---- the loop variable ------------------------------------------------------------------------------------------------------
Result<bool> loop_next(Evaluator& ev, Loop& loop, Value& out) {
  if (!loop.after.is(Kind::missing)) {
    out = std::exchange(loop.after, Value());
  } else {
    MAINSPRING_TRY(bool more, loop.iterator->next(ev, out));
    if (!more) return false;
  }
  ++loop.index0;
  loop.before = loop.current;
  loop.current = out;
  return true;
}

namespace {
Result<bool> peek(Evaluator& ev, Loop& loop) {
  if (!loop.after.is(Kind::missing)) return true;
  Value v;
  MAINSPRING_TRY(bool more, loop.iterator->next(ev, v));
  if (more) loop.after = v;
  return more;
}
}  // namespace

Result<int64_t> loop_length(Evaluator& ev, Loop& loop) {
  if (loop.length >= 0) return loop.length;
  if (std::optional<int64_t> n = length_of(loop.iterable)) {
    loop.length = *n;
    return loop.length;
  }
  // A generator has no length: the rest of it is walked now and kept.
  MAINSPRING_TRY(Value rest, collect_list(ev, Value::of(loop.iterator)));
  MAINSPRING_TRY(loop.iterator, iterate(ev.heap(), rest));
  loop.length = static_cast<int64_t>(rest.list->size) + loop.index0 + 1 + (loop.after.is(Kind::missing) ? 0 : 1);
  return loop.length;
}

Result<std::optional<Value>> loop_attribute(Evaluator& ev, Loop& loop, std::string_view name) {
  using Found = std::optional<Value>;
  if (name == "index0") return Found(Value::of(loop.index0));
  if (name == "index") return Found(Value::of(loop.index0 + 1));
  if (name == "first") return Found(Value::of(loop.index0 == 0));
  if (name == "depth0") return Found(Value::of(loop.depth0));
  if (name == "depth") return Found(Value::of(loop.depth0 + 1));
  if (name == "last") {
    MAINSPRING_TRY(bool more, peek(ev, loop));
    return Found(Value::of(!more));
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    MAINSPRING_TRY(int64_t n, loop_length(ev, loop));
    return Found(Value::of(name == "length" ? n : name == "revindex" ? n - loop.index0 : n - loop.index0 - 1));
  }
  if (name == "previtem") return Found(loop.index0 == 0 ? make_undefined_hint(ev.heap(), "there is no previous item") : loop.before);
  if (name == "nextitem") {
    MAINSPRING_TRY(bool more, peek(ev, loop));
    return Found(more ? loop.after : make_undefined_hint(ev.heap(), "there is no next item"));
  }
  const MethodEntry* entry = find_method(Kind::loop, name);
  if (entry == nullptr) return Found();
  Value self = Value::of_kind(Kind::loop);
  self.loop = &loop;
  Value method = Value::of_kind(Kind::method);
  method.method = ev.heap().make<Method>(self, entry);
  return Found(method);
}

Result<Value> method_loop_cycle(Evaluator&, Value self, const Arguments& args) {
  if (args.positional.empty() || !args.keywords.empty()) return invalid("loop.cycle() needs items");
  return args.positional[static_cast<size_t>(self.loop->index0) % args.positional.size()];
}

Result<Value> method_loop_changed(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(Value now, make_list(ev.heap(), args.positional, Kind::tuple));
  if (!self.loop->last_changed.is(Kind::missing)) {
    MAINSPRING_TRY(bool same, equals(ev.heap(), self.loop->last_changed, now));
    if (same) return Value::of(false);
  }
  self.loop->last_changed = now;
  return Value::of(true);
}

Result<void> append_loop_repr(TextBuilder& out, const Loop& loop) {
  std::optional<int64_t> n = loop.length >= 0 ? loop.length : length_of(loop.iterable);
  out.append(fmt::format("<LoopContext {}/{}>", loop.index0 + 1, n.value_or(0)));
  return {};
}

// ---- the statement ----------------------------------------------------------------------------------------------------------
Result<Evaluator::Flow> Evaluator::exec_for(const Stmt& s) {
  MAINSPRING_TRY(Value iterable, eval(*s.value));
  if (s.recursive) {
    MAINSPRING_TRY(Value text, located(s.value->at, render_recursive(s, iterable, act_, 0)));
    MAINSPRING_TRY_VOID(append_str(*out_, text));
    return Flow::normal;
  }
  Loop* loop = nullptr;
  if (s.extended) {
    loop = heap_.make<Loop>();
    loop->statement = &s;
  }
  return located(s.value->at, run_loop(s, iterable, loop));
}

Result<Value> Evaluator::render_recursive(const Stmt& s, Value iterable, Activation* closure, int64_t depth) {
  if (call_depth_ >= options_.limits.max_call_depth) return heap_.call_depth_error();
  MAINSPRING_TRY(Activation * act, new_activation(*s.function, closure));
  Loop* loop = heap_.make<Loop>();
  loop->statement = &s;
  loop->closure = closure;
  loop->depth0 = depth;
  TextBuilder buffer(heap_);
  TextBuilder* outer_text = std::exchange(out_, &buffer);
  Activation* outer = std::exchange(act_, act);
  ++call_depth_;
  Result<Flow> flow = run_loop(s, iterable, loop);
  --call_depth_;
  act_ = outer;
  out_ = outer_text;
  if (!flow) return std::move(flow).error();
  return finish_string(buffer);
}

Result<Value> Evaluator::call_loop(Loop& loop, Value iterable) {
  if (!loop.statement->recursive) return Error{Errc::invalid_argument, "the loop must have the 'recursive' marker to be called recursively"};
  return render_recursive(*loop.statement, iterable, loop.closure, loop.depth0 + 1);
}

Result<Evaluator::Flow> Evaluator::run_loop(const Stmt& s, Value iterable, Loop* loop) {
  MAINSPRING_TRY(Iterator * it, iterate(heap_, iterable));
  if (s.test != nullptr) {
    Condition* condition = heap_.make<Condition>(&s, it);
    // The condition's variables hang below those around the loop, which for a recursive loop is where it was defined.
    MAINSPRING_TRY(condition->activation, new_activation(*s.test_function, s.recursive ? loop->closure : act_));
    Activation* outer = std::exchange(act_, condition->activation);
    enter(s.test_scope);
    act_ = outer;
    it = heap_.make<Iterator>();
    it->walk = Walk::custom;
    it->step = next_matching;
    it->state = condition;
    iterable = Value::of(it);
  }
  if (loop != nullptr) {
    loop->iterator = it;
    loop->iterable = iterable;
  }
  bool completed = false;
  MAINSPRING_TRY(Flow flow, run_iterations(s, *it, loop, completed));
  leave(s.scope);
  (void)flow;
  // Jinja notes the end of a whole iteration, so that a loop left by `break` at once still runs its else.
  if (completed || s.else_body.empty()) return Flow::normal;
  enter(s.else_scope);
  Result<Flow> else_flow = exec(s.else_body);
  leave(s.else_scope);
  return else_flow;
}

Result<Evaluator::Flow> Evaluator::run_iterations(const Stmt& s, Iterator& it, Loop* loop, bool& completed) {
  Value self = Value::of_kind(Kind::loop);
  self.loop = loop;
  for (Value item;;) {
    MAINSPRING_TRY(bool more, loop != nullptr ? loop_next(*this, *loop, item) : it.next(*this, item));
    if (!more) return Flow::normal;
    MAINSPRING_TRY_VOID(assign(*s.target, item));
    if (loop != nullptr) slot(s.slot) = self;
    enter(s.scope);
    MAINSPRING_TRY(Flow flow, exec(s.body));
    if (flow == Flow::break_) return flow;
    if (flow == Flow::normal) completed = true;
  }
}

}  // namespace mainspring::inline v0::jinja
