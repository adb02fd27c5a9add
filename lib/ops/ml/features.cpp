// ai.onnx.ml, preparing features. x is a number of any dtype unless said.
// ArrayFeatureExtractor(x […,F], y i64) -> […,n]                  elements of the last axis, any dtype; a vector gives [1,n]
// Binarizer(x) -> as x            attr threshold: 1 where x is above, else 0
// FeatureVectorizer(x…) -> f32 [N,Σ]                              attr inputdimensions: columns side by side
// Imputer(x […,F]) -> as x        attrs imputed_value_floats | _int64s (1 or F), replaced_value_float | _int64
// LabelEncoder(x) -> values       attrs keys_* and values_* (floats, int64s, strings, tensor), default_*; the last of equal keys counts
// CategoryMapper(x) -> strings of integers, integers of strings   attrs cats_int64s, cats_strings, default_int64, default_string
// Normalizer(x [N,F]) -> f32      attr norm (MAX, L1, L2)
// OneHotEncoder(x) -> f32 […,C]   attrs cats_int64s or cats_strings, zeros
// Scaler(x […,F]) -> f32          attrs offset, scale (1 or F): (x - offset) × scale
#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "ops/ml/scores.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

ValueInfo like(const ValueInfo& x, DType dtype) {
  ValueInfo y = x;
  y.dtype = dtype;
  y.value = nullptr;
  return y;
}

/// An attribute list of one number or one for each of the last extent.
Result<void> want_each(const char* op, const ValueInfo& x, const char* name, size_t count) {
  const Dim last = x.ranked && !x.dims.empty() ? x.dims.back() : Dim::unknown();
  if (count == 1 || !last.is_constant() || static_cast<int64_t>(count) == last.times) return {};
  return invalid("{}: attribute {} has {} numbers, expected 1 or {}", op, name, count, last.times);
}

std::string_view text_at(const TensorView& v, int64_t i) { return v.as<std::string_view>()[i]; }
void put_text(const TensorView& v, int64_t i, std::string_view s) { new (v.data + at(i) * sizeof(std::string_view)) std::string_view(s); }

Result<std::vector<ValueInfo>> infer_ArrayFeatureExtractor(const OpCall& c) {
  const char* op = "ai.onnx.ml.ArrayFeatureExtractor";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* y, need_int(op, c, 1, "y"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 1));
  if (const auto indices = ints_of(*y); indices && x->ranked && x->dims.back().is_constant())
    for (const int64_t i : *indices)
      if (i < 0 || i >= x->dims.back().times) return invalid("{}: index {} of {} features", op, i, x->dims.back().times);
  if (!x->ranked) return one(unranked(x->dtype));
  Dims dims = x->dims;
  if (dims.size() == 1) dims.insert(dims.begin(), Dim(1));
  dims.back() = y->ranked ? product(y->dims, 0, y->dims.size()) : Dim::unknown();
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_ArrayFeatureExtractor(const OpArgs& a) {
  const std::vector<int64_t> indices = ints_of(a.in[1]);
  const int64_t n = a.in[0].shape.back(), rows = n ? a.in[0].shape.elements() / n : 0;
  const size_t bytes = static_cast<size_t>(info_of(a.in[0].dtype).bytes);
  std::byte* to = a.out[0].data;
  for (int64_t r = 0; r < rows; ++r)
    for (const int64_t i : indices) {
      if (i >= 0 && i < n) std::memcpy(to, a.in[0].data + at(r * n + i) * bytes, bytes);
      else std::memset(to, 0, bytes);
      to += bytes;
    }
}

