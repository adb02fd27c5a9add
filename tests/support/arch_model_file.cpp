// ArchModel as the bytes of a GGUF file.
#include <cstdlib>
#include <cstring>

#include "quant/quant.h"
#include "support/arch_model.h"

namespace mainspring::inline v0::test {
namespace {

template <class T>
void write(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void write_text(std::string& out, std::string_view text) {
  write(out, uint64_t{text.size()});
  out += text;
}

void write_value(std::string& out, const MetaValue& v) {
  using Type = MetaValue::Type;
  write(out, static_cast<uint32_t>(v.type));
  switch (v.type) {
    case Type::string: return write_text(out, v.text);
    case Type::f32: return write(out, static_cast<float>(*v.as_float()));
    case Type::array:
      write(out, static_cast<uint32_t>(v.element));
      write(out, v.count);
      out.append(reinterpret_cast<const char*>(v.raw.data()), v.raw.size());
      return;
    default: out.append(reinterpret_cast<const char*>(&v.bits), MetaValue::size_of(v.type));  // little-endian: the low bytes
  }
}

bool is_matrix(std::string_view name, const Shape& shape, const BlockFormat& format) {
  const bool kept = name.find("norm") != name.npos || name.find("conv1d") != name.npos || name.find("ffn_gate_inp") != name.npos || !name.ends_with(".weight");
  return shape.rank() >= 2 && shape.back() % format.block == 0 && !kept;
}

}  // namespace

std::string ArchModel::file(DType matrices) const {
  constexpr size_t kAlignment = 32;
  std::string out = "GGUF", infos, data;
  write(out, uint32_t{3});
  uint64_t n_tensors = 0;
  for (const Tensor& t : tensors_) {
    if (t.name.empty()) continue;
    ++n_tensors;
    const BlockFormat& format = *format_of(is_matrix(t.name, t.weight.shape, *format_of(matrices)) ? matrices : DType::f32);
    data.resize((data.size() + kAlignment - 1) / kAlignment * kAlignment);
    write_text(infos, t.name);
    write(infos, static_cast<uint32_t>(t.weight.shape.rank()));
    for (int i = t.weight.shape.rank() - 1; i >= 0; --i) write(infos, t.weight.shape[i]);
    write(infos, static_cast<uint32_t>(format.gguf_type));
    write(infos, uint64_t{data.size()});
    const size_t at = data.size(), n = t.values.size();
    data.resize(at + n / static_cast<size_t>(format.block) * static_cast<size_t>(format.bytes));
    if (!format.encode(t.values.data(), static_cast<int64_t>(n), data.data() + at)) std::abort();
  }
  write(out, n_tensors);
  write(out, uint64_t{keys_.size() + 2});
  write_text(out, "general.architecture");
  MetaValue text;
  text.type = MetaValue::Type::string;
  text.text = arch_;
  write_value(out, text);
  write_text(out, "tokenizer.ggml.model");
  text.text = "none";
  write_value(out, text);
  for (const auto& [key, value] : keys_) {
    write_text(out, key);
    write_value(out, value);
  }
  out += infos;
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
  return out + data;
}

}  // namespace mainspring::inline v0::test
