// add, sub, mul, div (a, b) -> dims of a      b has a's dims, or [d] (a's last extent), or a's dims with last extent 1, or one element
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

enum class Binary { add, sub, mul, div };
constexpr const char* kNames[] = {"add", "sub", "mul", "div"};

template <Binary op>
double apply(double a, double b) {
  if constexpr (op == Binary::add) return a + b;
  if constexpr (op == Binary::sub) return a - b;
  if constexpr (op == Binary::mul) return a * b;
  return a / b;
}

template <Binary op>
Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  const Want want(kNames[static_cast<int>(op)], c);
  MAINSPRING_TRY(const ValueInfo* a, want.tensor(0, "a", DType::f32, 0));
  MAINSPRING_TRY(const ValueInfo* b, want.tensor(1, "b", DType::f32, 0));
  const bool one = constant_elements(b->dims, 0) == 1;
  const bool last = b->dims.size() == 1 && !a->dims.empty() && b->dims[0] == a->dims.back();
  Dims column = a->dims;
  if (!column.empty()) column.back() = 1;
  if (!one && !last && b->dims != a->dims && b->dims != column)
    return want.fail("b is {}, expected the extents of a, {}, or its last one, or a last extent of 1, or one element", text_of(*b), text_of(*a));
  return yields(a->dims);
}

template <Binary op>
void reference(const OpArgs& args) {
  const Rows<float> a(args.in[0]), b(args.in[1]), y(args.out[0]);
  const bool by_row = args.in[1].shape.rank() == args.in[0].shape.rank() && b.count() == a.count();
  for (int64_t r = 0; r < a.count(); ++r) {
    const float* other = b[by_row ? r : 0];
    for (int64_t i = 0; i < a.length(); ++i)
      y[r][i] = static_cast<float>(apply<op>(static_cast<double>(a[r][i]), static_cast<double>(other[b.length() == 1 ? 0 : i])));
  }
}

template <Binary op>
constexpr OpDef define() {
  return {.name = kNames[static_cast<int>(op)], .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer<op>, .reference = reference<op>};
}

}  // namespace

constinit const OpDef op_add = define<Binary::add>();
constinit const OpDef op_sub = define<Binary::sub>();
constinit const OpDef op_mul = define<Binary::mul>();
constinit const OpDef op_div = define<Binary::div>();

}  // namespace mainspring::inline v0
