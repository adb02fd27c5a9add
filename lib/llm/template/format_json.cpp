// json.dumps and pprint.pformat.
#include <algorithm>
#include <cmath>

#include "llm/template/formatting.h"
#include "llm/template/iterate.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// ---- json -------------------------------------------------------------------------------------------------------------------
void append_json_string(TextBuilder& out, std::string_view text, bool ensure_ascii) {
  out.append('"');
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    switch (c) {
      case '"': out.append("\\\""); continue;
      case '\\': out.append("\\\\"); continue;
      case '\n': out.append("\\n"); continue;
      case '\r': out.append("\\r"); continue;
      case '\t': out.append("\\t"); continue;
      case '\f': out.append("\\f"); continue;
      case '\b': out.append("\\b"); continue;
      default: break;
    }
    if (c < 0x20 || (ensure_ascii && c >= 0x7F && c < 0x10000)) {
      out.append(fmt::format("\\u{:04x}", static_cast<uint32_t>(c)));
    } else if (ensure_ascii && c >= 0x10000) {
      uint32_t v = static_cast<uint32_t>(c) - 0x10000;
      out.append(fmt::format("\\u{:04x}\\u{:04x}", 0xD800 | v >> 10, 0xDC00 | (v & 0x3FF)));
    } else {
      out.append(text.substr(begin, i - begin));
    }
  }
  out.append('"');
}

void append_json_real(TextBuilder& out, double v) {
  if (std::isnan(v)) out.append("NaN");
  else if (std::isinf(v)) out.append(v < 0 ? "-Infinity" : "Infinity");
  else out.append(real_repr(v));
}

void new_line(TextBuilder& out, const JsonFormat& f, int depth) {
  if (!f.pretty) return;
  out.append('\n');
  if (f.indent.empty()) out.fill(' ', f.indent_spaces * depth);
  else out.repeat(f.indent, depth);
}

Result<void> append_json_key(TextBuilder& out, Value key, const JsonFormat& f) {
  if (key.is_string()) {
    append_json_string(out, key.text(), f.ensure_ascii);
    return {};
  }
  if (!key.is_number() && !key.is(Kind::none)) return invalid("tojson: keys must be str, int, float, bool or None, not {}", type_name(key));
  out.append('"');
  MAINSPRING_TRY_VOID(append_json(out, key, f));
  out.append('"');
  return {};
}

Result<void> append_json_dict(TextBuilder& out, const Dict& dict, const JsonFormat& f, int depth) {
  std::vector<Entry> entries(dict.entries, dict.entries + dict.size);
  if (f.sort_keys) {
    Error failed{Errc::internal, ""};
    bool ok = true;
    std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
      if (!ok) return false;
      Result<bool> r = less(out.heap(), a.key, b.key);
      if (r) return *r;
      ok = false;
      failed = std::move(r).error();
      return false;
    });
    if (!ok) return failed;
  }
  out.append('{');
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i != 0) out.append(f.item_separator);
    new_line(out, f, depth + 1);
    MAINSPRING_TRY_VOID(append_json_key(out, entries[i].key, f));
    out.append(f.key_separator);
    MAINSPRING_TRY_VOID(append_json(out, entries[i].value, f, depth + 1));
  }
  if (!entries.empty()) new_line(out, f, depth);
  out.append('}');
  return {};
}

}  // namespace

Result<void> append_json(TextBuilder& out, Value v, const JsonFormat& f, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  MAINSPRING_TRY_VOID(out.heap().charge());
  if (out.over()) return out.over_error();
  switch (v.kind) {
    case Kind::none: out.append("null"); return {};
    case Kind::boolean: out.append(v.boolean ? "true" : "false"); return {};
    case Kind::integer:
    case Kind::big: return append_repr(out, v);
    case Kind::real: append_json_real(out, v.real); return {};
    case Kind::string:
      MAINSPRING_TRY_VOID(out.heap().charge_bytes(v.text().size()));
      append_json_string(out, v.text(), f.ensure_ascii);
      return {};
    case Kind::list:
    case Kind::tuple:
      out.append('[');
      for (size_t i = 0; i < v.list->size; ++i) {
        if (i != 0) out.append(f.item_separator);
        new_line(out, f, depth + 1);
        MAINSPRING_TRY_VOID(append_json(out, v.list->items[i], f, depth + 1));
      }
      if (v.list->size != 0) new_line(out, f, depth);
      out.append(']');
      return {};
    case Kind::dict: return append_json_dict(out, *v.dict, f, depth);
    default: return invalid("tojson: object of type {} is not JSON serializable", type_name(v));
  }
}

