// What a template can name: filters.inc, tests.inc, methods.inc and globals.inc say it all.
#pragma once

#include <string_view>

#include "llm/template/calls.h"

namespace mainspring::inline v0::jinja {

/// nullptr where there is none of that name.
const FilterEntry* find_filter(std::string_view name);
const TestEntry* find_test(std::string_view name);
const MethodEntry* find_method(Kind type, std::string_view name);
const GlobalEntry* find_global(std::string_view name);

using FilterFunction = Result<Value>(Evaluator&, Value, const Arguments&);
using TestFunction = Result<bool>(Evaluator&, Value, const Arguments&);
using GlobalFunction = Result<Value>(Evaluator&, const Arguments&);

#define MAINSPRING_JINJA_FILTER(name, function) FilterFunction function;
#include "llm/template/filters.inc"
#undef MAINSPRING_JINJA_FILTER
#define MAINSPRING_JINJA_TEST(name, function) TestFunction function;
#include "llm/template/tests.inc"
#undef MAINSPRING_JINJA_TEST
#define MAINSPRING_JINJA_METHOD(type, name, function) FilterFunction function;
#define MAINSPRING_JINJA_MUTATOR(type, name)
#include "llm/template/methods.inc"
#undef MAINSPRING_JINJA_METHOD
#undef MAINSPRING_JINJA_MUTATOR
#define MAINSPRING_JINJA_GLOBAL(name, function) GlobalFunction function;
#include "llm/template/globals.inc"
#undef MAINSPRING_JINJA_GLOBAL

}  // namespace mainspring::inline v0::jinja