Result<std::vector<ValueInfo>> infer_Binarizer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_number("ai.onnx.ml.Binarizer", c, 0, "x"));
  return one(like(*x, x->dtype));
}
void reference_Binarizer(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const double threshold = a.attrs.f("threshold");
  for (double& e : x) e = e > threshold ? 1 : 0;
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_FeatureVectorizer(const OpCall& c) {
  const char* op = "ai.onnx.ml.FeatureVectorizer";
  const std::span<const int64_t> columns = c.attrs.is("inputdimensions");
  Dim rows = Dim::unknown(), all = 0;
  for (size_t i = 0; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, i, "x"));
    MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 1, 2));
    const Dim mine = !x->ranked ? Dim::unknown() : x->dims.size() == 2 ? x->dims[0] : Dim(1);
    MAINSPRING_TRY_VOID(want_equal(op, "rows of an input", mine, rows));
    if (!rows.is_constant()) rows = mine;
    const Dim given = x->ranked ? x->dims.back() : Dim::unknown();
    if (i < columns.size() && columns[i] < 0) return invalid("{}: attribute inputdimensions has {}", op, columns[i]);
    all = plus(all, i < columns.size() ? Dim(columns[i]) : given);
  }
  return one(tensor_of(DType::f32, {rows, all}));
}
void reference_FeatureVectorizer(const OpArgs& a) {
  const std::span<const int64_t> columns = a.attrs.is("inputdimensions");
  const int64_t rows = a.out[0].shape[0], width = a.out[0].shape[1];
  std::vector<double> y(at(rows * width), 0.0);
  int64_t first = 0;
  for (size_t i = 0; i < a.in.size(); ++i) {
    const std::vector<double> x = numbers_of(a.in[i]);
    const int64_t has_columns = a.in[i].shape.back(), n = i < columns.size() ? columns[i] : has_columns;  // what is missing is zero, what is more is left out
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < std::min(n, has_columns); ++k) y[at(r * width + first + k)] = x[at(r * has_columns + k)];
    first += n;
  }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_Imputer(const OpCall& c) {
  const char* op = "ai.onnx.ml.Imputer";
  MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, 0, "x"));
  const char* name = c.attrs.fs("imputed_value_floats").empty() ? "imputed_value_int64s" : "imputed_value_floats";
  const size_t n = std::max(c.attrs.fs("imputed_value_floats").size(), c.attrs.is("imputed_value_int64s").size());
  if (n == 0) return invalid("{}: no imputed values", op);
  MAINSPRING_TRY_VOID(want_each(op, *x, name, n));
  return one(like(*x, x->dtype));
}
void reference_Imputer(const OpArgs& a) {
  std::vector<double> values(a.attrs.fs("imputed_value_floats").begin(), a.attrs.fs("imputed_value_floats").end());
  double from = a.attrs.f("replaced_value_float");
  if (values.empty()) {
    values.assign(a.attrs.is("imputed_value_int64s").begin(), a.attrs.is("imputed_value_int64s").end());
    from = static_cast<double>(a.attrs.i("replaced_value_int64"));
  }
  const int64_t n = static_cast<int64_t>(values.size());
  std::memcpy(a.out[0].data, a.in[0].data, at(a.in[0].shape.elements()) * static_cast<size_t>(info_of(a.in[0].dtype).bytes));
  for (int64_t i = 0; i < a.in[0].shape.elements(); ++i) {
    const double x = load(a.in[0], i);
    if (x == from || (x != x && from != from)) store(a.out[0], i, values[at(i % n)]);
  }
}

// ---- tables -----------------------------------------------------------------------------------------------------------------

/// A list from one of the attributes <prefix>_floats, _int64s, _strings, _tensor.
struct Column {
  DType dtype = DType::f32;
  std::span<const double> floats;
  std::span<const int64_t> ints;
  std::span<const std::string> strings;
  const Tensor* tensor = nullptr;
  size_t count = 0;

  Column(const Attrs& attrs, const std::string& prefix) {
    if ((tensor = attrs.t(prefix + "_tensor"))) dtype = tensor->dtype(), count = at(tensor->elements());
    else if (!(strings = attrs.ss(prefix + "_strings")).empty()) dtype = DType::string, count = strings.size();
    else if (!(ints = attrs.is(prefix + "_int64s")).empty()) dtype = DType::i64, count = ints.size();
    else floats = attrs.fs(prefix + "_floats"), count = floats.size();
  }
  std::string_view text(size_t i) const { return tensor ? text_at(view_of(*tensor), static_cast<int64_t>(i)) : std::string_view(strings[i]); }
  bool is_int_at_all() const { return is_int(dtype); }
  int64_t integer(size_t i) const { return tensor ? load_int(view_of(*tensor), static_cast<int64_t>(i)) : ints[i]; }
  double number(size_t i) const { return tensor ? load(view_of(*tensor), static_cast<int64_t>(i)) : is_int_at_all() ? static_cast<double>(ints[i]) : floats[i]; }
  /// Rounded as the elements it is compared with.
  void put(const TensorView& to, int64_t o, size_t i) const {
    if (dtype == DType::string) put_text(to, o, text(i));
    else if (is_int_at_all()) store_int(to.dtype, to.data, o, integer(i));
    else store(to, o, number(i));
  }
};

