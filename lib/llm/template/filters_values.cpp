// Jinja's filters on single values: defaults, numbers, attributes.
#include <charconv>
#include <cmath>

#include "llm/template/attribute_path.h"
#include "llm/template/evaluator.h"
#include "llm/template/tables.h"
#include "llm/template/text_ops.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {

Result<AttributePath> attribute_path(Heap& heap, Value attribute) {
  if (attribute.is(Kind::missing) || attribute.is(Kind::none)) return AttributePath{};
  std::vector<Value> parts;
  if (!attribute.is_string()) {
    parts.push_back(attribute);
  } else {
    for (std::string_view part : split_at(attribute.text(), ".", -1, false)) {
      bool digits = !part.empty();
      for (size_t i = 0; i < part.size() && digits;) digits = is_digit(next_code_point(part, i));
      Value v = make_view_string(heap, part);
      if (digits) {
        MAINSPRING_TRY(std::optional<Value> number, parse_integer(heap, part, 10));
        if (!number) return invalid("attribute path: '{}' is no number", part);
        v = *number;
      }
      parts.push_back(v);
    }
  }
  MAINSPRING_TRY(Value list, make_list(heap, parts));
  return AttributePath{list.list->span()};
}

Result<Value> follow(Evaluator& ev, const AttributePath& path, Value item, Value otherwise) {
  bool has_default = !otherwise.is(Kind::missing) && !otherwise.is(Kind::none);
  for (Value part : path.parts) {
    MAINSPRING_TRY(item, ev.item(item, part));
    if (has_default && item.is(Kind::undefined)) item = otherwise;
  }
  return item;
}

Result<Value> ignore_case(Evaluator& ev, Value v) {
  if (!v.is_string()) return v;
  return method_lower(ev, v, {});
}

Result<Value> filter_default(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("default", args, {"default_value", "boolean"}));
  bool replace = v.is(Kind::undefined) || (truthy_or(a[1], false) && !truthy(v));
  if (!replace) return v;
  return a[0].is(Kind::missing) ? make_view_string(ev.heap(), "") : a[0];
}

// Only what is an attribute in Python: no items.
Result<Value> filter_attr(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("attr", args, {"name"}, 1));
  MAINSPRING_TRY(std::string_view name, as_text("attr", a[0]));
  if (!v.is(Kind::dict)) return ev.attribute(v, name);
  if (find_method(Kind::dict, name) != nullptr) return ev.attribute(v, name);
  return make_undefined_attribute(ev.heap(), v, name);
}

Result<Value> filter_length(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("length", args));
  if (v.is(Kind::loop)) {
    MAINSPRING_TRY(int64_t n, loop_length(ev, *v.loop));
    return Value::of(n);
  }
  std::optional<int64_t> n = length_of(v);
  if (!n) return invalid("object of type '{}' has no len()", type_name(v));
  return Value::of(*n);
}

// ---- numbers ----------------------------------------------------------------------------------------------------------------
namespace {

Result<Value> whole_part(Heap& heap, double v) { return make_integer(heap, BigInt::from(v)); }

}  // namespace

Result<Value> filter_int(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("int", args, {"default", "base"}));
  Value otherwise = a[0].is(Kind::missing) ? Value::of(int64_t{0}) : a[0];
  MAINSPRING_TRY(int64_t base, index_or("int", a[1], 10));
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (v.is_int()) return v.is(Kind::boolean) ? Value::of(v.int64()) : v;
  if (v.is(Kind::real)) {
    if (std::isinf(v.real)) return invalid("cannot convert float infinity to integer");
    return std::isnan(v.real) ? Result<Value>(otherwise) : whole_part(ev.heap(), v.real);
  }
  if (!v.is_string()) return otherwise;
  MAINSPRING_TRY(std::optional<Value> whole, parse_integer(ev.heap(), v.text(), static_cast<int>(std::clamp<int64_t>(base, -1, 37))));
  if (whole) return *whole;
  std::optional<double> real = parse_real(v.text());
  if (!real || !std::isfinite(*real)) return otherwise;
  return whole_part(ev.heap(), *real);
}

Result<Value> filter_float(Evaluator&, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("float", args, {"default"}));
  Value otherwise = a[0].is(Kind::missing) ? Value::of(0.0) : a[0];
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (v.is_number()) {
    double real = real_of(v);
    if (std::isinf(real) && !v.is(Kind::real)) return invalid("int too large to convert to float");
    return Value::of(real);
  }
  if (!v.is_string()) return otherwise;
  std::optional<double> real = parse_real(v.text());
  return real ? Value::of(*real) : otherwise;
}

