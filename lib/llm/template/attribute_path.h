// The `attribute` parameter of filters: "address.city", "items.0" or an index. In: a path and an item. Out: what stands there.
#pragma once

#include <span>

#include "llm/template/evaluator.h"

namespace mainspring::inline v0::jinja {

/// Parts live in the heap; digits are indices.
struct AttributePath {
  std::span<const Value> parts;
};
/// Of a string, an int or none. Errors: invalid_argument (another type).
Result<AttributePath> attribute_path(Heap& heap, Value attribute);
/// Follows the path. A part that is undefined becomes `otherwise`, unless that is missing or none.
Result<Value> follow(Evaluator& ev, const AttributePath& path, Value item, Value otherwise = {});
/// Strings lowered, anything else as it is.
Result<Value> ignore_case(Evaluator& ev, Value v);

}  // namespace mainspring::inline v0::jinja
