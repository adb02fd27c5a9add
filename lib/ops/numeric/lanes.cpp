// What works along one axis.
//   Softmax LogSoftmax Hardmax (x)   attrs axis (-1); legacy_flatten (0): the meaning before opset 13, x as a matrix of the extents before and from `axis` (1) on
//   CumSum CumProd (x, axis)         attrs exclusive (0), reverse (0)
//   ArgMax ArgMin (x) -> i64         attrs axis (0), keepdims (1), select_last_index (0); NaN is the largest and the least
#include <cmath>
#include <limits>

#include "ops/narrow.h"
#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

using Lane = std::span<double>;

double sum_of_exp(Lane x, double most) {
  double sum = 0;
  for (const double v : x) sum += std::exp(v - most);
  return sum;
}
double most_of(Lane x) {
  const double most = *std::max_element(x.begin(), x.end());
  return std::isfinite(most) ? most : 0;
}
void softmax(DType t, Lane x) {
  const double sum = exponentials(t, x, most_of(x));
  for (double& v : x) v /= sum;
}
void log_softmax(DType, Lane x) {
  const double most = most_of(x), log = std::log(sum_of_exp(x, most));
  for (double& v : x) v = v - most - log;
}
void hardmax(DType, Lane x) {
  const auto at = std::max_element(x.begin(), x.end()) - x.begin();
  for (size_t i = 0; i < x.size(); ++i) x[i] = i == static_cast<size_t>(at);
}

struct Normaliser {
  const char* name;
  void (*apply)(DType, Lane);
};
constexpr Normaliser kNormalisers[] = {{"Softmax", softmax}, {"LogSoftmax", log_softmax}, {"Hardmax", hardmax}};

int64_t softmax_axis(const Attrs& attrs) { return attrs.i("axis", attrs.i("legacy_flatten") ? 1 : -1); }

Result<std::vector<ValueInfo>> infer_softmax(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(name, c, 0, "x"));
  if (!is_float(x->dtype)) return invalid("{}: x is {}, expected floats", name, name_of(x->dtype));
  if (!x->ranked) return one(unranked(x->dtype));
  const int64_t axis = softmax_axis(c.attrs);
  if (!(x->dims.empty() && (axis == 0 || axis == -1))) {
    const bool end = c.attrs.i("legacy_flatten") && axis == static_cast<int64_t>(x->dims.size());  // rows of one element
    if (!end) MAINSPRING_TRY_VOID(axis_of(name, axis, x->dims.size()));
  }
  return one(tensor_of(x->dtype, x->dims));
}

template <int i>
constexpr OpDef normaliser() {
  return {.name = kNormalisers[i].name,
          .min_in = 1,
          .max_in = 1,
          .n_out = 1,
          .infer = [](const OpCall& c) { return infer_softmax(kNormalisers[i].name, c); },
          .reference = [](const OpArgs& a) {
            const Shape& s = a.in[0].shape;
            const int64_t axis = softmax_axis(a.attrs);
            const auto first = static_cast<size_t>(axis < 0 ? axis + std::max(s.rank(), 1) : axis);
            const Lanes lanes(s, first, a.attrs.i("legacy_flatten") ? static_cast<size_t>(s.rank()) : first + 1);
            map_lanes<double>(a.in[0], a.out[0], lanes, [t = a.in[0].dtype](Lane x) { kNormalisers[i].apply(t, x); });
          }};
}

constexpr const char* kCumulative[] = {"CumSum", "CumProd"};

template <int i>
Result<std::vector<ValueInfo>> infer_cumulative(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(kCumulative[i], c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* axis, need_one(kCumulative[i], c, 1, "axis"));
  if (!is_number(x->dtype) || !is_int(axis->dtype)) return invalid("{}: x is {} and axis {}, expected numbers and integers", kCumulative[i], name_of(x->dtype), name_of(axis->dtype));
  if (!x->ranked) return one(unranked(x->dtype));
  if (const auto at = ints_of(*axis)) MAINSPRING_TRY_VOID(axis_of(kCumulative[i], at->front(), x->dims.size()));
  return one(tensor_of(x->dtype, x->dims));
}

