// Searching, splitting and padding of text as Python's str does it; shared by methods and filters. Positions are bytes unless said.
#pragma once

#include <string_view>
#include <vector>

#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

/// text.find(part, from) and text.rfind(part), in linear time whatever the texts are; npos where there is none.
size_t find_text(std::string_view text, std::string_view part, size_t from = 0);
size_t rfind_text(std::string_view text, std::string_view part);
/// Counts the work of such a search.
Result<void> charge_search(Heap& heap, std::string_view text, std::string_view part);
/// text.replace(old, with, count); count < 0 replaces all.
Result<void> append_replaced(TextBuilder& out, std::string_view text, std::string_view old, std::string_view with, int64_t count);
/// text.splitlines(keep_ends).
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
/// text.split() and text.rsplit() at white space; max < 0 splits all.
std::vector<std::string_view> split_space(std::string_view text, int64_t max, bool from_right);
/// The same at a separator, which is not empty.
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t max, bool from_right);
/// A list of strings that view into `model`'s text (Markup if it is).
Result<Value> make_string_list(Heap& heap, const Str& model, std::span<const std::string_view> parts, Kind kind = Kind::list);
/// A part of `model`'s text, not copied.
Value make_part(Heap& heap, const Str& model, std::string_view part);
/// Padded with `fill` to `width` code points, `before` of the padding in front.
Result<Value> pad(Heap& heap, const Str& s, int64_t before, int64_t after, std::string_view fill);
Result<Value> center(Heap& heap, const Str& s, int64_t width, std::string_view fill);

}  // namespace mainspring::inline v0::jinja
