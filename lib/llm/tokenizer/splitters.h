// Hand-written twins of the commonest pre-tokenizer regexes, several times faster. In: well-formed UTF-8. Out: the ends of the pieces.
// The regex beside each in pretokenizers.inc is the truth; tests compare the two on every class of character.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace mainspring::inline v0 {

/// Appends base + end for every piece of `text`, in order; the last end is the text's.
using Splitter = void (*)(std::string_view text, size_t base, std::vector<size_t>& ends);

void split_gpt2(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_llama3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_qwen2(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_qwen35(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_digit(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_digits(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_digits_3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_thousands(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_ascii_thousands(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_newlines(std::string_view text, size_t base, std::vector<size_t>& ends);

}  // namespace mainspring::inline v0
