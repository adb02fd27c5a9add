// Jinja's filters on sequences that walk their input at once.
#include <algorithm>
#include <numeric>

#include "llm/template/attribute_path.h"
#include "llm/template/evaluator.h"
#include "llm/template/tables.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// sorted(range(n), key=keys): indices in order. Stable, also in reverse, as Python's sort is.
Result<std::vector<size_t>> sorted_order(Heap& heap, std::span<const Value> keys, bool reverse) {
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Error failed;
  bool ok = true;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (!ok) return false;
    if (reverse) std::swap(a, b);
    Result<void> charged = heap.charge();
    Result<bool> r = charged ? less(heap, keys[a], keys[b]) : Result<bool>(std::move(charged).error());
    if (r) return *r;
    ok = false;
    failed = std::move(r).error();
    return false;
  });
  if (!ok) return failed;
  return order;
}

Result<Value> picked(Heap& heap, std::span<const Value> items, std::span<const size_t> order) {
  std::vector<Value> out;
  out.reserve(order.size());
  for (size_t i : order) out.push_back(items[i]);
  return make_list(heap, out);
}

// The key of one attribute, lowered unless case matters.
Result<Value> key_of(Evaluator& ev, const AttributePath& path, Value item, bool case_sensitive, Value otherwise = {}) {
  MAINSPRING_TRY(Value key, follow(ev, path, item, otherwise));
  return case_sensitive ? Result<Value>(key) : ignore_case(ev, key);
}

}  // namespace

Result<Value> filter_first(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("first", args));
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), v));
  Value item;
  MAINSPRING_TRY(bool more, it->next(ev, item));
  return more ? item : make_undefined_hint(ev.heap(), "no first item, sequence was empty");
}

Result<Value> filter_last(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("last", args));
  MAINSPRING_TRY(Value backwards, reversed(ev.heap(), v));
  Value item;
  MAINSPRING_TRY(bool more, backwards.iterator->next(ev, item));
  return more ? item : make_undefined_hint(ev.heap(), "no last item, sequence was empty");
}

Result<Value> filter_list(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("list", args));
  return collect_list(ev, v);
}

Result<Value> filter_reverse(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("reverse", args));
  if (v.is_string()) {
    MAINSPRING_TRY_VOID(ev.heap().charge_bytes(v.text().size()));
    TextBuilder out(ev.heap());
    for (size_t end = v.text().size(); end > 0;) {
      size_t begin = end;
      previous_code_point(v.text(), begin);
      out.append(v.text().substr(begin, end - begin));
      end = begin;
    }
    if (out.over()) return out.over_error();
    return make_like(ev.heap(), *v.string, out.view());
  }
  if (Result<Value> backwards = reversed(ev.heap(), v)) return backwards;
  if (!is_iterable(v)) return invalid("reverse: '{}' object is not iterable", type_name(v));
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, v));
  std::reverse(items.begin(), items.end());
  return make_list(ev.heap(), items);
}

Result<Value> filter_join(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("join", args, {"d", "attribute"}));
  Value separator = a[0].is(Kind::missing) ? make_view_string(ev.heap(), "") : a[0];
  MAINSPRING_TRY(separator, to_str(ev.heap(), separator));
  MAINSPRING_TRY(AttributePath path, attribute_path(ev.heap(), a[1]));
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), v));
  TextBuilder out(ev.heap());
  bool first = true;
  for (Value item;; first = false) {
    MAINSPRING_TRY(bool more, it->next(ev, item));
    if (!more) return finish_string(out);
    MAINSPRING_TRY(item, follow(ev, path, item));
    if (!first) out.append(separator.text());
    MAINSPRING_TRY_VOID(append_str(out, item));
    if (out.over()) return out.over_error();
  }
}

Result<Value> filter_sort(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("sort", args, {"reverse", "case_sensitive", "attribute"}));
  bool case_sensitive = truthy_or(a[1], false);
  // "age,name" sorts by several attributes: the key is a list.
  std::vector<AttributePath> paths;
  if (a[2].is_string()) {
    std::string_view rest = a[2].text();
    for (size_t comma = 0; comma != std::string_view::npos;) {
      comma = rest.find(',');
      MAINSPRING_TRY(AttributePath path, attribute_path(ev.heap(), make_view_string(ev.heap(), rest.substr(0, comma))));
      paths.push_back(path);
      if (comma != std::string_view::npos) rest = rest.substr(comma + 1);
    }
  } else {
    MAINSPRING_TRY(AttributePath path, attribute_path(ev.heap(), a[2]));
    paths.push_back(path);
  }
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, v));
  std::vector<Value> keys;
  for (Value item : items) {
    std::vector<Value> parts;
    for (const AttributePath& path : paths) {
      MAINSPRING_TRY(Value key, key_of(ev, path, item, case_sensitive));
      parts.push_back(key);
    }
    MAINSPRING_TRY(Value key, make_list(ev.heap(), parts));
    keys.push_back(key);
  }
  MAINSPRING_TRY(std::vector<size_t> order, sorted_order(ev.heap(), keys, truthy_or(a[0], false)));
  return picked(ev.heap(), items, order);
}

