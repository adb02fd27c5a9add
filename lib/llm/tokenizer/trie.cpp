#include "llm/tokenizer/trie.h"

#include <algorithm>

namespace mainspring::inline v0 {

void Trie::build(std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& e) { return e.text.size() > kLongest; });
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
  nodes_.assign(1, Node{});
  std::fill(std::begin(root_), std::end(root_), 0u);
  // a node still to be expanded: the entries [begin, end) share its first `depth` bytes
  struct Range { size_t begin, end, depth; };
  std::vector<Range> ranges(1, Range{0, entries.size(), 0});
  for (size_t node = 0; node < nodes_.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    for (; begin < end && entries[begin].text.size() == depth; ++begin)
      if (depth > 0) nodes_[node].value = entries[begin].value;
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = entries[begin].text[depth];
      size_t next = begin;
      while (next < end && entries[next].text[depth] == byte) ++next;
      Node child;
      child.byte = static_cast<uint8_t>(byte);
      nodes_.push_back(child);
      ranges.push_back({begin, next, depth + 1});
      ++nodes_[node].children;
      begin = next;
    }
  }
  for (uint32_t i = 0; i < nodes_[0].children; ++i) root_[nodes_[nodes_[0].first_child + i].byte] = nodes_[0].first_child + i;
}

}  // namespace mainspring::inline v0
