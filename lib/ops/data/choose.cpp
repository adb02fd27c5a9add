// Elements chosen by their values.
//   TopK (x, k) axis = -1, largest = 1 -> values, indices i64: sorted always; of equal ones the first; NaN counts as the largest
//   Unique (x) axis?, sorted = 1 -> y, first i64, inverse i64, counts i64: elements, or slices along the axis, each once
//   NonZero (x) -> i64 [rank, n]: indices in row-major order
#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_top_k(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("TopK", c, 0, "X"));
  MAINSPRING_TRY(const ValueInfo* k, need_ints("TopK", c, 1, "K"));
  if (!is_int(x->dtype) && !is_float(x->dtype)) return invalid("TopK: X is {}, expected numbers", text_of(*x));
  std::vector<ValueInfo> out{x->ranked ? tensor_of(x->dtype, x->dims) : unranked(x->dtype)};
  if (x->ranked) {
    MAINSPRING_TRY(const size_t axis, axis_of("TopK", c.attrs.i("axis", -1), x->dims.size()));
    const auto n = ints_of(*k);
    if (n && (n->size() != 1 || (*n)[0] < 0 || (x->dims[axis].is_constant() && (*n)[0] > x->dims[axis].times))) return invalid("TopK: K is [{}], X {}", fmt::join(*n, ", "), text_of(*x));
    out[0].dims[axis] = n ? Dim((*n)[0]) : Dim::unknown();
  }
  out.push_back(out[0]);
  out[1].dtype = DType::i64;
  out.resize(static_cast<size_t>(c.n_out));
  return out;
}

void reference_top_k(const OpArgs& a) {
  const TensorView& x = a.in[0];
  const int axis = axis_in(a.attrs.i("axis", -1), x.shape.rank());
  const bool largest = a.attrs.i("largest", 1) != 0;
  const int64_t outer = count(x.shape, 0, axis), n = x.shape[axis], inner = count(x.shape, axis + 1, x.shape.rank());
  const int64_t k = std::min(a.out[0].shape[axis], n), element = bytes_of(x.dtype);
  std::vector<std::pair<int64_t, int64_t>> order(static_cast<size_t>(n));  // key, index: the least come first
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const int64_t key = sort_key(x, (o * n + j) * inner + i);
        order[static_cast<size_t>(j)] = {largest ? ~key : key, j};
      }
      std::partial_sort(order.begin(), order.begin() + k, order.end());
      for (int64_t j = 0; j < k; ++j) {
        const int64_t to = (o * k + j) * inner + i, from = order[static_cast<size_t>(j)].second;
        std::memcpy(a.out[0].data + to * element, x.data + ((o * n + from) * inner + i) * element, static_cast<size_t>(element));
        if (a.out.size() > 1 && a.out[1]) a.out[1].as<int64_t>()[to] = from;
      }
    }
}

// ---- Unique ----------------------------------------------------------------------------------------------------------------

/// -1, 0, 1 as element i comes before j, is it, or comes behind it.
int compare(const TensorView& v, int64_t i, int64_t j) {
  const auto order = [](auto a, auto b) { return a < b ? -1 : b < a ? 1 : 0; };
  if (v.dtype == DType::string) return order(v.as<std::string_view>()[i], v.as<std::string_view>()[j]);
  if (!is_complex(v.dtype)) return order(sort_key(v, i), sort_key(v, j));
  TensorView parts = v;  // by the real part, then the imaginary one
  parts.dtype = v.dtype == DType::c64 ? DType::f32 : DType::f64;
  const int real = compare(parts, 2 * i, 2 * j);
  return real != 0 ? real : compare(parts, 2 * i + 1, 2 * j + 1);
}

/// A tensor as slices along an axis; without one, as elements.
struct Slices {
  TensorView x;
  int64_t outer = 1, n = 0, inner = 1;

  int compare_slices(int64_t i, int64_t j) const {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < inner; ++k)
        if (const int c = compare(x, (o * n + i) * inner + k, (o * n + j) * inner + k); c != 0) return c;
    return 0;
  }
};

Result<std::vector<ValueInfo>> infer_unique(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Unique", c, 0, "X"));
  std::vector<ValueInfo> out(static_cast<size_t>(c.n_out), of_rank(DType::i64, 1));
  out[0] = of_rank(x->dtype, 1);
  Dim n = x->ranked ? product(x->dims, 0, x->dims.size()) : Dim::unknown();
  if (c.attrs.has("axis")) {
    out[0] = x->ranked ? tensor_of(x->dtype, x->dims) : unranked(x->dtype);
    if (x->ranked) {
      MAINSPRING_TRY(const size_t axis, axis_of("Unique", c.attrs.i("axis"), x->dims.size()));
      n = std::exchange(out[0].dims[axis], Dim::unknown());
    }
  }
  if (out.size() > 2) out[2].dims[0] = n;
  return out;
}

