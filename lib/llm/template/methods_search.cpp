// Methods of Python's str: what they find and what they tell; and the few methods of numbers and containers.
#include <algorithm>
#include <cmath>

#include "llm/template/evaluator.h"
#include "llm/template/tables.h"
#include "llm/template/text_ops.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// ---- find, count, startswith over text[start:end] ---------------------------------------------------------------------------
struct Window {
  std::string_view text;
  int64_t first = 0;    // code point where it starts
  bool outside = false;  // start lies beyond the text: nothing is found there, not even ""
};

Result<Window> window(Evaluator& ev, std::string_view who, const Str& s, Value start, Value end) {
  auto bound = [&](Value v, int64_t otherwise) -> Result<int64_t> {
    if (v.is(Kind::missing) || v.is(Kind::none)) return otherwise;
    MAINSPRING_TRY(int64_t i, as_index(who, v));
    if (i < 0) i = std::max<int64_t>(i < -s.length ? -s.length : i, -s.length) + s.length;
    return i;
  };
  MAINSPRING_TRY(int64_t from, bound(start, 0));
  MAINSPRING_TRY(int64_t to, bound(end, s.length));
  Window w;
  w.first = from;
  to = std::min(to, s.length);
  w.outside = from > s.length || from > to;
  if (w.outside) return w;
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(s.text.size()));
  size_t begin = s.ascii() ? static_cast<size_t>(from) : byte_offset(s.text, from);
  size_t bytes = s.ascii() ? static_cast<size_t>(to - from) : byte_offset(s.text.substr(begin), to - from);
  w.text = s.text.substr(begin, bytes);
  return w;
}

Result<int64_t> found_at(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool from_right) {
  MAINSPRING_TRY(auto a, bind(who, args, {"", "", ""}, 1));
  MAINSPRING_TRY(std::string_view part, as_text(who, a[0]));
  MAINSPRING_TRY(Window w, window(ev, who, *self.string, a[1], a[2]));
  if (w.outside) return int64_t{-1};
  MAINSPRING_TRY_VOID(charge_search(ev.heap(), w.text, part));
  size_t at = from_right ? rfind_text(w.text, part) : find_text(w.text, part);
  if (at == std::string_view::npos) return int64_t{-1};
  return w.first + count_code_points(w.text.substr(0, at));
}

Result<Value> index_of(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool from_right) {
  MAINSPRING_TRY(int64_t at, found_at(ev, who, self, args, from_right));
  if (at < 0) return invalid("{}: substring not found", who);
  return Value::of(at);
}

Result<Value> affix(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool prefix) {
  MAINSPRING_TRY(auto a, bind(who, args, {"", "", ""}, 1));
  std::span<const Value> affixes(a.data(), 1);
  if (a[0].is(Kind::tuple)) affixes = a[0].list->span();
  MAINSPRING_TRY(Window w, window(ev, who, *self.string, a[1], a[2]));
  for (Value v : affixes) {
    MAINSPRING_TRY(std::string_view part, as_text(who, v));
    if (w.outside || part.size() > w.text.size()) continue;
    if (w.text.substr(prefix ? 0 : w.text.size() - part.size(), part.size()) == part) return Value::of(true);
  }
  return Value::of(false);
}

// ---- isalpha and the like ---------------------------------------------------------------------------------------------------
template <class Predicate>
Result<Value> all_are(Evaluator& ev, std::string_view who, Value self, const Arguments& args, Predicate is, bool when_empty = false) {
  MAINSPRING_TRY_VOID(no_arguments(who, args));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(self.text().size() * 4));
  if (self.text().empty()) return Value::of(when_empty);
  for (size_t i = 0; i < self.text().size();)
    if (!is(next_code_point(self.text(), i))) return Value::of(false);
  return Value::of(true);
}

