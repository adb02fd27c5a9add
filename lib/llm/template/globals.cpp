// The functions that a template finds without being passed them.
#include "llm/template/evaluator.h"
#include "llm/template/formatting.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {

Result<Value> global_range(Evaluator& ev, const Arguments& args) {
  constexpr int64_t sandbox_max = 100'000;  // Jinja's MAX_RANGE
  MAINSPRING_TRY(auto a, bind("range", args, {"", "", ""}, 1));
  int64_t parts[3];
  for (size_t i = 0; i < 3; ++i) {
    MAINSPRING_TRY(parts[i], index_or("range", a[i], 1));
  }
  bool one = a[1].is(Kind::missing);
  int64_t start = one ? 0 : parts[0], stop = one ? parts[0] : parts[1], step = parts[2];
  if (step == 0) return invalid("range() arg 3 must not be zero");
  // Differences and lengths in 128 bits: the ends may be any.
  __extension__ using Wide = __int128;
  Wide span = step > 0 ? static_cast<Wide>(stop) - start : static_cast<Wide>(start) - stop;
  Wide stride = step > 0 ? static_cast<Wide>(step) : -static_cast<Wide>(step);
  Wide length = span <= 0 ? 0 : (span - 1) / stride + 1;
  if (length > sandbox_max) return exhausted("range too big: the sandbox allows {} items", sandbox_max);
  Value v = Value::of_kind(Kind::range);
  v.range = ev.heap().make<Range>(start, stop, step, static_cast<int64_t>(length));
  return v;
}

namespace {

// dict(mapping or pairs, name=value, …)
Result<Dict*> build_dict(Evaluator& ev, std::string_view who, const Arguments& args) {
  Heap& heap = ev.heap();
  if (args.positional.size() > 1) return invalid("{} expected at most 1 argument, got {}", who, args.positional.size());
  Dict* dict = make_dict(heap);
  if (!args.positional.empty() && args.positional[0].is(Kind::dict)) {
    for (const Entry& e : args.positional[0].dict->span()) MAINSPRING_TRY_VOID(dict_set(heap, *dict, e.key, e.value));
  } else if (!args.positional.empty()) {
    MAINSPRING_TRY(std::vector<Value> pairs, collect(ev, args.positional[0]));
    for (Value pair : pairs) {
      MAINSPRING_TRY(std::vector<Value> two, collect(ev, pair));
      if (two.size() != 2) return invalid("{}: a pair has length {}, expected 2", who, two.size());
      MAINSPRING_TRY_VOID(dict_set(heap, *dict, two[0], two[1]));
    }
  }
  for (const Keyword& k : args.keywords) {
    MAINSPRING_TRY(Value key, make_string(heap, k.name));
    MAINSPRING_TRY_VOID(dict_set(heap, *dict, key, k.value));
  }
  return dict;
}

}  // namespace

Result<Value> global_dict(Evaluator& ev, const Arguments& args) {
  MAINSPRING_TRY(Dict * dict, build_dict(ev, "dict", args));
  return Value::of(dict);
}
Result<Value> global_namespace(Evaluator& ev, const Arguments& args) {
  MAINSPRING_TRY(Dict * dict, build_dict(ev, "namespace", args));
  return Value::of(dict, Kind::name_space);
}

Result<Value> global_cycler(Evaluator& ev, const Arguments& args) {
  if (args.positional.empty() || !args.keywords.empty()) return invalid("cycler: at least one item has to be provided");
  MAINSPRING_TRY(Value items, make_list(ev.heap(), args.positional));
  Value v = Value::of_kind(Kind::cycler);
  v.cycler = ev.heap().make<Cycler>(items.list->span(), size_t{0});
  return v;
}
Result<Value> method_cycler_next(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("next", args));
  Value v = self.cycler->items[self.cycler->at];
  self.cycler->at = (self.cycler->at + 1) % self.cycler->items.size();
  return v;
}
Result<Value> method_cycler_reset(Evaluator&, Value self, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("reset", args));
  self.cycler->at = 0;
  return Value::none();
}

Result<Value> global_joiner(Evaluator& ev, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("joiner", args, {"sep"}));
  Value separator = a[0].is(Kind::missing) ? make_view_string(ev.heap(), ", ") : a[0];
  MAINSPRING_TRY(separator, to_str(ev.heap(), separator));
  Value v = Value::of_kind(Kind::joiner);
  v.joiner = ev.heap().make<Joiner>(separator.string, false);
  return v;
}

Result<Value> global_lipsum(Evaluator&, const Arguments&) { return unsupported("lipsum: a prompt has no random text"); }

Result<Value> global_raise_exception(Evaluator& ev, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("raise_exception", args, {"message"}, 1));
  MAINSPRING_TRY(Value message, to_str(ev.heap(), a[0]));
  return invalid("the template refuses: {}", message.text());
}

Result<Value> global_strftime_now(Evaluator& ev, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("strftime_now", args, {"f"}, 1));
  MAINSPRING_TRY(std::string_view format, as_text("strftime_now", a[0]));
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(append_time(out, ev.now(), format));
  return finish_string(out);
}

}  // namespace mainspring::inline v0::jinja
