#include "import/onnx/upgrade.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "import/onnx/scan8.h"
#include "ops/onnx_dtype.h"
#include "ops/tensor.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr int64_t kAlways = INT64_MAX;

/// The elements of a constant operand; empty where it is none.
std::optional<std::vector<int64_t>> constant_ints(const Value* v) {
  if (v == nullptr || v->kind != Kind::weight || !is_int(v->dtype)) return std::nullopt;
  std::vector<int64_t> out;
  const auto size = static_cast<size_t>(info_of(v->dtype).bytes);
  for (size_t i = 0; i < v->bytes.size() / size; ++i) out.push_back(load_int(v->dtype, v->bytes.data(), static_cast<int64_t>(i)));
  return out;
}

// ---- rules -------------------------------------------------------------------------------------------------------------------

/// `broadcast` = 1 lays B's extents over A's from `axis` on: extents of 1 behind them say the same to today's broadcasting.
Result<void> broadcast_from_axis(Upgrading& u) {
  const bool given = u.node.attrs.has("axis");
  int64_t axis = u.node.attrs.i("axis");
  u.drop({"broadcast", "axis"});
  const Value *a = u.operand(0), *b = u.operand(1);
  if (!given || a == nullptr || b == nullptr || !a->ranked || !b->ranked) return {};
  const auto rank = static_cast<int64_t>(a->dims.size()), rank_b = static_cast<int64_t>(b->dims.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis + rank_b > rank) return corrupt("axis {} of {} extents for {} more", axis, rank, rank_b);
  if (axis + rank_b == rank || rank_b == 0) return {};
  std::vector<int64_t> axes;
  for (int64_t i = rank_b; i < rank - axis; ++i) axes.push_back(i);
  MAINSPRING_TRY(const ValueId list, u.ints(axes));
  MAINSPRING_TRY(u.node.in[1], u.before("Unsqueeze", {u.node.in[1], list}));
  return {};
}