/// Finds keys by value: sorted once.
class Index {
 public:
  explicit Index(const Column& keys) : keys_(keys), order_(keys.count) {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return less(a, b); });
  }
  /// The last key that equals element i; empty: none.
  std::optional<size_t> find(const TensorView& x, int64_t i) const {
    const auto search = [&](auto value, auto of, auto smaller) -> std::optional<size_t> {
      auto p = std::upper_bound(order_.begin(), order_.end(), value, [&](const auto& v, size_t k) { return smaller(v, of(k)); });
      if (p == order_.begin()) return std::nullopt;
      const auto found = of(*--p);
      return smaller(found, value) || smaller(value, found) ? std::nullopt : std::optional(*p);
    };
    if (keys_.dtype == DType::string) return search(text_at(x, i), [&](size_t k) { return keys_.text(k); }, std::less<>());
    if (keys_.is_int_at_all()) return search(load_int(x, i), [&](size_t k) { return keys_.integer(k); }, std::less<>());
    return search(load(x, i), [&](size_t k) { return keys_.number(k); }, number_less);
  }

 private:
  static bool number_less(double a, double b) { return a < b || (b != b && a == a); }  // NaN is one key, behind all
  bool less(size_t a, size_t b) const {
    if (keys_.dtype == DType::string) return keys_.text(a) < keys_.text(b);
    return keys_.is_int_at_all() ? keys_.integer(a) < keys_.integer(b) : number_less(keys_.number(a), keys_.number(b));
  }
  const Column& keys_;
  std::vector<size_t> order_;
};

/// What a key that is not there becomes.
void put_default(const Attrs& attrs, const TensorView& to, int64_t i) {
  const Tensor* given = attrs.t("default_tensor");
  if (given && given->elements() > 0 && given->dtype() == to.dtype) {
    const size_t bytes = static_cast<size_t>(info_of(to.dtype).bytes);
    std::memcpy(to.data + at(i) * bytes, given->bytes().data(), bytes);
  } else if (to.dtype == DType::string) {
    put_text(to, i, attrs.s("default_string", "_Unused"));
  } else if (is_int(to.dtype)) {
    store_int(to.dtype, to.data, i, attrs.i("default_int64", -1));
  } else {
    store(to, i, attrs.f("default_float", -0.0));
  }
}

Result<std::vector<ValueInfo>> infer_LabelEncoder(const OpCall& c) {
  const char* op = "ai.onnx.ml.LabelEncoder";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  const Column keys(c.attrs, "keys"), values(c.attrs, "values");
  const bool fits = (keys.dtype == DType::string) == (x->dtype == DType::string) && !is_complex(x->dtype) && is_int(keys.dtype) == is_int(x->dtype);
  if (!fits) return invalid("{}: x is {}, the keys are {}", op, name_of(x->dtype), name_of(keys.dtype));
  if (keys.count != values.count || keys.count == 0) return invalid("{}: {} keys and {} values", op, keys.count, values.count);
  return one(like(*x, values.dtype));
}
void reference_LabelEncoder(const OpArgs& a) {
  const Column keys(a.attrs, "keys"), values(a.attrs, "values");
  const Index index(keys);
  for (int64_t i = 0; i < a.in[0].shape.elements(); ++i) {
    if (const auto k = index.find(a.in[0], i)) values.put(a.out[0], i, *k);
    else put_default(a.attrs, a.out[0], i);
  }
}

Result<std::vector<ValueInfo>> infer_CategoryMapper(const OpCall& c) {
  const char* op = "ai.onnx.ml.CategoryMapper";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  if (x->dtype != DType::string && x->dtype != DType::i64) return invalid("{}: x is {}, expected string or i64", op, name_of(x->dtype));
  if (c.attrs.is("cats_int64s").size() != c.attrs.ss("cats_strings").size()) return invalid("{}: cats_int64s and cats_strings differ in length", op);
  return one(like(*x, x->dtype == DType::string ? DType::i64 : DType::string));
}
void reference_CategoryMapper(const OpArgs& a) {
  const std::span<const int64_t> ints = a.attrs.is("cats_int64s");
  const std::span<const std::string> strings = a.attrs.ss("cats_strings");
  for (int64_t i = 0; i < a.in[0].shape.elements(); ++i) {
    size_t k = 0;
    if (a.in[0].dtype == DType::string) k = static_cast<size_t>(std::find(strings.begin(), strings.end(), text_at(a.in[0], i)) - strings.begin());
    else k = static_cast<size_t>(std::find(ints.begin(), ints.end(), load_int(a.in[0], i)) - ints.begin());
    if (k >= ints.size()) put_default(a.attrs, a.out[0], i);
    else if (a.in[0].dtype == DType::string) store_int(DType::i64, a.out[0].data, i, ints[k]);
    else put_text(a.out[0], i, strings[k]);
  }
}

