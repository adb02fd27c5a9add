#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {
namespace {

constexpr FilterEntry kFilters[] = {
#define MAINSPRING_JINJA_FILTER(name, function) {name, function},
#include "llm/template/filters.inc"
#undef MAINSPRING_JINJA_FILTER
};
constexpr TestEntry kTests[] = {
#define MAINSPRING_JINJA_TEST(name, function) {name, function},
#include "llm/template/tests.inc"
#undef MAINSPRING_JINJA_TEST
};
constexpr MethodEntry kMethods[] = {
#define MAINSPRING_JINJA_METHOD(type, name, function) {Kind::type, name, function},
#define MAINSPRING_JINJA_MUTATOR(type, name) {Kind::type, name, nullptr},
#include "llm/template/methods.inc"
#undef MAINSPRING_JINJA_METHOD
#undef MAINSPRING_JINJA_MUTATOR
};
constexpr GlobalEntry kGlobals[] = {
#define MAINSPRING_JINJA_GLOBAL(name, function) {name, function},
#include "llm/template/globals.inc"
#undef MAINSPRING_JINJA_GLOBAL
};

template <class Entry, size_t N>
const Entry* find(const Entry (&table)[N], std::string_view name) {
  for (const Entry& e : table)
    if (e.name == name) return &e;
  return nullptr;
}

}  // namespace

const FilterEntry* find_filter(std::string_view name) { return find(kFilters, name); }
const TestEntry* find_test(std::string_view name) { return find(kTests, name); }
const GlobalEntry* find_global(std::string_view name) { return find(kGlobals, name); }
const MethodEntry* find_method(Kind type, std::string_view name) {
  for (const MethodEntry& e : kMethods)
    if (e.type == type && e.name == name) return &e;
  return nullptr;
}

}  // namespace mainspring::inline v0::jinja
