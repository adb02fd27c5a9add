// Text -> id with open addressing. In: keys whose bytes outlive the map. Out: ids.
// Slots are 8 bytes (32 bits of hash, 32 bits of id), so that a miss, the common answer while merging, touches one cache line.
#pragma once

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

/// Thread-safety: find() from any thread once built.
class StringMap {
 public:
  /// Room for `keys` keys; ids given to put() must be below `ids` in all.
  void reset(size_t keys) {
    slots_.assign(std::bit_ceil(keys * 2 + 8), Slot{});
    keys_.clear();
    used_ = 0;
    // The layout must not be known to whoever wrote the file, or it could be made quadratic.
    seed_ = mix64(reinterpret_cast<uintptr_t>(slots_.data()) | 1, 0x8EBC6AF09C88C6E3u);
  }
  /// Later keys replace equal earlier ones.
  void put(std::string_view key, uint32_t id) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    if (keys_.size() <= id) keys_.resize(size_t{id} + 1);
    keys_[id] = key;
    const uint64_t h = hash_text(key, seed_);
    Slot& slot = slots_[probe(key, h)];
    used_ += slot.id == kNoSymbol;
    slot = {tag(h), id};
  }
  /// put() of each key that isn't empty, with its index as id. Slots are fetched ahead: of a large vocabulary nearly each one is a miss.
  void put_all(std::span<const std::string_view> keys) {
    constexpr size_t kAhead = 16;
    keys_.reserve(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (i + kAhead < keys.size()) __builtin_prefetch(&slots_[hash_text(keys[i + kAhead], seed_) & (slots_.size() - 1)], 1);
      if (!keys[i].empty()) put(keys[i], static_cast<uint32_t>(i));
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
  size_t probe(std::string_view key, uint64_t h) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = h & mask;; i = (i + 1) & mask) {
      const Slot& s = slots_[i];
      if (s.id == kNoSymbol || (s.tag == tag(h) && keys_[s.id] == key)) return i;
    }
  }
  void grow() {
    const std::vector<Slot> old = std::move(slots_);
    slots_.assign(std::bit_ceil(old.size() * 2 + 16), Slot{});
    for (const Slot& s : old)
      if (s.id != kNoSymbol) slots_[probe(keys_[s.id], hash_text(keys_[s.id], seed_))] = s;
  }
  std::vector<Slot> slots_;
  std::vector<std::string_view> keys_;
  size_t used_ = 0;
  uint64_t seed_ = 1;
};

}  // namespace mainspring::inline v0
