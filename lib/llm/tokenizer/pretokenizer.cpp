#include "llm/tokenizer/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <string>

#include "core/error.h"

namespace mainspring::inline v0 {

namespace {

struct StepSpec {
  std::string_view regex;
  Splitter fast = nullptr;
};
struct NameSpec {
  std::string_view name;
  std::span<const StepSpec> steps;
  uint32_t flags;
};

#define STEP(regex_) StepSpec{regex_, nullptr}
#define FAST(splitter, regex_) StepSpec{regex_, split_##splitter}
#define SET(characters) StepSpec{"[" characters "]+", split_set<characters>}
#define SPACED_SET(characters) StepSpec{"\\s?[" characters "]+", split_spaced_set<characters>}
#define MAINSPRING_SPLIT(id, ...) constexpr StepSpec kSplit_##id[] = {__VA_ARGS__};
#include "llm/tokenizer/pretokenizers.inc"
#undef STEP
#undef FAST
#undef SET
#undef SPACED_SET

constexpr NameSpec kNames[] = {
#define MAINSPRING_PRETOKENIZER(name, split, flags) {name, kSplit_##split, flags},
#include "llm/tokenizer/pretokenizers.inc"
};

/// PCRE2's \s takes U+180E for white space, which the regex engines of Rust and Python do not: \s and \S are written out.
std::string expand_spaces(std::string_view regex) {
  constexpr std::string_view set = R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size()) {
      const char next = regex[++i];
      if (next == 's' && in_class) out += set;
      else if (next == 's') (out += '[').append(set) += ']';
      else if (next == 'S') (out += "[^").append(set) += ']';
      else (out += c) += next;
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

struct MatchData {
  explicit MatchData(const pcre2_code* code) : data(pcre2_match_data_create_from_pattern(code, nullptr)) {}
  ~MatchData() { pcre2_match_data_free(data); }
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  pcre2_match_data* data;
};

}  // namespace

class Regex {
 public:
  static Result<std::unique_ptr<Regex>> compile(std::string_view pattern) {
    const std::string text = expand_spaces(pattern);
    int error = 0;
    size_t offset = 0;
    auto r = std::unique_ptr<Regex>(new Regex);
    r->code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    r->context_ = pcre2_match_context_create(nullptr);
    if (!r->code_ || !r->context_) return internal_error("tokenizer: pre-tokenizer regex fails with code {} at {}", error, offset);
    // Our patterns need a few steps a character; whatever needs more than this for one match is an attack.
    pcre2_set_match_limit(r->context_, 50'000'000);
    pcre2_set_depth_limit(r->context_, 10'000'000);
    pcre2_set_heap_limit(r->context_, 1u << 20);  // KiB
    return r;
  }
  ~Regex() {
    pcre2_code_free(code_);
    pcre2_match_context_free(context_);
  }
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  const pcre2_code* code() const { return code_; }

  /// Pieces of `s`: matches and what is between them. An empty match only cuts.
  Result<void> split(std::string_view s, size_t base, MatchData& match, std::vector<size_t>& ends) const {
    size_t done = 0;
    for (size_t at = 0; at < s.size();) {
      const int rc = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(s.data()), s.size(), at, PCRE2_NO_UTF_CHECK, match.data, context_);
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) return exhausted("tokenizer: pre-tokenizer regex gives up with code {} on {} bytes", rc, s.size());
      const size_t* found = pcre2_get_ovector_pointer(match.data);
      if (found[0] > done) ends.push_back(base + found[0]);
      if (found[1] > found[0]) ends.push_back(base + found[1]);
      done = found[1];
      at = done;
      if (found[1] == found[0])  // go on behind the next character
        do ++at;
        while (at < s.size() && (static_cast<uint8_t>(s[at]) & 0xC0) == 0x80);
    }
    if (done < s.size()) ends.push_back(base + s.size());
    return {};
  }

 private:
  Regex() = default;
  pcre2_code* code_ = nullptr;
  pcre2_match_context* context_ = nullptr;
};

Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

Result<Pretokenizer> Pretokenizer::create(std::string_view name, bool use_fast) {
  const auto* spec = std::find_if(std::begin(kNames), std::end(kNames), [name](const NameSpec& n) { return n.name == name; });
  if (spec == std::end(kNames)) return unsupported("tokenizer: pre-tokenizer '{}' is not one this build knows", name);
  Pretokenizer p;
  p.flags_ = spec->flags;
  for (const StepSpec& step : spec->steps) {
    Stage stage;
    if (use_fast) stage.fast = step.fast;
    if (!stage.fast) {
      MAINSPRING_TRY(stage.regex, Regex::compile(step.regex));
    }
    p.stages_.push_back(std::move(stage));
  }
  return p;
}

TokenizerDefaults Pretokenizer::defaults() const {
  TokenizerDefaults d;
  d.add_bos = has(PretokenizerFlags::add_bos);
  d.no_bos = has(PretokenizerFlags::no_bos);
  d.force_bos = has(PretokenizerFlags::force_bos);
  return d;
}

Result<void> Pretokenizer::split(std::string_view text, std::vector<size_t>& ends) const {
  ends.clear();
  if (text.empty()) return {};
  ends.push_back(text.size());
  std::vector<size_t> next;
  for (const Stage& stage : stages_) {
    next.clear();
    size_t begin = 0;
    const std::unique_ptr<MatchData> match = stage.fast ? nullptr : std::make_unique<MatchData>(stage.regex->code());
    if (match && !match->data) return out_of_memory("tokenizer: no memory for a regex match");
    for (const size_t end : ends) {
      const std::string_view piece = text.substr(begin, end - begin);
      if (stage.fast) stage.fast(piece, begin, next);
      else MAINSPRING_TRY_VOID(stage.regex->split(piece, begin, *match, next));
      begin = end;
    }
    ends.swap(next);
  }
  return {};
}

std::vector<std::string_view> Pretokenizer::names() {
  std::vector<std::string_view> out;
  for (const NameSpec& n : kNames) out.push_back(n.name);
  return out;
}

}  // namespace mainspring::inline v0
