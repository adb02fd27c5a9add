#include "llm/template/values.h"

#include <cmath>
#include <cstring>

#include "llm/template/iterate.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {

// ---- making -----------------------------------------------------------------------------------------------------------------
namespace {
Value string_value(Heap& heap, std::string_view text, bool markup = false) {
  return Value::of(heap.make<Str>(text, markup, count_code_points(text)));
}
}  // namespace

Value make_view_string(Heap& heap, std::string_view text) { return string_value(heap, text); }
Result<Value> make_string(Heap& heap, std::string_view text) {
  MAINSPRING_TRY(std::string_view copy, heap.copy(text));
  return string_value(heap, copy);
}
Result<Value> make_markup(Heap& heap, std::string_view text) {
  MAINSPRING_TRY(std::string_view copy, heap.copy(text));
  return string_value(heap, copy, true);
}
Result<Value> make_like(Heap& heap, const Str& model, std::string_view text) {
  return model.markup ? make_markup(heap, text) : make_string(heap, text);
}
Result<Value> finish_string(TextBuilder& builder) {
  if (builder.over()) return builder.over_error();
  return make_string(builder.heap(), builder.view());
}

Result<Value> make_list(Heap& heap, std::span<const Value> items, Kind kind) {
  MAINSPRING_TRY_VOID(heap.charge(1 + static_cast<int64_t>(items.size() / 4)));
  MAINSPRING_TRY(Value * copy, heap.array<Value>(items.size()));
  for (size_t i = 0; i < items.size(); ++i) copy[i] = items[i];
  return Value::of(heap.make<List>(copy, items.size()), kind);
}

Result<Value> make_integer(Heap& heap, const BigInt& v) {
  if (v.fits_int64()) return Value::of(v.to_int64());
  MAINSPRING_TRY_VOID(heap.charge(1 + static_cast<int64_t>(v.limbs.size() / 4)));
  MAINSPRING_TRY(uint32_t * limbs, heap.array<uint32_t>(v.limbs.size()));
  std::memcpy(limbs, v.limbs.data(), v.limbs.size() * sizeof(uint32_t));
  Value r = Value::of_kind(Kind::big);
  r.big = heap.make<Big>(v.negative, std::span<const uint32_t>(limbs, v.limbs.size()));
  return r;
}

namespace {
Value undefined_value(Heap& heap, Undefined u) {
  Value r = Value::of_kind(Kind::undefined);
  r.undefined = heap.make<Undefined>(u);
  return r;
}
}  // namespace
Value make_undefined_name(Heap& heap, std::string_view name) { return undefined_value(heap, {.hint = {}, .name = name, .owner = {}}); }
Value make_undefined_hint(Heap& heap, std::string_view hint) { return undefined_value(heap, {.hint = hint, .name = {}, .owner = {}}); }
Value make_undefined_attribute(Heap& heap, Value owner, std::string_view name) {
  return undefined_value(heap, {.hint = {}, .name = name, .owner = type_name(owner)});
}

// ---- dicts ------------------------------------------------------------------------------------------------------------------
namespace {

constexpr size_t kIndexFrom = 8;  // below this a walk over the entries is as quick as hashing

uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93u;
  h ^= h >> 32;
  return h;
}
uint64_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

// Equal keys hash alike: 1, 1.0 and True are one key.
Result<uint64_t> hash_of(Heap& heap, Value v, int depth = 0) {
  if (depth > kMaxValueDepth) return too_deep();
  switch (v.kind) {
    case Kind::string: return hash_text(v.text());
    case Kind::boolean:
    case Kind::integer: return mix(static_cast<uint64_t>(v.int64()));
    case Kind::real:
      if (std::fabs(v.real) < 9.0e18 && v.real == std::floor(v.real)) return mix(static_cast<uint64_t>(static_cast<int64_t>(v.real)));
      return mix(static_cast<uint64_t>(std::hash<double>()(v.real)));
    case Kind::big: return mix(static_cast<uint64_t>(std::hash<double>()(v.big->number().to_double())));
    case Kind::tuple: {
      uint64_t h = 0x345678;
      MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(v.list->size)));
      for (Value item : v.list->span()) {
        MAINSPRING_TRY(uint64_t one, hash_of(heap, item, depth + 1));
        h = mix(h ^ one);
      }
      return h;
    }
    case Kind::list:
    case Kind::dict:
    case Kind::view: return invalid("unhashable type: '{}'", type_name(v));
    case Kind::none: return uint64_t{7};
    case Kind::undefined: return uint64_t{11};
    case Kind::range: return mix(static_cast<uint64_t>(v.range->start) * 31 + static_cast<uint64_t>(v.range->length));
    default: return mix(static_cast<uint64_t>(v.integer));  // identity
  }
}

