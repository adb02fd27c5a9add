// rope_kv_store(state kv_keys [B,h,d,64]; x [n,h,d], positions i32[n], factors? [n_rot/2]) -> state'
//   attrs of rope; kv_store(state, rope(x, positions, factors))
#include "core/error.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {

namespace {

Attrs keys() { return {{"values", int64_t{0}}}; }

Result<std::vector<ValueInfo>> infer_rope_kv_store(const OpCall& c) {
  const Want want("rope_kv_store", c);
  MAINSPRING_TRY(const ValueInfo* state, want.state(0, "state", StateKind::kv_keys, 4));
  const auto rotated = op_rope.infer({c.in.subspan(1), c.attrs});
  if (!rotated) return within("rope_kv_store", rotated.error());
  const ValueInfo store[] = {*state, (*rotated)[0]};
  const Attrs values = keys();
  auto stored = op_kv_store.infer({store, values});
  if (!stored) return within("rope_kv_store", stored.error());
  return stored;
}

void reference_rope_kv_store(const OpArgs& a) {
  TensorView rotated = a.in[1];
  std::vector<float> floats(static_cast<size_t>(rotated.shape.elements()));
  rotated.data = reinterpret_cast<std::byte*>(floats.data());
  rotated.row_stride = rotated.shape[1] * rotated.shape[2];
  op_rope.reference({a.in.subspan(1), {&rotated, 1}, a.attrs, a.step});
  const TensorView store[] = {a.in[0], rotated};
  const Attrs values = keys();
  op_kv_store.reference({store, a.out, values, a.step});
}

}  // namespace

constinit const OpDef op_rope_kv_store{
    .name = "rope_kv_store", .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer_rope_kv_store, .reference = reference_rope_kv_store};

}  // namespace mainspring::inline v0
