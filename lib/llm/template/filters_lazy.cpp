// Jinja's filters that are generators: they do nothing until they are walked, and can be walked once.
#include "llm/template/attribute_path.h"
#include "llm/template/evaluator.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {
namespace {

// What a generator keeps between items. Lives in the heap.
struct Generator {
  Value input;
  std::span<const Value> positional;
  std::span<const Keyword> keywords;
  Iterator* source = nullptr;  // once started
  AttributePath path;
  bool by_attribute = false;  // selectattr, rejectattr
  bool negate = false;        // reject, rejectattr
  Value otherwise;            // map: default
  Dict* seen = nullptr;       // unique
  bool case_sensitive = false;
  [[nodiscard]] Arguments rest(size_t from) const { return {positional.subspan(std::min(from, positional.size())), keywords}; }
};

using Step = Result<bool>(Evaluator&, Iterator&, Value&);

Result<Iterator*> make_generator(Evaluator& ev, Value input, const Arguments& args, Step* step) {
  Heap& heap = ev.heap();
  Generator* g = heap.make<Generator>();
  g->input = input;
  MAINSPRING_TRY(Value positional, make_list(heap, args.positional));
  g->positional = positional.list->span();
  MAINSPRING_TRY(Keyword * keywords, heap.array<Keyword>(args.keywords.size()));
  std::copy(args.keywords.begin(), args.keywords.end(), keywords);
  g->keywords = {keywords, args.keywords.size()};
  Iterator* it = heap.make<Iterator>();
  it->walk = Walk::custom;
  it->step = step;
  it->state = g;
  return it;
}

Generator& state_of(Iterator& it) { return *static_cast<Generator*>(it.state); }

// Jinja's generators test their input's truth before walking it; false means there is nothing.
Result<bool> start(Evaluator& ev, Generator& g) {
  if (g.source != nullptr) return true;
  if (!truthy(g.input)) return false;
  MAINSPRING_TRY(g.source, iterate(ev.heap(), g.input));
  return true;
}

// ---- map --------------------------------------------------------------------------------------------------------------------
Result<void> prepare_map(Evaluator& ev, Generator& g) {
  if (!g.positional.empty()) {
    if (!g.positional[0].is_string()) return type_error("map: the filter's name must be a string", g.positional[0]);
    return {};
  }
  Value attribute;
  for (const Keyword& k : g.keywords) {
    if (k.name == "attribute") attribute = k.value;
    else if (k.name == "default") g.otherwise = k.value;
    else return invalid("map: unexpected keyword argument '{}'", k.name);
  }
  if (attribute.is(Kind::missing)) return invalid("map requires a filter argument");
  MAINSPRING_TRY(g.path, attribute_path(ev.heap(), attribute));
  return {};
}

Result<bool> step_map(Evaluator& ev, Iterator& it, Value& out) {
  Generator& g = state_of(it);
  bool fresh = g.source == nullptr;
  MAINSPRING_TRY(bool any, start(ev, g));
  if (!any) return false;
  if (fresh) MAINSPRING_TRY_VOID(prepare_map(ev, g));
  Value item;
  MAINSPRING_TRY(bool more, g.source->next(ev, item));
  if (!more) return false;
  if (g.positional.empty()) {
    MAINSPRING_TRY(out, follow(ev, g.path, item, g.otherwise));
  } else {
    MAINSPRING_TRY(out, ev.apply_filter(g.positional[0].text(), item, g.rest(1)));
  }
  return true;
}

// ---- select, reject, selectattr, rejectattr ---------------------------------------------------------------------------------
Result<bool> passes(Evaluator& ev, const Generator& g, Value item) {
  size_t off = g.by_attribute ? 1 : 0;
  if (g.by_attribute) {
    MAINSPRING_TRY(item, follow(ev, g.path, item));
  }
  if (g.positional.size() <= off) return truthy(item);
  Value name = g.positional[off];
  if (!name.is_string()) return type_error("a test's name must be a string", name);
  return ev.apply_test(name.text(), item, g.rest(off + 1));
}

Result<bool> step_select(Evaluator& ev, Iterator& it, Value& out) {
  Generator& g = state_of(it);
  bool fresh = g.source == nullptr;
  MAINSPRING_TRY(bool any, start(ev, g));
  if (!any) return false;
  if (fresh && g.by_attribute) {
    if (g.positional.empty()) return Error{Errc::invalid_argument, "missing parameter for attribute name"};
    MAINSPRING_TRY(g.path, attribute_path(ev.heap(), g.positional[0]));
  }
  for (;;) {
    MAINSPRING_TRY(bool more, g.source->next(ev, out));
    if (!more) return false;
    MAINSPRING_TRY(bool pass, passes(ev, g, out));
    if (pass != g.negate) return true;
  }
}

Result<Value> selection(Evaluator& ev, Value v, const Arguments& args, bool by_attribute, bool negate) {
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, args, step_select));
  state_of(*it).by_attribute = by_attribute;
  state_of(*it).negate = negate;
  return Value::of(it);
}

