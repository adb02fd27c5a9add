// Tensors of strings (UTF-8).
//   StringConcat (a, b): a's characters, then b's, broadcast
//   StringSplit (x) delimiter, maxsplit -> parts […, most], counts i64: without a delimiter at runs of white space
//   StringNormalizer (x [n] or [1, n]) stopwords, is_case_sensitive = 0, case_change_action = NONE | LOWER | UPPER: without the stop words; one empty string where none is left
//   RegexFullMatch (x) pattern -> bool: RE2's syntax, as far as PCRE2 shares it
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

std::span<const std::string_view> strings_of(const Datum& d) { return d.tensor.span<std::string_view>(); }

// ---- StringConcat ----------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_concat(const OpCall& c) {
  MAINSPRING_TRY_VOID(need_dtype("StringConcat", c, 0, "X", DType::string));
  MAINSPRING_TRY_VOID(need_dtype("StringConcat", c, 1, "Y", DType::string));
  MAINSPRING_TRY(ValueInfo v, broadcast("StringConcat", DType::string, c.in));
  return one(std::move(v));
}

Result<void> concat(DynamicCall& c) {
  const Shape shapes[] = {c.in[0].tensor.shape(), c.in[1].tensor.shape()};
  Shape y;
  for (int k = 0, rank = std::max(shapes[0].rank(), shapes[1].rank()); k < rank; ++k) {
    int64_t n = 1;
    for (const Shape& s : shapes)
      if (const int i = k - rank + s.rank(); i >= 0 && s[i] != 1) n = s[i];
    y.push_back(n);
  }
  Walk walk(y, shapes);
  MAINSPRING_TRY(Tensor views, c.make(DType::string, y));
  size_t bytes = 0;
  for (int64_t i = 0; i < walk.elements(); ++i, walk.next()) bytes += strings_of(c.in[0])[static_cast<size_t>(walk.at(0))].size() + strings_of(c.in[1])[static_cast<size_t>(walk.at(1))].size();
  MAINSPRING_TRY(Tensor text, c.make(DType::u8, {static_cast<int64_t>(bytes)}));
  char* to = reinterpret_cast<char*>(text.data());
  Walk again(y, shapes);
  for (std::string_view& s : views.span<std::string_view>()) {
    const char* begin = to;
    for (size_t o = 0; o < 2; ++o) {
      const std::string_view part = strings_of(c.in[o])[static_cast<size_t>(again.at(o))];
      to = std::copy(part.begin(), part.end(), to);
    }
    s = {begin, static_cast<size_t>(to - begin)};
    again.next();
  }
  MAINSPRING_TRY(c.out[0], owned(c, std::move(views)));
  return {};
}

// ---- StringSplit -----------------------------------------------------------------------------------------------------------

/// Bytes of the white space at the beginning; 0 for other characters.
size_t white(std::string_view s) {
  if (s.empty()) return 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(s.data());
  utf8proc_int32_t code = -1;
  const auto n = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(s.size()), &code);
  if (n <= 0) return 0;
  const auto category = utf8proc_category(code);
  const bool separator = category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
  return separator || (code >= 9 && code <= 13) || (code >= 28 && code <= 31) || code == 0x85 ? static_cast<size_t>(n) : 0;
}

/// Calls f for each part and counts them. At most `most` cuts are made; what is left is the last part.
template <class F>
int64_t split_one(std::string_view s, std::string_view delimiter, int64_t most, F f) {
  int64_t n = 0;
  const auto give = [&](std::string_view part) { f(n++, part); };
  if (!delimiter.empty()) {
    for (size_t at = s.find(delimiter); at != s.npos && n < most; at = s.find(delimiter)) {
      give(s.substr(0, at));
      s.remove_prefix(at + delimiter.size());
    }
    give(s);
    return n;
  }
  for (;;) {
    while (const size_t skip = white(s)) s.remove_prefix(skip);
    if (s.empty()) return n;
    size_t end = n < most ? 0 : s.size();
    while (end < s.size() && white(s.substr(end)) == 0) ++end;
    give(s.substr(0, end));
    s.remove_prefix(end);
  }
}

