// The values a template computes with: Python's, as far as Jinja's sandbox lets a template see them.
//
// A Value is 16 bytes; what it points to lives in the render's Heap, in the parsed template or in the caller's JsonValue, all of which
// outlive it, and is never changed once made (the sandbox is immutable) except namespaces, cyclers, joiners, loops and iterators.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "llm/template/heap.h"
#include "llm/template/integer.h"

namespace mainspring::inline v0::jinja {

enum class Kind : uint8_t {
  missing,  ///< a slot without a value; never seen by a template
  undefined,
  none,
  boolean,
  integer,
  big,
  real,
  string,
  list,
  tuple,
  dict,
  view,  ///< dict.keys(), .values(), .items()
  range,
  iterator,  ///< a Python generator or iterator: can be walked once
  name_space,
  macro,
  function,  ///< a global such as range
  method,    ///< a method bound to its object
  loop,
  cycler,
  joiner,
};

struct Value;
struct Iterator;  // iterate.h
struct Macro;     // evaluator.h
struct Loop;
struct GlobalEntry;  // tables
struct MethodEntry;

struct Str {
  std::string_view text;
  bool markup = false;  ///< Markup: escapes what it is joined with
  /// In code points; equal to the byte count for ASCII.
  int64_t length = 0;
  [[nodiscard]] bool ascii() const { return static_cast<size_t>(length) == text.size(); }
};
struct Big {
  bool negative = false;
  std::span<const uint32_t> limbs;
  [[nodiscard]] BigInt number() const { return BigInt{negative, {limbs.begin(), limbs.end()}}; }
};
/// Why a value is undefined: a hint, or the name that was looked up (and the type of the object it was looked up in).
struct Undefined {
  std::string_view hint;
  std::string_view name;
  std::string_view owner;
};
struct List {
  const Value* items = nullptr;
  size_t size = 0;
  bool group = false;  ///< a tuple of groupby: .grouper and .list
  [[nodiscard]] std::span<const Value> span() const;
};
struct Dict;
enum class ViewKind : uint8_t { keys, values, items };
struct View {
  const Dict* dict = nullptr;
  ViewKind what = ViewKind::keys;
};
struct Range {
  int64_t start = 0, stop = 0, step = 1, length = 0;
  [[nodiscard]] int64_t at(int64_t i) const { return start + i * step; }
};
struct Method;
struct Cycler;
struct Joiner {
  const Str* separator = nullptr;
  bool used = false;
};

struct Value {
  Kind kind = Kind::missing;
  union {
    bool boolean;
    int64_t integer = 0;
    double real;
    const Big* big;
    const Str* string;
    const Undefined* undefined;
    const List* list;  ///< list and tuple
    Dict* dict;        ///< dict and name_space
    const View* view;
    const Range* range;
    Iterator* iterator;
    const Macro* macro;
    const GlobalEntry* function;
    const Method* method;
    Loop* loop;
    Cycler* cycler;
    Joiner* joiner;
  };

  static Value none() { return of_kind(Kind::none); }
  static Value of(bool v) {
    Value r = of_kind(Kind::boolean);
    r.boolean = v;
    return r;
  }
  static Value of(int64_t v) {
    Value r = of_kind(Kind::integer);
    r.integer = v;
    return r;
  }
  static Value of(double v) {
    Value r = of_kind(Kind::real);
    r.real = v;
    return r;
  }
  static Value of(const Str* v) {
    Value r = of_kind(Kind::string);
    r.string = v;
    return r;
  }
  static Value of(const List* v, Kind k = Kind::list) {
    Value r = of_kind(k);
    r.list = v;
    return r;
  }
  static Value of(Dict* v, Kind k = Kind::dict) {
    Value r = of_kind(k);
    r.dict = v;
    return r;
  }
  static Value of(Iterator* v) {
    Value r = of_kind(Kind::iterator);
    r.iterator = v;
    return r;
  }
  static Value of_kind(Kind k) {
    Value r;
    r.kind = k;
    return r;
  }

