// Text -> id with open addressing. In: keys whose bytes outlive the map. Out: ids.
// Slots are 8 bytes (32 bits of hash, 32 bits of id), so that a miss, the common answer while merging, touches one cache line.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mainspring::inline v0 {

inline constexpr uint32_t kNoSymbol = 0xFFFFFFFFu;

/// 64-bit product folded to its halves' exclusive or: the mixing step of the hashes here.
inline uint64_t mix64(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide p = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}

inline uint64_t hash_text(std::string_view s, uint64_t seed) {
  const auto load = []<class T>(const char* p, T x) {
    std::memcpy(&x, p, sizeof x);
    return uint64_t{x};
  };
  const char* p = s.data();
  size_t n = s.size();
  uint64_t h = seed ^ n * 0x9E3779B97F4A7C15u;
  for (; n > 8; p += 8, n -= 8) h = mix64(h ^ load(p, uint64_t{}), 0xD6E8FEB86659FD93u);
  uint64_t tail = 0;
  if (n >= 4) tail = load(p, uint32_t{}) << 32 | load(p + n - 4, uint32_t{});
  else if (n > 0) tail = load(p, uint8_t{}) << 16 | load(p + n / 2, uint8_t{}) << 8 | load(p + n - 1, uint8_t{});
  return mix64(h ^ tail, 0xA0761D6478BD642Fu);
}

/// Filled either by lend() or by put(). Thread-safety: find() from any thread once built.
class StringMap {
 public:
  StringMap() = default;
  StringMap(StringMap&&) = default;  // what keys_ points to stays where it is
  StringMap& operator=(StringMap&&) = default;

  /// Room for `keys` keys.
  void reset(size_t keys) {
    slots_.assign(std::bit_ceil(std::max(keys * 2, size_t{16})), Slot{});
    own_.clear();
    keys_ = {};
    used_ = 0;
    // The layout must not be known to whoever wrote the file, or it could be made quadratic.
    seed_ = mix64(reinterpret_cast<uintptr_t>(slots_.data()) | 1, 0x8EBC6AF09C88C6E3u);
  }
  /// Later keys replace equal earlier ones.
  void put(std::string_view key, uint32_t id) {
    if (own_.size() <= id) own_.resize(size_t{id} + 1);
    own_[id] = key;
    keys_ = own_;
    insert(key, id, hash_text(key, seed_));
  }
  /// Each key that isn't empty gets its index as id. The views outlive the map too: a large vocabulary's are megabytes.
  void lend(std::span<const std::string_view> keys) {
    reset(keys.size());
    keys_ = keys;
    // Slots are fetched ahead: nearly each one is a miss.
    constexpr size_t kAhead = 16;
    std::array<uint64_t, kAhead> hashes{};
    for (size_t i = 0; i < keys.size() + kAhead; ++i) {
      uint64_t& h = hashes[i % kAhead];
      if (i >= kAhead && !keys[i - kAhead].empty()) insert(keys[i - kAhead], static_cast<uint32_t>(i - kAhead), h);
      if (i >= keys.size()) continue;
      h = hash_text(keys[i], seed_);
      __builtin_prefetch(&slots_[h & (slots_.size() - 1)], 1);
    }
  }
  /// The id or kNoSymbol.
  uint32_t find(std::string_view key) const {
    if (slots_.empty()) return kNoSymbol;
    return slots_[probe(key, hash_text(key, seed_))].id;
  }
  uint64_t seed() const { return seed_; }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t id = kNoSymbol;
  };
  static uint32_t tag(uint64_t h) { return static_cast<uint32_t>(h >> 32); }
  void insert(std::string_view key, uint32_t id, uint64_t h) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = slots_[probe(key, h)];
    used_ += slot.id == kNoSymbol;
    slot = {tag(h), id};
  }
  size_t probe(std::string_view key, uint64_t h) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = h & mask;; i = (i + 1) & mask) {
      const Slot& s = slots_[i];
      if (s.id == kNoSymbol || (s.tag == tag(h) && keys_[s.id] == key)) return i;
    }
  }
  void grow() {
    const std::vector<Slot> old = std::move(slots_);
    slots_.assign(std::max(old.size() * 2, size_t{16}), Slot{});
    for (const Slot& s : old)
      if (s.id != kNoSymbol) slots_[probe(keys_[s.id], hash_text(keys_[s.id], seed_))] = s;
  }
  std::vector<Slot> slots_;                 ///< a power of two, at most half of them used
  std::vector<std::string_view> own_;       ///< keys of put()
  std::span<const std::string_view> keys_;  ///< by id
  size_t used_ = 0;
  uint64_t seed_ = 1;
};

}  // namespace mainspring::inline v0