Result<void> unique(DynamicCall& c) {
  const Tensor& x = c.in[0].tensor;
  const Shape& s = x.shape();
  const bool flat = !c.attrs.has("axis");
  const int axis = flat ? 0 : axis_in(c.attrs.i("axis"), s.rank());
  Slices slices{view_of(x), flat ? 1 : count(s, 0, axis), flat ? s.elements() : s[axis], flat ? 1 : count(s, axis + 1, s.rank())};
  const int64_t n = slices.n;
  MAINSPRING_TRY(Tensor order_of, c.make(DType::i64, {n}));     // slices in ascending order, of equal ones the first first
  MAINSPRING_TRY(Tensor first_of, c.make(DType::i64, {n}));     // of each group: its first slice
  MAINSPRING_TRY(Tensor place_of, c.make(DType::i64, {n}));     // of each group: where it stands in the output
  MAINSPRING_TRY(Tensor inverse_of, c.make(DType::i64, {n}));   // of each slice: its group, then its group's place
  const auto order = order_of.span<int64_t>(), first = first_of.span<int64_t>(), place = place_of.span<int64_t>(), inverse = inverse_of.span<int64_t>();
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  std::sort(order.begin(), order.end(), [&slices](int64_t i, int64_t j) {
    const int by_value = slices.compare_slices(i, j);
    return by_value != 0 ? by_value < 0 : i < j;
  });
  int64_t groups = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || slices.compare_slices(order[i - 1], order[i]) != 0) first[static_cast<size_t>(groups++)] = order[i];
    inverse[static_cast<size_t>(order[i])] = groups - 1;
  }
  int64_t next = 0;
  const bool sorted = c.attrs.i("sorted", 1) != 0;
  for (int64_t i = 0; i < (sorted ? groups : n); ++i) {
    const int64_t group = sorted ? i : inverse[static_cast<size_t>(i)];
    if (sorted || first[static_cast<size_t>(group)] == i) place[static_cast<size_t>(group)] = next++;
  }
  Shape shape = flat ? Shape{groups} : s;
  if (!flat) shape[axis] = groups;
  MAINSPRING_TRY(Tensor y, c.make(x.dtype(), shape));
  MAINSPRING_TRY(Tensor firsts, c.make(DType::i64, {groups}));
  MAINSPRING_TRY(Tensor counts, c.make(DType::i64, {groups}));
  const int64_t bytes = slices.inner * bytes_of(x.dtype());
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t from = first[static_cast<size_t>(g)], to = place[static_cast<size_t>(g)];
    firsts.span<int64_t>()[static_cast<size_t>(to)] = from;
    counts.span<int64_t>()[static_cast<size_t>(to)] = 0;
    for (int64_t o = 0; o < slices.outer && bytes > 0; ++o) std::memcpy(y.data() + (o * groups + to) * bytes, x.bytes().data() + (o * n + from) * bytes, static_cast<size_t>(bytes));
  }
  for (int64_t& g : inverse) {
    g = place[static_cast<size_t>(g)];
    ++counts.span<int64_t>()[static_cast<size_t>(g)];
  }
  MAINSPRING_TRY(y, owned(c, std::move(y)));
  Tensor* all[] = {&y, &firsts, &inverse_of, &counts};
  for (size_t i = 0; i < c.out.size() && i < std::size(all); ++i) c.out[i] = std::move(*all[i]);
  return {};
}

// ---- NonZero ---------------------------------------------------------------------------------------------------------------

bool is_zero(const TensorView& v, int64_t i) {
  if (v.dtype == DType::string) return v.as<std::string_view>()[i].empty();
  if (v.dtype == DType::c64) return v.as<float>()[2 * i] == 0 && v.as<float>()[2 * i + 1] == 0;
  if (v.dtype == DType::c128) return v.as<double>()[2 * i] == 0 && v.as<double>()[2 * i + 1] == 0;
  return load(v, i) == 0;
}

Result<std::vector<ValueInfo>> infer_non_zero(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("NonZero", c, 0, "X"));
  return one(tensor_of(DType::i64, {x->ranked ? Dim(static_cast<int64_t>(x->dims.size())) : Dim::unknown(), Dim::unknown()}));
}

Result<void> non_zero(DynamicCall& c) {
  const TensorView x = view_of(c.in[0].tensor);
  const int64_t all = x.shape.elements();
  int64_t n = 0;
  for (int64_t i = 0; i < all; ++i) n += !is_zero(x, i);
  MAINSPRING_TRY(Tensor y, c.make(DType::i64, {x.shape.rank(), n}));
  const auto at = y.span<int64_t>();
  for (int64_t i = 0, column = 0; i < all; ++i) {
    if (is_zero(x, i)) continue;
    int64_t rest = i;
    for (int k = x.shape.rank(); k-- > 0; rest /= x.shape[k]) at[static_cast<size_t>(k * n + column)] = rest % x.shape[k];
    ++column;
  }
  c.out[0] = std::move(y);
  return {};
}

}  // namespace

constinit const OpDef op_TopK{.name = "TopK", .min_in = 2, .max_in = 2, .n_out = 2, .infer = infer_top_k, .reference = reference_top_k};
constinit const OpDef op_Unique{.name = "Unique", .min_in = 1, .max_in = 1, .n_out = 4, .infer = infer_unique, .dynamic = unique};
constinit const OpDef op_NonZero{.name = "NonZero", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_non_zero, .dynamic = non_zero};

}  // namespace mainspring::inline v0
