#include "graph/evaluate.h"

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 40;

}  // namespace

bool only_renames(std::string_view op) { return op == "Reshape" || op == "Squeeze" || op == "Unsqueeze" || op == "Flatten"; }

Shape shape_of(const Dims& dims) {
  Shape s;
  for (const Dim& d : dims) s.push_back(d.times);
  return s;
}

Tensor content_of(const Value& weight) {
  return Tensor::share(weight.dtype, shape_of(weight.dims), const_cast<std::byte*>(weight.bytes.data()), std::const_pointer_cast<void>(weight.keeper));
}

Value weight_of(std::string name, Tensor content) {
  Value v;
  v.name = std::move(name);
  v.kind = Kind::weight;
  v.dtype = content.dtype();
  v.dims.assign(content.shape().dims().begin(), content.shape().dims().end());
  auto keeper = std::make_shared<Tensor>(std::move(content));
  v.bytes = keeper->bytes();
  v.keeper = std::move(keeper);
  return v;
}

Result<void> check_extents(const Node& node, std::span<const ValueInfo> out) {
  for (const ValueInfo& v : out) {
    int64_t n = 1;
    if (v.dims.size() > static_cast<size_t>(Shape::kMaxRank)) return invalid("node '{}' ({}): a result of rank {}, at most {}", node.name, node.op, v.dims.size(), Shape::kMaxRank);
    for (const Dim& d : v.dims) {
      if (d.times < 0) return invalid("node '{}' ({}): an extent of {}", node.name, node.op, d.times);
      const auto product = checked_mul(n, std::max<int64_t>(d.times, 1));
      if (!product || *product > kMostElements) return invalid("node '{}' ({}): a result of more than {} elements", node.name, node.op, kMostElements);
      n = *product;
    }
  }
  return {};
}

Result<std::vector<Tensor>> evaluate(const OpDef& op, std::span<const Tensor* const> in, std::span<const ValueInfo> out, const Attrs& attrs, Allocator& allocator) {
  std::vector<TensorView> operands(in.size()), results;
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i] != nullptr) operands[i] = view_of(*in[i]);
  std::vector<Tensor> made;
  for (const ValueInfo& v : out) {
    MAINSPRING_TRY(Tensor t, Tensor::make(allocator, v.dtype, shape_of(v.dims)));
    made.push_back(std::move(t));
    results.push_back(view_of(made.back()));
  }
  const StepInfo step;
  op.reference(OpArgs{operands, results, attrs, step});
  for (Tensor& t : made)
    if (t.dtype() == DType::string) {  // views of the operands' characters become the tensor's own
      MAINSPRING_TRY(t, Tensor::copy_strings(allocator, std::span<const std::string_view>(t.span<std::string_view>()), t.shape()));
    }
  return made;
}

}  // namespace mainspring::inline v0
