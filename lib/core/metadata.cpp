#include <algorithm>
#include <numeric>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

const MetaValue* Metadata::find(std::string_view key) const {
  const auto less = [this](uint32_t i, std::string_view k) { return entries_[i].key < k; };
  const auto at = std::lower_bound(order_.begin(), order_.end(), key, less);
  return at != order_.end() && entries_[*at].key == key ? &entries_[*at].value : nullptr;
}

bool Metadata::seal(std::string_view* duplicate) {
  order_.resize(entries_.size());
  std::iota(order_.begin(), order_.end(), uint32_t{0});
  std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) { return entries_[a].key < entries_[b].key; });
  const auto same = [this](uint32_t a, uint32_t b) { return entries_[a].key == entries_[b].key; };
  const auto twice = std::adjacent_find(order_.begin(), order_.end(), same);
  if (twice == order_.end()) return true;
  if (duplicate) *duplicate = entries_[*twice].key;
  return false;
}

}  // namespace mainspring::inline v0