Result<std::vector<ValueInfo>> infer_split(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_dtype("StringSplit", c, 0, "X", DType::string));
  std::vector<ValueInfo> out{unranked(DType::string), x->ranked ? tensor_of(DType::i64, x->dims) : unranked(DType::i64)};
  if (x->ranked) {
    Dims dims = x->dims;
    dims.push_back(Dim::unknown());
    MAINSPRING_TRY(out[0], bounded("StringSplit", DType::string, std::move(dims)));
  }
  out.resize(static_cast<size_t>(c.n_out));
  return out;
}

Result<void> split(DynamicCall& c) {
  const Tensor& x = c.in[0].tensor;
  const auto delimiter = c.attrs.s("delimiter");
  const int64_t most = c.attrs.has("maxsplit") && c.attrs.i("maxsplit") >= 0 ? c.attrs.i("maxsplit") : std::numeric_limits<int64_t>::max();
  MAINSPRING_TRY(Tensor counts, c.make(DType::i64, x.shape()));
  int64_t widest = 0;
  size_t i = 0;
  for (const std::string_view s : strings_of(c.in[0])) {
    if (i % 4096 == 0) MAINSPRING_TRY_VOID(c.go_on());
    widest = std::max(widest, counts.span<int64_t>()[i++] = split_one(s, delimiter, most, [](int64_t, std::string_view) {}));
  }
  Shape shape = x.shape();
  shape.push_back(widest);
  MAINSPRING_TRY(Tensor parts, c.make(DType::string, shape));
  const auto to = parts.span<std::string_view>();
  i = 0;
  for (const std::string_view s : strings_of(c.in[0])) {
    split_one(s, delimiter, most, [&](int64_t k, std::string_view part) { to[i + static_cast<size_t>(k)] = part; });
    i += static_cast<size_t>(widest);
  }
  MAINSPRING_TRY(c.out[0], owned(c, std::move(parts)));
  if (c.out.size() > 1) c.out[1] = std::move(counts);
  return {};
}

// ---- StringNormalizer ------------------------------------------------------------------------------------------------------

/// Each character by `change`; bytes that are no UTF-8 stay.
std::string changed(std::string_view s, utf8proc_int32_t (*change)(utf8proc_int32_t)) {
  if (change == nullptr) return std::string(s);
  std::string out;
  for (size_t i = 0; i < s.size();) {
    utf8proc_int32_t code = -1;
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(s.data()) + i, static_cast<utf8proc_ssize_t>(s.size() - i), &code);
    utf8proc_uint8_t bytes[4];
    if (n > 0) out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(utf8proc_encode_char(change(code), bytes)));
    else out += s[i];
    i += n > 0 ? static_cast<size_t>(n) : 1;
  }
  return out;
}

Result<std::vector<ValueInfo>> infer_normalizer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_dtype("StringNormalizer", c, 0, "X", DType::string));
  MAINSPRING_TRY_VOID(want_rank("StringNormalizer", *x, "X", 1, 2));
  const auto action = c.attrs.s("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER") return invalid("StringNormalizer: case_change_action is '{}'", action);
  if (!x->ranked) return one(unranked(DType::string));
  if (x->dims.size() == 1) return one(of_rank(DType::string, 1));
  MAINSPRING_TRY_VOID(same_dim("StringNormalizer", "axis 0 of two", x->dims[0], 1));
  return one(tensor_of(DType::string, {1, Dim::unknown()}));
}