void index_entry(Dict& dict, size_t i, uint64_t hash) {
  size_t mask = dict.index_size - 1;
  size_t at = hash & mask;
  while (dict.index[at] != 0) at = (at + 1) & mask;
  dict.index[at] = static_cast<uint32_t>(i + 1);
}

Result<void> grow(Heap& heap, Dict& dict) {
  if (dict.capacity >= (size_t{1} << 30)) return heap.memory_error();
  size_t capacity = dict.capacity == 0 ? 4 : dict.capacity * 2;
  MAINSPRING_TRY(Entry * entries, heap.array<Entry>(capacity));
  for (size_t i = 0; i < dict.size; ++i) entries[i] = dict.entries[i];
  dict.entries = entries;
  dict.capacity = capacity;
  if (capacity <= kIndexFrom) return {};
  MAINSPRING_TRY(dict.index, heap.array<uint32_t>(capacity * 2));
  dict.index_size = capacity * 2;
  for (size_t i = 0; i < dict.size; ++i) {
    MAINSPRING_TRY(uint64_t hash, hash_of(heap, dict.entries[i].key));
    index_entry(dict, i, hash);
  }
  return {};
}

}  // namespace

Dict* make_dict(Heap& heap) { return heap.make<Dict>(); }

Result<const Entry*> dict_find(Heap& heap, const Dict& dict, Value key) {
  if (key.is_string()) return dict_find(dict, key.text());
  MAINSPRING_TRY(uint64_t hash, hash_of(heap, key));
  if (dict.index == nullptr) {
    for (const Entry& e : dict.span()) {
      MAINSPRING_TRY(bool same, equals(heap, e.key, key));
      if (same) return &e;
    }
    return static_cast<const Entry*>(nullptr);
  }
  size_t mask = dict.index_size - 1;
  for (size_t at = hash & mask; dict.index[at] != 0; at = (at + 1) & mask) {
    const Entry& e = dict.entries[dict.index[at] - 1];
    MAINSPRING_TRY_VOID(heap.charge());
    MAINSPRING_TRY(bool same, equals(heap, e.key, key));
    if (same) return &e;
  }
  return static_cast<const Entry*>(nullptr);
}

const Entry* dict_find(const Dict& dict, std::string_view key) {
  if (dict.index == nullptr) {
    for (const Entry& e : dict.span())
      if (e.key.is_string() && e.key.text() == key) return &e;
    return nullptr;
  }
  size_t mask = dict.index_size - 1;
  for (size_t at = hash_text(key) & mask; dict.index[at] != 0; at = (at + 1) & mask) {
    const Entry& e = dict.entries[dict.index[at] - 1];
    if (e.key.is_string() && e.key.text() == key) return &e;
  }
  return nullptr;
}

Result<void> dict_set(Heap& heap, Dict& dict, Value key, Value value) {
  MAINSPRING_TRY(const Entry* found, dict_find(heap, dict, key));
  if (found != nullptr) {
    dict.entries[found - dict.entries].value = value;
    return {};
  }
  MAINSPRING_TRY(uint64_t hash, hash_of(heap, key));
  if (dict.size == dict.capacity) MAINSPRING_TRY_VOID(grow(heap, dict));
  dict.entries[dict.size] = {key, value};
  if (dict.index != nullptr) index_entry(dict, dict.size, hash);
  ++dict.size;
  return heap.charge();
}