  [[nodiscard]] bool is(Kind k) const { return kind == k; }
  [[nodiscard]] bool is_string() const { return kind == Kind::string; }
  [[nodiscard]] bool is_sequence() const { return kind == Kind::list || kind == Kind::tuple; }
  /// int or bool that fits 64 bits, as Python's int (True is 1).
  [[nodiscard]] bool is_int64() const { return kind == Kind::integer || kind == Kind::boolean; }
  [[nodiscard]] bool is_int() const { return is_int64() || kind == Kind::big; }
  [[nodiscard]] bool is_number() const { return is_int() || kind == Kind::real; }
  [[nodiscard]] int64_t int64() const { return kind == Kind::boolean ? (boolean ? 1 : 0) : integer; }
  [[nodiscard]] std::string_view text() const { return string->text; }
};
static_assert(sizeof(Value) == 16);

inline std::span<const Value> List::span() const { return {items, size}; }

struct Method {
  Value self;
  const MethodEntry* entry = nullptr;
};
struct Cycler {
  std::span<const Value> items;
  size_t at = 0;
};

struct Entry {
  Value key, value;
};
/// Ordered, with a hash index once it is larger than a few entries. Also the attributes of a namespace.
struct Dict {
  Entry* entries = nullptr;
  size_t size = 0, capacity = 0;
  uint32_t* index = nullptr;  ///< open addressing; 0 is free, else entry + 1
  size_t index_size = 0;
  [[nodiscard]] std::span<const Entry> span() const { return {entries, size}; }
};

// ---- making -----------------------------------------------------------------------------------------------------------------
Value make_view_string(Heap& heap, std::string_view text);              ///< the text is not copied
Result<Value> make_string(Heap& heap, std::string_view text);           ///< the text is copied
Result<Value> make_markup(Heap& heap, std::string_view text);           ///< copied
Result<Value> make_like(Heap& heap, const Str& model, std::string_view text);  ///< copied; Markup if the model is
Result<Value> finish_string(TextBuilder& builder);                      ///< fails if the builder ran over
Result<Value> make_list(Heap& heap, std::span<const Value> items, Kind kind = Kind::list);
Result<Value> make_integer(Heap& heap, const BigInt& v);
Value make_undefined_name(Heap& heap, std::string_view name);
Value make_undefined_hint(Heap& heap, std::string_view hint);  ///< the hint must outlive the render (a literal)
Value make_undefined_attribute(Heap& heap, Value owner, std::string_view name);
Dict* make_dict(Heap& heap);
/// Inserts or replaces. Errors: invalid_argument (unhashable key), resource_exhausted.
Result<void> dict_set(Heap& heap, Dict& dict, Value key, Value value);
/// The entry, or nullptr. Errors: invalid_argument (unhashable key).
Result<const Entry*> dict_find(Heap& heap, const Dict& dict, Value key);
const Entry* dict_find(const Dict& dict, std::string_view key);
/// The tree of values; strings are not copied, so `json` must outlive the heap.
Result<Value> from_json(Heap& heap, const JsonValue& json, int depth = 0);

// ---- asking -----------------------------------------------------------------------------------------------------------------
bool truthy(Value v);
/// Python's name of the type ("str", "dict", …), for messages.
std::string_view type_name(Value v);
/// "{what}, not {type of got}".
Error type_error(std::string_view what, Value got);
/// "'name' is undefined", "'dict object' has no attribute 'x'", …
Error undefined_error(const Undefined& u);
Result<bool> equals(Heap& heap, Value a, Value b, int depth = 0);
/// -1, 0, 1. Errors: invalid_argument (these types have no order).
Result<int> compare(Heap& heap, Value a, Value b, std::string_view op, int depth = 0);
/// False where a float is not a number, else as compare().
Result<bool> less(Heap& heap, Value a, Value b, std::string_view op = "<");
/// len(): nullopt where the type has none.
std::optional<int64_t> length_of(Value v);

// ---- numbers (numbers.cpp) --------------------------------------------------------------------------------------------------
enum class Arithmetic : uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
std::string_view symbol(Arithmetic op);
/// Numbers only (is_number() holds for both).
Result<Value> arithmetic(Heap& heap, Arithmetic op, Value a, Value b);
Result<Value> negate(Heap& heap, Value v);
BigInt big_of(Value v);
double real_of(Value v);
/// Three-way, exact also between int and float; 2 where a NaN is involved.
int compare_numbers(Value a, Value b);
/// repr(float).
std::string real_repr(double v);
/// int(text, base) and float(text) of Python; nullopt where Python raises ValueError.
Result<std::optional<Value>> parse_integer(Heap& heap, std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);

// ---- text of values (repr.cpp) ----------------------------------------------------------------------------------------------
Result<void> append_str(TextBuilder& out, Value v);
Result<void> append_repr(TextBuilder& out, Value v, int depth = 0);
void append_string_repr(TextBuilder& out, std::string_view text);
/// str(v); a string is returned as it is.
Result<Value> to_str(Heap& heap, Value v);
void append_escaped(TextBuilder& out, std::string_view text);  ///< markupsafe.escape
/// Where nesting of values ends: one cannot make deeper ones honestly, and every walk over values recurses.
constexpr int kMaxValueDepth = 300;
Error too_deep();

}  // namespace mainspring::inline v0::jinja
