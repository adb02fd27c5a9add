// Jinja's tests: `x is odd`.
#include "llm/template/evaluator.h"
#include "llm/template/tables.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

Result<Value> argument(std::string_view who, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind(who, args, {"other"}, 1));
  return a[0];
}

Result<bool> remainder_is(Evaluator& ev, Value v, Value divisor, int64_t wanted) {
  MAINSPRING_TRY(Value rest, apply_operator(ev, Arithmetic::modulo, v, divisor));
  return equals(ev.heap(), rest, Value::of(wanted));
}

// Whether all cased characters of the text are of that case, and there is one.
template <class Right, class Wrong>
bool all_cased(std::string_view text, Right right, Wrong wrong) {
  bool any = false;
  for (size_t i = 0; i < text.size();) {
    char32_t c = next_code_point(text, i);
    if (wrong(c)) return false;
    any = any || right(c);
  }
  return any;
}

Result<bool> ordered(Evaluator& ev, std::string_view op, Value v, const Arguments& args, bool (*holds)(int)) {
  MAINSPRING_TRY(Value other, argument(op, args));
  MAINSPRING_TRY(int c, compare(ev.heap(), v, other, op));
  return c != 2 && holds(c);
}

}  // namespace

Result<bool> test_odd(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("odd", args));
  return remainder_is(ev, v, Value::of(int64_t{2}), 1);
}
Result<bool> test_even(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("even", args));
  return remainder_is(ev, v, Value::of(int64_t{2}), 0);
}
Result<bool> test_divisibleby(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("divisibleby", args, {"num"}, 1));
  return remainder_is(ev, v, a[0], 0);
}

#define MAINSPRING_JINJA_SIMPLE_TEST(name, condition)                        \
  Result<bool> test_##name(Evaluator&, Value v, const Arguments& args) {     \
    MAINSPRING_TRY_VOID(no_arguments(#name, args));                          \
    return condition;                                                        \
  }
MAINSPRING_JINJA_SIMPLE_TEST(defined, !v.is(Kind::undefined))
MAINSPRING_JINJA_SIMPLE_TEST(undefined, v.is(Kind::undefined))
MAINSPRING_JINJA_SIMPLE_TEST(none, v.is(Kind::none))
MAINSPRING_JINJA_SIMPLE_TEST(boolean, v.is(Kind::boolean))
MAINSPRING_JINJA_SIMPLE_TEST(false, v.is(Kind::boolean) && !v.boolean)
MAINSPRING_JINJA_SIMPLE_TEST(true, v.is(Kind::boolean) && v.boolean)
MAINSPRING_JINJA_SIMPLE_TEST(integer, v.is_int() && !v.is(Kind::boolean))
MAINSPRING_JINJA_SIMPLE_TEST(float, v.is(Kind::real))
MAINSPRING_JINJA_SIMPLE_TEST(string, v.is_string())
MAINSPRING_JINJA_SIMPLE_TEST(mapping, v.is(Kind::dict))
MAINSPRING_JINJA_SIMPLE_TEST(number, v.is_number())
MAINSPRING_JINJA_SIMPLE_TEST(sequence,
                             v.is_string() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) || v.is(Kind::undefined))
MAINSPRING_JINJA_SIMPLE_TEST(iterable, is_iterable(v))
MAINSPRING_JINJA_SIMPLE_TEST(callable, v.is(Kind::undefined) || v.is(Kind::macro) || v.is(Kind::function) || v.is(Kind::method) ||
                                           v.is(Kind::loop) || v.is(Kind::joiner))
MAINSPRING_JINJA_SIMPLE_TEST(escaped, v.is_string() && v.string->markup)
#undef MAINSPRING_JINJA_SIMPLE_TEST

Result<bool> test_filter(Evaluator&, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("filter", args));
  return v.is_string() && find_filter(v.text()) != nullptr;
}
Result<bool> test_test(Evaluator&, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("test", args));
  return v.is_string() && find_test(v.text()) != nullptr;
}
Result<bool> test_lower(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("lower", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  return all_cased(s.text(), is_lower, [](char32_t c) { return is_upper(c) || is_title(c); });
}
Result<bool> test_upper(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("upper", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  return all_cased(s.text(), is_upper, [](char32_t c) { return is_lower(c) || is_title(c); });
}

// Identity. Small integers and short strings are shared in CPython; equal values of one type are taken for the same here.
Result<bool> test_sameas(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Value other, argument("sameas", args));
  if (v.kind != other.kind) return false;
  if (v.is_string() || v.is_number()) return equals(ev.heap(), v, other);
  if (v.is(Kind::none)) return true;
  return v.integer == other.integer;
}
Result<bool> test_in(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Value seq, argument("in", args));
  return contains(ev, seq, v);
}
Result<bool> test_eq(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Value other, argument("eq", args));
  return equals(ev.heap(), v, other);
}
Result<bool> test_ne(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Value other, argument("ne", args));
  MAINSPRING_TRY(bool same, equals(ev.heap(), v, other));
  return !same;
}
Result<bool> test_gt(Evaluator& ev, Value v, const Arguments& args) {
  return ordered(ev, ">", v, args, [](int c) { return c > 0; });
}
Result<bool> test_ge(Evaluator& ev, Value v, const Arguments& args) {
  return ordered(ev, ">=", v, args, [](int c) { return c >= 0; });
}
Result<bool> test_lt(Evaluator& ev, Value v, const Arguments& args) {
  return ordered(ev, "<", v, args, [](int c) { return c < 0; });
}
Result<bool> test_le(Evaluator& ev, Value v, const Arguments& args) {
  return ordered(ev, "<=", v, args, [](int c) { return c <= 0; });
}

}  // namespace mainspring::inline v0::jinja
