// The merging loop of BPE and SentencePiece. In: the symbols of one word. Out: the symbols that are left when no pair merges any more.
// Each turn merges the pair of lowest rank, the leftmost of equals. Short words scan a row of ranks; long ones keep a heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
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
  struct Pending { uint32_t rank, left, right_begin, end, symbol; };
  std::vector<Piece> pieces;
  std::vector<Merge> row;
  std::vector<Link> links;
  std::vector<Pending> heap;
};

/// `find(left, right)` tells the merge of two neighbours, rank kNoRank for none. Works on scratch.pieces in place.
template <class Find>
void merge_short(MergeScratch& scratch, Find find) {
  std::vector<Piece>& p = scratch.pieces;
  std::vector<Merge>& row = scratch.row;
  size_t n = p.size();
  if (n < 2) return;
  row.resize(n - 1);
  for (size_t i = 0; i + 1 < n; ++i) row[i] = find(p[i], p[i + 1]);
  for (;;) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (row[i].rank < row[best].rank) best = i;
    if (n < 2 || row[best].rank == kNoRank) break;
    p[best].symbol = row[best].symbol;
    p[best].end = p[best + 1].end;
    std::copy(p.begin() + static_cast<ptrdiff_t>(best) + 2, p.begin() + static_cast<ptrdiff_t>(n), p.begin() + static_cast<ptrdiff_t>(best) + 1);
    if (best + 2 < n)
      std::copy(row.begin() + static_cast<ptrdiff_t>(best) + 1, row.begin() + static_cast<ptrdiff_t>(n) - 1, row.begin() + static_cast<ptrdiff_t>(best));
    --n;
    if (best > 0) row[best - 1] = find(p[best - 1], p[best]);
    if (best + 1 < n) row[best] = find(p[best], p[best + 1]);
  }
  p.resize(n);
}

template <class Find>
void merge_long(MergeScratch& scratch, Find find) {
  using Pending = MergeScratch::Pending;
  std::vector<Piece>& p = scratch.pieces;
  auto& links = scratch.links;
  auto& heap = scratch.heap;
  const auto n = static_cast<uint32_t>(p.size());
  const auto later = [](const Pending& a, const Pending& b) { return a.rank != b.rank ? a.rank > b.rank : a.left > b.left; };
  const auto offer = [&](uint32_t left, uint32_t right) {
    const Merge m = find(p[left], p[right]);
    if (m.rank == kNoRank) return;
    heap.push_back({m.rank, left, p[right].begin, p[right].end, m.symbol});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  heap.clear();
  links.resize(n);
  for (uint32_t i = 0; i < n; ++i) links[i] = {i - 1, i + 1};  // the first's previous wraps: it is never used
  for (uint32_t i = 0; i + 1 < n; ++i) offer(i, i + 1);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Pending m = heap.back();
    heap.pop_back();
    Piece& left = p[m.left];
    const uint32_t right = links[m.left].next;
    // outdated when either side has grown or gone; an absorbed piece is empty
    if (left.begin == left.end || left.end != m.right_begin || right >= n || p[right].end != m.end) continue;
    left.symbol = m.symbol;
    left.end = m.end;
    p[right].begin = p[right].end;
    const uint32_t next = links[right].next;
    links[m.left].next = next;
    if (next < n) links[next].previous = m.left;
    if (m.left > 0 && links[m.left].previous < n) offer(links[m.left].previous, m.left);
    if (next < n) offer(m.left, next);
  }
  p.erase(std::remove_if(p.begin(), p.end(), [](const Piece& x) { return x.begin == x.end; }), p.end());
}

template <class Find>
void merge_pieces(MergeScratch& scratch, Find find) {
  constexpr size_t kShort = 40;  // about where scanning the row costs as much as the heap's bookkeeping
  if (scratch.pieces.size() <= kShort) merge_short(scratch, find);
  else merge_long(scratch, find);
}

/// Remembers where in the output the ids of a word stand: texts repeat their words.
class WordCache {
 public:
  static constexpr size_t kLongest = 24;
  explicit WordCache(size_t text_bytes) : entries_(text_bytes < 256 ? 0 : 4096) {}

  /// Appends the ids of a word seen before.
  bool repeat(std::string_view word, uint64_t hash, std::vector<int32_t>& ids) const {
    if (entries_.empty() || word.size() > kLongest) return false;
    const Entry& e = entries_[hash & (entries_.size() - 1)];
    if (e.length != word.size() || std::memcmp(e.text, word.data(), word.size()) != 0) return false;
    const size_t old = ids.size();
    ids.resize(old + e.count);
    std::copy_n(ids.begin() + static_cast<ptrdiff_t>(e.at), e.count, ids.begin() + static_cast<ptrdiff_t>(old));
    return true;
  }
  void remember(std::string_view word, uint64_t hash, size_t at, size_t count) {
    if (entries_.empty() || word.size() > kLongest) return;
    Entry& e = entries_[hash & (entries_.size() - 1)];
    e.length = static_cast<uint32_t>(word.size());
    e.count = static_cast<uint32_t>(count);
    e.at = at;
    std::memcpy(e.text, word.data(), word.size());
  }

 private:
  struct Entry {
    uint32_t length = 0;  ///< 0: free
    uint32_t count = 0;
    size_t at = 0;
    char text[kLongest] = {};
  };
  std::vector<Entry> entries_;
};

}  // namespace mainspring::inline v0
