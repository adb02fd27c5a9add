#include "llm/tokenizer/tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "llm/tokenizer/char_class.h"
#include "llm/tokenizer/parts.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

TokenizerImpl::TokenizerImpl(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TokenizerImpl::~TokenizerImpl() = default;

Result<std::unique_ptr<TokenizerImpl>> TokenizerImpl::create(const Metadata& metadata) {
  auto parts = std::make_unique<Parts>();
  Vocabulary& v = parts->vocabulary;
  MAINSPRING_TRY(v, identify_vocabulary(metadata));
  TokenizerDefaults defaults;
  std::optional<Pretokenizer> pretokenizer;
  if (v.kind == TokenizerKind::bpe) {
    MAINSPRING_TRY(pretokenizer, Pretokenizer::create(v.pre));
    defaults = pretokenizer->defaults();
  } else if (v.kind == TokenizerKind::sentencepiece) {
    defaults.add_bos = defaults.add_space_prefix = true;
  } else if (v.kind == TokenizerKind::unigram) {
    defaults.add_eos = true;
  } else if (v.kind == TokenizerKind::wordpiece) {
    defaults.add_bos = true;
  }
  MAINSPRING_TRY_VOID(load_vocabulary(metadata, defaults, v));
  parts->specials.build(v);
  switch (v.kind) {
    case TokenizerKind::bpe: {
      MAINSPRING_TRY(parts->bpe, Bpe::create(metadata, v, *std::move(pretokenizer)));
      break;
    }
    case TokenizerKind::unigram: {
      MAINSPRING_TRY(parts->unigram, Unigram::create(metadata, v));
      break;
    }
    case TokenizerKind::sentencepiece: parts->sentencepiece.emplace(v); break;
    case TokenizerKind::wordpiece: parts->wordpiece.emplace(v); break;
    case TokenizerKind::rwkv: parts->rwkv.emplace(v); break;
    case TokenizerKind::none: break;
  }
  return std::unique_ptr<TokenizerImpl>(new TokenizerImpl(std::move(parts)));
}

Result<void> TokenizerImpl::Parts::encode_bpe(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const {
  std::string canonical, changed;
  text = canonical_utf8(text, canonical);
  if (bpe->space_marks()) {
    append_replaced(changed, text, " ", kSpaceMark);
    text = changed;
  }
  if (vocabulary.model != "whitespace") return bpe->encode(text, scratch, cache, ids);
  // words by white space alone, which is dropped
  std::string word;
  for (size_t at = 0; at <= text.size();) {
    const CodePoint c = at < text.size() ? decode_utf8(text, at) : CodePoint{' ', 1, true};
    at += c.bytes;
    if (class_of(c.value) != CharClass::space) {
      append_utf8(word, vocabulary.lowercase ? lower_case(c.value) : c.value);
      continue;
    }
    MAINSPRING_TRY_VOID(bpe->encode(word, scratch, cache, ids));
    word.clear();
  }
  return {};
}

Result<void> TokenizerImpl::Parts::encode_fragments(std::span<const Fragment> fragments, size_t bytes, std::vector<int32_t>& ids) const {
  MergeScratch scratch;
  WordCache cache(vocabulary.kind == TokenizerKind::bpe || vocabulary.kind == TokenizerKind::sentencepiece ? bytes : 0);
  std::string marked;
  bool after_special = true;  // a text's first word, and one after a special token, gets the prefix space
  for (const Fragment& f : fragments) {
    if (f.token >= 0) {
      ids.push_back(f.token);
      after_special = true;
      continue;
    }
    if (bpe) {
      MAINSPRING_TRY_VOID(encode_bpe(f.text, scratch, cache, ids));
    } else if (sentencepiece) {
      marked.clear();
      if (vocabulary.add_space_prefix && after_special) marked += kSpaceMark;
      append_replaced(marked, f.text, " ", kSpaceMark);
      sentencepiece->encode(marked, scratch, cache, ids);
    } else if (unigram) {
      MAINSPRING_TRY_VOID(unigram->encode(f.text, ids));
    } else if (wordpiece) {
      wordpiece->encode(f.text, ids);
    } else if (rwkv) {
      rwkv->encode(f.text, ids);
    }
    after_special = false;
  }
  return {};
}

Result<std::vector<int32_t>> TokenizerImpl::encode(std::string_view utf8, const EncodeOptions& options) const {
  const Vocabulary& v = parts_->vocabulary;
  if (v.kind == TokenizerKind::none) return unsupported("tokenizer: the model has no vocabulary (tokenizer.ggml.model is '{}')", v.model);
  if (utf8.size() > kMaxText) return invalid("tokenizer: text has {} bytes, expected at most {}", utf8.size(), kMaxText);
  std::vector<int32_t> ids;
  ids.reserve(utf8.size() / 4 + 8);
  const auto add = [&](Special role) {
    if (v.id(role) >= 0) ids.push_back(v.id(role));
  };
  const bool wordpiece = v.kind == TokenizerKind::wordpiece;  // always [CLS] text [SEP]
  const bool greedy = v.kind == TokenizerKind::rwkv;          // never anything
  if (options.add_special && !greedy && (v.add_bos || wordpiece)) add(Special::bos);
  const std::vector<Fragment> fragments = parts_->specials.split(utf8, options.parse_special);
  MAINSPRING_TRY_VOID(parts_->encode_fragments(fragments, utf8.size(), ids));
  if (options.add_special && wordpiece) add(Special::sep);
  else if (options.add_special && !greedy && v.add_eos) add(Special::eos);
  return ids;
}

int32_t TokenizerImpl::vocab_size() const { return parts_->vocabulary.size; }

std::string_view TokenizerImpl::text(int32_t id) const {
  const auto& texts = parts_->vocabulary.texts;
  return id >= 0 && static_cast<size_t>(id) < texts.size() ? texts[static_cast<size_t>(id)] : std::string_view{};
}

TokenType TokenizerImpl::type(int32_t id) const {
  const auto& types = parts_->vocabulary.types;
  return id >= 0 && static_cast<size_t>(id) < types.size() ? types[static_cast<size_t>(id)] : TokenType::unused;
}

std::optional<int32_t> TokenizerImpl::find(std::string_view text) const {
  const int32_t id = parts_->vocabulary.find(text);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

int32_t TokenizerImpl::id(Special role) const { return parts_->vocabulary.id(role); }

bool TokenizerImpl::is_end_of_generation(int32_t id) const {
  const auto& ends = parts_->vocabulary.end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), id);
}

std::span<const int32_t> TokenizerImpl::end_of_generation() const { return parts_->vocabulary.end_of_generation; }
bool TokenizerImpl::add_bos() const { return parts_->vocabulary.add_bos; }
bool TokenizerImpl::add_eos() const { return parts_->vocabulary.add_eos; }
std::string_view TokenizerImpl::model() const { return parts_->vocabulary.model; }
std::string_view TokenizerImpl::pre() const { return parts_->vocabulary.pre; }

}  // namespace mainspring::inline v0
