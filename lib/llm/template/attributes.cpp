// foo.bar and foo['bar']: what Python objects show of themselves, through the sandbox.
#include "llm/template/evaluator.h"
#include "llm/template/tables.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

using Found = std::optional<Value>;

Found number_attribute(Value v, std::string_view name) {
  Value zero = v.is(Kind::real) ? Value::of(0.0) : Value::of(int64_t{0});
  Value self = v.is(Kind::boolean) ? Value::of(v.int64()) : v;
  if (name == "real") return self;
  if (name == "imag") return zero;
  if (v.is(Kind::real)) return std::nullopt;
  if (name == "numerator") return self;
  if (name == "denominator") return Value::of(int64_t{1});
  return std::nullopt;
}

Found range_attribute(const Range& r, std::string_view name) {
  if (name == "start") return Value::of(r.start);
  if (name == "stop") return Value::of(r.stop);
  if (name == "step") return Value::of(r.step);
  return std::nullopt;
}

// The methods that types share with another: bool is an int.
Kind method_type(Kind k) {
  if (k == Kind::boolean || k == Kind::big) return Kind::integer;
  return k;
}

}  // namespace

// getattr(object, name), before the sandbox looks at it. Loops are apart: their attributes may walk.
std::optional<Value> Evaluator::python_attribute(Value object, std::string_view name) {
  switch (object.kind) {
    case Kind::name_space: {
      const Entry* e = dict_find(*object.dict, name);
      return e == nullptr ? Found() : Found(e->value);
    }
    case Kind::tuple:
      if (object.list->group && name == "grouper") return object.list->items[0];
      if (object.list->group && name == "list") return object.list->items[1];
      break;
    case Kind::cycler:
      if (name == "current") return object.cycler->items[object.cycler->at];
      if (name == "pos") return Value::of(static_cast<int64_t>(object.cycler->at));
      break;
    case Kind::joiner:
      if (name == "sep") return Value::of(object.joiner->separator);
      if (name == "used") return Value::of(object.joiner->used);
      break;
    case Kind::macro:
      if (name == "name" && object.macro->definition->kind == StmtKind::macro) return make_view_string(heap_, object.macro->definition->name);
      if (name == "name") return Value::none();
      if (name == "caller") return Value::of(object.macro->definition->accesses_caller);
      if (name == "catch_kwargs") return Value::of(object.macro->definition->accesses_kwargs);
      if (name == "catch_varargs") return Value::of(object.macro->definition->accesses_varargs);
      break;
    case Kind::range:
      if (Found f = range_attribute(*object.range, name)) return f;
      break;
    case Kind::boolean:
    case Kind::integer:
    case Kind::big:
    case Kind::real:
      if (Found f = number_attribute(object, name)) return f;
      break;
    default: break;
  }
  const MethodEntry* entry = find_method(method_type(object.kind), name);
  if (entry == nullptr) return std::nullopt;
  if (entry->call == nullptr) {
    Value unsafe = make_undefined_hint(heap_, "the sandbox refuses methods that change their object, such as append, pop and update");
    return unsafe;
  }
  Value method = Value::of_kind(Kind::method);
  method.method = heap_.make<Method>(object, entry);
  return method;
}

Result<std::optional<Value>> Evaluator::found_attribute(Value object, std::string_view name) {
  if (object.is(Kind::undefined)) return undefined_error(*object.undefined);
  Found found;
  if (object.is(Kind::loop)) {
    MAINSPRING_TRY(found, loop_attribute(*this, *object.loop, name));
  } else {
    found = python_attribute(object, name);
  }
  bool dunder = name.size() > 4 && name.substr(0, 2) == "__" && name.substr(name.size() - 2) == "__";
  if (dunder || (found && !name.empty() && name[0] == '_')) return Found(make_undefined_hint(heap_, "access to a private attribute is unsafe"));
  return found;
}

// object[key]; nothing found is no error, but Undefined in the end.
Result<std::optional<Value>> Evaluator::found_item(Value object, Value key) {
  auto at = [&](int64_t length) -> std::optional<int64_t> {
    if (!key.is_int64()) return std::nullopt;
    int64_t i = key.int64();
    if (i < 0) i += length;
    return i >= 0 && i < length ? std::optional<int64_t>(i) : std::nullopt;
  };
  switch (object.kind) {
    case Kind::undefined: return undefined_error(*object.undefined);
    case Kind::dict: {
      Result<const Entry*> e = dict_find(heap_, *object.dict, key);
      if (!e) {
        if (e.error().code == Errc::invalid_argument) return Found();  // unhashable
        return std::move(e).error();
      }
      return *e == nullptr ? Found() : Found((*e)->value);
    }
    case Kind::list:
    case Kind::tuple:
      if (auto i = at(static_cast<int64_t>(object.list->size))) return Found(object.list->items[*i]);
      return Found();
    case Kind::range:
      if (auto i = at(object.range->length)) return Found(Value::of(object.range->at(*i)));
      return Found();
    case Kind::string:
      if (auto i = at(object.string->length)) {
        MAINSPRING_TRY(Value c, character_at(heap_, *object.string, *i));
        return Found(c);
      }
      return Found();
    default: return Found();
  }
}

Result<Value> Evaluator::attribute(Value object, std::string_view name) {
  MAINSPRING_TRY(Found found, found_attribute(object, name));
  if (found) return *found;
  if (object.is(Kind::dict))
    if (const Entry* e = dict_find(*object.dict, name)) return e->value;
  return make_undefined_attribute(heap_, object, name);
}

Result<Value> Evaluator::item(Value object, Value key) {
  MAINSPRING_TRY(Found found, found_item(object, key));
  if (found) return *found;
  if (key.is_string()) {
    MAINSPRING_TRY(Found attribute, found_attribute(object, key.text()));
    if (attribute) return *attribute;
    return make_undefined_attribute(heap_, object, key.text());
  }
  if (key.is_int64()) {
    MAINSPRING_TRY(std::string_view name, heap_.copy(fmt::format("{}", key.int64())));
    return make_undefined_attribute(heap_, object, name);
  }
  return make_undefined_attribute(heap_, object, type_name(key));
}

}  // namespace mainspring::inline v0::jinja
