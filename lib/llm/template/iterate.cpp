#include "llm/template/iterate.h"

#include "llm/template/evaluator.h"
#include "llm/template/text_ops.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {

bool is_iterable(Value v) {
  switch (v.kind) {
    case Kind::undefined:
    case Kind::string:
    case Kind::list:
    case Kind::tuple:
    case Kind::dict:
    case Kind::view:
    case Kind::range:
    case Kind::iterator:
    case Kind::loop: return true;
    default: return false;
  }
}

Result<Iterator*> iterate(Heap& heap, Value v) {
  Walk walk = Walk::sequence;
  switch (v.kind) {
    case Kind::iterator: return v.iterator;
    case Kind::list:
    case Kind::tuple: break;
    case Kind::undefined: {
      Iterator* empty = heap.make<Iterator>();
      empty->done = true;
      return empty;
    }
    case Kind::string: walk = Walk::text; break;
    case Kind::dict: walk = Walk::keys; break;
    case Kind::range: walk = Walk::range; break;
    case Kind::view:
      walk = v.view->what == ViewKind::keys ? Walk::keys : v.view->what == ViewKind::values ? Walk::values : Walk::items;
      break;
    default: return invalid("'{}' object is not iterable", type_name(v));
  }
  Iterator* it = heap.make<Iterator>();
  it->walk = walk;
  it->source = v;
  return it;
}

namespace {

Result<bool> next_entry(Heap& heap, Iterator& it, Value& out) {
  const Dict& dict = it.source.is(Kind::view) ? *it.source.view->dict : *it.source.dict;
  if (it.at >= dict.size) return false;
  const Entry& e = dict.entries[it.at++];
  if (it.walk == Walk::keys) out = e.key;
  else if (it.walk == Walk::values) out = e.value;
  else {
    Value pair[] = {e.key, e.value};
    MAINSPRING_TRY(out, make_list(heap, pair, Kind::tuple));
  }
  return true;
}

Result<bool> next_reversed(Heap& heap, Iterator& it, Value& out) {
  Value v = it.source;
  auto n = static_cast<size_t>(length_of(v).value_or(0));
  if (it.at >= n) return false;
  size_t i = n - 1 - it.at++;
  if (v.is_sequence()) out = v.list->items[i];
  else if (v.is(Kind::range)) out = Value::of(v.range->at(static_cast<int64_t>(i)));
  else if (v.is(Kind::dict)) out = v.dict->entries[i].key;
  else if (v.is(Kind::view)) {
    const Entry& e = v.view->dict->entries[i];
    if (v.view->what == ViewKind::items) {
      Value pair[] = {e.key, e.value};
      MAINSPRING_TRY(out, make_list(heap, pair, Kind::tuple));
    } else {
      out = v.view->what == ViewKind::keys ? e.key : e.value;
    }
  }
  return true;
}

}  // namespace

Result<bool> Iterator::next(Evaluator& ev, Value& out) {
  if (done) return false;
  Heap& heap = ev.heap();
  MAINSPRING_TRY_VOID(heap.charge());
  Result<bool> more = false;
  switch (walk) {
    case Walk::sequence:
      if (at < source.list->size) {
        out = source.list->items[at++];
        more = true;
      }
      break;
    case Walk::text:
      if (at < source.text().size()) {
        size_t begin = at;
        next_code_point(source.text(), at);
        out = Value::of(heap.make<Str>(source.text().substr(begin, at - begin), source.string->markup, int64_t{1}));
        more = true;
      }
      break;
    case Walk::keys:
    case Walk::values:
    case Walk::items: more = next_entry(heap, *this, out); break;
    case Walk::range:
      if (static_cast<int64_t>(at) < source.range->length) {
        out = Value::of(source.range->at(static_cast<int64_t>(at++)));
        more = true;
      }
      break;
    case Walk::reversed: more = next_reversed(heap, *this, out); break;
    case Walk::reversed_text:
      if (at > 0) {
        size_t end = at;
        previous_code_point(source.text(), at);
        out = Value::of(heap.make<Str>(source.text().substr(at, end - at), source.string->markup, int64_t{1}));
        more = true;
      }
      break;
    case Walk::custom:
      MAINSPRING_TRY_VOID(ev.enter_level());
      more = step(ev, *this, out);
      ev.leave_level();
      break;
  }
  if (!more) return more;
  done = !*more;
  return more;
}

