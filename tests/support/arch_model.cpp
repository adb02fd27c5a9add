#include "support/arch_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mainspring::inline v0::test {

ArchModel::ArchModel(std::string_view arch) : arch_(arch) {}

void ArchModel::remove_key(std::string_view key) {
  std::erase_if(keys_, [&](const auto& k) { return k.first == arch_ + "." + std::string(key); });
}

void ArchModel::put(std::string_view key, MetaValue value) {
  remove_key(key);
  keys_.emplace_back(arch_ + "." + std::string(key), std::move(value));
}

void ArchModel::number(std::string_view key, double value) {
  MetaValue v;
  if (value == std::floor(value) && value >= 0 && !key.ends_with("epsilon") && !key.ends_with("freq_base") && !key.ends_with("scale")) {
    v.type = MetaValue::Type::u32;
    v.bits = static_cast<uint64_t>(value);
  } else {
    v.type = MetaValue::Type::f32;
    std::memcpy(&v.bits, &value, 8);
  }
  put(key, v);
}

void ArchModel::flag(std::string_view key, bool value) {
  MetaValue v;
  v.type = MetaValue::Type::boolean;
  v.bits = value;
  put(key, v);
}

void ArchModel::text(std::string_view key, std::string_view value) {
  MetaValue v;
  v.type = MetaValue::Type::string;
  v.text = texts_.emplace_back(value);
  put(key, v);
}

void ArchModel::list(std::string_view key, const std::vector<double>& values) {
  MetaValue v;
  v.type = MetaValue::Type::array;
  v.element = MetaValue::Type::i32;
  v.count = values.size();
  auto& numbers = lists_.emplace_back(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto n = static_cast<int32_t>(values[i]);
    std::memcpy(&numbers[i], &n, 4);
  }
  v.raw = std::as_bytes(std::span(numbers));
  put(key, v);
}

void ArchModel::tensor(std::string_view name, const std::vector<int64_t>& extents, std::vector<float> values) {
  remove_tensor(name);
  Tensor& t = tensors_.emplace_back();
  t.name = name;
  t.values = std::move(values);
  t.weight.shape = Shape(std::span<const int64_t>(extents));
  t.values.resize(static_cast<size_t>(t.weight.shape.elements()));
  t.weight.name = t.name;
  t.weight.bytes = std::as_bytes(std::span(t.values));
}

void ArchModel::remove_tensor(std::string_view name) {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return t.name == name; });
  if (at == tensors_.end()) return;
  at->name = at->weight.name = "";  // a deque's elements must stay where they are
}

const WeightTensor* ArchModel::find(std::string_view name) const {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return !name.empty() && t.name == name; });
  return at == tensors_.end() ? nullptr : &at->weight;
}

Result<Graph> ArchModel::build(ModelFacts* facts) const {
  Metadata metadata;
  MetaValue arch;
  arch.type = MetaValue::Type::string;
  arch.text = arch_;
  metadata.add("general.architecture", arch);
  for (const auto& [key, value] : keys_) metadata.add(key, value);
  metadata.seal();
  std::vector<std::string_view> names;
  for (const Tensor& t : tensors_)
    if (!t.name.empty()) names.push_back(t.name);
  return build_graph(
      metadata, [this](std::string_view name) { return find(name); }, names, facts);
}

ArchModel tiny_llama() {
  ArchModel m("llama");
  m.number("block_count", 2);
  m.number("context_length", 64);
  m.number("embedding_length", 32);
  m.number("feed_forward_length", 48);
  m.number("attention.head_count", 2);
  m.number("attention.head_count_kv", 1);
  m.number("attention.layer_norm_rms_epsilon", 1e-5);
  m.tensor("token_embd.weight", {16, 32});
  m.tensor("output_norm.weight", {32});
  for (int i = 0; i < 2; ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    m.tensor(p + "attn_norm.weight", {32});
    m.tensor(p + "attn_q.weight", {32, 32});
    m.tensor(p + "attn_k.weight", {16, 32});
    m.tensor(p + "attn_v.weight", {16, 32});
    m.tensor(p + "attn_output.weight", {32, 32});
    m.tensor(p + "ffn_norm.weight", {32});
    m.tensor(p + "ffn_gate.weight", {48, 32});
    m.tensor(p + "ffn_up.weight", {48, 32});
    m.tensor(p + "ffn_down.weight", {32, 48});
  }
  return m;
}

}  // namespace mainspring::inline v0::test
