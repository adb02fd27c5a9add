// Reductions over any axes (Reduce…, GlobalAveragePool, GlobalMaxPool), along one axis (ArgMax, ArgMin, CumSum, TopK) and softmax over any axis.
#include <cmath>
#include <cstring>

#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"
#include "cpu/kernels/norm/norm.h"
#include "cpu/kernels/reduce/reduce.h"

namespace mainspring::inline v0::cpu {
namespace {

using Extents = std::vector<int64_t>;

struct Group {
  int64_t n, stride;
};

enum class Finish : uint8_t { none, mean, root, log };
struct ReduceName {
  std::string_view name;
  ReduceOp op;
  Finish finish;
};
constexpr ReduceName kReduce[] = {
    {"ReduceSum", ReduceOp::sum, Finish::none},        {"ReduceMean", ReduceOp::sum, Finish::mean},   {"ReduceMax", ReduceOp::max, Finish::none},
    {"ReduceMin", ReduceOp::min, Finish::none},        {"ReduceProd", ReduceOp::prod, Finish::none},  {"ReduceL1", ReduceOp::abs, Finish::none},
    {"ReduceL2", ReduceOp::square, Finish::root},      {"ReduceSumSquare", ReduceOp::square, Finish::none}, {"ReduceLogSum", ReduceOp::sum, Finish::log},
    {"ReduceLogSumExp", ReduceOp::exp, Finish::log},   {"GlobalAveragePool", ReduceOp::sum, Finish::mean},  {"GlobalMaxPool", ReduceOp::max, Finish::none},
};

constexpr int64_t kColumns = 128;  // of a unit: two lines of every row at least

/// An output is one row (its elements follow each other in each index of `reduced`), or one of `columns` beside each other, whose elements lie
/// `rows.stride` apart.
struct ReduceParams {
  const ReduceIsa* fn;
  Ref x, y;
  ReduceOp op;
  Finish finish;
  bool by_rows;
  std::vector<Group> kept, reduced;  ///< but for the row's or the columns'
  Group rows;                        ///< a row's length; rows of the columns
  int64_t columns = 1, parts = 1, count = 1;
  Cut cut;
};

template <class F>
void each_of(std::span<const Group> groups, int64_t base, F f) {
  if (groups.empty()) return f(base);
  for (int64_t i = 0; i < groups[0].n; ++i) each_of(groups.subspan(1), base + i * groups[0].stride, f);
}

int64_t offset_of(std::span<const Group> groups, int64_t index) {
  int64_t offset = 0;
  for (size_t g = groups.size(); g-- > 0;) {
    offset += index % groups[g].n * groups[g].stride;
    index /= groups[g].n;
  }
  return offset;
}

int64_t reduce_tiles(const void* params, const StepEnv&) { return static_cast<const ReduceParams*>(params)->cut.tiles(); }

float joined(ReduceOp op, float a, float b) {
  switch (op) {
    case ReduceOp::prod: return a * b;
    case ReduceOp::max: return std::isnan(a) || a > b ? a : b;
    case ReduceOp::min: return std::isnan(a) || a < b ? a : b;
    default: return a + b;
  }
}

float finished(const ReduceParams& p, float v, float shift) {
  switch (p.finish) {
    case Finish::none: return v;
    case Finish::mean: return v / static_cast<float>(p.count);
    case Finish::root: return std::sqrt(v);
    case Finish::log: return std::log(v) + shift;
  }
  return v;
}

float reduce_rows(const ReduceParams& p, ReduceOp op, const float* x, float shift) {
  bool more = false;
  float y = 0;
  each_of(p.reduced, 0, [&](int64_t at) {
    const float part = p.fn->row[static_cast<int>(op)](x + at, p.rows.n, shift);
    y = more ? joined(op, y, part) : part;
    more = true;
  });
  return y;
}

void reduce_columns(const ReduceParams& p, ReduceOp op, const float* x, float* y, int64_t n, const float* shift) {
  bool more = false;
  each_of(p.reduced, 0, [&](int64_t at) {
    p.fn->columns[static_cast<int>(op)]({x + at, p.rows.stride, p.rows.n, y, n, more, shift});
    more = true;
  });
}

float finite(float v) { return std::isfinite(v) ? v : 0; }

void reduce_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const ReduceParams*>(params);
  const float* x = reinterpret_cast<const float*>(env.at(p.x));
  float* y = reinterpret_cast<float*>(env.at(p.y));
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    if (p.by_rows) {
      const float* row = x + offset_of(p.kept, u);
      const float shift = p.op == ReduceOp::exp ? finite(reduce_rows(p, ReduceOp::max, row, 0)) : 0;
      y[u] = finished(p, reduce_rows(p, p.op, row, shift), shift);
      continue;
    }
    const int64_t outer = u / p.parts, first = u % p.parts * kColumns, n = std::min(kColumns, p.columns - first);
    const float* columns = x + offset_of(p.kept, outer) + first;
    float* out = y + outer * p.columns + first;
    float shift[kColumns] = {};
    if (p.op == ReduceOp::exp) {
      reduce_columns(p, ReduceOp::max, columns, shift, n, nullptr);
      for (int64_t i = 0; i < n; ++i) shift[i] = finite(shift[i]);
    }
    reduce_columns(p, p.op, columns, out, n, p.op == ReduceOp::exp ? shift : nullptr);
    if (p.finish != Finish::none)
      for (int64_t i = 0; i < n; ++i) out[i] = finished(p, out[i], shift[i]);
  }
}