Result<Value> filter_abs(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("abs", args));
  if (!v.is_number()) return invalid("bad operand type for abs(): '{}'", type_name(v));
  if (v.is(Kind::real)) return Value::of(std::fabs(v.real));
  bool negative = v.is(Kind::big) ? v.big->negative : v.int64() < 0;
  if (negative) return negate(ev.heap(), v);
  return v.is(Kind::boolean) ? Value::of(v.int64()) : v;
}

namespace {

// round(v, digits) of Python: correct in decimal, halves to even.
double round_real(double v, int64_t digits) {
  if (!std::isfinite(v) || digits > 350) return v;
  if (digits < -350) return std::copysign(0.0, v);
  if (digits < 0) {
    double scale = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(v / scale) * scale;
  }
  char buffer[800];
  auto [end, ec] = std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::fixed, static_cast<int>(digits));
  double r = v;
  if (ec == std::errc()) std::from_chars(buffer, end, r);
  return r;
}

Result<Value> round_whole(Heap& heap, Value v, int64_t digits) {
  if (v.is(Kind::boolean)) v = Value::of(v.int64());
  if (digits >= 0) return v;
  if (digits < -4000) return Value::of(int64_t{0});
  MAINSPRING_TRY(Value scale, arithmetic(heap, Arithmetic::power, Value::of(int64_t{10}), Value::of(-digits)));
  MAINSPRING_TRY(Value quotient, arithmetic(heap, Arithmetic::floor_divide, v, scale));
  MAINSPRING_TRY(Value rest, arithmetic(heap, Arithmetic::modulo, v, scale));
  MAINSPRING_TRY(Value twice, arithmetic(heap, Arithmetic::multiply, rest, Value::of(int64_t{2})));
  MAINSPRING_TRY(Value odd, arithmetic(heap, Arithmetic::modulo, quotient, Value::of(int64_t{2})));
  int side = compare_numbers(twice, scale);
  if (side > 0 || (side == 0 && truthy(odd))) {
    MAINSPRING_TRY(quotient, arithmetic(heap, Arithmetic::add, quotient, Value::of(int64_t{1})));
  }
  return arithmetic(heap, Arithmetic::multiply, quotient, scale);
}

}  // namespace

Result<Value> filter_round(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("round", args, {"precision", "method"}));
  MAINSPRING_TRY(int64_t digits, index_or("round", a[0], 0));
  std::string_view method = a[1].is_string() ? a[1].text() : a[1].is(Kind::missing) ? "common" : "";
  if (method != "common" && method != "ceil" && method != "floor") return invalid("round: the method must be common, ceil or floor");
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (!v.is_number()) return invalid("round: type {} is no number", type_name(v));
  if (method == "common") {
    if (v.is_int()) return round_whole(ev.heap(), v, digits);
    return Value::of(round_real(v.real, digits));
  }
  double scale = std::pow(10.0, static_cast<double>(std::clamp<int64_t>(digits, -400, 400)));
  double scaled = real_of(v) * scale;
  if (!std::isfinite(scaled)) return invalid("round: cannot convert float {} to integer", real_repr(scaled));
  return Value::of((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Result<Value> filter_filesizeformat(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("filesizeformat", args, {"binary"}));
  bool binary = truthy_or(a[0], false);
  std::optional<double> bytes;
  if (v.is_number()) bytes = real_of(v);
  if (v.is_string()) bytes = parse_real(v.text());
  if (!bytes) return invalid("filesizeformat: '{}' object is no number", type_name(v));
  double base = binary ? 1024 : 1000;
  if (*bytes == 1) return make_string(ev.heap(), "1 Byte");
  if (*bytes < base) return make_string(ev.heap(), fmt::format("{} Bytes", static_cast<int64_t>(*bytes)));
  constexpr std::string_view prefixes = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0;; ++i) {
    unit *= base;
    if (*bytes >= unit && i + 1 < prefixes.size()) continue;
    std::string prefix = binary && prefixes[i] == 'k' ? "K" : std::string(1, prefixes[i]);
    return make_string(ev.heap(), fmt::format("{:.1f} {}{}B", base * *bytes / unit, prefix, binary ? "i" : ""));
  }
}

Result<Value> filter_random(Evaluator&, Value, const Arguments&) { return unsupported("random: a prompt must be the same each time"); }

}  // namespace mainspring::inline v0::jinja