Result<std::vector<ValueInfo>> infer_OneHotEncoder(const OpCall& c) {
  const char* op = "ai.onnx.ml.OneHotEncoder";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  const Column cats(c.attrs, "cats");
  if (cats.count == 0 || (cats.dtype == DType::string) != (x->dtype == DType::string) || is_complex(x->dtype))
    return invalid("{}: x is {}, the {} categories are {}", op, name_of(x->dtype), cats.count, name_of(cats.dtype));
  if (!x->ranked) return one(unranked(DType::f32));
  ValueInfo y = like(*x, DType::f32);
  if (y.dims.size() >= static_cast<size_t>(Shape::kMaxRank)) return invalid("{}: x has rank {}", op, y.dims.size());
  y.dims.push_back(Dim(static_cast<int64_t>(cats.count)));
  return one(std::move(y));
}
void reference_OneHotEncoder(const OpArgs& a) {
  const Column cats(a.attrs, "cats");
  const Index index(cats);
  const auto n = static_cast<int64_t>(cats.count);
  for (int64_t i = 0; i < a.in[0].shape.elements(); ++i) {
    for (int64_t k = 0; k < n; ++k) store(a.out[0], i * n + k, 0);
    if (const auto k = index.find(a.in[0], i)) store(a.out[0], i * n + static_cast<int64_t>(*k), 1);
  }
}

// ---- scales -----------------------------------------------------------------------------------------------------------------

constexpr std::string_view kNorms[] = {"MAX", "L1", "L2"};

Result<std::vector<ValueInfo>> infer_Normalizer(const OpCall& c) {
  const char* op = "ai.onnx.ml.Normalizer";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "norm", "MAX", kNorms));
  return one(like(*f.x, DType::f32));
}
void reference_Normalizer(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::string_view norm = a.attrs.s("norm", "MAX");
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<double> row = std::span(x).subspan(at(r * columns), at(columns));
    double n = 0;
    for (const double e : row) n = norm == "MAX" ? std::max(n, std::fabs(e)) : norm == "L1" ? n + std::fabs(e) : n + e * e;
    if (norm == "L2") n = std::sqrt(n);
    for (double& e : row) e = n == 0 ? e : e / n;
  }
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_Scaler(const OpCall& c) {
  const char* op = "ai.onnx.ml.Scaler";
  MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, 0, "x"));
  for (const char* name : {"scale", "offset"}) {
    if (c.attrs.fs(name).empty()) return invalid("{}: attribute {} is empty", op, name);
    MAINSPRING_TRY_VOID(want_each(op, *x, name, c.attrs.fs(name).size()));
  }
  return one(like(*x, DType::f32));
}
void reference_Scaler(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::span<const double> scale = a.attrs.fs("scale"), offset = a.attrs.fs("offset");
  for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - offset[i % offset.size()]) * scale[i % scale.size()];
  put_numbers(a.out[0], x);
}

}  // namespace

constinit const OpDef op_ml_ArrayFeatureExtractor{.name = "ai.onnx.ml.ArrayFeatureExtractor", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_ArrayFeatureExtractor,
                                                  .reference = reference_ArrayFeatureExtractor};
constinit const OpDef op_ml_Binarizer{.name = "ai.onnx.ml.Binarizer", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Binarizer, .reference = reference_Binarizer};
constinit const OpDef op_ml_FeatureVectorizer{
    .name = "ai.onnx.ml.FeatureVectorizer", .min_in = 1, .max_in = kVariadic, .n_out = 1, .infer = infer_FeatureVectorizer, .reference = reference_FeatureVectorizer};
constinit const OpDef op_ml_Imputer{.name = "ai.onnx.ml.Imputer", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Imputer, .reference = reference_Imputer};
constinit const OpDef op_ml_LabelEncoder{.name = "ai.onnx.ml.LabelEncoder", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_LabelEncoder, .reference = reference_LabelEncoder};
constinit const OpDef op_ml_CategoryMapper{
    .name = "ai.onnx.ml.CategoryMapper", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_CategoryMapper, .reference = reference_CategoryMapper};
constinit const OpDef op_ml_OneHotEncoder{
    .name = "ai.onnx.ml.OneHotEncoder", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_OneHotEncoder, .reference = reference_OneHotEncoder};
constinit const OpDef op_ml_Normalizer{.name = "ai.onnx.ml.Normalizer", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Normalizer, .reference = reference_Normalizer};
constinit const OpDef op_ml_Scaler{.name = "ai.onnx.ml.Scaler", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Scaler, .reference = reference_Scaler};

}  // namespace mainspring::inline v0