/// Integers: one result after the other.
template <class T>
void reduce_integers(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const ReduceParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  T* y = reinterpret_cast<T*>(env.at(p.y));
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const T* from = x + offset_of(p.kept, u);
    bool more = false;
    uint64_t v = 0;
    each_of(p.reduced, 0, [&](int64_t at) {
      const int64_t e = from[at], old = static_cast<int64_t>(v);
      const auto b = static_cast<uint64_t>(e);
      if (!more) v = p.op == ReduceOp::square ? b * b : p.op == ReduceOp::abs && e < 0 ? 0 - b : b;
      else if (p.op == ReduceOp::sum) v += b;
      else if (p.op == ReduceOp::prod) v *= b;
      else if (p.op == ReduceOp::square) v += b * b;
      else if (p.op == ReduceOp::abs) v += e < 0 ? 0 - b : b;
      else v = static_cast<uint64_t>(p.op == ReduceOp::max ? std::max(old, e) : std::min(old, e));
      more = true;
    });
    y[u] = static_cast<T>(v);
  }
}

/// x as outer × n × inner around an axis.
struct AxisParams {
  Ref x, y, y2;
  int64_t n = 1, inner = 1, k = 1;
  bool largest = true, last = false, exclusive = false, reverse = false, log = false;
  const ReduceIsa* fn = nullptr;
  const NormIsa* norm = nullptr;
  int64_t parts = 1;  ///< of inner
  Cut cut;
};

int64_t axis_tiles(const void* params, const StepEnv&) { return static_cast<const AxisParams*>(params)->cut.tiles(); }

Result<AxisParams> around_axis(const BindRequest& q, int64_t axis, int64_t parts_of, int64_t cost) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const Extents x = *extents_of(q.in[0]);
  MAINSPRING_TRY(const size_t a, axis_of(q, axis, x.size()));
  AxisParams p;
  p.x = q.in[0].ref;
  p.y = q.out[0].ref;
  p.n = x[a];
  p.inner = product_of(std::span(x).subspan(a + 1));
  p.parts = (p.inner + parts_of - 1) / parts_of;
  const int64_t outer = product_of(std::span(x).first(a));
  p.cut = Cut::of(p.n > 0 ? outer * p.parts : 0, 1, std::max<int64_t>(1, cost * p.n * std::min(parts_of, p.inner)), q.workers);
  return p;
}

template <class T>
void arg_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const AxisParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  auto* y = reinterpret_cast<int64_t*>(env.at(p.y));
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const T* from = x + u / p.inner * p.n * p.inner + u % p.inner;
    int64_t best = 0;
    T top = from[0];
    for (int64_t i = 1; i < p.n; ++i) {
      const T v = from[i * p.inner];
      if (p.largest ? v > top || (p.last && v == top) : v < top || (p.last && v == top)) top = v, best = i;
    }
    y[u] = best;
  }
}

template <class T, class Sum>
void cum_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const AxisParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  T* y = reinterpret_cast<T*>(env.at(p.y));
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const int64_t at = u / p.parts * p.n * p.inner + u % p.parts * kColumns, n = std::min(kColumns, p.inner - u % p.parts * kColumns);
    Sum sums[kColumns] = {};
    for (int64_t r = 0; r < p.n; ++r) {
      const int64_t row = at + (p.reverse ? p.n - 1 - r : r) * p.inner;
      for (int64_t i = 0; i < n; ++i) {
        const Sum before = sums[i];
        sums[i] = before + static_cast<Sum>(x[row + i]);
        y[row + i] = static_cast<T>(p.exclusive ? before : sums[i]);
      }
    }
  }
}

template <class T>
struct Candidate {
  T value;
  int64_t index;
};