// ---- pprint -----------------------------------------------------------------------------------------------------------------
namespace {

// pprint.PrettyPrinter(width=80, indent=1, sort_dicts=True).
class Pretty {
 public:
  explicit Pretty(TextBuilder& out) : out_(out) {}
  Result<void> format(Value v, int64_t indent, int64_t allowance, int depth);

 private:
  static constexpr int64_t kWidth = 80;
  Result<void> flat(TextBuilder& out, Value v, int depth);
  Result<std::vector<Entry>> sorted_entries(const Dict& dict);
  Result<void> dict(const Dict& d, int64_t indent, int64_t allowance, int depth);
  Result<void> items(std::span<const Value> list, int64_t indent, int64_t allowance, int depth);
  void string(std::string_view text, int64_t indent, int64_t allowance, int depth);
  void line(int64_t indent) {
    out_.append('\n');
    out_.fill(' ', indent);
  }
  TextBuilder& out_;
};

// pprint sorts what cannot be compared by its type's name.
Result<std::vector<Entry>> Pretty::sorted_entries(const Dict& dict) {
  std::vector<Entry> entries(dict.entries, dict.entries + dict.size);
  Heap& heap = out_.heap();
  MAINSPRING_TRY_VOID(heap.charge(static_cast<int64_t>(dict.size)));
  auto before = [&](const Entry& a, const Entry& b) {
    Result<int> c = compare(heap, a.key, b.key, "<");
    if (c) return *c == -1;
    return type_name(a.key) < type_name(b.key);
  };
  std::stable_sort(entries.begin(), entries.end(), before);
  return entries;
}

Result<void> Pretty::flat(TextBuilder& out, Value v, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  MAINSPRING_TRY_VOID(out.heap().charge());
  if (v.is(Kind::dict)) {
    MAINSPRING_TRY(std::vector<Entry> entries, sorted_entries(*v.dict));
    out.append('{');
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i != 0) out.append(", ");
      MAINSPRING_TRY_VOID(flat(out, entries[i].key, depth + 1));
      out.append(": ");
      MAINSPRING_TRY_VOID(flat(out, entries[i].value, depth + 1));
    }
    out.append('}');
    return {};
  }
  if (!v.is_sequence()) return append_repr(out, v);
  out.append(v.is(Kind::list) ? '[' : '(');
  for (size_t i = 0; i < v.list->size; ++i) {
    if (i != 0) out.append(", ");
    MAINSPRING_TRY_VOID(flat(out, v.list->items[i], depth + 1));
  }
  out.append(v.is(Kind::list) ? "]" : v.list->size == 1 ? ",)" : ")");
  return {};
}

Result<void> Pretty::dict(const Dict& d, int64_t indent, int64_t allowance, int depth) {
  MAINSPRING_TRY(std::vector<Entry> entries, sorted_entries(d));
  out_.append('{');
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i != 0) {
      out_.append(',');
      line(indent + 1);
    }
    TextBuilder key(out_.heap());
    MAINSPRING_TRY_VOID(flat(key, entries[i].key, depth + 1));
    out_.append(key.view());
    out_.append(": ");
    bool last = i + 1 == entries.size();
    MAINSPRING_TRY_VOID(format(entries[i].value, indent + 1 + count_code_points(key.view()) + 2, last ? allowance + 1 : 1, depth + 1));
  }
  out_.append('}');
  return {};
}

