// Keys, weights and single nodes of the block vocabulary (build.h); blocks.cpp holds the larger pieces.
#include "arch/build.h"

#include <algorithm>
#include <cmath>

#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {

namespace {

constexpr std::string_view kInert[] = {
#define MAINSPRING_INERT(name) name,
#include "arch/inert_keys.inc"
#undef MAINSPRING_INERT
};

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

/// Neutral values: 0, false, -1, the largest unsigned ("not set"), an empty string, one (of a factor), minus infinity, arrays of such.
bool is_neutral(const MetaValue& v) {
  if (v.type == MetaValue::Type::array) {
    if (v.element == MetaValue::Type::string || v.element == MetaValue::Type::array) return v.count == 0;
    for (uint64_t i = 0; i < v.count; ++i)
      if (!is_neutral(v.at(i))) return false;
    return true;
  }
  if (v.type == MetaValue::Type::string) return v.text.empty() || v.text == "none";
  const double x = v.as_float().value_or(1);
  return x == 0 || x == -1 || (v.is_float() && x == 1) || x == 4294967295.0 || x == -HUGE_VAL;
}

bool in_words(std::string_view words, std::string_view name) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    if (end > 0 && matches(words.substr(0, end), name)) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

std::vector<int64_t> extents(const Shape& s) { return {s.dims().begin(), s.dims().end()}; }
std::vector<int64_t> extents(const Dims& s) {
  std::vector<int64_t> out;
  for (const Dim& d : s) out.push_back(d.times);
  return out;
}
std::string text_of(const std::vector<int64_t>& s) { return s.empty() ? "scalar" : fmt::format("{}", fmt::join(s, "x")); }

/// The same elements in the same order and, for block formats, the same rows.
bool same_but_for_ones(std::vector<int64_t> a, std::vector<int64_t> b, DType dtype) {
  if (is_block_format(dtype) && (a.empty() || b.empty() || a.back() != b.back())) return false;
  std::erase(a, 1);
  std::erase(b, 1);
  return a == b;
}

}  // namespace

void Build::fail(Error e) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(e);
}

// ---- keys ------------------------------------------------------------------------------------------------------------------

const MetaValue* Build::key(std::string_view name) {
  read_keys_.emplace(name);
  return metadata.find(fmt::format("{}.{}", arch.name, name));
}

int64_t Build::key_i(std::string_view name, int64_t otherwise) {
  const MetaValue* v = key(name);
  if (v == nullptr) return otherwise;
  const auto i = v->as_int();
  if (!i) fail(corrupt("key '{}.{}' is not an integer", arch.name, name));
  return i.value_or(otherwise);
}

int64_t Build::need_i(std::string_view name) {
  if (key(name) == nullptr) fail(corrupt("key '{}.{}' is missing", arch.name, name));
  return key_i(name, 0);
}

double Build::key_f(std::string_view name, double otherwise) {
  const MetaValue* v = key(name);
  if (v == nullptr) return otherwise;
  const auto f = v->as_float();
  if (!f) fail(corrupt("key '{}.{}' is not a number", arch.name, name));
  return f.value_or(otherwise);
}

bool Build::key_b(std::string_view name, bool otherwise) {
  const MetaValue* v = key(name);
  if (v == nullptr) return otherwise;
  if (!v->as_bool()) fail(corrupt("key '{}.{}' is not a flag", arch.name, name));
  return v->as_bool().value_or(otherwise);
}

std::string_view Build::key_s(std::string_view name, std::string_view otherwise) {
  const MetaValue* v = key(name);
  if (v == nullptr) return otherwise;
  if (!v->as_string()) fail(corrupt("key '{}.{}' is not a string", arch.name, name));
  return v->as_string().value_or(otherwise);
}