Result<Value> filter_dictsort(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("dictsort", args, {"case_sensitive", "by", "reverse"}));
  std::string_view by = a[1].is_string() ? a[1].text() : a[1].is(Kind::missing) ? "key" : "";
  if (by != "key" && by != "value") return invalid("dictsort: one can sort by 'key' or 'value' only");
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (!v.is(Kind::dict)) return invalid("dictsort: expected a mapping, got {}", type_name(v));
  std::vector<Value> items, keys;
  for (const Entry& e : v.dict->span()) {
    Value pair[] = {e.key, e.value};
    MAINSPRING_TRY(Value item, make_list(ev.heap(), pair, Kind::tuple));
    MAINSPRING_TRY(Value key, key_of(ev, {}, by == "key" ? e.key : e.value, truthy_or(a[0], false)));
    items.push_back(item);
    keys.push_back(key);
  }
  MAINSPRING_TRY(std::vector<size_t> order, sorted_order(ev.heap(), keys, truthy_or(a[2], false)));
  return picked(ev.heap(), items, order);
}

namespace {
Result<Value> extreme(Evaluator& ev, std::string_view who, Value v, const Arguments& args, bool want_max) {
  MAINSPRING_TRY(auto a, bind(who, args, {"case_sensitive", "attribute"}));
  MAINSPRING_TRY(AttributePath path, attribute_path(ev.heap(), a[1]));
  bool case_sensitive = truthy_or(a[0], false);
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), v));
  Value best, best_key;
  for (Value item;;) {
    MAINSPRING_TRY(bool more, it->next(ev, item));
    if (!more) break;
    MAINSPRING_TRY(Value key, key_of(ev, path, item, case_sensitive));
    bool better = best.is(Kind::missing);
    if (!better) {
      MAINSPRING_TRY(better, want_max ? less(ev.heap(), best_key, key, ">") : less(ev.heap(), key, best_key));
    }
    if (!better) continue;
    best = item;
    best_key = key;
  }
  return best.is(Kind::missing) ? make_undefined_hint(ev.heap(), "no aggregated item, sequence was empty") : best;
}
}  // namespace

Result<Value> filter_min(Evaluator& ev, Value v, const Arguments& args) { return extreme(ev, "min", v, args, false); }
Result<Value> filter_max(Evaluator& ev, Value v, const Arguments& args) { return extreme(ev, "max", v, args, true); }

Result<Value> filter_sum(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("sum", args, {"attribute", "start"}));
  MAINSPRING_TRY(AttributePath path, attribute_path(ev.heap(), a[0]));
  Value total = a[1].is(Kind::missing) ? Value::of(int64_t{0}) : a[1];
  if (total.is_string()) return invalid("sum: strings cannot be summed, use join");
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), v));
  for (Value item;;) {
    MAINSPRING_TRY(bool more, it->next(ev, item));
    if (!more) return total;
    MAINSPRING_TRY(item, follow(ev, path, item));
    MAINSPRING_TRY(total, apply_operator(ev, Arithmetic::add, total, item));
  }
}

Result<Value> filter_groupby(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1));
  Heap& heap = ev.heap();
  MAINSPRING_TRY(AttributePath path, attribute_path(heap, a[0]));
  bool case_sensitive = truthy_or(a[2], false);
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, v));
  std::vector<Value> keys;
  for (Value item : items) {
    MAINSPRING_TRY(Value key, key_of(ev, path, item, case_sensitive, a[1]));
    keys.push_back(key);
  }
  MAINSPRING_TRY(std::vector<size_t> order, sorted_order(heap, keys, false));
  std::vector<Value> groups;
  for (size_t i = 0; i < order.size();) {
    std::vector<Value> members;
    Value key = keys[order[i]];
    for (; i < order.size(); ++i) {
      MAINSPRING_TRY(bool same, equals(heap, keys[order[i]], key));
      if (!same) break;
      members.push_back(items[order[i]]);
    }
    if (members.empty()) return invalid("groupby: a key that does not equal itself");
    // The group is named by its first item's key as it is spelt there.
    MAINSPRING_TRY(key, key_of(ev, path, members[0], true, a[1]));
    MAINSPRING_TRY(Value list, make_list(heap, members));
    MAINSPRING_TRY(Value * pair, heap.array<Value>(2));
    pair[0] = key;
    pair[1] = list;
    groups.push_back(Value::of(heap.make<List>(pair, size_t{2}, true), Kind::tuple));
  }
  return make_list(heap, groups);
}

}  // namespace mainspring::inline v0::jinja
