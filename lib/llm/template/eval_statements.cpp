#include <ctime>
#include <utility>

#include "llm/template/evaluator.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {
namespace {

struct Level {
  explicit Level(int& depth) : depth_(depth) { ++depth_; }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  int& depth_;
};

}  // namespace

Result<std::string> Evaluator::render() {
  MAINSPRING_TRY(act_, new_activation(*ast_.root, nullptr));
  if (!ast_.blocks.empty()) exported_ = make_dict(heap_);
  enter(ast_.scope);
  MAINSPRING_TRY_VOID(exec(ast_.body));
  if (output_.over()) return output_.over_error();
  return std::move(output_.text());
}

const DateTime& Evaluator::now() {
  if (!now_) now_ = options_.now ? *options_.now : DateTime::local_now();
  return *now_;
}

// ---- scopes -----------------------------------------------------------------------------------------------------------------
Value& Evaluator::slot(SlotRef ref) {
  Activation* act = act_;
  for (int hops = ref.hops; hops > 0; --hops) act = act->parent;
  return act->slots[ref.slot];
}

Result<Activation*> Evaluator::new_activation(const Function& f, Activation* parent) {
  MAINSPRING_TRY_VOID(heap_.charge(1 + static_cast<int64_t>(f.slots / 16)));
  MAINSPRING_TRY(Value * slots, heap_.array<Value>(f.slots));
  return heap_.make<Activation>(parent, slots);
}

// A name that no scope stores: a variable of the render, or a global.
Value Evaluator::resolve(std::string_view name) {
  if (scoped_ != nullptr)
    if (const Entry* e = dict_find(*scoped_, name)) return e->value;
  if (exported_ != nullptr)
    if (const Entry* e = dict_find(*exported_, name)) return e->value;
  if (const Entry* e = dict_find(variables_, name)) return e->value;
  Value v;
  if (const GlobalEntry* global = find_global(name)) {
    v.kind = Kind::function;
    v.function = global;
  }
  return v;
}

void Evaluator::enter(const Scope& scope) {
  for (const Load& l : scope.loads) {
    Value v;
    if (l.action == Load::Action::resolve) v = resolve(l.name);
    else if (l.action == Load::Action::alias) v = slot(l.source);
    act_->slots[l.slot] = v;
  }
}

void Evaluator::leave(const Scope& scope) {
  for (uint16_t s : scope.slots) act_->slots[s] = Value();
}

