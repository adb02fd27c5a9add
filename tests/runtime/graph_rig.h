// Small ONNX models in memory for tests of Session::run, and their tensors.
#pragma once

#include "import/onnx_bytes.h"
#include "runtime/runner.h"

namespace mainspring::inline v0::test {

namespace ox = onnx_test;

/// A tensor of its own.
template <class T>
Tensor data(Shape shape, const std::vector<T>& elements) {
  auto t = Tensor::copy(std::span<const T>(elements), shape);
  if (!t) ADD_FAILURE() << t.error().message;
  return *std::move(t);
}
template <class T>
Tensor scalar(T value) {
  return *Tensor::copy(std::span<const T>(&value, 1), Shape{});
}
/// Numbers in [-1, 1] that look random and are the same each time.
inline std::vector<float> noise(size_t n, uint32_t seed = 1) {
  std::vector<float> out(n);
  seed = seed * 2654435761u + 12345;
  for (float& x : out) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<double>(seed >> 8) / (1 << 23) - 1);
  }
  return out;
}
inline Tensor noise(Shape shape, uint32_t seed = 1) { return data(shape, noise(static_cast<size_t>(shape.elements()), seed)); }

template <class T = float>
std::vector<T> elements(const Tensor& t) {
  const auto s = t.span<T>();
  return {s.begin(), s.end()};
}
inline bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.bytes().size() == b.bytes().size() && (a.bytes().empty() || std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0);
}

/// Runs, and fails the test where that errs.
inline RunResult run(Session& s, std::initializer_list<NamedTensor> in, std::initializer_list<NamedTensor> out = {}, const RunOptions& options = {}) {
  auto r = s.run(in, out, options);
  if (!r) ADD_FAILURE() << r.error().message;
  return r ? *std::move(r) : RunResult{};
}
/// The whole way, for one run.
inline RunResult run_model(const std::string& bytes, std::initializer_list<NamedTensor> in) {
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  return run(session, in);
}

inline ox::Message weights(std::string_view name, const ox::Ints& dims, uint32_t seed) {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return ox::raw_tensor(name, ox::kF32, dims, noise(static_cast<size_t>(n), seed));
}

/// x [1, 3, H, W] → convolution, relu → self-attention over the H × W places, 8 wide → y [1, H·W, 8]; z: the largest of y.
inline std::string vision_model() {
  ox::Graph g;
  g.inputs = {ox::info("x", ox::tensor_type(ox::kF32, {"1", "3", "H", "W"}))};
  g.outputs = {ox::info("y", ox::tensor_type(ox::kF32, {"1", "", "8"})), ox::info("z", ox::tensor_type(ox::kF32, {}))};
  g.initializers = {weights("w", {8, 3, 3, 3}, 1), weights("b", {8}, 2), weights("wq", {8, 8}, 3), weights("wk", {8, 8}, 4), weights("wv", {8, 8}, 5),
                    ox::ints_tensor("flat", {1, 8, -1}), ox::raw_tensor<float>("scale", ox::kF32, {}, {0.35f})};
  g.nodes = {ox::node("Conv", {"x", "w", "b"}, {"c"}, {ox::attr_ints("pads", {1, 1, 1, 1})}),
             ox::node("Relu", {"c"}, {"r"}),
             ox::node("Reshape", {"r", "flat"}, {"f"}),
             ox::node("Transpose", {"f"}, {"t"}, {ox::attr_ints("perm", {0, 2, 1})}),
             ox::node("MatMul", {"t", "wq"}, {"q"}),
             ox::node("MatMul", {"t", "wk"}, {"k"}),
             ox::node("MatMul", {"t", "wv"}, {"v"}),
             ox::node("Transpose", {"k"}, {"kt"}, {ox::attr_ints("perm", {0, 2, 1})}),
             ox::node("MatMul", {"q", "kt"}, {"s"}),
             ox::node("Mul", {"s", "scale"}, {"m"}),
             ox::node("Softmax", {"m"}, {"p"}, {ox::attr("axis", -1)}),
             ox::node("MatMul", {"p", "v"}, {"y"}),
             ox::node("ReduceMax", {"y"}, {"z"}, {ox::attr("keepdims", 0)})};
  return ox::model(g);
}

/// x [N, 4] → x · w + b [N, 4] = y.
inline std::string dense_model() {
  ox::Graph g;
  g.inputs = {ox::info("x", ox::tensor_type(ox::kF32, {"N", "4"}))};
  g.outputs = {ox::info("y", ox::tensor_type(ox::kF32, {"N", "4"}))};
  g.initializers = {weights("w", {4, 4}, 7), weights("b", {4}, 8)};
  g.nodes = {ox::node("MatMul", {"x", "w"}, {"m"}), ox::node("Add", {"m", "b"}, {"y"})};
  return ox::model(g);
}

/// n, x [N] → Loop of n rounds: acc = acc + step, and a scan output acc · x. acc begins as x; step and x are captured.
inline std::string loop_model() {
  ox::Graph body;
  body.inputs = {ox::info("i", ox::tensor_type(ox::kI64, {})), ox::info("go", ox::tensor_type(ox::kBool, {})), ox::info("acc", ox::tensor_type(ox::kF32, {"N"}))};
  body.outputs = {ox::info("go_on", ox::tensor_type(ox::kBool, {})), ox::info("next", ox::tensor_type(ox::kF32, {"N"})), ox::info("row", ox::tensor_type(ox::kF32, {"N"}))};
  body.nodes = {ox::node("Identity", {"go"}, {"go_on"}), ox::node("Add", {"acc", "step"}, {"next"}), ox::node("Mul", {"next", "x"}, {"row"})};
  ox::Graph g;
  g.inputs = {ox::info("n", ox::tensor_type(ox::kI64, {})), ox::info("x", ox::tensor_type(ox::kF32, {"N"}))};
  g.outputs = {ox::info("last", ox::tensor_type(ox::kF32, {"N"})), ox::info("rows", ox::tensor_type(ox::kF32, {"", "N"}))};
  g.initializers = {ox::raw_tensor<float>("step", ox::kF32, {1}, {0.5f})};
  g.nodes = {ox::node("Loop", {"n", "", "x"}, {"last", "rows"}, {ox::attr_g("body", body.message())})};
  return ox::model(g);
}

}  // namespace mainspring::inline v0::test
