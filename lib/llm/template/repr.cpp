// str() and repr() of every value, as Python prints them.
#include <algorithm>

#include "llm/template/calls.h"
#include "llm/template/evaluator.h"
#include "llm/template/iterate.h"
#include "llm/template/unicode.h"
#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

void append_string_repr(TextBuilder& out, std::string_view text) {
  // Single quotes, unless that would need escaping and double quotes would not.
  char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  out.append(quote);
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out.append('\\');
      out.append(static_cast<char>(c));
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (is_printable(c)) {
      out.append(text.substr(begin, i - begin));
    } else if (c < 0x100) {
      out.append(fmt::format("\\x{:02x}", static_cast<uint32_t>(c)));
    } else if (c < 0x10000) {
      out.append(fmt::format("\\u{:04x}", static_cast<uint32_t>(c)));
    } else {
      out.append(fmt::format("\\U{:08x}", static_cast<uint32_t>(c)));
    }
  }
  out.append(quote);
}

namespace {

Result<void> append_big(TextBuilder& out, const Big& v) {
  // 4300 digits is Python's own limit, and converting is quadratic.
  if (v.limbs.size() > 447) return invalid("exceeds the limit (4300 digits) for integer string conversion");
  BigInt n = v.number();
  MAINSPRING_TRY_VOID(out.heap().charge(static_cast<int64_t>(n.limbs.size() * n.limbs.size() / 8)));
  std::string digits = n.digits(10);
  if (digits.size() > 4300) return invalid("exceeds the limit (4300 digits) for integer string conversion");
  if (n.negative) out.append('-');
  out.append(digits);
  return {};
}

Result<void> append_items(TextBuilder& out, std::span<const Value> items, int depth) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.append(", ");
    MAINSPRING_TRY_VOID(append_repr(out, items[i], depth + 1));
  }
  return {};
}

Result<void> append_dict(TextBuilder& out, const Dict& dict, int depth) {
  out.append('{');
  for (size_t i = 0; i < dict.size; ++i) {
    if (i != 0) out.append(", ");
    MAINSPRING_TRY_VOID(append_repr(out, dict.entries[i].key, depth + 1));
    out.append(": ");
    MAINSPRING_TRY_VOID(append_repr(out, dict.entries[i].value, depth + 1));
  }
  out.append('}');
  return {};
}

Result<void> append_namespace(TextBuilder& out, const Dict& dict, int depth) {
  std::vector<const void*>& open = out.open_objects();
  if (std::find(open.begin(), open.end(), &dict) != open.end()) {
    out.append("<Namespace {...}>");
    return {};
  }
  open.push_back(&dict);
  out.append("<Namespace ");
  MAINSPRING_TRY_VOID(append_dict(out, dict, depth));
  out.append('>');
  open.pop_back();
  return {};
}

Result<void> append_view(TextBuilder& out, const View& view, std::string_view name, int depth) {
  out.append(name);
  out.append("([");
  for (size_t i = 0; i < view.dict->size; ++i) {
    const Entry& e = view.dict->entries[i];
    if (i != 0) out.append(", ");
    if (view.what == ViewKind::items) out.append('(');
    if (view.what != ViewKind::values) MAINSPRING_TRY_VOID(append_repr(out, e.key, depth + 1));
    if (view.what == ViewKind::items) out.append(", ");
    if (view.what != ViewKind::keys) MAINSPRING_TRY_VOID(append_repr(out, e.value, depth + 1));
    if (view.what == ViewKind::items) out.append(')');
  }
  out.append("])");
  return {};
}

Result<void> append_range(TextBuilder& out, const Range& r) {
  out.append(r.step == 1 ? fmt::format("range({}, {})", r.start, r.stop) : fmt::format("range({}, {}, {})", r.start, r.stop, r.step));
  return {};
}

}  // namespace

Result<void> append_repr(TextBuilder& out, Value v, int depth) {
  if (depth > kMaxValueDepth) return too_deep();
  MAINSPRING_TRY_VOID(out.heap().charge());
  if (out.over()) return out.over_error();
  switch (v.kind) {
    case Kind::missing:
    case Kind::undefined: out.append("Undefined"); return {};
    case Kind::none: out.append("None"); return {};
    case Kind::boolean: out.append(v.boolean ? "True" : "False"); return {};
    case Kind::integer: out.append(fmt::format("{}", v.integer)); return {};
    case Kind::big: return append_big(out, *v.big);
    case Kind::real: out.append(real_repr(v.real)); return {};
    case Kind::string:
      MAINSPRING_TRY_VOID(out.heap().charge_bytes(v.text().size()));
      if (v.string->markup) out.append("Markup(");
      append_string_repr(out, v.text());
      if (v.string->markup) out.append(')');
      return {};
    case Kind::list:
      out.append('[');
      MAINSPRING_TRY_VOID(append_items(out, v.list->span(), depth));
      out.append(']');
      return {};
    case Kind::tuple:
      out.append('(');
      MAINSPRING_TRY_VOID(append_items(out, v.list->span(), depth));
      out.append(v.list->size == 1 ? ",)" : ")");
      return {};
    case Kind::dict: return append_dict(out, *v.dict, depth);
    case Kind::name_space: return append_namespace(out, *v.dict, depth);
    case Kind::view: return append_view(out, *v.view, type_name(v), depth);
    case Kind::range: return append_range(out, *v.range);
    case Kind::loop: return append_loop_repr(out, *v.loop);
    case Kind::macro: return append_macro_repr(out, *v.macro);
    // Python prints an address here; no template can rely on it.
    default: out.append(fmt::format("<{} object>", v.is(Kind::iterator) ? v.iterator->python_name : type_name(v))); return {};
  }
}

Result<void> append_str(TextBuilder& out, Value v) {
  if (v.is(Kind::undefined) || v.is(Kind::missing)) return {};
  if (!v.is_string()) return append_repr(out, v);
  MAINSPRING_TRY_VOID(out.heap().charge_bytes(v.text().size()));
  out.append(v.text());
  return {};
}

Result<Value> to_str(Heap& heap, Value v) {
  if (v.is_string()) return v;
  TextBuilder out(heap);
  MAINSPRING_TRY_VOID(append_str(out, v));
  return finish_string(out);
}

void append_escaped(TextBuilder& out, std::string_view text) {
  for (char c : text) {
    if (c == '&') out.append("&amp;");
    else if (c == '>') out.append("&gt;");
    else if (c == '<') out.append("&lt;");
    else if (c == '\'') out.append("&#39;");
    else if (c == '"') out.append("&#34;");
    else out.append(c);
  }
}

}  // namespace mainspring::inline v0::jinja
