// Reduce* (x, axes?)   attrs keepdims (1), noop_with_empty_axes (0). No axes: all of them, or none where noop_with_empty_axes says so.
//   L1 Σ|x|, L2 √Σx², LogSum log Σx, LogSumExp log Σe^x, Max, Mean, Min, Prod, Sum, SumSquare Σx²
// Over nothing: 0, Prod 1, Max and Min the least and the largest value of the dtype. Integers wrap; in sums and products each output adds up in order.
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

enum class Reduce { l1, l2, log_sum, log_sum_exp, max, mean, min, prod, sum, sum_square };
constexpr const char* kNames[] = {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"};

/// Which axes go, by their position; empty where `axes` holds one that x has not.
std::optional<std::vector<char>> chosen(std::span<const int64_t> axes, size_t rank, bool none_means_none) {
  std::vector<char> gone(rank, axes.empty() && !none_means_none);
  for (const int64_t axis : axes) {
    const int64_t at = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
    if (at < 0 || at >= static_cast<int64_t>(rank)) return std::nullopt;
    gone[static_cast<size_t>(at)] = 1;
  }
  return gone;
}

Result<std::vector<ValueInfo>> infer_reduce(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(name, c, 0, "x"));
  if (!is_number(x->dtype) && x->dtype != DType::boolean) return invalid("{}: x is {}, expected numbers", name, name_of(x->dtype));
  if (!x->ranked) return one(unranked(x->dtype));
  const bool keep = c.attrs.i("keepdims", 1) != 0;
  std::optional<std::vector<int64_t>> axes = std::vector<int64_t>();
  if (has(c, 1) && !(all_constant(c.in[1]) && product(c.in[1].dims, 0, c.in[1].dims.size()) == Dim(0))) {
    if (!is_int(c.in[1].dtype)) return invalid("{}: axes are {}, expected i64", name, name_of(c.in[1].dtype));
    axes = ints_of(c.in[1]);
  }
  if (!axes) {
    if (keep) return one(of_rank(x->dtype, x->dims.size()));
    const Dim n = product(c.in[1].dims, 0, c.in[1].dims.size());  // axes do not repeat
    if (c.in[1].ranked && n.is_constant() && n.times <= static_cast<int64_t>(x->dims.size())) return one(of_rank(x->dtype, x->dims.size() - static_cast<size_t>(n.times)));
    return one(unranked(x->dtype));
  }
  const auto gone = chosen(*axes, x->dims.size(), c.attrs.i("noop_with_empty_axes") != 0);
  if (!gone) return invalid("{}: an axis is outside of x's rank {}", name, x->dims.size());
  Dims dims;
  for (size_t i = 0; i < x->dims.size(); ++i) {
    if (!(*gone)[i]) dims.push_back(x->dims[i]);
    else if (keep) dims.push_back(1);
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

/// One output's running value. `shift`: what LogSumExp takes from its exponents.
template <Reduce op, class T>
struct Running {
  T value;
  void add(T x, T shift) {
    using U = Wrapping<T>;
    const U u = static_cast<U>(x), so_far = static_cast<U>(value);
    if constexpr (op == Reduce::max) value = value != value || x <= value ? value : x;
    else if constexpr (op == Reduce::min) value = value != value || x >= value ? value : x;
    else if constexpr (op == Reduce::prod) value = static_cast<T>(so_far * u);
    else if constexpr (op == Reduce::l2 || op == Reduce::sum_square) value = static_cast<T>(so_far + u * u);
    else if constexpr (op == Reduce::l1) value = static_cast<T>(x < T(0) ? so_far - u : so_far + u);
    else if constexpr (op == Reduce::log_sum_exp) value += std::exp(x - shift);
    else value = static_cast<T>(so_far + u);
  }
};

template <Reduce op, class T>
T start(DType t) {
  if constexpr (op == Reduce::prod) return T(1);
  if constexpr (op != Reduce::max && op != Reduce::min) return T(0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if constexpr (std::is_same_v<T, double>) return op == Reduce::max ? -kInfinity : kInfinity;
  else return op == Reduce::max ? static_cast<T>(range_of_int(t).first) : static_cast<T>(range_of_int(t).second);
}

template <Reduce op, class T>
T finish(T value, [[maybe_unused]] T shift, [[maybe_unused]] int64_t count) {
  if constexpr (op == Reduce::mean) return std::is_same_v<T, double> || count ? static_cast<T>(value / static_cast<T>(count)) : T(0);
  if constexpr (op == Reduce::l2) return static_cast<T>(std::sqrt(static_cast<double>(value)));
  if constexpr (op == Reduce::log_sum) return static_cast<T>(std::log(static_cast<double>(value)));
  if constexpr (op == Reduce::log_sum_exp) return static_cast<T>(std::log(static_cast<double>(value)) + static_cast<double>(shift));
  return value;
}

/// Walks x once and adds each element to its output.
template <Reduce op, class T>
void gather(const TensorView& x, const Shape& kept, std::vector<Running<op, T>>& sums, const std::vector<T>& shift) {
  const TensorView views[] = {x, {x.dtype, x.data, kept, 0}};
  BroadcastRows rows(x.shape, views);
  std::vector<T> row(static_cast<size_t>(rows.rows() ? rows.length() : 0));
  for (int64_t r = 0; r < rows.rows(); ++r, rows.next()) {
    load_run(x.dtype, x.data, rows.first(0), rows.stride(0), rows.length(), row.data());
    for (size_t i = 0; i < row.size(); ++i) {
      const auto to = static_cast<size_t>(rows.first(1) + rows.stride(1) * static_cast<int64_t>(i));
      sums[to].add(row[i], shift.empty() ? T(0) : shift[to]);
    }
  }
}

template <Reduce op, class T>
void reduce(const OpArgs& a, const Shape& kept, int64_t count) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const auto n = static_cast<size_t>(kept.elements());
  std::vector<T> shift;
  if constexpr (op == Reduce::log_sum_exp) {  // the largest, so that nothing overflows
    std::vector<Running<Reduce::max, T>> most(n, {start<Reduce::max, T>(x.dtype)});
    gather<Reduce::max, T>(x, kept, most, {});
    for (const auto& m : most) shift.push_back(std::isfinite(m.value) ? m.value : 0);
  }
  std::vector<Running<op, T>> sums(n, {start<op, T>(x.dtype)});
  gather<op, T>(x, kept, sums, shift);
  for (size_t i = 0; i < n; ++i) store_one<T>(y, static_cast<int64_t>(i), finish<op, T>(sums[i].value, shift.empty() ? T(0) : shift[i], count));
}

template <Reduce op>
void reference(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const auto gone = chosen(has(a, 1) ? ints_of(a.in[1]) : std::vector<int64_t>(), static_cast<size_t>(s.rank()), a.attrs.i("noop_with_empty_axes") != 0);
  if (!gone) return;  // infer saw the axes
  Shape kept;
  int64_t count = 1;
  for (int i = 0; i < s.rank(); ++i) {
    kept.push_back((*gone)[static_cast<size_t>(i)] ? 1 : s[i]);
    if ((*gone)[static_cast<size_t>(i)]) count *= s[i];
  }
  if (kept.elements() != a.out[0].shape.elements()) return;
  if constexpr (op == Reduce::log_sum || op == Reduce::log_sum_exp) reduce<op, double>(a, kept, count);
  else with_numbers(a.in[0].dtype, [&]<class T>() { reduce<op, T>(a, kept, count); });
}

template <Reduce op>
constexpr OpDef define() {
  constexpr auto i = static_cast<size_t>(op);
  return {.name = kNames[i], .min_in = 1, .max_in = 2, .n_out = 1, .infer = [](const OpCall& c) { return infer_reduce(kNames[static_cast<size_t>(op)], c); }, .reference = reference<op>};
}

}  // namespace

constinit const OpDef op_ReduceL1 = define<Reduce::l1>();
constinit const OpDef op_ReduceL2 = define<Reduce::l2>();
constinit const OpDef op_ReduceLogSum = define<Reduce::log_sum>();
constinit const OpDef op_ReduceLogSumExp = define<Reduce::log_sum_exp>();
constinit const OpDef op_ReduceMax = define<Reduce::max>();
constinit const OpDef op_ReduceMean = define<Reduce::mean>();
constinit const OpDef op_ReduceMin = define<Reduce::min>();
constinit const OpDef op_ReduceProd = define<Reduce::prod>();
constinit const OpDef op_ReduceSum = define<Reduce::sum>();
constinit const OpDef op_ReduceSumSquare = define<Reduce::sum_square>();

}  // namespace mainspring::inline v0
