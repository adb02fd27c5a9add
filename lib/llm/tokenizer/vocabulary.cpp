#include "llm/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace mainspring::inline v0 {

namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

/// "tokenizer.ggml." + name, looked up.
const MetaValue* find_key(const Metadata& metadata, std::string_view name) {
  return metadata.find(std::string(kPrefix) + std::string(name));
}

std::string_view text_of(const Metadata& metadata, std::string_view key) {
  const MetaValue* v = metadata.find(key);
  return v ? v->as_string().value_or(std::string_view{}) : std::string_view{};
}

void read_flag(const Metadata& metadata, std::string_view name, bool& flag) {
  if (const MetaValue* v = find_key(metadata, name)) flag = v->as_bool().value_or(flag);
}

/// Number of scalars of an array that its bytes really hold; 0 for what is not an array of scalars.
uint64_t scalars_of(const MetaValue& v) {
  if (v.type != MetaValue::Type::array) return 0;
  const size_t bytes = MetaValue::size_of(v.element);
  return bytes ? std::min<uint64_t>(v.count, v.raw.size() / bytes) : 0;
}

/// The first n elements of an array whose elements are of that type; false where they are of another. In place of MetaValue::at, which for each of
/// 262 thousand tokens takes milliseconds.
template <class T, class Each>
bool read_as(const MetaValue& v, MetaValue::Type type, size_t n, Each each) {
  if (v.element != type) return false;
  for (size_t i = 0; i < n; ++i) {
    T x{};
    std::memcpy(&x, v.raw.data() + i * sizeof x, sizeof x);
    each(i, x);
  }
  return true;
}

Result<void> read_types(const Metadata& metadata, Vocabulary& out) {
  const auto n = static_cast<size_t>(out.size);
  out.types.assign(n, TokenType::normal);
  const MetaValue* v = find_key(metadata, "token_type");
  if (!v) return {};
  const uint64_t have = scalars_of(*v);
  if (have < n) return corrupt("tokenizer: token_type has {} elements, expected one for each of {} tokens", have, n);
  // 0 is "undefined": a token that is never matched and has no text, which is what unused means
  const auto set = [&](size_t i, int64_t t) { out.types[i] = t >= 1 && t <= 6 ? static_cast<TokenType>(t) : TokenType::unused; };
  if (read_as<int32_t>(*v, MetaValue::Type::i32, n, set)) return {};
  for (size_t i = 0; i < n; ++i) set(i, v->at(i).as_int().value_or(0));
  return {};
}

Result<void> read_scores(const Metadata& metadata, Vocabulary& out) {
  const MetaValue* v = find_key(metadata, "scores");
  if (!v) return {};
  const auto n = static_cast<size_t>(out.size);
  const uint64_t have = scalars_of(*v);
  if (have < n) return corrupt("tokenizer: scores has {} elements, expected one for each of {} tokens", have, n);
  out.scores.resize(n);
  const auto set = [&](size_t i, float score) { out.scores[i] = score; };
  if (read_as<float>(*v, MetaValue::Type::f32, n, set)) return {};
  for (size_t i = 0; i < n; ++i) set(i, static_cast<float>(v->at(i).as_float().value_or(0.0)));
  return {};
}

struct RoleKey {
  Special role;
  std::string_view key;
};
constexpr RoleKey kRoleKeys[] = {
    {Special::bos, "bos_token_id"}, {Special::eos, "eos_token_id"}, {Special::eot, "eot_token_id"}, {Special::eom, "eom_token_id"},
    {Special::unk, "unknown_token_id"}, {Special::sep, "seperator_token_id"},  // the format's own spelling
    {Special::pad, "padding_token_id"}, {Special::mask, "mask_token_id"},
    {Special::fim_prefix, "fim_pre_token_id"}, {Special::fim_suffix, "fim_suf_token_id"}, {Special::fim_middle, "fim_mid_token_id"},
    {Special::fim_pad, "fim_pad_token_id"}, {Special::fim_repository, "fim_rep_token_id"}, {Special::fim_separator, "fim_sep_token_id"},
    {Special::fim_prefix, "prefix_token_id"}, {Special::fim_suffix, "suffix_token_id"}, {Special::fim_middle, "middle_token_id"},  // old names
};

