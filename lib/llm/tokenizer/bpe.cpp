#include "llm/tokenizer/bpe.h"

#include "core/error.h"

namespace mainspring::inline v0 {

namespace {

constexpr bool is_itself(uint32_t b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF); }

/// The bytes that are not printable, in order: byte number n is written as character 256 + n.
constexpr std::array<uint8_t, 68> kHiddenBytes = [] {
  std::array<uint8_t, 68> t{};
  size_t n = 0;
  for (uint32_t b = 0; b < 256; ++b)
    if (!is_itself(b)) t[n++] = static_cast<uint8_t>(b);
  return t;
}();

constexpr std::array<uint32_t, 256> kCharOfByte = [] {
  std::array<uint32_t, 256> t{};
  for (uint32_t b = 0; b < 256; ++b) t[b] = b;
  for (uint32_t n = 0; n < kHiddenBytes.size(); ++n) t[kHiddenBytes[n]] = 256 + n;
  return t;
}();

/// First and second part of a merge "a b"; the first byte may itself be a space.
bool cut_merge(std::string_view merge, std::string_view& left, std::string_view& right) {
  const size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos) return false;
  left = merge.substr(0, space);
  right = merge.substr(space + 1);
  return !right.empty();
}

}  // namespace

uint32_t char_of_byte(uint8_t byte) { return kCharOfByte[byte]; }

int byte_of_char(uint32_t c) {
  if (c < 256) return is_itself(c) ? static_cast<int>(c) : -1;
  return c - 256 < kHiddenBytes.size() ? kHiddenBytes[c - 256] : -1;
}

bool append_byte_text(std::string& out, std::string_view text) {
  const size_t old = out.size();
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const int byte = c.well_formed ? byte_of_char(c.value) : -1;
    if (byte < 0) {
      out.resize(old);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    at += c.bytes;
  }
  return true;
}

Result<Bpe> Bpe::create(const Metadata& metadata, const Vocabulary& vocabulary, Pretokenizer pretokenizer) {
  Bpe bpe(std::move(pretokenizer));
  bpe.raw_ = bpe.pretokenizer_.has(PretokenizerFlags::raw_text);
  std::span<const std::string_view> merges;
  // Kimi's files may come without merges
  if (vocabulary.pre != "kimi-k2" || metadata.find("tokenizer.ggml.merges")) {
    MAINSPRING_TRY(merges, string_array(metadata, "tokenizer.ggml.merges"));
  }
  if (merges.size() > size_t{1} << 28) return unsupported("tokenizer: {} merges, expected at most 2^28", merges.size());
  size_t bytes = 0;
  for (std::string_view t : vocabulary.texts) bytes += t.size();
  for (std::string_view m : merges) bytes += 2 * m.size();  // a merge's parts and what they make
  bpe.texts_ = std::make_unique<std::string>();
  bpe.texts_->reserve(bytes + 512);  // keys point into it: it must never move
  bpe.add_symbols(vocabulary);
  bpe.add_rules(merges);
  return bpe;
}

uint32_t Bpe::intern(std::string_view text) {
  const uint32_t known = symbols_.find(text);
  if (known != kNoSymbol) return known;
  const size_t at = texts_->size();
  texts_->append(text);
  symbols_.put(std::string_view(*texts_).substr(at), next_symbol_);
  return next_symbol_++;
}

void Bpe::add_symbols(const Vocabulary& v) {
  tokens_ = next_symbol_ = static_cast<uint32_t>(v.size);
  symbols_.reset(v.texts.size() + 256);  // merges make some that are no tokens
  for (auto& t : byte_tokens_) t = {-1, -1};
  for (uint32_t id = 0; id < tokens_; ++id) {
    const std::string_view text = v.texts[id];
    if (text.empty()) continue;
    if (raw_) {
      symbols_.put(text, id);
      continue;
    }
    const size_t at = texts_->size();
    if (append_byte_text(*texts_, text)) symbols_.put(std::string_view(*texts_).substr(at), id);
  }
  for (uint32_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    byte_symbols_[b] = symbols_.find({&byte, 1});
    if (raw_) {
      byte_tokens_[b][0] = v.find(fmt::format("<0x{:02X}>", b));
      continue;
    }
    // Byte-level vocabularies fall back on tokens for the single bytes of the written form, as the reference does
    std::string written;
    append_utf8(written, kCharOfByte[b]);
    for (size_t i = 0; i < written.size(); ++i) byte_tokens_[b][i] = v.find(std::string_view(written).substr(i, 1));
  }
}

