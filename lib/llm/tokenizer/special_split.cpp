#include "llm/tokenizer/special_split.h"

#include <algorithm>
#include <queue>

namespace mainspring::inline v0 {

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

void SpecialSplitter::build(const Vocabulary& v) {
  vocabulary_ = &v;
  std::vector<Trie::Entry> entries;
  for (int32_t id = 0; id < static_cast<int32_t>(v.texts.size()); ++id) {
    const std::string_view text = v.texts[static_cast<size_t>(id)];
    if (v.is_special(id) || v.types[static_cast<size_t>(id)] == TokenType::user_defined)
      entries.push_back({text, static_cast<uint32_t>(id)});
  }
  if (v.strip_right) {
    strips_right_.assign(v.texts.size(), 0);
    for (const Trie::Entry& e : entries) strips_right_[e.value] = e.text != "<unk>" && e.text != "<s>" && e.text != "<|endoftext|>";
  }
  if (!v.strip_left.empty()) strips_left_ = v.find(v.strip_left);
  trie_.build(std::move(entries));
}

struct SpecialSplitter::Candidate {
  size_t length, at;
  int32_t token;
  /// Order of a max-heap: the longest first, then the leftmost.
  bool operator<(const Candidate& o) const { return length != o.length ? length < o.length : at > o.at; }
};

SpecialSplitter::Candidate SpecialSplitter::longest(std::string_view text, size_t at, size_t limit, bool parse_special) const {
  Candidate best{0, at, -1};
  trie_.match(text.substr(0, at + limit), at, [&](size_t length, uint32_t token) {
    if (parse_special || !vocabulary_->is_special(static_cast<int32_t>(token))) best = {length, at, static_cast<int32_t>(token)};
    return true;
  });
  return best;
}

std::vector<SpecialSplitter::Claim> SpecialSplitter::claims(std::string_view text, bool parse_special) const {
  std::vector<Candidate> found;
  for (size_t at = 0; at < text.size(); ++at)
    if (const Candidate c = longest(text, at, text.size() - at, parse_special); c.length) found.push_back(c);
  std::vector<Claim> claims;
  if (found.empty()) return claims;

  std::priority_queue<Candidate> heap(std::less<Candidate>{}, std::move(found));
  std::vector<bool> taken(text.size(), false);
  while (!heap.empty()) {
    const Candidate c = heap.top();
    heap.pop();
    size_t room = 0;
    while (room < c.length && !taken[c.at + room]) ++room;
    if (room < c.length) {  // something longer stands here: perhaps a shorter token still fits
      if (const Candidate shorter = longest(text, c.at, room, parse_special); shorter.length) heap.push(shorter);
      continue;
    }
    Claim claim{c.at, c.at + c.length, c.at, c.at + c.length, c.token};
    if (c.token == strips_left_)
      while (claim.skip_from > 0 && !taken[claim.skip_from - 1] && is_space(text[claim.skip_from - 1])) --claim.skip_from;
    if (!strips_right_.empty() && strips_right_[static_cast<size_t>(c.token)])
      while (claim.skip_to < text.size() && !taken[claim.skip_to] && is_space(text[claim.skip_to])) ++claim.skip_to;
    std::fill(taken.begin() + static_cast<ptrdiff_t>(claim.skip_from), taken.begin() + static_cast<ptrdiff_t>(claim.skip_to), true);
    claims.push_back(claim);
  }
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) { return a.begin < b.begin; });
  return claims;
}

std::vector<Fragment> SpecialSplitter::split(std::string_view text, bool parse_special) const {
  std::vector<Fragment> out;
  size_t begin = 0;
  if (!trie_.empty()) {
    for (const Claim& c : claims(text, parse_special)) {
      if (c.skip_from > begin) out.push_back({-1, text.substr(begin, c.skip_from - begin)});
      out.push_back({c.token, {}});
      begin = c.skip_to;
    }
  }
  if (begin < text.size()) out.push_back({-1, text.substr(begin)});
  return out;
}

}  // namespace mainspring::inline v0