Result<void> Pretty::items(std::span<const Value> list, int64_t indent, int64_t allowance, int depth) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (i != 0) {
      out_.append(',');
      line(indent);
    }
    bool last = i + 1 == list.size();
    MAINSPRING_TRY_VOID(format(list[i], indent, last ? allowance : 1, depth + 1));
  }
  return {};
}

// A long string is shown as adjacent literals: one a line of the text, lines cut after white space.
void Pretty::string(std::string_view text, int64_t indent, int64_t allowance, int depth) {
  std::vector<std::string_view> lines;
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    while (i < text.size()) {
      char32_t c = next_code_point(text, i);
      if (!is_line_break(c)) continue;
      if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
      break;
    }
    lines.push_back(text.substr(begin, i - begin));
  }
  if (depth == 1) {
    ++indent;
    ++allowance;
  }
  auto repr_of = [&](std::string_view s) {
    TextBuilder b(out_.heap());
    append_string_repr(b, s);
    return std::string(b.view());
  };
  std::vector<std::string> chunks;
  for (size_t n = 0; n < lines.size(); ++n) {
    std::string rep = repr_of(lines[n]);
    int64_t max_width = kWidth - indent - (n + 1 == lines.size() ? allowance : 0);
    if (count_code_points(rep) <= max_width) {
      chunks.push_back(std::move(rep));
      continue;
    }
    std::string current;
    std::string_view line_text = lines[n];
    for (size_t i = 0; i < line_text.size();) {  // pieces of `\S*\s*`
      size_t begin = i;
      for (size_t at = i; i < line_text.size() && !is_space(next_code_point(line_text, at)); at = i) i = at;
      for (size_t at = i; i < line_text.size() && is_space(next_code_point(line_text, at)); at = i) i = at;
      std::string candidate = current + std::string(line_text.substr(begin, i - begin));
      bool last_part = i >= line_text.size();
      int64_t room = kWidth - indent - (n + 1 == lines.size() && last_part ? allowance : 0);
      if (count_code_points(repr_of(candidate)) > room) {
        if (!current.empty()) chunks.push_back(repr_of(current));
        current = line_text.substr(begin, i - begin);
      } else {
        current = std::move(candidate);
      }
    }
    if (!current.empty()) chunks.push_back(repr_of(current));
  }
  if (chunks.size() == 1) {
    out_.append(chunks[0]);
    return;
  }
  if (depth == 1) out_.append('(');
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (i != 0) line(indent);
    out_.append(chunks[i]);
  }
  if (depth == 1) out_.append(')');
}

Result<void> Pretty::format(Value v, int64_t indent, int64_t allowance, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  TextBuilder one_line(out_.heap());
  MAINSPRING_TRY_VOID(flat(one_line, v, depth));
  if (one_line.over() || out_.over()) return out_.over_error();
  // Trying every level on one line is quadratic in depth; the work is charged.
  MAINSPRING_TRY_VOID(out_.heap().charge_bytes(one_line.size()));
  bool fits = count_code_points(one_line.view()) <= kWidth - indent - allowance;
  bool breaks = (v.is(Kind::dict) && v.dict->size != 0) || (v.is_sequence() && v.list->size != 0) || (v.is_string() && !v.text().empty() && !v.string->markup);
  if (fits || !breaks) {
    out_.append(one_line.view());
    return {};
  }
  if (v.is(Kind::dict)) return dict(*v.dict, indent, allowance, depth);
  if (v.is_string()) {
    string(v.text(), indent, allowance, depth);
    return {};
  }
  bool single = v.is(Kind::tuple) && v.list->size == 1;
  std::string_view close = v.is(Kind::list) ? "]" : single ? ",)" : ")";
  out_.append(v.is(Kind::list) ? '[' : '(');
  MAINSPRING_TRY_VOID(items(v.list->span(), indent + 1, allowance + static_cast<int64_t>(close.size()), depth));
  out_.append(close);
  return {};
}

}  // namespace

Result<void> append_pretty(TextBuilder& out, Value v) { return Pretty(out).format(v, 0, 0, 1); }

}  // namespace mainspring::inline v0::jinja
