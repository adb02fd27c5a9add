#include "core/json.h"

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "core/error.h"

namespace mainspring::inline v0 {

JsonValue JsonValue::boolean(bool v) {
  JsonValue r;
  r.kind_ = Kind::boolean;
  r.integer_ = v ? 1 : 0;
  return r;
}
JsonValue JsonValue::integer(int64_t v) {
  JsonValue r;
  r.kind_ = Kind::integer;
  r.integer_ = v;
  return r;
}
JsonValue JsonValue::real(double v) {
  JsonValue r;
  r.kind_ = Kind::real;
  r.real_ = v;
  return r;
}
JsonValue JsonValue::string(std::string v) {
  JsonValue r;
  r.kind_ = Kind::string;
  r.text_ = std::move(v);
  return r;
}
JsonValue JsonValue::big_integer(std::string digits) {
  JsonValue r;
  r.kind_ = Kind::big_integer;
  r.text_ = std::move(digits);
  return r;
}
JsonValue JsonValue::array(std::vector<JsonValue> items) {
  JsonValue r;
  r.kind_ = Kind::array;
  r.items_ = std::move(items);
  return r;
}
JsonValue JsonValue::object(std::vector<Member> members) {
  JsonValue r;
  r.kind_ = Kind::object;
  r.members_ = std::move(members);
  return r;
}

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const Member& m : members_)
    if (m.first == name) return &m.second;
  return nullptr;
}

void JsonValue::set(std::string name, JsonValue value) {
  if (kind_ == Kind::null) kind_ = Kind::object;
  if (kind_ != Kind::object) return;
  for (Member& m : members_) {
    if (m.first != name) continue;
    m.second = std::move(value);
    return;
  }
  members_.emplace_back(std::move(name), std::move(value));
}

namespace {

// simdjson refuses integers beyond 64 bits. They are found beforehand, put aside by their ordinal among the document's numbers and
// blanked to a 0 of the same length, so that simdjson still judges the syntax around them.
struct BigIntegers {
  std::unordered_map<size_t, std::string> by_ordinal;
};

bool is_number_char(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; }

// A literal is big if it is a well-formed integer (no leading zero) of 19 digits or more; smaller ones simdjson reads itself.
bool is_big(std::string_view literal) {
  if (!literal.empty() && literal[0] == '-') literal.remove_prefix(1);
  if (literal.size() < 19 || literal[0] == '0') return false;
  return std::all_of(literal.begin(), literal.end(), [](char c) { return c >= '0' && c <= '9'; });
}

BigIntegers put_big_integers_aside(std::string& text) {
  BigIntegers found;
  size_t ordinal = 0;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\') ++i;
      ++i;
      continue;
    }
    if (c != '-' && (c < '0' || c > '9')) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && is_number_char(text[end])) ++end;
    std::string_view literal = std::string_view(text).substr(i, end - i);
    if (is_big(literal)) {
      found.by_ordinal.emplace(ordinal, literal);
      std::fill(text.begin() + static_cast<ptrdiff_t>(i), text.begin() + static_cast<ptrdiff_t>(end), ' ');
      text[i] = '0';
    }
    ++ordinal;
    i = end;
  }
  return found;
}

struct Converter {
  const BigIntegers& big;
  size_t ordinal = 0;

  JsonValue number(simdjson::dom::element e) {
    auto it = big.by_ordinal.find(ordinal++);
    if (it == big.by_ordinal.end()) {
      if (e.is_int64()) return JsonValue::integer(e.get_int64().value_unsafe());
      return JsonValue::real(e.get_double().value_unsafe());
    }
    const std::string& digits = it->second;
    // 19 digits may still fit.
    int64_t v = 0;
    auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
    if (ec == std::errc() && end == digits.data() + digits.size()) return JsonValue::integer(v);
    return JsonValue::big_integer(digits);
  }

  // Recursion is bounded by the depth given to simdjson's parser.
  JsonValue convert(simdjson::dom::element e) {
    using simdjson::dom::element_type;
    switch (e.type()) {
      case element_type::NULL_VALUE: return {};
      case element_type::BOOL: return JsonValue::boolean(e.get_bool().value_unsafe());
      case element_type::INT64:
      case element_type::UINT64:
      case element_type::DOUBLE: return number(e);
      case element_type::STRING: return JsonValue::string(std::string(e.get_string().value_unsafe()));
      case element_type::ARRAY: {
        std::vector<JsonValue> items;
        simdjson::dom::array array = e.get_array().value_unsafe();
        for (simdjson::dom::element item : array) items.push_back(convert(item));
        return JsonValue::array(std::move(items));
      }
      case element_type::OBJECT: return object(e.get_object().value_unsafe());
    }
    return {};
  }

  JsonValue object(simdjson::dom::object o) {
    std::vector<JsonValue::Member> members;
    std::unordered_map<std::string_view, size_t> seen;  // keys live in the parser's string buffer
    for (simdjson::dom::key_value_pair field : o) {
      auto [it, fresh] = seen.emplace(field.key, members.size());
      JsonValue v = convert(field.value);
      if (fresh) members.emplace_back(std::string(field.key), std::move(v));
      else members[it->second].second = std::move(v);
    }
    return JsonValue::object(std::move(members));
  }
};

}  // namespace

Result<JsonValue> JsonValue::parse(std::string_view text, int max_depth) {
  std::string copy;
  copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  copy = text;
  BigIntegers big = put_big_integers_aside(copy);
  simdjson::dom::parser parser;
  simdjson::error_code ec = parser.allocate(std::max<size_t>(copy.size(), 64), static_cast<size_t>(std::max(max_depth, 1)));
  if (ec) return out_of_memory("json: {} bytes of text", text.size());
  simdjson::dom::element root;
  ec = parser.parse(copy).get(root);
  if (ec == simdjson::DEPTH_ERROR) return exhausted("json: nested deeper than {}", max_depth);
  if (ec) {
    std::string why = simdjson::error_message(ec);
    return corrupt("json: {}", why);
  }
  return Converter{big}.convert(root);
}

namespace {
// Length of the valid UTF-8 sequence at text[i], or 0.
size_t utf8_sequence(std::string_view text, size_t i) {
  auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  unsigned char c = byte(i);
  size_t n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
  if (n == 0 || i + n > text.size()) return 0;
  for (size_t k = 1; k < n; ++k)
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  if ((c == 0xE0 && byte(i + 1) < 0xA0) || (c == 0xED && byte(i + 1) > 0x9F)) return 0;
  if ((c == 0xF0 && byte(i + 1) < 0x90) || (c == 0xF4 && byte(i + 1) > 0x8F)) return 0;
  return n;
}
}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    size_t n = utf8_sequence(text, i);
    if (n == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    if (n > 1) out.append(text, i, n);
    else if (c == '"') out += "\\\"";
    else if (c == '\\') out += "\\\\";
    else if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else out += c;
    i += n;
  }
  out += '"';
  return out;
}

}  // namespace mainspring::inline v0
