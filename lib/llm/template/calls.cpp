#include "llm/template/calls.h"

#include <limits>

#include "llm/template/evaluator.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {

// ---- binding ----------------------------------------------------------------------------------------------------------------
Result<void> bind_arguments(std::string_view who, const Arguments& args, std::span<const std::string_view> names, size_t required,
                            std::span<Value> out) {
  if (args.positional.size() > names.size())
    return invalid("{}() takes at most {} arguments, got {}", who, names.size(), args.positional.size());
  for (size_t i = 0; i < args.positional.size(); ++i) out[i] = args.positional[i];
  for (const Keyword& k : args.keywords) {
    size_t i = 0;
    while (i < names.size() && (names[i].empty() || names[i] != k.name)) ++i;
    if (i == names.size()) return invalid("{}() got an unexpected keyword argument '{}'", who, k.name);
    if (!out[i].is(Kind::missing)) return invalid("{}() got multiple values for argument '{}'", who, k.name);
    out[i] = k.value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!out[i].is(Kind::missing)) continue;
    if (names[i].empty()) return invalid("{}() takes at least {} arguments, got {}", who, required, args.positional.size());
    return invalid("{}() is missing the argument '{}'", who, names[i]);
  }
  return {};
}

Result<void> no_arguments(std::string_view who, const Arguments& args) { return bind_arguments(who, args, {}, 0, {}); }

Result<int64_t> as_index(std::string_view who, Value v) {
  if (v.is_int64()) return v.int64();
  if (v.is(Kind::big)) return v.big->negative ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  return invalid("{}: '{}' object cannot be interpreted as an integer", who, type_name(v));
}
Result<int64_t> index_or(std::string_view who, Value v, int64_t otherwise) {
  return v.is(Kind::missing) ? Result<int64_t>(otherwise) : as_index(who, v);
}
bool truthy_or(Value v, bool otherwise) { return v.is(Kind::missing) ? otherwise : truthy(v); }
Result<std::string_view> as_text(std::string_view who, Value v) {
  if (v.is_string()) return v.text();
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  return invalid("{}: expected a string, got {}", who, type_name(v));
}

// ---- calling ----------------------------------------------------------------------------------------------------------------
Result<Value> Evaluator::call(Value callee, const Arguments& args) {
  switch (callee.kind) {
    case Kind::undefined: return undefined_error(*callee.undefined);
    case Kind::macro: return call_macro(*callee.macro, args);
    case Kind::function: return callee.function->call(*this, args);
    case Kind::method: return callee.method->entry->call(*this, callee.method->self, args);
    case Kind::joiner: {
      MAINSPRING_TRY_VOID(no_arguments("joiner", args));
      bool first = !callee.joiner->used;
      callee.joiner->used = true;
      return first ? make_view_string(heap_, "") : Value::of(callee.joiner->separator);
    }
    case Kind::loop: {
      MAINSPRING_TRY(auto bound, bind("loop", args, {"iterable"}, 1));
      return call_loop(*callee.loop, bound[0]);
    }
    default: return invalid("'{}' object is not callable", type_name(callee));
  }
}

Result<void> append_macro_repr(TextBuilder& out, const Macro& macro) {
  out.append("<Macro ");
  if (macro.definition->kind == StmtKind::macro) append_string_repr(out, macro.definition->name);
  else out.append("anonymous");
  out.append('>');
  return {};
}

namespace {
std::string macro_name(const Stmt& s) { return s.kind == StmtKind::macro ? fmt::format("macro '{}'", s.name) : "caller"; }
}  // namespace

// Jinja's Macro.__call__: positional arguments, then keywords, then what the body asks for by name (caller, kwargs, varargs).
Result<void> Evaluator::bind_macro(const Macro& macro, const Arguments& args, Activation& act) {
  const Stmt& s = *macro.definition;
  size_t n = s.params.size(), given = std::min(n, args.positional.size());
  std::vector<bool> used(args.keywords.size(), false);
  for (size_t i = 0; i < given; ++i) act.slots[s.params[i]->ref.slot] = args.positional[i];
  for (size_t i = given; i < n; ++i)
    for (size_t k = 0; k < args.keywords.size(); ++k) {
      if (args.keywords[k].name != s.params[i]->name) continue;
      act.slots[s.params[i]->ref.slot] = args.keywords[k].value;
      used[k] = true;
    }
  if (s.accesses_caller && !s.explicit_caller) {
    Value caller = make_undefined_hint(heap_, "no caller defined");
    for (size_t k = 0; k < args.keywords.size(); ++k) {
      if (args.keywords[k].name != "caller") continue;
      if (!args.keywords[k].value.is(Kind::none)) caller = args.keywords[k].value;
      used[k] = true;
    }
    act.slots[s.caller_slot] = caller;
  }
  Dict* rest = make_dict(heap_);
  for (size_t k = 0; k < args.keywords.size(); ++k) {
    if (used[k]) continue;
    if (!s.accesses_kwargs) return invalid("{} takes no keyword argument '{}'", macro_name(s), args.keywords[k].name);
    MAINSPRING_TRY(Value key, make_string(heap_, args.keywords[k].name));
    MAINSPRING_TRY_VOID(dict_set(heap_, *rest, key, args.keywords[k].value));
  }
  if (s.accesses_kwargs) act.slots[s.kwargs_slot] = Value::of(rest);
  if (s.accesses_varargs) {
    MAINSPRING_TRY(act.slots[s.varargs_slot], make_list(heap_, args.positional.subspan(given), Kind::tuple));
  } else if (args.positional.size() > n) {
    return invalid("{} takes not more than {} argument(s)", macro_name(s), n);
  }
  return {};
}

Result<Value> Evaluator::call_macro(const Macro& macro, const Arguments& args) {
  const Stmt& s = *macro.definition;
  if (call_depth_ >= options_.limits.max_call_depth) return heap_.call_depth_error();
  MAINSPRING_TRY(Activation * act, new_activation(*s.function, macro.closure));
  MAINSPRING_TRY_VOID(bind_macro(macro, args, *act));
  ++call_depth_;
  Activation* caller = std::exchange(act_, act);
  enter(s.scope);
  Value text;
  auto run = [&]() -> Result<void> {
    size_t first_default = s.params.size() - s.defaults.size();
    for (size_t i = 0; i < s.params.size(); ++i) {
      Value& param = act->slots[s.params[i]->ref.slot];
      if (!param.is(Kind::missing)) continue;
      if (i < first_default) {
        param = make_undefined_name(heap_, s.params[i]->name);
        continue;
      }
      MAINSPRING_TRY(Value v, eval(*s.defaults[i - first_default]));
      param = v;
    }
    MAINSPRING_TRY_VOID(capture(s.body, text));
    return {};
  };
  Result<void> done = run();
  act_ = caller;
  --call_depth_;
  if (!done) return std::move(done).error();
  return text;
}

}  // namespace mainspring::inline v0::jinja
