// JSON text in, a tree of plain values out; and the escaping of strings for JSON out.
//
// What Python's json.loads keeps is kept: objects are ordered (a repeated key keeps its first place and its last value), integers are
// distinct from floats, and integers beyond 64 bits keep their digits. Parsing is done by simdjson (validated UTF-8, bounded depth).
// Knows nothing of models, templates or files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// One JSON value. A plain value type: copying copies the tree. Immutable use from many threads is fine.
class JsonValue {
 public:
  enum class Kind : uint8_t { null, boolean, integer, big_integer, real, string, array, object };
  using Member = std::pair<std::string, JsonValue>;

  JsonValue() = default;
  static JsonValue boolean(bool v);
  static JsonValue integer(int64_t v);
  static JsonValue real(double v);
  static JsonValue string(std::string v);
  /// Decimal digits with an optional '-', of an integer that does not fit int64.
  static JsonValue big_integer(std::string digits);
  static JsonValue array(std::vector<JsonValue> items = {});
  static JsonValue object(std::vector<Member> members = {});

  /// Parses one JSON document. Errors: corrupt_data (syntax, UTF-8, trailing text), resource_exhausted (nested deeper than `max_depth`).
  static Result<JsonValue> parse(std::string_view text, int max_depth = 256);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == Kind::null; }
  [[nodiscard]] bool is_string() const { return kind_ == Kind::string; }
  [[nodiscard]] bool is_array() const { return kind_ == Kind::array; }
  [[nodiscard]] bool is_object() const { return kind_ == Kind::object; }
  /// integer or real (a big integer is neither here: ask text()).
  [[nodiscard]] bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::real; }

  /// The payload of that kind; a zero or empty value for any other kind (never undefined behaviour).
  [[nodiscard]] bool as_bool() const { return kind_ == Kind::boolean && integer_ != 0; }
  [[nodiscard]] int64_t as_integer() const { return kind_ == Kind::integer ? integer_ : 0; }
  /// Also of an integer, converted.
  [[nodiscard]] double as_real() const { return kind_ == Kind::real ? real_ : static_cast<double>(as_integer()); }
  /// The string, or the digits of a big integer.
  [[nodiscard]] const std::string& text() const& { return text_; }
  [[nodiscard]] const std::vector<JsonValue>& items() const& { return items_; }
  [[nodiscard]] const std::vector<Member>& members() const& { return members_; }
  [[nodiscard]] std::vector<JsonValue>& items() & { return items_; }

  /// The member of that name, or nullptr (also when this is no object).
  [[nodiscard]] const JsonValue* find(std::string_view name) const;
  /// Sets a member: replaces the one of that name or appends. Makes this an object if it was null; otherwise no object is left alone.
  void set(std::string name, JsonValue value);

 private:
  Kind kind_ = Kind::null;
  int64_t integer_ = 0;
  double real_ = 0;
  std::string text_;
  std::vector<JsonValue> items_;
  std::vector<Member> members_;
};

/// The text as a JSON string with its quotes: escapes '"', '\\' and controls; other UTF-8 as it is; an invalid byte becomes U+FFFD,
/// so that the output is always valid JSON.
std::string json_string(std::string_view text);

}  // namespace mainspring::inline v0