// ---- statements -------------------------------------------------------------------------------------------------------------
Result<Evaluator::Flow> Evaluator::exec(const Body& body) {
  for (const Stmt* s : body) {
    MAINSPRING_TRY(Flow flow, exec(*s));
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Result<Evaluator::Flow> Evaluator::exec(const Stmt& s) {
  Level level(depth_);
  if (depth_ > options_.limits.max_depth) return locate(s.at, heap_.depth_error());
  if (Result<void> ok = heap_.charge(); !ok) return locate(s.at, std::move(ok).error());
  switch (s.kind) {
    case StmtKind::if_: return exec_if(s);
    case StmtKind::for_: return located(s.at, exec_for(s));
    case StmtKind::set_block: return located(s.at, exec_set_block(s));
    case StmtKind::filter_block: return located(s.at, exec_filter_block(s));
    case StmtKind::with: return exec_with(s);
    case StmtKind::scope: {
      enter(s.scope);
      Result<Flow> flow = exec(s.body);
      leave(s.scope);
      return flow;
    }
    case StmtKind::break_: return Flow::break_;
    case StmtKind::continue_: return Flow::continue_;
    case StmtKind::macro: define_macro(s); return Flow::normal;
    default: break;
  }
  Result<void> done;
  if (s.kind == StmtKind::output) done = exec_output(s);
  else if (s.kind == StmtKind::set) done = exec_set(s);
  else if (s.kind == StmtKind::call_block) done = exec_call_block(s);
  else if (s.kind == StmtKind::block) done = exec_block(s);
  if (!done) return locate(s.at, std::move(done).error());
  return Flow::normal;
}

Result<void> Evaluator::exec_output(const Stmt& s) {
  for (const Expr* e : s.exprs) {
    if (e->is_data) {
      out_->append(e->value.text());
      MAINSPRING_TRY_VOID(heap_.charge_bytes(e->value.text().size()));
    } else {
      MAINSPRING_TRY(Value v, eval(*e));
      MAINSPRING_TRY_VOID(located(e->at, append_str(*out_, v)));
    }
    if (out_->over()) return out_->over_error();
  }
  return {};
}

Result<Evaluator::Flow> Evaluator::exec_if(const Stmt& s) {
  MAINSPRING_TRY(Value test, eval(*s.test));
  if (truthy(test)) return exec(s.body);
  for (const Stmt* branch : s.branches) {
    MAINSPRING_TRY(Value again, eval(*branch->test));
    if (truthy(again)) return exec(branch->body);
  }
  return exec(s.else_body);
}

Result<Evaluator::Flow> Evaluator::capture(const Body& body, Value& text) {
  TextBuilder buffer(heap_);
  TextBuilder* outer = std::exchange(out_, &buffer);
  Result<Flow> flow = exec(body);
  out_ = outer;
  if (!flow) return flow;
  MAINSPRING_TRY(text, finish_string(buffer));
  return flow;
}

Result<void> Evaluator::check_namespaces(const Expr& target) {
  if (target.kind == ExprKind::namespace_ref && !slot(target.ref).is(Kind::name_space))
    return locate(target.at, invalid("cannot assign attribute '{}': '{}' is not a namespace", target.attribute, target.name));
  for (const Expr* item : target.items) MAINSPRING_TRY_VOID(check_namespaces(*item));
  return {};
}

Result<void> Evaluator::assign(const Expr& target, Value v) {
  switch (target.kind) {
    case ExprKind::name: slot(target.ref) = v; return {};
    case ExprKind::namespace_ref: return dict_set(heap_, *slot(target.ref).dict, make_view_string(heap_, target.attribute), v);
    default: return assign_items(target, v);
  }
}

Result<void> Evaluator::assign_items(const Expr& target, Value v) {
  if (v.is(Kind::undefined) || !is_iterable(v)) {
    if (!v.is(Kind::undefined)) return locate(target.at, invalid("cannot unpack non-iterable {} object", type_name(v)));
  }
  size_t n = target.items.size();
  MAINSPRING_TRY(Iterator * it, iterate(heap_, v));
  MAINSPRING_TRY(Value * items, heap_.array<Value>(n));
  for (size_t i = 0; i < n; ++i) {
    MAINSPRING_TRY(bool more, it->next(*this, items[i]));
    if (!more) return locate(target.at, invalid("not enough values to unpack, expected {}, got {}", n, i));
  }
  Value extra;
  MAINSPRING_TRY(bool more, it->next(*this, extra));
  if (more) return locate(target.at, invalid("too many values to unpack, expected {}", n));
  for (size_t i = 0; i < n; ++i) MAINSPRING_TRY_VOID(assign(*target.items[i], items[i]));
  return {};
}

Result<void> Evaluator::export_names(const Expr& target) {
  if (exported_ == nullptr) return {};
  if (target.kind == ExprKind::name) return dict_set(heap_, *exported_, make_view_string(heap_, target.name), slot(target.ref));
  for (const Expr* item : target.items) MAINSPRING_TRY_VOID(export_names(*item));
  return {};
}

Result<void> Evaluator::exec_set(const Stmt& s) {
  MAINSPRING_TRY_VOID(check_namespaces(*s.target));
  MAINSPRING_TRY(Value v, eval(*s.value));
  MAINSPRING_TRY_VOID(assign(*s.target, v));
  if (s.exports) return export_names(*s.target);
  return {};
}

Result<Evaluator::Flow> Evaluator::exec_set_block(const Stmt& s) {
  enter(s.scope);
  Value text;
  MAINSPRING_TRY(Flow flow, capture(s.body, text));
  if (flow != Flow::normal) return flow;  // a break leaves before the assignment
  if (s.filter != nullptr) {
    MAINSPRING_TRY(text, located(s.filter->at, eval_filter(*s.filter, &text)));
  }
  MAINSPRING_TRY_VOID(check_namespaces(*s.target));
  MAINSPRING_TRY_VOID(assign(*s.target, text));
  if (s.exports) MAINSPRING_TRY_VOID(export_names(*s.target));
  leave(s.scope);
  return Flow::normal;
}

Result<Evaluator::Flow> Evaluator::exec_filter_block(const Stmt& s) {
  enter(s.scope);
  Value text;
  MAINSPRING_TRY(Flow flow, capture(s.body, text));
  if (flow != Flow::normal) return flow;
  MAINSPRING_TRY(Value v, located(s.filter->at, eval_filter(*s.filter, &text)));
  MAINSPRING_TRY_VOID(append_str(*out_, v));
  leave(s.scope);
  return Flow::normal;
}

Result<Evaluator::Flow> Evaluator::exec_with(const Stmt& s) {
  enter(s.scope);
  for (size_t i = 0; i < s.targets.size(); ++i) {
    MAINSPRING_TRY(Value v, eval(*s.exprs[i]));
    MAINSPRING_TRY_VOID(assign(*s.targets[i], v));
  }
  Result<Flow> flow = exec(s.body);
  leave(s.scope);
  return flow;
}

void Evaluator::define_macro(const Stmt& s) {
  Value v = Value::of_kind(Kind::macro);
  v.macro = heap_.make<Macro>(&s, act_);
  slot(s.slot) = v;
  if (s.exports && exported_ != nullptr) {
    // A name always hashes; what can fail is the memory limit, and the next charge tells that.
    (void)dict_set(heap_, *exported_, make_view_string(heap_, s.name), v).has_value();
  }
}

Result<void> Evaluator::exec_call_block(const Stmt& s) {
  Value caller = Value::of_kind(Kind::macro);
  caller.macro = heap_.make<Macro>(&s, act_);
  MAINSPRING_TRY(Value v, located(s.value->at, eval_call(*s.value, &caller)));
  return append_str(*out_, v);
}

Result<void> Evaluator::exec_block(const Stmt& s) {
  if (call_depth_ >= options_.limits.max_call_depth) return heap_.call_depth_error();
  Dict* visible = nullptr;
  if (s.scoped) {
    visible = make_dict(heap_);
    for (const auto& [name, ref] : s.visible) {
      Value v = slot(ref);
      if (!v.is(Kind::missing)) MAINSPRING_TRY_VOID(dict_set(heap_, *visible, make_view_string(heap_, name), v));
    }
  }
  MAINSPRING_TRY(Activation * act, new_activation(*s.function, nullptr));
  Activation* outer = std::exchange(act_, act);
  const Dict* outer_scoped = std::exchange(scoped_, s.scoped ? visible : scoped_);
  ++call_depth_;
  enter(s.scope);
  Result<Flow> flow = exec(s.body);
  --call_depth_;
  scoped_ = outer_scoped;
  act_ = outer;
  if (!flow) return std::move(flow).error();
  return {};
}

}  // namespace mainspring::inline v0::jinja
