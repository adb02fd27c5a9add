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

/// GPT-2's way to write a byte as a character: printable ones as they are, the others from U+0100 on.
std::string byte_token(int byte) {
  const auto printable = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae; };
  int code = byte;
  if (!printable(byte)) {
    code = 0x100;
    for (int b = 0; b < byte; ++b) code += !printable(b);
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

uint64_t write_tokenizer(std::string& out) {
  using Type = MetaValue::Type;
  uint64_t n_keys = 0;
  const auto key = [&](std::string_view name, Type type) {
    ++n_keys;
    write_text(out, name);
    write(out, static_cast<uint32_t>(type));
  };
  const auto text = [&](std::string_view name, std::string_view value) { key(name, Type::string), write_text(out, value); };
  const auto id = [&](std::string_view name, uint32_t value) { key(name, Type::u32), write(out, value); };
  const auto array = [&](std::string_view name, Type element, uint64_t n) { key(name, Type::array), write(out, static_cast<uint32_t>(element)), write(out, n); };
  text("tokenizer.ggml.model", "gpt2");
  text("tokenizer.ggml.pre", "gpt-2");
  array("tokenizer.ggml.tokens", Type::string, 258);
  for (int b = 0; b < 256; ++b) write_text(out, byte_token(b));
  write_text(out, "<s>");
  write_text(out, "</s>");
  array("tokenizer.ggml.token_type", Type::i32, 258);
  for (int i = 0; i < 258; ++i) write(out, int32_t{i < 256 ? 1 : 3});
  array("tokenizer.ggml.merges", Type::string, 0);
  id("tokenizer.ggml.bos_token_id", 256);
  id("tokenizer.ggml.eos_token_id", 257);
  key("tokenizer.ggml.add_bos_token", Type::boolean), write(out, uint8_t{1});
  text("tokenizer.chat_template", "{% for m in messages %}{{ bos_token if loop.first }}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}");
  return n_keys;
}

bool is_matrix(std::string_view name, const Shape& shape, const BlockFormat& format) {
  const bool kept = name.find("norm") != name.npos || name.find("conv1d") != name.npos || name.find("ffn_gate_inp") != name.npos || !name.ends_with(".weight");
  return shape.rank() >= 2 && shape.back() % format.block == 0 && !kept;
}

}  // namespace

void ArchModel::byte_tokenizer() { tokenizer_ = true; }

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
  std::string keys;
  MetaValue text;
  text.type = MetaValue::Type::string;
  uint64_t n_keys = keys_.size() + 1;
  if (tokenizer_) {
    n_keys += write_tokenizer(keys);
  } else {
    ++n_keys;
    write_text(keys, "tokenizer.ggml.model");
    text.text = "none";
    write_value(keys, text);
  }
  write(out, n_tensors);
  write(out, n_keys);
  write_text(out, "general.architecture");
  text.text = arch_;
  write_value(out, text);
  out += keys;
  for (const auto& [key, value] : keys_) {
    write_text(out, key);
    write_value(out, value);
  }
  out += infos;
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
  return out + data;
}

}  // namespace mainspring::inline v0::test