std::vector<int64_t> Build::key_layers(std::string_view name, int64_t otherwise) {
  const MetaValue* v = key(name);
  const auto n = static_cast<size_t>(c.n_layers);
  if (v == nullptr || v->type != MetaValue::Type::array) return std::vector<int64_t>(n, key_i(name, otherwise));
  std::vector<int64_t> out;
  if (v->count < n) {
    fail(corrupt("key '{}.{}' has {} elements, expected one for each of {} layers", arch.name, name, v->count, n));
    return std::vector<int64_t>(n, otherwise);
  }
  for (size_t i = 0; i < n; ++i) {
    const auto x = v->at(i).as_int();
    if (!x) fail(corrupt("key '{}.{}' element {} is not an integer", arch.name, name, i));
    out.push_back(x.value_or(otherwise));
  }
  return out;
}

void Build::read_window(int64_t otherwise, int64_t window, bool dense_first) {
  c.sliding_window = key_i("attention.sliding_window", window);
  c.rope_base_swa = key_f("rope.freq_base_swa", c.rope_base_swa);
  c.swa.assign(static_cast<size_t>(c.n_layers), c.sliding_window > 0);
  const MetaValue* v = key("attention.sliding_window_pattern");
  if (c.sliding_window < 0) fail(corrupt("key '{}.attention.sliding_window' is {}, expected 0 or more", arch.name, c.sliding_window));
  if (c.sliding_window <= 0) return;
  if (v != nullptr && v->type == MetaValue::Type::array) {
    const auto flags = key_layers("attention.sliding_window_pattern", 0);
    for (size_t i = 0; i < c.swa.size(); ++i) c.swa[i] = flags[i] != 0;
    return;
  }
  const int64_t period = v != nullptr ? key_i("attention.sliding_window_pattern", otherwise) : otherwise;
  if (period <= 0) return;
  for (int64_t i = 0; i < c.n_layers; ++i) c.swa[static_cast<size_t>(i)] = dense_first ? i % period != 0 : i % period < period - 1;
}

std::string_view Build::read_gating(std::string_view otherwise) {
  const int64_t kind = key_i("expert_gating_func", 0);
  constexpr std::string_view names[] = {"", "softmax", "sigmoid", "softmax_weight"};
  if (kind == 0) return otherwise;
  if (kind > 0 && kind < static_cast<int64_t>(std::size(names))) return names[kind];
  fail(unsupported("key '{}.expert_gating_func' is {}, which this build does not honour", arch.name, kind));
  return otherwise;
}

bool Build::read_rope_sections(bool interleaved) {
  const MetaValue* v = key("rope.dimension_sections");
  if (v == nullptr || v->type != MetaValue::Type::array) return false;
  int64_t size[4] = {};
  for (uint64_t i = 0; i < std::min<uint64_t>(v->count, 4); ++i) size[i] = std::clamp<int64_t>(v->at(i).as_int().value_or(0), 0, c.n_rot);
  const int64_t all = size[0] + size[1] + size[2] + size[3];
  if (all == 0) return false;
  bool still = false;
  for (int64_t pair = 0; pair < c.n_rot / 2; ++pair) {
    const int64_t at_section = pair % all;
    still |= interleaved ? at_section >= 3 * size[at_section % 3] : at_section >= size[0] + size[1] + size[2];
  }
  if (still) fail(unsupported("key '{}.rope.dimension_sections' leaves pairs to the fourth axis, which this build does not honour", arch.name));
  return true;
}

void Build::set_yarn_attn() {
  const auto magnitude = [](double factor, double by) { return factor <= 1 ? 1.0 : 0.1 * by * std::log(factor) + 1.0; };
  const double factor = 1 / c.rope_scale;
  if (c.yarn_ext != 0)
    c.yarn_attn = (c.yarn_log != 0 ? magnitude(factor, 1) / magnitude(factor, c.yarn_log) : magnitude(factor, 1)) / (1 + 0.1 * std::log(factor));
  c.yarn_attn *= c.rope_attn_factor;
}