Result<Value> all_in_case(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool upper) {
  MAINSPRING_TRY_VOID(no_arguments(who, args));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(self.text().size() * 4));
  bool any = false;
  for (size_t i = 0; i < self.text().size();) {
    char32_t c = next_code_point(self.text(), i);
    if (is_title(c) || (upper ? is_lower(c) : is_upper(c))) return Value::of(false);
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return Value::of(any);
}

}  // namespace

Result<Value> method_find(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(int64_t at, found_at(ev, "find", self, args, false));
  return Value::of(at);
}
Result<Value> method_rfind(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(int64_t at, found_at(ev, "rfind", self, args, true));
  return Value::of(at);
}
Result<Value> method_str_index(Evaluator& ev, Value self, const Arguments& args) { return index_of(ev, "index", self, args, false); }
Result<Value> method_rindex(Evaluator& ev, Value self, const Arguments& args) { return index_of(ev, "rindex", self, args, true); }
Result<Value> method_startswith(Evaluator& ev, Value self, const Arguments& args) { return affix(ev, "startswith", self, args, true); }
Result<Value> method_endswith(Evaluator& ev, Value self, const Arguments& args) { return affix(ev, "endswith", self, args, false); }

Result<Value> method_str_count(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("count", args, {"", "", ""}, 1));
  MAINSPRING_TRY(std::string_view part, as_text("count", a[0]));
  MAINSPRING_TRY(Window w, window(ev, "count", *self.string, a[1], a[2]));
  if (w.outside) return Value::of(int64_t{0});
  if (part.empty()) return Value::of(count_code_points(w.text) + 1);
  MAINSPRING_TRY_VOID(charge_search(ev.heap(), w.text, part));
  int64_t n = 0;
  for (size_t at = find_text(w.text, part); at != std::string_view::npos; at = find_text(w.text, part, at + part.size())) ++n;
  return Value::of(n);
}

