// Valid inputs to start from, by target.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "support/arch_model.h"
#include "tests/import/gguf_bytes.h"
#include "tests/import/onnx_bytes.h"

namespace fuzz {

/// A file with everything, an old version, odd alignment, a split model in three parts, models that run.
inline std::vector<std::string> gguf_seeds() {
  using namespace gguf_test;
  using namespace mainspring;
  std::vector<std::string> out{sample().bytes()};
  FileBuilder two = sample();
  two.version = 2;
  out.push_back(two.bytes());
  FileBuilder aligned;
  aligned.alignment = 64;
  aligned.u32("general.alignment", 64).tensor("a", {32}, 8, 34, 1).tensor("b", {256, 2}, 12, 288, 2).tensor("c", {2, 2, 2, 2}, 30, 32, 3);
  out.push_back(aligned.bytes());
  Bytes parts;
  for (int i = 0; i < 3; ++i) {
    FileBuilder f;
    f.u16("split.no", static_cast<uint16_t>(i)).u16("split.count", 3).i32("split.tensors.count", 3).tensor(fmt::format("t{}", i), {4}, 0, 16, 1);
    const std::string bytes = f.bytes();
    parts.put(static_cast<uint16_t>(bytes.size())).data += bytes;
  }
  out.push_back(parts.data);
  out.push_back(test::tiny_llama().file());
  return out;
}

/// Nodes of several opsets, functions, sub-graphs, all ways to write a tensor; single values.
inline std::vector<std::string> onnx_seeds() {
  using namespace onnx_test;
  std::vector<std::string> out;
  const auto graph = [](std::vector<Message> nodes, std::vector<Message> initializers) {
    Graph g;
    g.nodes = std::move(nodes);
    g.initializers = std::move(initializers);
    g.inputs = {info("x", tensor_type(kF32, {"N", "3", "4"}))};
    g.outputs = {info("y", tensor_type(kF32, {"N", "", ""}))};
    return g;
  };
  const Message w = raw_tensor<float>("w", kF32, {4}, {1, 2, 3, 4}), typed = tensor("t", kI64, {2}).packed(7, Ints{0, 2});
  out.push_back(model(graph({node("Mul", {"x", "w"}, {"a"}), node("ReduceSum", {"a", "t"}, {"b"}, {attr("keepdims", 1)}), node("Clip", {"b"}, {"c"}), node("Softmax", {"c"}, {"y"}, {attr("axis", -1)})}, {w, typed})));
  out.push_back(model(graph({node("Clip", {"x"}, {"a"}, {attr_f("min", 0), attr_f("max", 6)}), node("ReduceMean", {"a"}, {"b"}, {attr_ints("axes", {1})}), node("Softmax", {"b"}, {"c"}, {attr("axis", 1)}),
                             node("Cast", {"c"}, {"d"}, {attr_s("to", "FLOAT16")}), node("Add", {"d", "t"}, {"y"}, {attr("broadcast", 1), attr("axis", 0)})},
                            {tensor("t", kF16, {3}).packed(5, Ints{1, 2, 3})}),
                      5, {}, 3));
  Graph then = graph({node("Relu", {"x"}, {"y"})}, {}), otherwise = graph({node("Add", {"x", "w"}, {"y"})}, {});
  then.inputs.clear();
  otherwise.inputs.clear();
  const Function f{"local", "F", {"a", "b"}, {"r"}, {"k"}, {node("LeakyRelu", {"a"}, {"h"}, {attr_ref("alpha", "k", 1)}), node("Sum", {"h", "b"}, {"r"})}, {attr_f("k", 0.5f)}};
  out.push_back(model(graph({node("Constant", {}, {"c"}, {attr_t("value", raw_tensor<uint8_t>("", kBool, {}, {1}))}), node("F", {"x"}, {"h"}, {}, "local"), node("If", {"c"}, {"i"}, {attr_g("then_branch", then.message()), attr_g("else_branch", otherwise.message())}),
                             node("F", {"h", "i"}, {"y"}, {attr_f("k", 2)}, "local")},
                            {w, tensor("s", kString, {2}).text(6, "a").text(6, "bc"), tensor("q", kI4, {3}).text(9, "\x21\x03")}),
                      28, {f}));
  out.push_back(w.data);
  out.push_back(Message().number(2, 1).add(3, w).add(3, typed).data);
  out.push_back(Message().number(2, 3).add(5, Message().number(2, 1).add(3, typed)).data);
  return out;
}

inline std::vector<std::string> tokenizer_seeds() {
  using namespace gguf_test;
  const auto joined = [](const std::string& file, std::string_view text) {
    Bytes b;
    b.put(static_cast<uint32_t>(file.size())).data += file;
    return b.data.append(text);
  };
  mainspring::test::ArchModel bytes("llama");
  bytes.byte_tokenizer();
  std::vector<std::string> out{joined(bytes.file(), "Hello w\xc3\xb6rld\n 42 <s>")};
  for (const char* kind : {"llama", "t5", "bert"}) {
    FileBuilder f;
    f.string("general.architecture", "llama").string("tokenizer.ggml.model", kind).strings("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x0A>", "\xe2\x96\x81", "a", "b", "ab", "\xe2\x96\x81""ab", "##b", "[CLS]"});
    auto& scores = f.key("tokenizer.ggml.scores", mainspring::MetaValue::Type::array).type(mainspring::MetaValue::Type::f32).put(uint64_t{11});
    for (int i = 0; i < 11; ++i) scores.put(-static_cast<float>(i));
    auto& types = f.key("tokenizer.ggml.token_type", mainspring::MetaValue::Type::array).type(mainspring::MetaValue::Type::i32).put(uint64_t{11});
    for (const int32_t t : {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 3}) types.put(t);
    out.push_back(joined(f.bytes(), "ab a\nb ab"));
  }
  return out;
}

inline std::vector<std::string> template_seeds() {
  const std::string variables = std::string(1, '\0') + R"({"messages":[{"role":"user","content":"Hi"}],"xs":[3,1,2],"d":{"a":1},"n":3})";
  std::vector<std::string> out;
  for (const char* source :
       {"{% for m in messages %}{{ m['role'] ~ ': ' ~ m.content | trim }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}", "{%- set ns = namespace(a=1) -%}{% set ns.a = ns.a + n %}{{ ns.a // 2 }}",
        "{% macro f(x, y=2) %}<{{ x * y }}>{% endmacro %}{{ f(3) }}{{ f('a', y=n) }}", "{{ xs | sort | join('-') }} {{ d | tojson(indent=2) }} {{ xs[::-1] | first }}",
        "{{ 'abc'.upper() if n is number else raise_exception('no') }}{# comment #}", "{% raw %}{{ x }}{% endraw %}{{ range(5) | list }} {{ strftime_now('%d %b %Y') }}",
        "{% filter upper %}{% call(x) f() %}{{ x }}{% endcall %}{% endfilter %}", "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}"})
    out.push_back(source + variables);
  return out;
}

}  // namespace fuzz