template <int i>
void reference_cumulative(const OpArgs& a) {
  const int64_t rank = a.in[0].shape.rank();
  if (rank == 0 || !has(a, 1)) return;
  const int64_t given = load_int(a.in[1], 0), axis = std::clamp(given < 0 ? given + rank : given, int64_t{0}, rank - 1);  // a wrong one may come at run time
  const bool exclusive = a.attrs.i("exclusive") != 0, reverse = a.attrs.i("reverse") != 0;
  with_numbers(a.in[0].dtype, [&]<class T>() {
    using U = Wrapping<T>;
    map_lanes<T>(a.in[0], a.out[0], Lanes(a.in[0].shape, static_cast<size_t>(axis)), [&](std::span<T> x) {
      if (reverse) std::reverse(x.begin(), x.end());
      U so_far = i == 0 ? 0 : 1;
      for (T& v : x) {
        const U before = so_far, now = static_cast<U>(v);
        so_far = i == 0 ? so_far + now : so_far * now;
        v = static_cast<T>(exclusive ? before : so_far);
      }
      if (reverse) std::reverse(x.begin(), x.end());
    });
  });
}

constexpr const char* kArg[] = {"ArgMax", "ArgMin"};

template <int i>
Result<std::vector<ValueInfo>> infer_arg(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(kArg[i], c, 0, "x"));
  if (!is_number(x->dtype)) return invalid("{}: x is {}, expected numbers", kArg[i], name_of(x->dtype));
  if (!x->ranked) return one(unranked(DType::i64));
  if (x->dims.empty()) return one(tensor_of(DType::i64, {}));
  MAINSPRING_TRY(const size_t axis, axis_of(kArg[i], c.attrs.i("axis"), x->dims.size()));
  if (x->dims[axis] == Dim(0)) return invalid("{}: axis {} has no element to choose from", kArg[i], axis);
  Dims dims = x->dims;
  if (c.attrs.i("keepdims", 1)) dims[axis] = 1;
  else dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return one(tensor_of(DType::i64, std::move(dims)));
}

template <int i>
void reference_arg(const OpArgs& a) {
  const int64_t rank = a.in[0].shape.rank(), axis = a.attrs.i("axis");
  const Lanes lanes(a.in[0].shape, static_cast<size_t>(axis < 0 ? axis + rank : axis));
  const bool last = a.attrs.i("select_last_index") != 0;
  with_numbers(a.in[0].dtype, [&]<class T>() {
    std::vector<T> x(static_cast<size_t>(lanes.n));
    for (int64_t lane = 0; lane < lanes.count(); ++lane) {
      load_run(a.in[0].dtype, a.in[0].data, lanes.first(lane), lanes.inner, lanes.n, x.data());
      size_t best = 0;
      for (size_t k = 1; k < x.size(); ++k) {
        if (x[best] != x[best] && !(last && x[k] != x[k])) continue;
        if ((i == 0 ? x[k] > x[best] : x[k] < x[best]) || x[k] != x[k] || (last && x[k] == x[best])) best = k;
      }
      store_int(DType::i64, a.out[0].data, lane, static_cast<int64_t>(best));
    }
  });
}

}  // namespace

constinit const OpDef op_Softmax = normaliser<0>();
constinit const OpDef op_LogSoftmax = normaliser<1>();
constinit const OpDef op_Hardmax = normaliser<2>();
constinit const OpDef op_CumSum{.name = kCumulative[0], .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_cumulative<0>, .reference = reference_cumulative<0>};
constinit const OpDef op_CumProd{.name = kCumulative[1], .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_cumulative<1>, .reference = reference_cumulative<1>};
constinit const OpDef op_ArgMax{.name = kArg[0], .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_arg<0>, .reference = reference_arg<0>};
constinit const OpDef op_ArgMin{.name = kArg[1], .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_arg<1>, .reference = reference_arg<1>};

}  // namespace mainspring::inline v0