void Build::check_keys() {
  const std::string prefix = fmt::format("{}.", arch.name);
  for (const Metadata::Entry& e : metadata.entries()) {
    if (!e.key.starts_with(prefix)) continue;
    const std::string_view name = e.key.substr(prefix.size());
    const auto hit = [&](std::string_view pattern) { return matches(pattern, name); };
    if (read_keys_.contains(name) || is_neutral(e.value) || std::any_of(std::begin(kInert), std::end(kInert), hit) || in_words(arch.inert, name))
      continue;
    return fail(unsupported("key '{}' is not honoured by this build", e.key));
  }
}

// ---- weights ---------------------------------------------------------------------------------------------------------------

std::string Build::tensor_name(std::string_view name, std::string_view suffix) const {
  return suffix.empty() ? at(name) : fmt::format("{}.{}", at(name), suffix);
}

bool Build::has(std::string_view name, std::string_view suffix) const { return lookup(tensor_name(name, suffix)) != nullptr; }

const WeightTensor* Build::lookup(std::string_view full_name) const {
  const WeightTensor* t = find(full_name);
  if (t == nullptr || arch.unused.empty()) return t;
  const size_t number = full_name.starts_with("blk.") ? full_name.find('.', 4) : std::string_view::npos;
  return in_words(arch.unused, number == std::string_view::npos ? full_name : full_name.substr(number + 1)) ? nullptr : t;
}

/// Whether a tensor that no node reads may stand in the file: drafts' blocks, the scales that int8 and fp4 activations would want, and the family's
/// own.
bool Build::is_unused(std::string_view tensor) const {
  if (tensor.ends_with(".input_scale")) return true;
  if (!tensor.starts_with("blk.")) return in_words(arch.unused, tensor);
  const std::string_view rest = tensor.substr(4);
  const size_t digits = std::min(rest.find('.'), rest.size());
  int64_t number = 0;
  for (char d : rest.substr(0, digits)) {
    if (d < '0' || d > '9' || number > c.n_layers_file) return false;
    number = number * 10 + (d - '0');
  }
  if (number >= c.n_layers && number < c.n_layers_file) return true;
  return digits < rest.size() && in_words(arch.unused, rest.substr(digits + 1));
}

V Build::add_weight(const WeightTensor& t, const Dims& shape) {
  used_weights_.emplace(t.name);
  if (!shape.empty() && !same_but_for_ones(extents(t.shape), extents(shape), t.dtype)) {
    fail(corrupt("tensor '{}' is {}, config expects {}", t.name, text_of(extents(t.shape)), text_of(extents(shape))));
    return kNone;
  }
  if (const auto known = weight_values_.find(t.name); known != weight_values_.end()) return known->second;
  Value v;
  v.name = std::string(t.name);
  v.dtype = t.dtype;
  v.dims = shape;
  if (shape.empty())
    for (int64_t d : t.shape.dims()) v.dims.emplace_back(d);
  v.kind = Kind::weight;
  v.bytes = t.bytes;
  v.source = t.source;
  const V id = g.add_value(std::move(v));
  weight_values_.emplace(t.name, id);
  return id;
}

V Build::weight_or_none(std::string_view name, Dims shape, std::string_view suffix) {
  const WeightTensor* t = lookup(tensor_name(name, suffix));
  return t == nullptr ? kNone : add_weight(*t, shape);
}

V Build::weight(std::string_view name, Dims shape, std::string_view suffix) {
  if (!has(name, suffix)) {
    fail(corrupt("tensor '{}' is missing", tensor_name(name, suffix)));
    return kNone;
  }
  return weight_or_none(name, std::move(shape), suffix);
}

V Build::global(std::string_view full_name, bool required, Dims shape) {
  const WeightTensor* t = lookup(full_name);
  if (t == nullptr && required) fail(corrupt("tensor '{}' is missing", full_name));
  return t == nullptr ? kNone : add_weight(*t, shape);
}