void Bpe::add_rules(std::span<const std::string_view> merges) {
  rules_.assign(std::bit_ceil(merges.size() + merges.size() / 2 + 8), Rule{});
  pairs_.assign(std::bit_ceil(merges.size() / 8 + 1), 0);  // eight bits a rule: half a megabyte for the largest vocabularies
  rule_seed_ = symbols_.seed();
  joins_.reset(raw_ ? merges.size() : 0);
  std::string bytes, joined;
  for (uint32_t rank = 0; rank < merges.size(); ++rank) {
    std::string_view left, right;
    if (!cut_merge(merges[rank], left, right)) continue;
    if (!raw_) {
      bytes.clear();
      if (!append_byte_text(bytes, left)) continue;  // no text has such characters: never applies
      const size_t middle = bytes.size();
      if (!append_byte_text(bytes, right)) continue;
      left = std::string_view(bytes).substr(0, middle);
      right = std::string_view(bytes).substr(middle);
    }
    joined.assign(left).append(right);
    const uint64_t a = intern(left), b = intern(right);
    const uint64_t pair = a << 32 | b;
    Rule& r = rules_[rule_slot(pair)];
    if (r.rank != kNoRank) continue;  // the first of equal merges counts
    r = {pair, rank, intern(joined)};
    const uint64_t h = pair_hash(pair);
    pairs_[h >> 6 & (pairs_.size() - 1)] |= uint64_t{1} << (h & 63);
    if (raw_) joins_.add(joined);
    else byte_joins_.add(joined);
  }
  if (!raw_) add_byte_rules();
}

void Bpe::add_byte_rules() {
  for (uint32_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    byte_symbols_[b] = symbols_.find({&byte, 1});
  }
  byte_rules_.resize(size_t{256} * 256);
  for (size_t l = 0; l < 256; ++l)
    for (size_t r = 0; r < 256; ++r) byte_rules_[l << 8 | r] = find(byte_symbols_[l], byte_symbols_[r]);
}

size_t Bpe::rule_slot(uint64_t pair) const {
  const size_t mask = rules_.size() - 1;
  for (size_t i = (pair_hash(pair) >> 20) & mask;; i = (i + 1) & mask)
    if (rules_[i].pair == pair || rules_[i].rank == kNoRank) return i;
}

Merge Bpe::find(uint32_t left, uint32_t right) const {
  if (left == kNoSymbol || right == kNoSymbol) return {};
  const uint64_t pair = uint64_t{left} << 32 | right, h = pair_hash(pair);
  // most neighbours have no rule: the bits are in the cache where the rules are not
  if ((pairs_[h >> 6 & (pairs_.size() - 1)] >> (h & 63) & 1) == 0) return {};
  const Rule& r = rules_[rule_slot(pair)];
  return {r.rank, r.symbol};
}

void Bpe::append_unknown(std::string_view bytes, std::vector<int32_t>& ids) const {
  for (char c : bytes)
    for (int32_t id : byte_tokens_[static_cast<uint8_t>(c)])
      if (id >= 0) ids.push_back(id);
}

void Bpe::encode_word(std::string_view word, MergeScratch& scratch, std::vector<int32_t>& ids) const {
  scratch.pieces.clear();
  if (!raw_) {
    for (uint32_t i = 0; i < word.size(); ++i) scratch.pieces.push_back({byte_symbols_[static_cast<uint8_t>(word[i])], i, i + 1});
  } else {
    size_t bytes = 0;
    for (size_t at = 0; at < word.size(); at += bytes) {
      bytes = std::min(utf8_length(word[at]), word.size() - at);
      scratch.pieces.push_back({symbols_.find(word.substr(at, bytes)), static_cast<uint32_t>(at), static_cast<uint32_t>(at + bytes)});
    }
  }
  const auto find = [this](const Piece& l, const Piece& r) { return this->find(l.symbol, r.symbol); };
  const auto first = [&](const Piece& l, const Piece& r) {
    return byte_rules_[size_t{static_cast<uint8_t>(word[l.begin])} << 8 | static_cast<uint8_t>(word[r.begin])];
  };
  if (raw_) merge_pieces(scratch, find, find);
  else merge_pieces(scratch, first, find);
  for (const Piece& p : scratch.pieces) {
    if (p.symbol < tokens_) ids.push_back(static_cast<int32_t>(p.symbol));
    else append_unknown(word.substr(p.begin, p.end - p.begin), ids);
  }
}

bool Bpe::encode_whole(std::string_view word, std::vector<int32_t>& ids) const {
  const bool whole = pretokenizer_.has(ignore_merges) ||
                     (pretokenizer_.has(whole_newlines) && word.find_first_not_of('\n') == std::string_view::npos);
  const uint32_t id = whole ? symbols_.find(word) : kNoSymbol;
  if (id >= tokens_) return false;
  ids.push_back(static_cast<int32_t>(id));
  return true;
}

Result<void> Bpe::encode(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const {
  std::vector<size_t> ends;
  MAINSPRING_TRY_VOID(pretokenizer_.split(text, ends));
  const auto cached = [&](std::string_view word, bool part) {
    const uint64_t hash = hash_text(word, symbols_.seed());
    if (cache.repeat(word, part, hash, ids)) return;
    const size_t old = ids.size();
    if (part || !encode_whole(word, ids)) encode_word(word, scratch, ids);
    cache.remember(word, part, hash, old, ids.size() - old);
  };
  const auto cached_part = [&](std::string_view part) { cached(part, true); };
  size_t begin = 0;
  for (const size_t end : ends) {
    const std::string_view word = text.substr(begin, end - begin);
    begin = end;
    if (!raw_ && word.size() <= WordCache::kLongest) cached(word, false);
    else if (encode_whole(word, ids)) continue;
    else if (raw_) joins_.split(word, cached_part);
    else byte_joins_.split(word, cached_part);
  }
  return {};
}

}  // namespace mainspring::inline v0
