// A set of characters written as in a regex's brackets ("A-Za-zÀ-Ö"), read at compile time. No escapes; '-' only between two characters.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mainspring::inline v0 {

/// A text that a template can take.
template <size_t n>
struct SetText {
  char bytes[n];
  constexpr SetText(const char (&text)[n]) { std::copy_n(text, n, bytes); }  // NOLINT: written in place as a literal
  constexpr std::string_view view() const { return {bytes, n - 1}; }
};

struct CharRange {
  uint32_t first = 0, last = 0;
};

/// `most`: more ranges than the text can have.
template <size_t most>
class CharSet {
 public:
  constexpr explicit CharSet(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      CharRange r;
      r.first = r.last = read(text, at);
      if (at + 1 < text.size() && text[at] == '-') r.last = read(text, ++at);
      for (uint32_t c = r.first; c <= r.last && c < 128; ++c) ascii_[c] = true;
      if (r.last >= 128) ranges_[count_++] = r;
    }
    std::sort(ranges_.begin(), ranges_.begin() + count_, [](CharRange a, CharRange b) { return a.first < b.first; });
    for (size_t i = 1; i < count_; ++i) ranges_[i].last = std::max(ranges_[i].last, ranges_[i - 1].last);  // nested ones do not hide the outer
  }
  constexpr bool has(uint32_t c) const {
    if (c < 128) return ascii_[c];
    size_t lo = 0, hi = count_;
    while (lo < hi) {
      const size_t middle = lo + (hi - lo) / 2;
      if (ranges_[middle].first <= c) lo = middle + 1;
      else hi = middle;
    }
    return lo > 0 && c <= ranges_[lo - 1].last;
  }

 private:
  static constexpr uint32_t read(std::string_view s, size_t& at) {
    const auto lead = static_cast<uint8_t>(s[at++]);
    if (lead < 0x80) return lead;
    uint32_t c = lead & (lead < 0xE0 ? 0x1Fu : lead < 0xF0 ? 0x0Fu : 0x07u);
    while (at < s.size() && (static_cast<uint8_t>(s[at]) & 0xC0) == 0x80) c = c << 6 | (static_cast<uint8_t>(s[at++]) & 0x3Fu);
    return c;
  }
  std::array<bool, 128> ascii_{};
  std::array<CharRange, most> ranges_{};
  size_t count_ = 0;
};

template <SetText text>
inline constexpr CharSet<sizeof(text.bytes)> kCharSet{text.view()};

}  // namespace mainspring::inline v0
