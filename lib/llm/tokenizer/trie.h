// A byte trie over many texts. In: (text, value) pairs. Out: the values of all prefixes of a text.
// Children of a node stand together, sorted by byte: 12 bytes a node, no pointers. Immutable once built.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mainspring::inline v0 {

class Trie {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFFu;
  struct Entry {
    std::string_view text;
    uint32_t value;
  };
  /// Longest text that is kept: no vocabulary comes near it, and a walk costs no more than this.
  static constexpr size_t kLongest = 1024;
  /// Of equal texts the last in `entries` counts; empty ones and those above kLongest are left out.
  void build(std::vector<Entry> entries);
  bool empty() const { return nodes_.size() <= 1; }

  /// Calls found(length, value) for each text that begins `s` at `at`, shortest first, while found returns true.
  template <class Found>
  void match(std::string_view s, size_t at, Found found) const {
    if (nodes_.empty() || at >= s.size()) return;
    uint32_t node = root_[static_cast<uint8_t>(s[at])];
    for (size_t i = at + 1; node != 0; ++i) {
      const Node& n = nodes_[node];
      if (n.value != kNone && !found(i - at, n.value)) return;
      if (i == s.size()) return;
      node = child(n, static_cast<uint8_t>(s[i]));
    }
  }

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t value = kNone;
    uint16_t children = 0;
    uint8_t byte = 0;
  };
  /// Index of the child for a byte, or 0 (the root is nobody's child).
  uint32_t child(const Node& n, uint8_t byte) const {
    uint32_t lo = n.first_child, hi = n.first_child + n.children;
    while (lo < hi) {
      const uint32_t mid = lo + (hi - lo) / 2;
      if (nodes_[mid].byte < byte) lo = mid + 1;
      else hi = mid;
    }
    return lo < n.first_child + n.children && nodes_[lo].byte == byte ? lo : 0;
  }
  std::vector<Node> nodes_;
  uint32_t root_[256] = {};
};

}  // namespace mainspring::inline v0
