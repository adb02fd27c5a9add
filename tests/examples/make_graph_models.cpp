// Writes ONNX files for tests of what is around a graph: graph.onnx (x [1, 3, H, W] → its channels' means after a convolution, y [1, 4]) and
// custom_op.onnx (x [N] → example.Clamp, doubled → y).
#include <cstdio>

#include "import/onnx_bytes.h"

namespace {

using namespace onnx_test;

std::string graph_model() {
  Graph g;
  g.inputs = {info("x", tensor_type(kF32, {"1", "3", "H", "W"}))};
  g.outputs = {info("y", tensor_type(kF32, {"1", "4"}))};
  std::vector<float> weights(4 * 3 * 3 * 3);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 7) / 7 - 0.4f;
  g.initializers = {raw_tensor("w", kF32, {4, 3, 3, 3}, weights)};
  g.nodes = {node("Conv", {"x", "w"}, {"c"}, {attr_ints("pads", {1, 1, 1, 1})}, "", "first"), node("Relu", {"c"}, {"r"}), node("GlobalAveragePool", {"r"}, {"p"}), node("Flatten", {"p"}, {"y"})};
  return model(g);
}

std::string custom_op_model() {
  Graph g;
  g.inputs = {info("x", tensor_type(kF32, {"N"}))};
  g.outputs = {info("y", tensor_type(kF32, {"N"}))};
  g.nodes = {node("Clamp", {"x"}, {"c"}, {attr_f("ceiling", 2.5f)}, "example"), node("Add", {"c", "c"}, {"y"})};
  return model(g);
}

bool write(const std::string& path, const std::string& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool ok = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return (file == nullptr || std::fclose(file) == 0) && ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: make_graph_models FOLDER\n", stderr), 2;
  return write(argv[1] + std::string("/graph.onnx"), graph_model()) && write(argv[1] + std::string("/custom_op.onnx"), custom_op_model()) ? 0 : 1;
}
