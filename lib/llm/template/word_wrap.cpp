#include "llm/template/word_wrap.h"

#include <algorithm>

#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

using Text = std::u32string_view;  // into the paragraph's code points: cutting a word copies nothing

bool is_blank(char32_t c) { return c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r' || c == ' '; }
bool is_word(char32_t c) { return c == '_' || is_alnum(c); }
bool is_letter(char32_t c) { return is_word(c) && !is_decimal(c); }
bool is_word_or_punctuation(char32_t c) { return is_word(c) || std::u32string_view(U"!\"'&.,?").find(c) != std::u32string_view::npos; }

// Cuts a text into words, blanks and the places where a hyphenated word may break.
class Splitter {
 public:
  Splitter(Text text, bool hyphens) : t_(text), hyphens_(hyphens) {}
  std::vector<Text> chunks() const {
    std::vector<Text> out;
    for (size_t i = 0; i < t_.size();) {
      size_t end = chunk_end(i);
      out.push_back(t_.substr(i, end - i));
      i = end;
    }
    return out;
  }

 private:
  bool letter_at(size_t i) const { return i < t_.size() && is_letter(t_[i]); }
  // A run of two dashes or more that a word follows: an em dash.
  size_t dash_run(size_t i) const {
    size_t end = i;
    while (end < t_.size() && t_[end] == '-') ++end;
    return end - i >= 2 && end < t_.size() && is_word(t_[end]) ? end - i : 0;
  }
  // Whether a hyphen at i ends a part of a hyphenated word: letters before, letters behind.
  bool breaks_after_hyphen(size_t i) const {
    bool before = i >= 2 && is_letter(t_[i - 1]) && is_letter(t_[i - 2]);
    before = before || (i >= 3 && is_word_or_punctuation(t_[i - 1]) && t_[i - 2] == '-' && is_letter(t_[i - 3]));
    bool behind = letter_at(i + 1) && (letter_at(i + 2) || (i + 2 < t_.size() && t_[i + 2] == '-' && letter_at(i + 3)));
    return before && behind;
  }
  size_t chunk_end(size_t i) const {
    size_t end = i;
    if (is_blank(t_[i])) {
      while (end < t_.size() && is_blank(t_[end])) ++end;
      return end;
    }
    if (hyphens_ && i > 0 && is_word_or_punctuation(t_[i - 1]) && t_[i] == '-' && dash_run(i) != 0) return i + dash_run(i);
    for (end = i + 1; end < t_.size() && !is_blank(t_[end]); ++end) {
      if (!hyphens_) continue;
      if (t_[end] == '-' && breaks_after_hyphen(end)) return end + 1;
      if (t_[end] == '-' && is_word_or_punctuation(t_[end - 1]) && dash_run(end) != 0) return end;
    }
    return end;
  }

  Text t_;
  bool hyphens_;
};

bool all_space(Text s) { return std::all_of(s.begin(), s.end(), is_space); }

// Fills lines from chunks (kept in reverse, so that taking one is cheap).
class Wrapper {
 public:
  Wrapper(std::vector<Text> chunks, const WrapOptions& options) : chunks_(std::move(chunks)), options_(options) {
    std::reverse(chunks_.begin(), chunks_.end());
  }
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    while (!chunks_.empty()) {
      std::vector<Text> line;
      if (!out.empty() && all_space(chunks_.back())) chunks_.pop_back();
      fill(line);
      if (!line.empty() && all_space(line.back())) line.pop_back();
      if (line.empty()) continue;
      std::string& text = out.emplace_back();
      for (Text chunk : line)
        for (char32_t c : chunk) append_utf8(text, c);
    }
    return out;
  }

 private:
  void fill(std::vector<Text>& line) {
    auto width = static_cast<size_t>(options_.width);
    size_t used = 0;
    while (!chunks_.empty() && used + chunks_.back().size() <= width) {
      used += chunks_.back().size();
      line.push_back(chunks_.back());
      chunks_.pop_back();
    }
    if (!chunks_.empty() && chunks_.back().size() > width) take_long_word(line, width - used);
  }
  void take_long_word(std::vector<Text>& line, size_t room) {
    if (!options_.break_long_words) {
      if (!line.empty()) return;
      line.push_back(chunks_.back());
      chunks_.pop_back();
      return;
    }
    Text& chunk = chunks_.back();
    size_t end = room;
    if (options_.break_on_hyphens && chunk.size() > room && room > 0) {
      size_t hyphen = chunk.rfind(U'-', room - 1);
      bool word_before = hyphen != Text::npos && hyphen > 0 && chunk.substr(0, hyphen).find_first_not_of(U'-') != Text::npos;
      if (word_before) end = hyphen + 1;
    }
    line.push_back(chunk.substr(0, end));
    chunk.remove_prefix(end);
  }

  std::vector<Text> chunks_;
  WrapOptions options_;
};

}  // namespace

std::vector<std::string> wrap_words(std::string_view text, const WrapOptions& options) {
  std::u32string points;
  for (size_t i = 0; i < text.size();) points += next_code_point(text, i);
  return Wrapper(Splitter(points, options.break_on_hyphens).chunks(), options).lines();
}

}  // namespace mainspring::inline v0::jinja
