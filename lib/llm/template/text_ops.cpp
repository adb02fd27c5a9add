#include "llm/template/text_ops.h"

#include <algorithm>

#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {

namespace {

// Knuth, Morris and Pratt: plain search is quadratic in texts made for it, once the part is long. `Get` reads a text from one end.
template <class Get>
size_t find_linear(std::string_view text, std::string_view part, Get get) {
  std::vector<size_t> border(part.size() + 1, 0);
  for (size_t i = 1, k = 0; i < part.size(); ++i) {
    while (k > 0 && get(part, i) != get(part, k)) k = border[k];
    if (get(part, i) == get(part, k)) ++k;
    border[i + 1] = k;
  }
  for (size_t i = 0, k = 0; i < text.size(); ++i) {
    while (k > 0 && get(text, i) != get(part, k)) k = border[k];
    if (get(text, i) == get(part, k)) ++k;
    if (k == part.size()) return i + 1 - k;
  }
  return std::string_view::npos;
}
constexpr size_t kShortPart = 64;

}  // namespace

size_t find_text(std::string_view text, std::string_view part, size_t from) {
  if (part.size() <= kShortPart || from > text.size()) return text.find(part, from);
  size_t at = find_linear(text.substr(from), part, [](std::string_view s, size_t i) { return s[i]; });
  return at == std::string_view::npos ? at : from + at;
}

// A short part is searched with up to its length of comparisons a byte; a long one and a single byte with one.
Result<void> charge_search(Heap& heap, std::string_view text, std::string_view part) {
  return heap.charge_bytes(part.size() == 1 ? text.size() : text.size() * 8);
}

size_t rfind_text(std::string_view text, std::string_view part) {
  if (part.size() <= kShortPart) return text.rfind(part);
  size_t at = find_linear(text, part, [](std::string_view s, size_t i) { return s[s.size() - 1 - i]; });
  return at == std::string_view::npos ? at : text.size() - at - part.size();
}

Result<void> append_replaced(TextBuilder& out, std::string_view text, std::string_view old, std::string_view with, int64_t count) {
  MAINSPRING_TRY_VOID(charge_search(out.heap(), text, old));
  if (old.empty()) {  // between all code points
    for (size_t i = 0; i <= text.size() && count != 0; --count) {
      out.append(with);
      if (i == text.size()) return {};
      size_t begin = i;
      next_code_point(text, i);
      out.append(text.substr(begin, i - begin));
      if (out.over()) return out.over_error();
      text = text.substr(i);
      i = 0;
    }
    out.append(text);
    return {};
  }
  for (; count != 0; --count) {
    size_t at = find_text(text, old);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at));
    out.append(with);
    if (out.over()) return out.over_error();
    MAINSPRING_TRY_VOID(out.heap().charge_bytes(with.size()));
    text = text.substr(at + old.size());
  }
  out.append(text);
  return {};
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin, i = begin;
    bool broken = false;
    while (i < text.size() && !broken) {
      end = i;
      char32_t c = next_code_point(text, i);
      broken = is_line_break(c);
      if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
    }
    if (!broken) end = i;
    lines.push_back(text.substr(begin, (keep_ends ? i : end) - begin));
    begin = i;
  }
  return lines;
}

std::vector<std::string_view> split_space(std::string_view text, int64_t max, bool from_right) {
  std::vector<std::string_view> parts;
  auto strip = [&](std::string_view s) { return from_right ? strip_right(s) : strip_left(s); };
  for (text = strip(text); !text.empty(); text = strip(text)) {
    if (max >= 0 && static_cast<int64_t>(parts.size()) >= max) {  // the rest, trimmed at its far end too only by what was split off
      parts.push_back(from_right ? strip_right(text) : text);
      break;
    }
    size_t i = from_right ? text.size() : 0, edge = i;
    while (from_right ? i > 0 : i < text.size()) {
      edge = i;
      char32_t c = from_right ? previous_code_point(text, i) : next_code_point(text, i);
      if (is_space(c)) break;
      edge = i;
    }
    parts.push_back(from_right ? text.substr(edge) : text.substr(0, edge));
    text = from_right ? text.substr(0, edge) : text.substr(edge);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t max, bool from_right) {
  std::vector<std::string_view> parts;
  while (max < 0 || static_cast<int64_t>(parts.size()) < max) {
    size_t at = from_right ? rfind_text(text, separator) : find_text(text, separator);
    if (at == std::string_view::npos) break;
    parts.push_back(from_right ? text.substr(at + separator.size()) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at + separator.size());
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

Value make_part(Heap& heap, const Str& model, std::string_view part) {
  int64_t length = model.ascii() ? static_cast<int64_t>(part.size()) : count_code_points(part);
  return Value::of(heap.make<Str>(part, model.markup, length));
}

Result<Value> make_string_list(Heap& heap, const Str& model, std::span<const std::string_view> parts, Kind kind) {
  MAINSPRING_TRY_VOID(heap.charge_bytes(model.text.size()));
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(parts.size())));
  if (parts.size() > heap.room() / 64) return heap.memory_error();
  MAINSPRING_TRY(Value * items, heap.array<Value>(parts.size()));
  for (size_t i = 0; i < parts.size(); ++i) items[i] = make_part(heap, model, parts[i]);
  return Value::of(heap.make<List>(items, parts.size()), kind);
}

Result<Value> pad(Heap& heap, const Str& s, int64_t before, int64_t after, std::string_view fill) {
  if (before <= 0 && after <= 0) return Value::of(heap.make<Str>(s));
  TextBuilder out(heap);
  auto put = [&](int64_t n) {
    if (fill.size() == 1) out.fill(fill[0], n);
    else out.repeat(fill, n);
  };
  put(before);
  out.append(s.text);
  put(after);
  if (out.over()) return out.over_error();
  return make_like(heap, s, out.view());
}

Result<Value> center(Heap& heap, const Str& s, int64_t width, std::string_view fill) {
  int64_t missing = width > s.length ? width - s.length : 0;
  int64_t left = missing / 2 + (missing & width & 1);
  return pad(heap, s, left, missing - left, fill);
}

}  // namespace mainspring::inline v0::jinja
