// Operators of com.microsoft that may hold channels last, [N, D…, C]: to [N, C, D…] and back.
#pragma once

#include "ops/contrib/product.h"

namespace mainspring::inline v0 {

inline std::vector<int> channels_order(int rank, bool to_first) {
  std::vector<int> order{0};
  if (to_first) order.push_back(rank - 1);
  for (int i = to_first ? 1 : 2; i < (to_first ? rank - 1 : rank); ++i) order.push_back(i);
  if (!to_first) order.push_back(1);
  return order;
}
inline ValueInfo channels_moved(ValueInfo v, bool to_first) {
  v.value = nullptr;
  if (!v.ranked || v.dims.size() < 2) return v;
  Dims dims;
  for (const int i : channels_order(static_cast<int>(v.dims.size()), to_first)) dims.push_back(v.dims[at(i)]);
  v.dims = std::move(dims);
  return v;
}
inline Matrices channels_moved(const Matrices& m, bool to_first) { return m.permuted(channels_order(m.shape.rank(), to_first)); }
/// An operator's own rule on x with its channels first; channels go back behind.
inline Result<std::vector<ValueInfo>> with_channels_first(const OpCall& c, bool last, Result<std::vector<ValueInfo>> (*infer)(const OpCall&)) {
  if (!last) return infer(c);
  std::vector<ValueInfo> in(c.in.begin(), c.in.end());
  if (!in.empty()) in[0] = channels_moved(in[0], true);
  MAINSPRING_TRY(auto out, infer(OpCall{in, c.attrs, c.bodies, c.n_out}));
  for (ValueInfo& v : out) v = channels_moved(std::move(v), false);
  return out;
}

}  // namespace mainspring::inline v0
