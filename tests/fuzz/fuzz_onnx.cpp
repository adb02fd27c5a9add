// Hostile ONNX files. In: any bytes, as a model and as the file of a single value.
// Checks what read_onnx promises: a graph that verifies, weights that lie in their source or are kept, bodies that take what their nodes give;
// and that a value which is read is written and read again as the same. Then the operators that are asked while the graph is made are the library's own.
#include <cstdlib>
#include <cstring>

#include "core/file.h"
#include "import/onnx/onnx.h"
#include "tests/fuzz/limits.h"

namespace {
namespace onnx_target {

using namespace mainspring;

void require(bool ok) {
  if (!ok) std::abort();
}

volatile uint8_t sink;  // keeps the reads

void touch(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  sink = static_cast<uint8_t>(bytes.front());
  sink = static_cast<uint8_t>(bytes.back());
}

void check(const OnnxFile& file, const Graph& g, int depth) {
  require(depth < 64);
  require(g.verify().has_value());
  for (const Value& v : g.values) {
    for (const Dim& d : v.dims) require(d.symbol < static_cast<SymbolId>(g.symbols.size()));
    if (v.kind != Kind::weight) continue;
    int64_t n = 1;
    for (const Dim& d : v.dims) n *= d.times;
    require(v.bytes.size() == static_cast<size_t>(n * info_of(v.dtype).bytes));
    touch(v.bytes);
    require(v.keeper != nullptr);
    if (v.source < 0) continue;
    const auto all = file.sources[static_cast<size_t>(v.source)]->bytes();
    require(v.bytes.data() >= all.data() && v.bytes.size() <= static_cast<size_t>(all.data() + all.size() - v.bytes.data()));
  }
  for (const Node& n : g.nodes)
    for (const auto& body : n.bodies) {
      const auto captures = static_cast<size_t>(n.attrs.i("n_captures"));
      require(captures <= n.in.size() && captures <= body->inputs.size());
      check(file, *body, depth + 1);
    }
}

void check_value(std::span<const std::byte> bytes, Container container, Allocator& allocator) {
  auto value = read_onnx_value(bytes, container, allocator);
  if (!value) return;
  auto written = write_onnx_value(*value, container);
  if (!written) return;  // a sequence of mixed kinds
  auto again = read_onnx_value(*written, container, allocator);
  require(again.has_value() && again->kind == value->kind && again->items.size() == value->items.size());
  if (!value->is_tensor()) return;
  require(again->tensor.dtype() == value->tensor.dtype() && again->tensor.shape() == value->tensor.shape());
  if (value->tensor.dtype() != DType::string && !value->tensor.bytes().empty())
    require(std::memcmp(again->tensor.bytes().data(), value->tensor.bytes().data(), value->tensor.bytes().size()) == 0);
}

}  // namespace onnx_target
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace onnx_target;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  fuzz::LimitedAllocator allocator;
  {
    (void)looks_like_onnx(bytes);
    if (auto file = read_onnx(ByteSource::borrow(bytes), {}, "", {}, allocator)) check(*file, file->graph, 0);
    for (const Container c : {Container::tensor, Container::sequence, Container::optional_tensor, Container::optional_sequence}) check_value(bytes, c, allocator);
  }
  onnx_target::require(allocator.live == 0);
  return 0;
}