/// A slope for each channel had one extent.
Result<void> slope_of_channels(Upgrading& u) {
  const Value *x = u.operand(0), *slope = u.operand(1);
  if (x == nullptr || slope == nullptr || !x->ranked || !slope->ranked || slope->dims.size() != 1) return {};
  std::vector<int64_t> axes;
  for (size_t i = 1; i + 1 < x->dims.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (axes.empty()) return {};
  MAINSPRING_TRY(const ValueId list, u.ints(axes));
  MAINSPRING_TRY(u.node.in[1], u.before("Unsqueeze", {u.node.in[1], list}));
  return {};
}

/// Outputs behind the first were those of training.
Result<void> inference_only(Upgrading& u) {
  if (u.node.attrs.i("spatial", 1) == 0) return unsupported("BatchNormalization with spatial = 0");
  u.drop({"spatial", "is_test", "consumed_inputs"});
  u.n_out = 1;
  return {};
}

Result<void> type_by_name(Upgrading& u) {
  constexpr std::string_view names[] = {"FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"};
  if (!u.node.attrs.has("to") || u.node.attrs.s("to").empty()) return {};
  const auto found = std::find(std::begin(names), std::end(names), u.node.attrs.s("to"));
  if (found == std::end(names)) return corrupt("Cast to '{}'", shown(u.node.attrs.s("to")));
  u.node.attrs.set("to", static_cast<int64_t>(found - std::begin(names)) + 1);
  return {};
}

Result<void> clip_bounds(Upgrading& u) {
  const Value* x = u.operand(0);
  size_t place = 1;
  for (const char* name : {"min", "max"}) {
    if (x != nullptr && u.node.attrs.has(name)) {
      MAINSPRING_TRY(const ValueId bound, u.scalar(x->dtype, u.node.attrs.f(name)));
      u.set_operand(place, bound);
      x = u.operand(0);  // the graph's values have moved
    }
    ++place;
  }
  u.drop({"min", "max", "consumed_inputs"});
  return {};
}

Result<void> axis_one(Upgrading& u) {
  if (!u.node.attrs.has("axis")) u.node.attrs.set("axis", int64_t{1});
  return {};
}

Result<void> axis_operand(Upgrading& u) {
  MAINSPRING_TRY(const ValueId axis, u.scalar(DType::i64, static_cast<double>(u.node.attrs.i("axis", 1))));
  u.set_operand(2, axis);
  u.drop({"axis"});
  return {};
}

/// A file that is run does not train: what was dropped does not matter.
Result<void> dropout_ratio(Upgrading& u) {
  u.drop({"ratio", "is_test", "consumed_inputs"});
  return {};
}

Result<void> integer_p(Upgrading& u) {
  u.node.attrs.set("p", static_cast<int64_t>(std::clamp(u.node.attrs.f("p", 2), 0.0, 1e9)));
  return {};
}

Result<void> grid_modes(Upgrading& u) {
  const std::string mode(u.node.attrs.s("mode", "bilinear"));
  u.node.attrs.set("mode", mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode);
  return {};
}

/// com.microsoft's may leave the step out.
Result<void> step_of_one(Upgrading& u) {
  const Value* start = u.operand(0);
  if (start == nullptr || u.operand(2) != nullptr) return {};
  MAINSPRING_TRY(const ValueId step, u.scalar(start->dtype, 1));
  u.set_operand(2, step);
  return {};
}

/// com.microsoft's may hold the pads as one row.
Result<void> pads_of_a_row(Upgrading& u) {
  const Value* pads = u.operand(1);
  if (pads == nullptr || !pads->ranked || pads->dims.size() != 2) return {};
  constexpr int64_t all[] = {-1};
  MAINSPRING_TRY(const ValueId shape, u.ints(all));
  MAINSPRING_TRY(u.node.in[1], u.before("Reshape", {u.node.in[1], shape}));
  return {};
}

/// Scale and bias stood for groups; now for channels.
Result<void> scale_of_channels(Upgrading& u) {
  const Value* x = u.operand(0);
  const int64_t groups = u.node.attrs.i("num_groups", 1);
  if (x == nullptr || !x->ranked || x->dims.size() < 2 || !x->dims[1].is_constant()) return unsupported("GroupNormalization of opset {} with an unknown number of channels", u.opset);
  const int64_t channels = x->dims[1].times;
  if (groups <= 0 || channels % groups != 0) return corrupt("{} channels in {} groups", channels, groups);
  const int64_t wide[] = {groups, channels / groups}, one[] = {1}, flat[] = {-1};
  MAINSPRING_TRY(const ValueId axes, u.ints(one));
  MAINSPRING_TRY(const ValueId shape, u.ints(wide));
  MAINSPRING_TRY(const ValueId all, u.ints(flat));
  for (size_t i = 1; i <= 2 && i < u.node.in.size(); ++i) {
    MAINSPRING_TRY(ValueId v, u.before("Unsqueeze", {u.node.in[i], axes}));
    MAINSPRING_TRY(v, u.before("Expand", {v, shape}));
    MAINSPRING_TRY(u.node.in[i], u.before("Reshape", {v, all}));
  }
  return {};
}

/// The input was taken as a matrix cut at `axis`: the same as along the last axis if that is the one.
Result<void> flatten_at_axis(Upgrading& u) {
  const Value* x = u.operand(0);
  const int64_t axis = u.node.attrs.i("axis", 1);
  u.node.attrs.set("axis", axis);
  const bool last = x != nullptr && x->ranked && (axis == -1 || axis == static_cast<int64_t>(x->dims.size()) - 1);
  if (!last) u.node.attrs.set("legacy_flatten", int64_t{1});
  return {};
}

Result<void> paddings_name(Upgrading& u) {
  if (!u.node.attrs.has("paddings")) return {};
  const auto pads = u.node.attrs.is("paddings");
  u.node.attrs.set("pads", std::vector<int64_t>(pads.begin(), pads.end()));
  u.drop({"paddings"});
  return {};
}

Result<void> pad_operands(Upgrading& u) {
  MAINSPRING_TRY_VOID(u.ints_to_operand("pads", 1));
  const Value* x = u.operand(0);
  if (x != nullptr && u.node.attrs.has("value")) {
    MAINSPRING_TRY(const ValueId value, u.scalar(x->dtype, u.node.attrs.f("value")));
    u.set_operand(2, value);
  }
  u.drop({"value"});
  return {};
}

Result<void> axes_operand(Upgrading& u) { return u.ints_to_operand("axes", 1); }

Result<void> shape_operand(Upgrading& u) {
  u.drop({"consumed_inputs"});
  return u.ints_to_operand("shape", 1);
}

Result<void> scales_of_sides(Upgrading& u) {
  if (u.node.attrs.has("scales")) return {};
  u.node.attrs.set("scales", std::vector<double>{1, 1, u.node.attrs.f("height_scale", 1), u.node.attrs.f("width_scale", 1)});
  u.drop({"height_scale", "width_scale"});
  return {};
}

Result<void> scales_operand(Upgrading& u) {
  const auto scales = u.node.attrs.fs("scales");
  const std::vector<float> narrow(scales.begin(), scales.end());
  MAINSPRING_TRY(Tensor t, Tensor::make(u.allocator, DType::f32, {static_cast<int64_t>(narrow.size())}));
  if (!narrow.empty()) std::memcpy(t.data(), narrow.data(), narrow.size() * sizeof(float));
  u.set_operand(1, u.add_weight(std::move(t)));
  u.drop({"scales"});
  return {};
}

/// Upsample, and the first Resize: pixels' corners were what was scaled, and "nearest" took the one before.
Result<void> resize_corner(Upgrading& u) {
  const ValueId scales = u.node.in.size() > 1 ? u.node.in[1] : kNone;
  u.node.in.resize(1, kNone);
  u.set_operand(2, scales);
  if (u.node.attrs.s("mode") == "bilinear") u.node.attrs.set("mode", std::string("linear"));
  u.node.attrs.set("coordinate_transformation_mode", std::string("asymmetric"));
  u.node.attrs.set("nearest_mode", std::string("floor"));
  return {};
}

/// Operands that were not wanted, when they could not yet be left out: tensors without elements.
Result<void> resize_absent(Upgrading& u) {
  for (size_t i = 1; i < u.node.in.size(); ++i) {
    const Value* v = u.operand(i);
    if (v != nullptr && v->kind == Kind::weight && v->bytes.empty()) u.node.in[i] = kNone;
  }
  while (!u.node.in.empty() && u.node.in.back() == kNone) u.node.in.pop_back();
  return {};
}

Result<void> roi_corner(Upgrading& u) {
  if (!u.node.attrs.has("coordinate_transformation_mode")) u.node.attrs.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Result<void> slice_operands(Upgrading& u) {
  MAINSPRING_TRY_VOID(u.ints_to_operand("starts", 1));
  MAINSPRING_TRY_VOID(u.ints_to_operand("ends", 2));
  return u.ints_to_operand("axes", 3);
}

Result<void> split_operand(Upgrading& u) { return u.ints_to_operand("split", 1); }

Result<void> split_evenly(Upgrading& u) {
  if (u.node.in.size() < 2) u.node.attrs.set("num_outputs", int64_t{u.n_out});
  return {};
}

Result<void> tile_repeats(Upgrading& u) {
  if (u.node.in.size() < 3) return {};  // written as today
  const Value* x = u.operand(0);
  const auto tiles = constant_ints(u.operand(1)), axis = constant_ints(u.operand(2));
  if (x == nullptr || !x->ranked || !tiles || !axis || tiles->size() != 1 || axis->size() != 1) return unsupported("Tile of opset {} with computed tiles or axis", u.opset);
  const auto rank = static_cast<int64_t>(x->dims.size());
  if (axis->front() < 0 || axis->front() >= rank) return corrupt("axis {} of {} extents", axis->front(), rank);
  std::vector<int64_t> repeats(x->dims.size(), 1);
  repeats[static_cast<size_t>(axis->front())] = tiles->front();
  u.node.in.resize(1);
  MAINSPRING_TRY(const ValueId list, u.ints(repeats));
  u.set_operand(1, list);
  return {};
}

Result<void> k_operand(Upgrading& u) {
  const int64_t k[] = {u.node.attrs.i("k", 1)};
  MAINSPRING_TRY(const ValueId list, u.ints(k));
  u.set_operand(1, list);
  u.drop({"k"});
  return {};
}

/// The first LabelEncoder had one list: strings, whose places were the integers.
Result<void> labels_of_classes(Upgrading& u) {
  const Value* x = u.operand(0);
  if (x == nullptr || !u.node.attrs.has("classes_strings")) return {};
  const auto classes = u.node.attrs.ss("classes_strings");
  std::vector<std::string> strings(classes.begin(), classes.end());
  std::vector<int64_t> places;
  for (size_t i = 0; i < strings.size(); ++i) places.push_back(static_cast<int64_t>(i));
  const bool to_places = x->dtype == DType::string;
  u.node.attrs.set(to_places ? "keys_strings" : "values_strings", std::move(strings));
  u.node.attrs.set(to_places ? "values_int64s" : "keys_int64s", std::move(places));
  u.drop({"classes_strings"});
  return {};
}

struct Rule {
  std::string_view op;
  int64_t below;
  Result<void> (*apply)(Upgrading&);
};
constexpr Rule kRules[] = {
#define MAINSPRING_UPGRADE(op, below, rule) {op, below, rule},
#include "import/onnx/upgrades.inc"
#undef MAINSPRING_UPGRADE
};

}  // namespace

const Value* Upgrading::operand(size_t i) const {
  return i < node.in.size() && node.in[i] != kNone ? &graph.values[static_cast<size_t>(node.in[i])] : nullptr;
}

void Upgrading::set_operand(size_t i, ValueId id) {
  if (node.in.size() <= i) node.in.resize(i + 1, kNone);
  node.in[i] = id;
}

ValueId Upgrading::add_weight(Tensor tensor) { return graph.add_value(weight_of("", std::move(tensor), -1)); }

Result<ValueId> Upgrading::ints(std::span<const int64_t> elements) {
  MAINSPRING_TRY(Tensor t, Tensor::make(allocator, DType::i64, {static_cast<int64_t>(elements.size())}));
  std::copy(elements.begin(), elements.end(), t.span<int64_t>().begin());
  return add_weight(std::move(t));
}

Result<ValueId> Upgrading::scalar(DType dtype, double value) {
  if (dtype == DType::string || is_complex(dtype)) return corrupt("a number for {}", mainspring::name_of(dtype));
  MAINSPRING_TRY(Tensor t, Tensor::make(allocator, dtype, {}));
  store(dtype, t.data(), 0, value);
  return add_weight(std::move(t));
}

Result<ValueId> Upgrading::before(std::string_view op, std::vector<ValueId> in, Attrs attrs) {
  MAINSPRING_TRY(const std::vector<ValueId> out, graph.add_node(op, node.name, std::move(in), std::move(attrs), 1));
  return out[0];
}

void Upgrading::drop(std::initializer_list<std::string_view> names) {
  if (std::none_of(names.begin(), names.end(), [this](std::string_view n) { return node.attrs.has(n); })) return;
  Attrs kept;
  for (const Attr& a : node.attrs.all())
    if (std::find(names.begin(), names.end(), a.name) == names.end()) kept.set(a.name, a.value);
  node.attrs = std::move(kept);
}

Result<void> Upgrading::ints_to_operand(std::string_view attr, size_t i) {
  if (!node.attrs.has(attr)) return {};
  MAINSPRING_TRY(const ValueId list, ints(node.attrs.is(attr)));
  set_operand(i, list);
  drop({attr});
  return {};
}

std::string_view newest_name(std::string_view op) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"Upsample", "Resize"},
      {"Scatter", "ScatterElements"},
      {"com.microsoft.Range", "Range"},
      {"com.microsoft.Pad", "Pad"},
      {"com.microsoft.GatherND", "GatherND"},
  };
  for (const auto& [old, today] : kNames)
    if (op == old) return today;
  return op;
}

Result<void> upgrade(Upgrading u) {
  for (const Rule& rule : kRules)
    if (u.opset < rule.below && u.node.op == rule.op) MAINSPRING_TRY_VOID(rule.apply(u));
  return {};
}

}  // namespace mainspring::inline v0::onnx
