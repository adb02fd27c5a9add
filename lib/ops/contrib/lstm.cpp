// com.microsoft.DynamicQuantizeLSTM(x [T,B,I], w i8/u8 [D,I,4H], r i8/u8 [D,H,4H], b?, lens?, h?, c?, p?, w_scale [D] or [D,4H], w_zero, r_scale, r_zero)
//   -> y?, y_h?, y_c?       as LSTM; x, and h at every step, are made u8 by their own range before they meet the matrices
#include "ops/nn/rnn.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kLstm = "com.microsoft.DynamicQuantizeLSTM";
constexpr size_t kScaleOf[] = {8, 10};  // of w and r; the zero points follow

Result<std::vector<ValueInfo>> infer_DynamicQuantizeLSTM(const OpCall& c) {
  MAINSPRING_TRY(auto out, infer_rnn(kLstm, c, RnnKind::lstm, true));
  for (size_t m = 0; m < 2; ++m) {
    const Dim d = dim_of(c.in[1 + m], 0), all = dim_of(c.in[1 + m], 2);
    MAINSPRING_TRY_VOID(need_int(kLstm, c, 1 + m, "weights"));
    MAINSPRING_TRY_VOID(need_float(kLstm, c, kScaleOf[m], "scale"));
    for (size_t i = kScaleOf[m]; i < kScaleOf[m] + 2; ++i)
      if (has(c, i) && c.in[i].ranked) MAINSPRING_TRY_VOID(want_dims(kLstm, c, i, "scale or zero point", c.in[i].dims.size() == 2 ? Dims{d, all} : Dims{d}));
  }
  return out;
}

/// (q - zero) × scale of [D, K, N], with a scale for each direction or each column of each direction.
std::vector<double> matrix(const OpArgs& a, size_t q, size_t scale) {
  std::vector<double> w = numbers_of(a.in[q]);
  const std::vector<double> s = numbers_of(a.in[scale]), z = has(a, scale + 1) ? numbers_of(a.in[scale + 1]) : std::vector<double>();
  const size_t directions = at(a.in[q].shape[0]), n = at(a.in[q].shape[2]), each = directions ? w.size() / directions : 0;
  const auto of = [&](const std::vector<double>& v, size_t i) { return v[v.size() == directions ? i / each : i / each * n + i % n]; };
  for (size_t i = 0; i < w.size(); ++i) w[i] = (w[i] - (z.empty() ? 0 : of(z, i))) * of(s, i);
  return w;
}

void reference_DynamicQuantizeLSTM(const OpArgs& a) { run_rnn(a, RnnKind::lstm, {matrix(a, 1, 8), matrix(a, 2, 10), true}); }

}  // namespace

constinit const OpDef op_ms_DynamicQuantizeLSTM{
    .name = kLstm, .min_in = 3, .max_in = 12, .n_out = 3, .infer = infer_DynamicQuantizeLSTM, .reference = reference_DynamicQuantizeLSTM};

}  // namespace mainspring::inline v0