/// Ids that hold where a file names none.
void default_ids(Vocabulary& v) {
  v.special.fill(-1);
  const auto set = [&v](Special role, int32_t id) { v.special[static_cast<size_t>(role)] = id; };
  switch (v.kind) {
    case TokenizerKind::sentencepiece: set(Special::bos, 1), set(Special::eos, 2), set(Special::unk, 0); break;
    case TokenizerKind::wordpiece:
      set(Special::bos, 101), set(Special::unk, 100), set(Special::sep, 102), set(Special::pad, 0), set(Special::mask, 103);
      break;
    case TokenizerKind::bpe:
      if (v.model == "gpt2" || v.model == "whitespace") set(Special::bos, 11), set(Special::eos, 11);
      break;
    case TokenizerKind::unigram: set(Special::eos, 1), set(Special::unk, 2), set(Special::pad, 0); break;
    case TokenizerKind::rwkv: case TokenizerKind::none: break;
  }
}

void read_special_ids(const Metadata& metadata, const TokenizerDefaults& defaults, Vocabulary& v) {
  default_ids(v);
  if (defaults.no_bos) v.special[static_cast<size_t>(Special::bos)] = -1;
  for (int32_t& id : v.special)
    if (id >= v.size) id = -1;
  const auto read = [&](std::string_view key, Special role) {
    const MetaValue* m = find_key(metadata, key);
    const int64_t id = m ? m->as_int().value_or(-1) : -1;
    if (id >= 0 && id < v.size) v.special[static_cast<size_t>(role)] = static_cast<int32_t>(id);
  };
  if (v.kind == TokenizerKind::wordpiece) read("cls_token_id", Special::bos);
  for (const RoleKey& r : kRoleKeys) read(r.key, r.role);
}

struct RoleTexts {
  Special role;
  std::array<std::string_view, 12> texts;
};
constexpr RoleTexts kRoleTexts[] = {
#define MAINSPRING_ROLE(role, ...) {Special::role, {__VA_ARGS__}},
#include "llm/tokenizer/special_texts.inc"
};
constexpr std::string_view kEndTexts[] = {
#define MAINSPRING_END(text) text,
#include "llm/tokenizer/special_texts.inc"
};
constexpr std::string_view kShownTexts[] = {
#define MAINSPRING_SHOWN(text) text,
#include "llm/tokenizer/special_texts.inc"
};

/// Retypes a token; the file's own types are kept the first time one changes.
void retype(Vocabulary& v, int32_t id, TokenType type) {
  TokenType& t = v.types[static_cast<size_t>(id)];
  if (t == type) return;
  if (v.file_types.empty()) v.file_types = v.types;
  t = type;
}

void find_roles_by_text(Vocabulary& v) {
  for (const RoleTexts& r : kRoleTexts) {
    int32_t& id = v.special[static_cast<size_t>(r.role)];
    for (size_t i = 0; id < 0 && i < r.texts.size() && !r.texts[i].empty(); ++i)
      if ((id = v.find(r.texts[i])) >= 0) retype(v, id, TokenType::control);
  }
}

void find_ends(Vocabulary& v) {
  std::vector<int32_t>& ends = v.end_of_generation;
  for (Special role : {Special::fim_pad, Special::fim_repository, Special::fim_separator, Special::eos, Special::eot, Special::eom})
    ends.push_back(v.id(role));
  for (std::string_view text : kEndTexts) {
    const int32_t id = v.find(text);
    if (id >= 0) retype(v, id, TokenType::control);
    ends.push_back(id);
  }
  for (std::string_view text : kShownTexts)
    if (const int32_t id = v.find(text); id >= 0) retype(v, id, TokenType::user_defined);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  if (!ends.empty() && ends.front() < 0) ends.erase(ends.begin());

  const auto has = [&](std::string_view text) { return std::binary_search(ends.begin(), ends.end(), std::max(v.find(text), 0)) && v.find(text) >= 0; };
  const auto drop = [&](std::string_view text, TokenType type) {
    if (!has(text)) return;
    const int32_t id = v.find(text);
    ends.erase(std::lower_bound(ends.begin(), ends.end(), id));
    retype(v, id, type);
  };
  // gpt-oss and Solar separate messages with <|end|> and finish with other tokens
  const bool calls = has("<|call|>") || has("<|calls|>");
  if (calls && (has("<|return|>") || has("<|flush|>"))) drop("<|end|>", TokenType::user_defined);
  // Gemma 4 and PLaMo have </s> as an ordinary piece of text
  if (has("<|tool_response>") || has("<|plamo:eos|>")) drop("</s>", TokenType::normal);
}

std::string lower_ascii(std::string_view s) {
  std::string r(s);
  for (char& c : r)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return r;
}

