// The merging loop of BPE and SentencePiece. In: the symbols of one word. Out: the symbols that are left when no pair merges any more.
// Each turn merges the pair of lowest rank, the leftmost of equals. Short words scan their ranks for it; long ones keep a heap of 64-bit keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "llm/tokenizer/string_map.h"

namespace mainspring::inline v0 {

/// A stretch [begin, end) of a word and the symbol it is (kNoSymbol: a character no token or merge knows).
struct Piece {
  uint32_t symbol;
  uint32_t begin;
  uint32_t end;
};

inline constexpr uint32_t kNoRank = 0xFFFFFFFFu;
struct Merge {
  uint32_t rank = kNoRank;
  uint32_t symbol = kNoSymbol;
};

/// Scratch of one encode() call.
struct MergeScratch {
  struct Link { uint32_t previous, next; };
  std::vector<Piece> pieces;
  std::vector<Merge> row;      ///< of a piece and the one after it
  std::vector<Link> links;
  std::vector<uint64_t> heap;  ///< rank in the high half, left piece in the low one: equal ranks come from the left
};

/// Merges piece `left` with the one after it and finds what the two neighbours of the result can do now.
template <class Find>
void merge_at(MergeScratch& scratch, uint32_t left, const Find& find) {
  std::vector<Piece>& p = scratch.pieces;
  std::vector<Merge>& row = scratch.row;
  std::vector<MergeScratch::Link>& links = scratch.links;
  const auto n = static_cast<uint32_t>(p.size());
  const uint32_t right = links[left].next, next = links[right].next, previous = links[left].previous;
  p[left].symbol = row[left].symbol;
  p[left].end = p[right].end;
  p[right].begin = p[right].end;  // absorbed pieces are empty
  row[right] = Merge{};
  links[left].next = next;
  row[left] = next < n ? find(p[left], p[next]) : Merge{};
  if (next < n) links[next].previous = left;
  if (previous < n) row[previous] = find(p[previous], p[left]);
}

template <class Find>
void merge_short(MergeScratch& scratch, const Find& find) {
  const std::vector<Merge>& row = scratch.row;
  for (;;) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < row.size(); ++i)
      if (row[i].rank < row[best].rank) best = i;
    if (row[best].rank == kNoRank) return;
    merge_at(scratch, best, find);
  }
}

template <class Find>
void merge_long(MergeScratch& scratch, const Find& find) {
  const std::vector<Merge>& row = scratch.row;
  auto& heap = scratch.heap;
  const auto key = [&](uint32_t left) { return uint64_t{row[left].rank} << 32 | left; };
  const auto offer = [&](uint32_t left) {
    if (row[left].rank == kNoRank) return;
    heap.push_back(key(left));
    std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  };
  heap.clear();
  for (uint32_t i = 0; i < row.size(); ++i)
    if (row[i].rank != kNoRank) heap.push_back(key(i));
  std::make_heap(heap.begin(), heap.end(), std::greater<>{});
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
    const uint64_t top = heap.back();
    heap.pop_back();
    const auto left = static_cast<uint32_t>(top);
    if (row[left].rank != top >> 32) continue;  // outdated: the pair has changed since
    merge_at(scratch, left, find);
    offer(left);
    if (const uint32_t previous = scratch.links[left].previous; previous < row.size()) offer(previous);
  }
}

/// `find(left, right)` tells the merge of two neighbours, rank kNoRank for none; `first` the same while no two have merged.
/// Works on scratch.pieces in place.
template <class First, class Find>
void merge_pieces(MergeScratch& scratch, const First& first, const Find& find) {
  constexpr size_t kShort = 32;  // about where scanning the ranks costs as much as the heap's bookkeeping
  std::vector<Piece>& p = scratch.pieces;
  const auto n = static_cast<uint32_t>(p.size());
  if (n < 2) return;
  scratch.row.resize(n);
  scratch.links.resize(n);
  for (uint32_t i = 0; i < n; ++i) scratch.links[i] = {i - 1, i + 1};  // the first's previous wraps: it is above n
  for (uint32_t i = 0; i + 1 < n; ++i) scratch.row[i] = first(p[i], p[i + 1]);
  scratch.row[n - 1] = Merge{};
  if (n <= kShort) merge_short(scratch, find);
  else merge_long(scratch, find);
  p.erase(std::remove_if(p.begin(), p.end(), [](const Piece& x) { return x.begin == x.end; }), p.end());
}

/// Remembers where in the output the ids of a word stand: texts repeat their words.
class WordCache {
 public:
  static constexpr size_t kLongest = 24;
  explicit WordCache(size_t text_bytes) : entries_(text_bytes < 256 ? 0 : 4096) {}
  /// The whole text of the call is too short for it.
  bool is_off() const { return entries_.empty(); }

  /// Appends the ids of a word seen before. `part`: the word is a part of a longer one, which may be encoded otherwise.
  bool repeat(std::string_view word, bool part, uint64_t hash, std::vector<int32_t>& ids) const {
    if (entries_.empty() || word.size() > kLongest) return false;
    const Entry& e = entries_[hash & (entries_.size() - 1)];
    if (e.length != word.size() || e.part != part || std::memcmp(e.text, word.data(), word.size()) != 0) return false;
    const size_t old = ids.size();
    ids.resize(old + e.count);
    std::copy_n(ids.begin() + static_cast<ptrdiff_t>(e.at), e.count, ids.begin() + static_cast<ptrdiff_t>(old));
    return true;
  }
  void remember(std::string_view word, bool part, uint64_t hash, size_t at, size_t count) {
    if (entries_.empty() || word.size() > kLongest) return;
    Entry& e = entries_[hash & (entries_.size() - 1)];
    e.length = static_cast<uint16_t>(word.size());
    e.part = part;
    e.count = static_cast<uint32_t>(count);
    e.at = at;
    std::memcpy(e.text, word.data(), word.size());
  }

 private:
  struct Entry {
    uint16_t length = 0;  ///< 0: free
    bool part = false;
    uint32_t count = 0;
    size_t at = 0;
    char text[kLongest] = {};
  };
  std::vector<Entry> entries_;
};

}  // namespace mainspring::inline v0