// ---- unique -----------------------------------------------------------------------------------------------------------------
Result<bool> step_unique(Evaluator& ev, Iterator& it, Value& out) {
  Generator& g = state_of(it);
  if (g.source == nullptr) {
    MAINSPRING_TRY(g.source, iterate(ev.heap(), g.input));
    g.seen = make_dict(ev.heap());
  }
  for (;;) {
    MAINSPRING_TRY(bool more, g.source->next(ev, out));
    if (!more) return false;
    MAINSPRING_TRY(Value key, follow(ev, g.path, out));
    if (!g.case_sensitive) {
      MAINSPRING_TRY(key, ignore_case(ev, key));
    }
    MAINSPRING_TRY(const Entry* seen, dict_find(ev.heap(), *g.seen, key));
    if (seen != nullptr) continue;
    MAINSPRING_TRY_VOID(dict_set(ev.heap(), *g.seen, key, Value::none()));
    return true;
  }
}

// ---- batch, slice, items: walked at the first item --------------------------------------------------------------------------
using Make = Result<Value>(Evaluator&, const Generator&);

template <Make* make>
Result<bool> step_whole(Evaluator& ev, Iterator& it, Value& out) {
  Generator& g = state_of(it);
  if (g.source == nullptr) {
    MAINSPRING_TRY(Value list, make(ev, g));
    MAINSPRING_TRY(g.source, iterate(ev.heap(), list));
  }
  return g.source->next(ev, out);
}

bool fills(Value fill) { return !fill.is(Kind::missing) && !fill.is(Kind::none); }

Result<Value> batches(Evaluator& ev, const Generator& g) {
  MAINSPRING_TRY(int64_t n, as_index("batch", g.positional[0]));
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, g.input));
  std::vector<Value> out, row;
  auto flush = [&]() -> Result<void> {
    MAINSPRING_TRY(Value list, make_list(ev.heap(), row));
    out.push_back(list);
    row.clear();
    return {};
  };
  for (Value item : items) {
    if (static_cast<int64_t>(row.size()) == n) MAINSPRING_TRY_VOID(flush());
    row.push_back(item);
  }
  if (!row.empty()) {
    Value fill = g.positional[1];
    if (fills(fill) && n > static_cast<int64_t>(row.size())) {
      if (static_cast<size_t>(n) > ev.heap().room() / sizeof(Value)) return ev.heap().memory_error();
      row.resize(static_cast<size_t>(n), fill);
    }
    MAINSPRING_TRY_VOID(flush());
  }
  return make_list(ev.heap(), out);
}

Result<Value> slices(Evaluator& ev, const Generator& g) {
  MAINSPRING_TRY(int64_t n, as_index("slice", g.positional[0]));
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, g.input));
  if (n == 0) return invalid("integer division or modulo by zero");
  std::vector<Value> out;
  auto size = static_cast<int64_t>(items.size());
  int64_t each = n > 0 ? size / n : 0, extra = n > 0 ? size % n : 0, at = 0;
  Value fill = g.positional[1];
  for (int64_t i = 0; i < n; ++i) {
    int64_t count = each + (i < extra ? 1 : 0);
    std::vector<Value> row(items.begin() + at, items.begin() + at + count);
    at += count;
    if (fills(fill) && i >= extra) row.push_back(fill);
    MAINSPRING_TRY(Value list, make_list(ev.heap(), row));
    out.push_back(list);
  }
  return make_list(ev.heap(), out);
}

Result<Value> pairs(Evaluator& ev, const Generator& g) {
  if (g.input.is(Kind::undefined)) return make_list(ev.heap(), {});
  if (!g.input.is(Kind::dict)) return invalid("can only get item pairs from a mapping, not {}", type_name(g.input));
  MAINSPRING_TRY(Value view, method_dict_items(ev, g.input, {}));
  return collect_list(ev, view);
}

}  // namespace

Result<Value> filter_map(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, args, step_map));
  return Value::of(it);
}
Result<Value> filter_select(Evaluator& ev, Value v, const Arguments& args) { return selection(ev, v, args, false, false); }
Result<Value> filter_reject(Evaluator& ev, Value v, const Arguments& args) { return selection(ev, v, args, false, true); }
Result<Value> filter_selectattr(Evaluator& ev, Value v, const Arguments& args) { return selection(ev, v, args, true, false); }
Result<Value> filter_rejectattr(Evaluator& ev, Value v, const Arguments& args) { return selection(ev, v, args, true, true); }

Result<Value> filter_unique(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("unique", args, {"case_sensitive", "attribute"}));
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, {}, step_unique));
  state_of(*it).case_sensitive = truthy_or(a[0], false);
  MAINSPRING_TRY(state_of(*it).path, attribute_path(ev.heap(), a[1]));
  return Value::of(it);
}
Result<Value> filter_batch(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("batch", args, {"linecount", "fill_with"}, 1));
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, {a, {}}, step_whole<batches>));
  return Value::of(it);
}
Result<Value> filter_slice(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("slice", args, {"slices", "fill_with"}, 1));
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, {a, {}}, step_whole<slices>));
  return Value::of(it);
}
Result<Value> filter_items(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("items", args));
  MAINSPRING_TRY(Iterator * it, make_generator(ev, v, {}, step_whole<pairs>));
  return Value::of(it);
}

}  // namespace mainspring::inline v0::jinja