Result<std::vector<Value>> collect(Evaluator& ev, Value v) {
  if (v.is_sequence()) {
    MAINSPRING_TRY_VOID(ev.heap().charge(static_cast<int64_t>(v.list->size / 4)));
    return std::vector<Value>(v.list->items, v.list->items + v.list->size);
  }
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), v));
  std::vector<Value> items;
  for (Value item;;) {
    MAINSPRING_TRY(bool more, it->next(ev, item));
    if (!more) return items;
    items.push_back(item);
    if (items.size() > ev.heap().room() / sizeof(Value)) return ev.heap().memory_error();
  }
}

Result<Value> collect_list(Evaluator& ev, Value v, Kind kind) {
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, v));
  return make_list(ev.heap(), items, kind);
}

Result<Value> reversed(Heap& heap, Value v) {
  Iterator* it = heap.make<Iterator>();
  it->source = v;
  it->walk = Walk::reversed;
  switch (v.kind) {
    case Kind::list: it->python_name = "list_reverseiterator"; break;
    case Kind::tuple: it->python_name = "reversed"; break;
    case Kind::range: it->python_name = "range_iterator"; break;
    case Kind::dict: it->python_name = "dict_reversekeyiterator"; break;
    case Kind::view: it->python_name = "dict_reverseitemiterator"; break;
    case Kind::undefined: it->done = true; break;
    case Kind::string:
      it->walk = Walk::reversed_text;
      it->at = v.text().size();
      break;
    default: return invalid("'{}' object is not reversible", type_name(v));
  }
  return Value::of(it);
}

namespace {
Result<bool> contains_walking(Evaluator& ev, Value container, Value item) {
  MAINSPRING_TRY(Iterator * it, iterate(ev.heap(), container));
  for (Value one;;) {
    MAINSPRING_TRY(bool more, it->next(ev, one));
    if (!more) return false;
    MAINSPRING_TRY(bool same, equals(ev.heap(), one, item));
    if (same) return true;
  }
}
}  // namespace

Result<bool> contains(Evaluator& ev, Value container, Value item) {
  switch (container.kind) {
    case Kind::string:
      if (!item.is_string()) return invalid("'in <string>' requires string as left operand, not {}", type_name(item));
      MAINSPRING_TRY_VOID(charge_search(ev.heap(), container.text(), item.text()));
      return find_text(container.text(), item.text()) != std::string_view::npos;
    case Kind::dict: {
      MAINSPRING_TRY(const Entry* e, dict_find(ev.heap(), *container.dict, item));
      return e != nullptr;
    }
    case Kind::view:
      if (container.view->what == ViewKind::keys) {
        MAINSPRING_TRY(const Entry* e, dict_find(ev.heap(), *container.view->dict, item));
        return e != nullptr;
      }
      return contains_walking(ev, container, item);
    case Kind::list:
    case Kind::tuple:
    case Kind::undefined:
    case Kind::range:
    case Kind::iterator: return contains_walking(ev, container, item);
    default: return invalid("argument of type '{}' is not iterable", type_name(container));
  }
}

Result<Value> character_at(Heap& heap, const Str& s, int64_t index) {
  if (s.ascii()) return Value::of(heap.make<Str>(s.text.substr(static_cast<size_t>(index), 1), s.markup, int64_t{1}));
  MAINSPRING_TRY_VOID(heap.charge_bytes(s.text.size()));
  size_t begin = byte_offset(s.text, index), end = begin;
  next_code_point(s.text, end);
  return Value::of(heap.make<Str>(s.text.substr(begin, end - begin), s.markup, int64_t{1}));
}

}  // namespace mainspring::inline v0::jinja