// ---- nodes -----------------------------------------------------------------------------------------------------------------

const Dims& Build::dims(V v) const {
  static const Dims ones(Shape::kMaxRank, Dim(1));
  return v == kNone ? ones : g.values[static_cast<size_t>(v)].dims;
}

std::vector<V> Build::node(std::string_view op, std::string_view name, std::vector<V> in, Attrs attrs) {
  const OpDef* def = find_op(op);
  const auto outputs = static_cast<size_t>(def == nullptr ? 1 : std::max(def->n_out, 1));
  if (failed_) return std::vector<V>(outputs, kNone);
  auto made = g.add_node(op, at(name), std::move(in), std::move(attrs));
  if (made) return *std::move(made);
  Error e = std::move(made).error();
  if (e.code == Errc::invalid_argument) e.code = Errc::corrupt_data;  // the file's extents do not fit together
  fail(std::move(e));
  return std::vector<V>(outputs, kNone);
}

V Build::one(std::string_view op, std::string_view name, std::vector<V> in, Attrs attrs) {
  return node(op, name, std::move(in), std::move(attrs))[0];
}

V Build::scale(V x, double by, std::string_view name) { return by == 0 || by == 1 ? x : one("scale", name, {x}, {{"scale", by}, {"bias", 0.0}}); }

V Build::heads(V x, int64_t n, int64_t d) { return one("reshape", "heads", {x}, {{"dims", std::vector<int64_t>{-1, n, d}}}); }

V Build::flat(V x) {
  if (x == kNone) return kNone;
  int64_t n = 1;
  for (size_t i = 1; i < dims(x).size(); ++i) n *= dims(x)[i].times;
  return one("reshape", "flat", {x}, {{"dims", std::vector<int64_t>{-1, n}}});
}

V Build::biased(V x, std::string_view name) {
  if (failed_) return kNone;
  const V bias = weight_or_none(name, {dims(x).back()}, "bias");
  return bias == kNone ? x : add(x, bias, "bias");
}

V Build::linear(V x, std::string_view name, int64_t outputs, int x_bits) {
  if (failed_) return kNone;
  const V w = weight(name, outputs > 0 ? Dims{outputs, dims(x).back()} : Dims{});
  if (const V s = weight_or_none(name, {1}, "scale"); s != kNone) return biased(mul(one("linear", name, {x, w}, bits_of_x(x_bits)), s, "scale"), name);
  const V bias = weight_or_none(name, outputs > 0 ? Dims{outputs} : Dims{}, "bias");
  return one("linear", name, bias == kNone ? std::vector<V>{x, w} : std::vector<V>{x, w, bias}, bits_of_x(x_bits));
}

V Build::norm_with(Norm kind, V x, V w, V b, std::string_view name) {
  if (kind == Norm::rms) {
    const V y = one("rms_norm", name, {x, w}, {{"eps", c.norm_eps}});
    return b == kNone ? y : add(y, b, "bias");
  }
  return one("layer_norm", name, {x, w, b}, {{"eps", c.norm_eps}});
}

V Build::norm(V x, std::string_view name) {
  if (failed_) return kNone;
  if (!arch.norm_weights) return norm_with(arch.norm, x, kNone, kNone, name);
  const Dims shape{dims(x).back()};
  if (!has(name) && has(name, "")) return norm_with(arch.norm, x, weight(name, shape, ""), kNone, name);
  return norm_with(arch.norm, x, weight(name, shape), weight_or_none(name, shape, "bias"), name);
}

V Build::state(std::string_view name, StateKind kind, Dims shape, DType dtype) {
  Value v;
  v.name = at(name);
  v.dtype = dtype;
  v.dims = std::move(shape);
  v.kind = Kind::state;
  v.state_kind = kind;
  return g.add_value(std::move(v));
}

}  // namespace mainspring::inline v0