/// Files do not say which special tokens swallow the white space beside them; these models are known to need it.
void find_stripping(const Metadata& metadata, Vocabulary& v) {
  const std::string_view arch = text_of(metadata, "general.architecture");
  const std::string name = lower_ascii(text_of(metadata, "general.name"));
  const auto in = [](std::string_view s, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(), [s](std::string_view p) { return s.find(p) != std::string_view::npos; });
  };
  if (in(v.pre, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) || in(arch, {"nomic-bert-moe", "jina-bert-v3"})) v.strip_left = "<mask>";
  else if (in(name, {"phi-3", "phi3"})) v.strip_right = true;
  else if (in(name, {"modern-bert"})) v.strip_left = "[MASK]";
}

}  // namespace

int byte_of_text(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  int value = 0;
  for (char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

Result<std::span<const std::string_view>> string_array(const Metadata& metadata, std::string_view key) {
  const MetaValue* v = metadata.find(key);
  if (!v) return not_found("tokenizer: the metadata has no '{}'", key);
  if (v->type != MetaValue::Type::array || v->element != MetaValue::Type::string)
    return corrupt("tokenizer: '{}' is not an array of strings", key);
  return std::span<const std::string_view>(v->strings);
}

Result<Vocabulary> identify_vocabulary(const Metadata& metadata) {
  struct Model { std::string_view name; TokenizerKind kind; };
  constexpr Model models[] = {{"none", TokenizerKind::none}, {"no_vocab", TokenizerKind::none}, {"llama", TokenizerKind::sentencepiece},
                              {"gpt2", TokenizerKind::bpe}, {"gemma4", TokenizerKind::bpe}, {"whitespace", TokenizerKind::bpe},
                              {"bert", TokenizerKind::wordpiece}, {"t5", TokenizerKind::unigram}, {"rwkv", TokenizerKind::rwkv}};
  Vocabulary v;
  const MetaValue* model = metadata.find("tokenizer.ggml.model");
  if (!model) return not_found("tokenizer: the metadata has no 'tokenizer.ggml.model'");
  v.model = model->as_string().value_or(std::string_view{});
  const auto* known = std::find_if(std::begin(models), std::end(models), [&](const Model& m) { return m.name == v.model; });
  if (known == std::end(models)) return unsupported("tokenizer: model '{}' is not one this build knows", v.model);
  v.kind = known->kind;
  if (std::string_view pre = text_of(metadata, "tokenizer.ggml.pre"); !pre.empty()) v.pre = pre;
  if (v.model == "gemma4") v.pre = "gemma4";
  return v;
}

Result<void> load_vocabulary(const Metadata& metadata, const TokenizerDefaults& defaults, Vocabulary& v) {
  v.special.fill(-1);
  if (v.kind == TokenizerKind::none) {
    // ids without texts: only their number may be known
    const MetaValue* n = metadata.find(std::string(text_of(metadata, "general.architecture")) + ".vocab_size");
    v.size = static_cast<int32_t>(std::clamp<int64_t>(n ? n->as_int().value_or(0) : 0, 0, std::numeric_limits<int32_t>::max()));
    return {};
  }
  MAINSPRING_TRY(const std::span<const std::string_view> tokens, string_array(metadata, "tokenizer.ggml.tokens"));
  if (tokens.empty()) return corrupt("tokenizer: 'tokenizer.ggml.tokens' is empty");
  if (tokens.size() > size_t{1} << 28) return unsupported("tokenizer: {} tokens, expected at most 2^28", tokens.size());
  v.size = static_cast<int32_t>(tokens.size());
  v.texts = tokens;
  v.ids.lend(tokens);
  MAINSPRING_TRY_VOID(read_types(metadata, v));
  MAINSPRING_TRY_VOID(read_scores(metadata, v));
  read_special_ids(metadata, defaults, v);

  v.add_bos = defaults.add_bos;
  v.add_eos = defaults.add_eos;
  v.add_space_prefix = defaults.add_space_prefix;
  read_flag(metadata, "add_bos_token", v.add_bos);
  read_flag(metadata, "add_eos_token", v.add_eos);
  read_flag(metadata, "add_space_prefix", v.add_space_prefix);
  read_flag(metadata, "remove_extra_whitespaces", v.merge_spaces);
  if (v.model == "whitespace") v.lowercase = false;
  read_flag(metadata, "normalizer.lowercase", v.lowercase);
  v.strip_accents = v.lowercase;
  read_flag(metadata, "normalizer.strip_accents", v.strip_accents);
  if (defaults.force_bos) v.add_bos = true;

  find_roles_by_text(v);
  find_ends(v);
  find_stripping(metadata, v);
  return {};
}

}  // namespace mainspring::inline v0
