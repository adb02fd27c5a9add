// embed(table W[V,d] any weight format, ids i32[n]) -> [n,d]      y[r,:] = W[ids[r],:]. Ids are checked before the step.
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  const Want want("embed", c);
  MAINSPRING_TRY(const ValueInfo* table, want.weight(0, "table", 2));
  MAINSPRING_TRY(const ValueInfo* ids, want.tensor(1, "ids", DType::i32, 1, 1));
  return yields({ids->dims[0], table->dims[1]});
}

void reference(const OpArgs& a) {
  const DecodedRows table(a.in[0]);
  const Rows<float> y(a.out[0]);
  for (int64_t r = 0; r < y.count(); ++r) table.read(a.in[1].as<int32_t>()[r], y[r]);
}

}  // namespace

constinit const OpDef op_embed{.name = "embed", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
