// Walking values: Python's iterator protocol. In: anything iterable. Out: its items one by one, lazily where Python is lazy.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

class Evaluator;
struct Call;  // calls.h

/// What an iterator does at each step. The first few walk a value; the others are the generators of Jinja's filters.
enum class Walk : uint8_t { sequence, text, keys, values, items, range, reversed, reversed_text, custom };

/// One walk. Lives in the heap. Jinja's generators are exhausted by one walk, so this is shared state, not a copy.
struct Iterator {
  Walk walk = Walk::sequence;
  Value source;        ///< what is walked; for custom: the source's own iterator
  size_t at = 0;       ///< index (bytes for text)
  std::string_view python_name = "generator";  ///< of the type, for repr
  /// custom: puts the next item in `out`; false at the end.
  Result<bool> (*step)(Evaluator&, Iterator&, Value& out) = nullptr;
  void* state = nullptr;  ///< of `step`, in the heap
  bool done = false;

  Result<bool> next(Evaluator& ev, Value& out);
};

bool is_iterable(Value v);
/// iter(v). An iterator gives itself. Errors: invalid_argument ("'int' object is not iterable").
Result<Iterator*> iterate(Heap& heap, Value v);
/// list(v): walks to the end.
Result<std::vector<Value>> collect(Evaluator& ev, Value v);
Result<Value> collect_list(Evaluator& ev, Value v, Kind kind = Kind::list);
/// reversed(v). Errors: invalid_argument (not a sequence).
Result<Value> reversed(Heap& heap, Value v);
/// `item in container`. Errors: invalid_argument (no container; a non-string in a string).
Result<bool> contains(Evaluator& ev, Value container, Value item);
/// The code point at `index` (already within bounds) as a string.
Result<Value> character_at(Heap& heap, const Str& s, int64_t index);

}  // namespace mainspring::inline v0::jinja