template <class T>
void top_k_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const AxisParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  T* values = reinterpret_cast<T*>(env.at(p.y));
  auto* indices = reinterpret_cast<int64_t*>(env.at(p.y2));
  auto* all = reinterpret_cast<Candidate<T>*>(env.scratch(worker));
  const auto better = [&p](const Candidate<T>& a, const Candidate<T>& b) {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;  // a NaN stands behind everything
    if (a_nan || b_nan) return a_nan == b_nan ? a.index < b.index : b_nan;
    if (a.value != b.value) return p.largest ? a.value > b.value : a.value < b.value;
    return a.index < b.index;
  };
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const int64_t outer = u / p.inner, column = u % p.inner;
    for (int64_t i = 0; i < p.n; ++i) all[i] = {x[(outer * p.n + i) * p.inner + column], i};
    std::partial_sort(all, all + p.k, all + p.n, better);
    for (int64_t i = 0; i < p.k; ++i) {
      const int64_t to = (outer * p.k + i) * p.inner + column;
      values[to] = all[i].value;
      indices[to] = all[i].index;
    }
  }
}

void softmax_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const AxisParams*>(params);
  const float* x = reinterpret_cast<const float*>(env.at(p.x));
  float* y = reinterpret_cast<float*>(env.at(p.y));
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    if (p.inner > 1) {
      const int64_t first = u % p.parts * kColumns, at = u / p.parts * p.n * p.inner + first;
      p.fn->softmax_columns(x + at, y + at, p.inner, p.n, std::min(kColumns, p.inner - first), p.log);
      continue;
    }
    const float* row = x + u * p.n;
    if (!p.log) {
      p.norm->softmax(row, y + u * p.n, p.n);
      continue;
    }
    const float top = p.fn->row[static_cast<int>(ReduceOp::max)](row, p.n, 0);
    p.fn->subtract(row, top + std::log(p.fn->row[static_cast<int>(ReduceOp::exp)](row, p.n, top)), y + u * p.n, p.n);
  }
}

Result<void> want_f32(const BindRequest& q) {
  if (q.in[0].dtype != DType::f32 || q.out[0].dtype != DType::f32) return unsupported("{}: the kernel takes f32", q.node->op);
  return {};
}

}  // namespace

Result<KernelBinding> bind_reduce(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const auto* name = std::find_if(std::begin(kReduce), std::end(kReduce), [&](const ReduceName& n) { return n.name == q.node->op; });
  if (name == std::end(kReduce)) return unsupported("{}: no reduction of this name", q.node->op);
  const Extents x = *extents_of(q.in[0]);
  std::vector<bool> reduced(x.size(), false);
  if (name->name.starts_with("Global")) {
    for (size_t d = 2; d < x.size(); ++d) reduced[d] = true;
  } else {
    const auto given = q.node->attrs.is("axes");
    const auto axes = has(q, 1) ? ints_of(q.in[1]) : std::optional(Extents(given.begin(), given.end()));
    if (!axes) return unsupported("{}: the kernel wants constant axes", q.node->op);
    if (axes->empty() && q.node->attrs.i("noop_with_empty_axes") != 0) return unsupported("{}: nothing to reduce", q.node->op);
    if (axes->empty()) reduced.assign(x.size(), true);
    for (const int64_t a : *axes) {
      MAINSPRING_TRY(const size_t d, axis_of(q, a, x.size()));
      reduced[d] = true;
    }
  }
  if (elements_of(q.in[0]) == 0) return unsupported("{}: of nothing", q.node->op);
  // Neighbours of one kind are one group.
  std::vector<std::pair<Group, bool>> groups;
  int64_t stride = 1;
  ReduceParams p{select_reduce(isa).fn, q.in[0].ref, q.out[0].ref, name->op, name->finish, false, {}, {}, {1, 0}, 1, 1, 1, {}};
  for (size_t d = x.size(); d-- > 0; stride *= x[d]) {
    if (reduced[d]) p.count *= x[d];
    if (x[d] == 1) continue;
    if (!groups.empty() && groups.back().second == reduced[d]) groups.back().first.n *= x[d];
    else groups.push_back({{x[d], stride}, reduced[d]});
  }
  std::reverse(groups.begin(), groups.end());
  for (const auto& [group, is_reduced] : groups) (is_reduced ? p.reduced : p.kept).push_back(group);
  const DType t = q.in[0].dtype;
  if (t != q.out[0].dtype) return unsupported("{}: {} to {}", q.node->op, name_of(t), name_of(q.out[0].dtype));
  if (t == DType::i64 || t == DType::i32) {
    if (p.finish != Finish::none) return unsupported("{}: the kernel takes f32", q.node->op);
    p.cut = Cut::of(elements_of(q.out[0]), 1, p.count, q.workers);
    return one_step("reduce", std::move(p), t == DType::i64 ? reduce_integers<int64_t> : reduce_integers<int32_t>, reduce_tiles);
  }
  MAINSPRING_TRY_VOID(want_f32(q));
  p.by_rows = groups.empty() || groups.back().second;
  if (p.by_rows) {
    if (!p.reduced.empty()) p.rows = p.reduced.back(), p.reduced.pop_back();
    p.cut = Cut::of(elements_of(q.out[0]), 1, 4 + p.count / 4, q.workers);
  } else {
    p.columns = p.kept.back().n;
    p.kept.pop_back();
    if (p.reduced.empty()) p.rows = {1, 0};
    else p.rows = p.reduced.back(), p.reduced.pop_back();
    p.parts = (p.columns + kColumns - 1) / kColumns;
    p.cut = Cut::of(elements_of(q.out[0]) / p.columns * p.parts, 1, 4 + p.count * std::min(kColumns, p.columns) / 4, q.workers);
  }
  return one_step(fmt::format("reduce.{}", select_reduce(isa).name), std::move(p), reduce_run, reduce_tiles);
}