Result<Value> from_json(Heap& heap, const JsonValue& json, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  switch (json.kind()) {
    case JsonValue::Kind::null: return Value::none();
    case JsonValue::Kind::boolean: return Value::of(json.as_bool());
    case JsonValue::Kind::integer: return Value::of(json.as_integer());
    case JsonValue::Kind::real: return Value::of(json.as_real());
    case JsonValue::Kind::string: return make_view_string(heap, json.text());
    case JsonValue::Kind::big_integer: {
      std::string_view digits = json.text();
      bool negative = !digits.empty() && digits[0] == '-';
      MAINSPRING_TRY(BigInt v, BigInt::parse(digits.substr(negative ? 1 : 0), 10));
      v.negative = negative;
      return make_integer(heap, v);
    }
    case JsonValue::Kind::array: {
      MAINSPRING_TRY(Value * items, heap.array<Value>(json.items().size()));
      for (size_t i = 0; i < json.items().size(); ++i) {
        MAINSPRING_TRY(items[i], from_json(heap, json.items()[i], depth + 1));
      }
      return Value::of(heap.make<List>(items, json.items().size()));
    }
    case JsonValue::Kind::object: {
      Dict* dict = make_dict(heap);
      for (const JsonValue::Member& m : json.members()) {
        MAINSPRING_TRY(Value v, from_json(heap, m.second, depth + 1));
        MAINSPRING_TRY_VOID(dict_set(heap, *dict, make_view_string(heap, m.first), v));
      }
      return Value::of(dict);
    }
  }
  return Value::none();
}

// ---- asking -----------------------------------------------------------------------------------------------------------------
bool truthy(Value v) {
  switch (v.kind) {
    case Kind::missing:
    case Kind::undefined:
    case Kind::none: return false;
    case Kind::boolean: return v.boolean;
    case Kind::integer: return v.integer != 0;
    case Kind::real: return v.real != 0;
    case Kind::string: return !v.text().empty();
    case Kind::list:
    case Kind::tuple: return v.list->size != 0;
    case Kind::dict: return v.dict->size != 0;
    case Kind::view: return v.view->dict->size != 0;
    case Kind::range: return v.range->length != 0;
    default: return true;
  }
}

std::string_view type_name(Value v) {
  switch (v.kind) {
    case Kind::missing:
    case Kind::undefined: return "Undefined";
    case Kind::none: return "None";
    case Kind::boolean: return "bool";
    case Kind::integer:
    case Kind::big: return "int";
    case Kind::real: return "float";
    case Kind::string: return v.string->markup ? "Markup" : "str";
    case Kind::list: return "list";
    case Kind::tuple: return "tuple";
    case Kind::dict: return "dict";
    case Kind::view: return v.view->what == ViewKind::keys ? "dict_keys" : v.view->what == ViewKind::values ? "dict_values" : "dict_items";
    case Kind::range: return "range";
    case Kind::iterator: return "generator";
    case Kind::name_space: return "Namespace";
    case Kind::macro: return "Macro";
    case Kind::function: return "function";
    case Kind::method: return "method";
    case Kind::loop: return "LoopContext";
    case Kind::cycler: return "Cycler";
    case Kind::joiner: return "Joiner";
  }
  return "object";
}

Error type_error(std::string_view what, Value got) { return invalid("{}, not {}", what, type_name(got)); }

Error undefined_error(const Undefined& u) {
  if (!u.hint.empty()) return invalid("{}", u.hint);
  if (u.owner.empty()) return invalid("'{}' is undefined", u.name);
  return invalid("'{} object' has no attribute '{}'", u.owner, u.name);
}

Error too_deep() { return exhausted("values are nested deeper than {}", kMaxValueDepth); }

namespace {

Result<bool> equal_lists(Heap& heap, const List& a, const List& b, int depth) {
  if (a.size != b.size) return false;
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(a.size)));
  for (size_t i = 0; i < a.size; ++i) {
    MAINSPRING_TRY(bool same, equals(heap, a.items[i], b.items[i], depth + 1));
    if (!same) return false;
  }
  return true;
}

