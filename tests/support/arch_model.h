// A model in memory for tests of architectures: keys and tensors, and the graph that lib/arch builds from them.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "arch/arch.h"

namespace mainspring::inline v0::test {

class ArchModel {
 public:
  explicit ArchModel(std::string_view arch);
  /// Keys after "<arch>."; a whole number is stored as u32, another as f32. A second value replaces the first.
  void number(std::string_view key, double value);
  void flag(std::string_view key, bool value);
  void text(std::string_view key, std::string_view value);
  void list(std::string_view key, const std::vector<double>& values);
  void remove_key(std::string_view key);
  /// Extents outer to inner; values may be missing (zeros).
  void tensor(std::string_view name, const std::vector<int64_t>& extents, std::vector<float> values = {});
  void remove_tensor(std::string_view name);
  bool has_tensor(std::string_view name) const { return find(name) != nullptr; }
  /// The graph points into this object.
  Result<Graph> build(ModelFacts* facts = nullptr) const;
  /// A GPT-2 tokenizer whose tokens are the 256 bytes, then <s> (256, begins a text), </s> (257, ends one), and a chat template. For models with at least 258 rows.
  void byte_tokenizer();
  /// The bytes of a GGUF file of it, without a tokenizer unless byte_tokenizer() was called. Matrices whose rows are whole blocks are stored as `matrices`; norms, convolutions and the like as f32.
  std::string file(DType matrices = DType::f32) const;

 private:
  struct Tensor {
    std::string name;
    std::vector<float> values;
    WeightTensor weight;
  };
  void put(std::string_view key, MetaValue value);
  const WeightTensor* find(std::string_view name) const;

  std::string arch_;
  bool tokenizer_ = false;
  std::deque<std::pair<std::string, MetaValue>> keys_;
  std::deque<std::string> texts_;
  std::deque<std::vector<float>> lists_;
  std::deque<Tensor> tensors_;
};

/// Llama of two layers that fits together: d_model 32, 2 heads, vocabulary 16.
ArchModel tiny_llama();
/// A random llama with a tokenizer of bytes: it talks nonsense. d_model 64, context 256, vocabulary 258.
ArchModel text_model(int n_layers = 2);

}  // namespace mainspring::inline v0::test