Result<Value> method_isalnum(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isalnum", self, args, is_alnum); }
Result<Value> method_isalpha(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isalpha", self, args, is_alpha); }
Result<Value> method_isdecimal(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isdecimal", self, args, is_decimal); }
Result<Value> method_isdigit(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isdigit", self, args, is_digit); }
Result<Value> method_isnumeric(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isnumeric", self, args, is_numeric); }
Result<Value> method_isspace(Evaluator& ev, Value self, const Arguments& args) { return all_are(ev, "isspace", self, args, is_space); }
Result<Value> method_isprintable(Evaluator& ev, Value self, const Arguments& args) {
  return all_are(ev, "isprintable", self, args, is_printable, true);
}
Result<Value> method_isascii(Evaluator& ev, Value self, const Arguments& args) {
  return all_are(ev, "isascii", self, args, [](char32_t c) { return c < 0x80; }, true);
}
Result<Value> method_isidentifier(Evaluator& ev, Value self, const Arguments& args) {
  bool first = true;
  return all_are(ev, "isidentifier", self, args, [&](char32_t c) { return std::exchange(first, false) ? is_identifier_start(c) : is_identifier_part(c); });
}
Result<Value> method_islower(Evaluator& ev, Value self, const Arguments& args) { return all_in_case(ev, "islower", self, args, false); }
Result<Value> method_isupper(Evaluator& ev, Value self, const Arguments& args) { return all_in_case(ev, "isupper", self, args, true); }
Result<Value> method_istitle(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("istitle", args));
  bool cased = false, previous = false;
  for (size_t i = 0; i < self.text().size();) {
    char32_t c = next_code_point(self.text(), i);
    bool up = is_upper(c) || is_title(c), low = is_lower(c);
    if ((up && previous) || (low && !previous)) return Value::of(false);
    previous = up || low;
    cased = cased || previous;
  }
  return Value::of(cased);
}

// ---- dict -------------------------------------------------------------------------------------------------------------------
namespace {
Result<Value> dict_view(Evaluator& ev, std::string_view who, Value self, const Arguments& args, ViewKind what) {
  MAINSPRING_TRY_VOID(no_arguments(who, args));
  Value v = Value::of_kind(Kind::view);
  v.view = ev.heap().make<View>(self.dict, what);
  return v;
}
}  // namespace

Result<Value> method_dict_items(Evaluator& ev, Value self, const Arguments& args) { return dict_view(ev, "items", self, args, ViewKind::items); }
Result<Value> method_dict_keys(Evaluator& ev, Value self, const Arguments& args) { return dict_view(ev, "keys", self, args, ViewKind::keys); }
Result<Value> method_dict_values(Evaluator& ev, Value self, const Arguments& args) { return dict_view(ev, "values", self, args, ViewKind::values); }
Result<Value> method_dict_get(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("get", args, {"", ""}, 1));
  MAINSPRING_TRY(const Entry* e, dict_find(ev.heap(), *self.dict, a[0]));
  if (e != nullptr) return e->value;
  return a[1].is(Kind::missing) ? Value::none() : a[1];
}
Result<Value> method_dict_copy(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("copy", args));
  Dict* copy = make_dict(ev.heap());
  for (const Entry& e : self.dict->span()) MAINSPRING_TRY_VOID(dict_set(ev.heap(), *copy, e.key, e.value));
  return Value::of(copy);
}
Result<Value> method_dict_fromkeys(Evaluator& ev, Value, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("fromkeys", args, {"", ""}, 1));
  MAINSPRING_TRY(std::vector<Value> keys, collect(ev, a[0]));
  Dict* dict = make_dict(ev.heap());
  for (Value key : keys) MAINSPRING_TRY_VOID(dict_set(ev.heap(), *dict, key, a[1].is(Kind::missing) ? Value::none() : a[1]));
  return Value::of(dict);
}

// ---- list, tuple, range -----------------------------------------------------------------------------------------------------
Result<Value> method_list_copy(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("copy", args));
  return make_list(ev.heap(), self.list->span());
}
Result<Value> method_list_count(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("count", args, {""}, 1));
  int64_t n = 0;
  for (Value item : self.list->span()) {
    MAINSPRING_TRY_VOID(ev.heap().charge());
    MAINSPRING_TRY(bool same, equals(ev.heap(), item, a[0]));
    n += same ? 1 : 0;
  }
  return Value::of(n);
}
Result<Value> method_list_index(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("index", args, {"", "", ""}, 1));
  auto size = static_cast<int64_t>(self.list->size);
  MAINSPRING_TRY(int64_t start, index_or("index", a[1], 0));
  MAINSPRING_TRY(int64_t stop, index_or("index", a[2], size));
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? std::max(i, -size) + size : i, 0, size); };
  for (int64_t i = clamp(start); i < clamp(stop); ++i) {
    MAINSPRING_TRY_VOID(ev.heap().charge());
    MAINSPRING_TRY(bool same, equals(ev.heap(), self.list->items[i], a[0]));
    if (same) return Value::of(i);
  }
  return invalid("index: the value is not in the {}", type_name(self));
}
Result<Value> method_range_index(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("index", args, {""}, 1));
  for (int64_t i = 0; i < self.range->length; ++i) {
    MAINSPRING_TRY_VOID(ev.heap().charge());
    MAINSPRING_TRY(bool same, equals(ev.heap(), Value::of(self.range->at(i)), a[0]));
    if (same) return Value::of(i);
  }
  return invalid("index: the value is not in the range");
}
Result<Value> method_range_count(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("count", args, {""}, 1));
  MAINSPRING_TRY(bool there, contains(ev, self, a[0]));
  return Value::of(int64_t{there ? 1 : 0});
}

// ---- numbers ----------------------------------------------------------------------------------------------------------------
Result<Value> method_bit_length(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("bit_length", args));
  return Value::of(static_cast<int64_t>(big_of(self).bits()));
}
Result<Value> method_conjugate(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("conjugate", args));
  return self.is(Kind::boolean) ? Value::of(self.int64()) : self;
}
Result<Value> method_is_integer(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("is_integer", args));
  return Value::of(std::isfinite(self.real) && self.real == std::floor(self.real));
}

}  // namespace mainspring::inline v0::jinja