Result<void> normalize(DynamicCall& c) {
  const auto action = c.attrs.s("case_change_action", "NONE");
  const auto change = action == "LOWER" ? utf8proc_tolower : action == "UPPER" ? utf8proc_toupper : nullptr;
  const auto compared = c.attrs.i("is_case_sensitive") != 0 ? nullptr : utf8proc_tolower;
  std::vector<std::string> stop;
  for (const std::string& word : c.attrs.ss("stopwords")) stop.push_back(changed(word, compared));
  std::sort(stop.begin(), stop.end());
  std::vector<std::string> kept;
  size_t i = 0;
  for (const std::string_view s : strings_of(c.in[0])) {
    if (i++ % 4096 == 0) MAINSPRING_TRY_VOID(c.go_on());
    if (!std::binary_search(stop.begin(), stop.end(), changed(s, compared))) kept.push_back(changed(s, change));
  }
  if (kept.empty()) kept.emplace_back();
  const std::vector<std::string_view> views(kept.begin(), kept.end());
  const auto n = static_cast<int64_t>(views.size());
  MAINSPRING_TRY(c.out[0], c.make_strings(views, c.in[0].tensor.shape().rank() == 2 ? Shape{1, n} : Shape{n}));
  return {};
}

// ---- RegexFullMatch --------------------------------------------------------------------------------------------------------

struct Regex {
  pcre2_code* code = nullptr;
  pcre2_match_data* match = nullptr;
  pcre2_match_context* context = nullptr;
  Regex() = default;
  Regex(Regex&& o) noexcept : code(std::exchange(o.code, nullptr)), match(std::exchange(o.match, nullptr)), context(std::exchange(o.context, nullptr)) {}
  Regex& operator=(Regex&&) = delete;
  ~Regex() {
    pcre2_code_free(code);
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
  }

  static Result<Regex> compile(std::string_view pattern) {
    Regex r;
    int error = 0;
    size_t at = 0;
    r.code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                           PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
    if (!r.code) return invalid("RegexFullMatch: the pattern fails with code {} at {}", error, at);
    r.match = pcre2_match_data_create_from_pattern(r.code, nullptr);
    r.context = pcre2_match_context_create(nullptr);
    if (!r.match || !r.context) return out_of_memory("RegexFullMatch: no memory for the pattern");
    // RE2 needs time in proportion to the string; a pattern that needs more than this here was made to.
    pcre2_set_match_limit(r.context, 5'000'000);
    pcre2_set_depth_limit(r.context, 1'000'000);
    pcre2_set_heap_limit(r.context, 1u << 18);  // KiB
    return r;
  }
};

Result<std::vector<ValueInfo>> infer_regex(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_dtype("RegexFullMatch", c, 0, "X", DType::string));
  MAINSPRING_TRY_VOID(Regex::compile(c.attrs.s("pattern")));
  return one(x->ranked ? tensor_of(DType::boolean, x->dims) : unranked(DType::boolean));
}

Result<void> match(DynamicCall& c) {
  MAINSPRING_TRY(const Regex regex, Regex::compile(c.attrs.s("pattern")));
  MAINSPRING_TRY(Tensor y, c.make(DType::boolean, c.in[0].tensor.shape()));
  size_t i = 0;
  for (const std::string_view s : strings_of(c.in[0])) {
    MAINSPRING_TRY_VOID(c.go_on());
    const int rc = pcre2_match(regex.code, reinterpret_cast<PCRE2_SPTR>(s.empty() ? "" : s.data()), s.size(), 0, 0, regex.match, regex.context);
    // codes of bytes that are no UTF-8 mean no match; the others that the limits were met
    if (rc < PCRE2_ERROR_PARTIAL && !(rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)) return exhausted("RegexFullMatch: gives up with code {} on {} bytes", rc, s.size());
    y.span<bool>()[i++] = rc >= 0;
  }
  c.out[0] = std::move(y);
  return {};
}

}  // namespace

constinit const OpDef op_StringConcat{.name = "StringConcat", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_concat, .dynamic = concat};
constinit const OpDef op_StringSplit{.name = "StringSplit", .min_in = 1, .max_in = 1, .n_out = 2, .infer = infer_split, .dynamic = split};
constinit const OpDef op_StringNormalizer{.name = "StringNormalizer", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_normalizer, .dynamic = normalize};
constinit const OpDef op_RegexFullMatch{.name = "RegexFullMatch", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_regex, .dynamic = match};

}  // namespace mainspring::inline v0