Result<bool> equal_dicts(Heap& heap, const Dict& a, const Dict& b, int depth) {
  if (a.size != b.size) return false;
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(a.size)));
  for (const Entry& e : a.span()) {
    MAINSPRING_TRY(const Entry* other, dict_find(heap, b, e.key));
    if (other == nullptr) return false;
    MAINSPRING_TRY(bool same, equals(heap, e.value, other->value, depth + 1));
    if (!same) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.length != b.length) return false;
  if (a.length == 0) return true;
  return a.start == b.start && (a.length == 1 || a.step == b.step);
}

}  // namespace

Result<bool> equals(Heap& heap, Value a, Value b, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::missing:
    case Kind::none:
    case Kind::undefined: return true;
    case Kind::string:
      MAINSPRING_TRY_VOID(heap.charge_bytes(std::min(a.text().size(), b.text().size())));
      return a.text() == b.text();
    case Kind::list:
    case Kind::tuple: return a.list == b.list ? Result<bool>(true) : equal_lists(heap, *a.list, *b.list, depth);
    case Kind::dict: return a.dict == b.dict ? Result<bool>(true) : equal_dicts(heap, *a.dict, *b.dict, depth);
    case Kind::view: {
      if (a.view->what != b.view->what || a.view->what == ViewKind::values) return a.view == b.view;
      if (a.view->what == ViewKind::items) return equal_dicts(heap, *a.view->dict, *b.view->dict, depth);
      if (a.view->dict->size != b.view->dict->size) return false;
      for (const Entry& e : a.view->dict->span()) {
        MAINSPRING_TRY(const Entry* other, dict_find(heap, *b.view->dict, e.key));
        if (other == nullptr) return false;
      }
      return true;
    }
    case Kind::range: return equal_ranges(*a.range, *b.range);
    case Kind::method: {
      if (a.method->entry != b.method->entry) return false;
      return equals(heap, a.method->self, b.method->self, depth + 1);
    }
    default: return a.integer == b.integer;  // identity
  }
}

Result<int> compare(Heap& heap, Value a, Value b, std::string_view op, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  if (a.is(Kind::undefined)) return undefined_error(*a.undefined);
  if (b.is(Kind::undefined)) return undefined_error(*b.undefined);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_string() && b.is_string()) {
    MAINSPRING_TRY_VOID(heap.charge_bytes(std::min(a.text().size(), b.text().size())));
    int c = a.text().compare(b.text());  // the order of UTF-8 bytes is that of code points
    return c < 0 ? -1 : c > 0 ? 1 : 0;
  }
  if (a.is_sequence() && a.kind == b.kind) {
    size_t shared = std::min(a.list->size, b.list->size);
    MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(shared)));
    for (size_t i = 0; i < shared; ++i) {
      MAINSPRING_TRY(bool same, equals(heap, a.list->items[i], b.list->items[i], depth + 1));
      if (!same) return compare(heap, a.list->items[i], b.list->items[i], op, depth + 1);
    }
    return a.list->size < b.list->size ? -1 : a.list->size > b.list->size ? 1 : 0;
  }
  return invalid("'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b));
}

Result<bool> less(Heap& heap, Value a, Value b, std::string_view op) {
  MAINSPRING_TRY(int c, compare(heap, a, b, op));
  return c == -1;
}

std::optional<int64_t> length_of(Value v) {
  switch (v.kind) {
    case Kind::undefined: return 0;
    case Kind::string: return v.string->length;
    case Kind::list:
    case Kind::tuple: return static_cast<int64_t>(v.list->size);
    case Kind::dict: return static_cast<int64_t>(v.dict->size);
    case Kind::view: return static_cast<int64_t>(v.view->dict->size);
    case Kind::range: return v.range->length;
    default: return std::nullopt;  // a loop's length needs its iterator: see the filter
  }
}

}  // namespace mainspring::inline v0::jinja
