// Mutations of one input by a stream of random numbers: the same seed gives the same inputs on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {  // splitmix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }

 private:
  uint64_t state_;
};

class Mutator {
 public:
  /// `words` are put into inputs as they stand; no input grows beyond `max_size`.
  Mutator(Random& random, std::vector<std::string> words, size_t max_size) : random_(random), words_(std::move(words)), max_size_(max_size) {}

  /// 1, 2 or 4 mutations of `from`, some of which take pieces of `other`.
  std::string mutate(std::string_view from, std::string_view other) {
    std::string s(from);
    for (size_t n = size_t{1} << random_.below(3); n > 0; --n) once(s, other);
    if (s.size() > max_size_) s.resize(max_size_);
    return s;
  }

 private:
  /// A place in [0, n], every second time near the beginning: headers stand before data.
  size_t place(size_t n) { return random_.below(random_.below(2) ? n + 1 : 1 + random_.below(n + 1)); }
  /// A length in [1, n], mostly a short one; n > 0.
  size_t length(size_t n) { return 1 + random_.below(std::min(n, size_t{1} << random_.below(12))); }

  void overwrite(std::string& s, std::string_view with) {
    const size_t at = place(s.size());
    s.replace(at, std::min(with.size(), s.size() - at), with);
  }

  /// A little-endian number of 1, 2, 4 or 8 bytes is moved a little, or becomes one at an edge: counts, lengths, extents, offsets.
  void number(std::string& s) {
    const size_t bytes = size_t{1} << random_.below(4);
    if (s.size() < bytes) return;
    const size_t at = place(s.size() - bytes);
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;) v = v << 8 | static_cast<uint8_t>(s[at + i]);
    if (random_.below(2)) {
      v += random_.below(2) ? 1 + random_.below(16) : ~uint64_t{0} - random_.below(16);
    } else {
      constexpr std::array<uint64_t, 12> edges = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, uint64_t{1} << 40, uint64_t{1} << 63};
      v = random_.below(4) == 0 ? ~uint64_t{0} - edges[random_.below(edges.size())] : edges[random_.below(edges.size())];
    }
    for (size_t i = 0; i < bytes; ++i) s[at + i] = static_cast<char>(v >> (8 * i) & 0xff);
  }

  void once(std::string& s, std::string_view other) {
    const size_t kind = s.empty() ? 7 + random_.below(2) : random_.below(12);
    switch (kind) {
      case 0: s[place(s.size() - 1)] ^= static_cast<char>(1u << random_.below(8)); break;
      case 1: s[place(s.size() - 1)] = static_cast<char>(random_.next()); break;
      case 2:
      case 3: number(s); break;
      case 4: s.erase(place(s.size() - 1), length(s.size())); break;
      case 5: {  // a piece once more, elsewhere
        const std::string piece = s.substr(place(s.size() - 1), length(s.size()));
        if (random_.below(2)) s.insert(place(s.size()), piece);
        else overwrite(s, piece);
        break;
      }
      case 6: {  // one byte many times: nesting, long names
        s.insert(place(s.size()), length(4096), s[place(s.size() - 1)]);
        break;
      }
      case 7: {
        std::string piece(length(16), '\0');
        for (char& c : piece) c = static_cast<char>(random_.next());
        s.insert(place(s.size()), piece);
        break;
      }
      case 8:
        if (!words_.empty()) s.insert(place(s.size()), words_[random_.below(words_.size())]);
        break;
      case 9:
        if (!words_.empty()) overwrite(s, words_[random_.below(words_.size())]);
        break;
      case 10:  // the beginning of one, the end of the other
        s.resize(place(s.size()));
        s += other.substr(random_.below(other.size() + 1));
        break;
      default:
        if (!other.empty()) s.insert(place(s.size()), other.substr(random_.below(other.size()), length(other.size())));
        break;
    }
  }

  Random& random_;
  std::vector<std::string> words_;
  size_t max_size_;
};

}  // namespace fuzz
