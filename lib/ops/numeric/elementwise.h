// The one loop of all element-wise operators, and their shape rules. An operator is an object `op`: op(a, b) joins two operands, from the first to the last,
// op.finish(x, count) changes what comes out; a part that is missing does nothing. Numbers are of the kind of the first operand's dtype.
#pragma once

#include "ops/numeric/runs.h"

namespace mainspring::inline v0::elementwise {

template <class T, class Op>
void run_as(const Op& op, const OpArgs& a) {
  constexpr int64_t kRun = 256;  // three runs lie in the first-level cache
  const TensorView& y = a.out[0];
  BroadcastRows rows(y.shape, a.in);
  T sum[kRun], other[kRun];
  for (int64_t r = 0; r < rows.rows(); ++r, rows.next()) {
    for (int64_t done = 0; done < rows.length(); done += kRun) {
      const int64_t n = std::min(kRun, rows.length() - done);
      const auto load = [&](size_t o, T* to) { load_run(a.in[o].dtype, a.in[o].data, rows.first(o) + rows.stride(o) * done, rows.stride(o), n, to); };
      load(0, sum);
      if constexpr (requires(T x) { op(x, x); }) {
        for (size_t o = 1; o < a.in.size(); ++o) {
          load(o, other);
          for (int64_t i = 0; i < n; ++i) sum[i] = op(sum[i], other[i]);
        }
      }
      if constexpr (requires(T x) { op.finish(x, size_t{}); })
        for (int64_t i = 0; i < n; ++i) sum[i] = op.finish(sum[i], a.in.size());
      store_run(y.dtype, y.data, r * rows.length() + done, 1, n, sum);
    }
  }
}

template <class Op>
void run(const Op& op, const OpArgs& a) {
  with_numbers(a.in[0].dtype, [&]<class T>() { run_as<T>(op, a); });
}

/// The shape rule: all operands are there, of a dtype that `takes` accepts and the same one unless `mixed`; extents are broadcast.
Result<std::vector<ValueInfo>> infer(const char* name, const OpCall& c, bool (*takes)(DType), const DType* gives = nullptr, bool mixed = false);

}  // namespace mainspring::inline v0::elementwise