Result<KernelBinding> bind_arg_extreme(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY(AxisParams p, around_axis(q, q.node->attrs.i("axis"), 1, 1));
  p.largest = q.node->op == "ArgMax";
  p.last = q.node->attrs.i("select_last_index") != 0;
  switch (q.in[0].dtype) {
    case DType::f32: return one_step("arg", p, arg_run<float>, axis_tiles);
    case DType::i64: return one_step("arg", p, arg_run<int64_t>, axis_tiles);
    case DType::i32: return one_step("arg", p, arg_run<int32_t>, axis_tiles);
    default: return unsupported("{}: the kernel does not take {}", q.node->op, name_of(q.in[0].dtype));
  }
}

Result<KernelBinding> bind_cum_sum(const BindRequest& q, IsaSet) {
  const auto axis = ints_of(q.in[1]);
  if (!axis || axis->size() != 1) return unsupported("CumSum: the kernel wants a constant axis");
  MAINSPRING_TRY(AxisParams p, around_axis(q, (*axis)[0], kColumns, 1));
  p.exclusive = q.node->attrs.i("exclusive") != 0;
  p.reverse = q.node->attrs.i("reverse") != 0;
  switch (q.in[0].dtype) {
    case DType::f32: return one_step("cum_sum", p, cum_run<float, double>, axis_tiles);
    case DType::i64: return one_step("cum_sum", p, cum_run<int64_t, uint64_t>, axis_tiles);
    case DType::i32: return one_step("cum_sum", p, cum_run<int32_t, uint32_t>, axis_tiles);
    default: return unsupported("CumSum: the kernel does not take {}", name_of(q.in[0].dtype));
  }
}

Result<KernelBinding> bind_top_k(const BindRequest& q, IsaSet) {
  if (q.out.size() != 2 || !q.out[1]) return unsupported("TopK: the kernel gives values and indices");
  const int64_t axis = q.node->attrs.i("axis", -1);
  MAINSPRING_TRY(AxisParams p, around_axis(q, axis, 1, 8));
  const Extents y = *extents_of(q.out[0]);
  MAINSPRING_TRY(const size_t a, axis_of(q, axis, y.size()));
  p.k = y[a];
  if (p.k > p.n) return unsupported("TopK: {} of {}", p.k, p.n);
  p.y2 = q.out[1].ref;
  p.largest = q.node->attrs.i("largest", 1) != 0;
  const bool wide = q.in[0].dtype == DType::i64;
  if (!wide) {
    MAINSPRING_TRY_VOID(want_f32(q));
  }
  KernelBinding b = one_step("top_k", p, wide ? top_k_run<int64_t> : top_k_run<float>, axis_tiles);
  b.worker_scratch_bytes = static_cast<size_t>(p.n) * sizeof(Candidate<int64_t>);
  return b;
}

Result<KernelBinding> bind_axis_softmax(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32(q));
  MAINSPRING_TRY(AxisParams p, around_axis(q, q.node->attrs.i("axis", -1), kColumns, 1));
  p.fn = select_reduce(isa).fn;
  p.norm = select_norm(isa).fn;
  p.log = q.node->op == "LogSoftmax";
  return one_step(fmt::format("softmax.{}", select_reduce(isa).name), p, softmax_run, axis_tiles);
}

}  // namespace mainspring::inline v0::cpu
