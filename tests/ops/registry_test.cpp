// The table of operators, attributes, and what shape rules accept and say.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include "ops/op.h"
#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

/// Operators on tensors of any rank, as in ONNX, and what passes make of them; the others work on rows of a language model's step.
bool is_tensor_op(const OpDef* op) {
  static const std::set<const OpDef*> rooms = {
#define MAINSPRING_OP(name) &op_##name,
#include "ops/contrib/ops.inc"
#include "ops/data/ops.inc"
#include "ops/ml/ops.inc"
#include "ops/nn/ops.inc"
#include "ops/numeric/ops.inc"
#undef MAINSPRING_OP
  };
  return rooms.contains(op);
}

TEST(OpRegistry, every_op_is_found_by_its_name_and_is_complete) {
  ASSERT_FALSE(all_ops().empty());
  for (const OpDef* op : all_ops()) {
    EXPECT_EQ(find_op(op->name), op);
    EXPECT_TRUE(op->infer && (op->reference || (op->dynamic && is_tensor_op(op)))) << op->name;
    EXPECT_LE(op->min_in, op->max_in) << op->name;
    EXPECT_GE(op->n_out, 1) << op->name;
  }
  EXPECT_EQ(find_op("no_such_op"), nullptr);
  EXPECT_EQ(find_op(""), nullptr);
}

TEST(OpRegistry, row_operators_refuse_absent_and_senseless_operands) {
  const Attrs none;
  for (const OpDef* op : all_ops()) {
    if (is_tensor_op(op)) continue;
    std::vector<ValueInfo> in(static_cast<size_t>(op->max_in));
    for (ValueInfo& v : in) v.present = false;
    auto refused = op->infer(OpCall{in, none});
    ASSERT_FALSE(refused) << op->name;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_EQ(refused.error().message.rfind(std::string(op->name) + ": ", 0), 0u) << refused.error().message;
    EXPECT_NE(refused.error().message.find("expected"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(op->infer(OpCall{{}, none})) << op->name;
    for (ValueInfo& v : in) v = ValueInfo{DType::boolean, {Dim(0)}, StateKind::none, true};
    const bool moves_anything = !op->infer(OpCall{in, none});
    EXPECT_TRUE(moves_anything) << op->name << " accepts an extent of 0";
    for (ValueInfo& v : in) v = ValueInfo{DType::f32, Dims(9, Dim(2)), StateKind::none, true};
    EXPECT_FALSE(op->infer(OpCall{in, none})) << op->name << " accepts nine extents";
  }
}

/// Operands, attributes and contents without sense, the same for the same seed.
struct Garbage {
  std::minstd_rand random;
  std::deque<std::vector<int64_t>> contents{};
  std::deque<Tensor> tensors{};

  template <class T>
  T one_of(std::initializer_list<T> list) { return list.begin()[random() % list.size()]; }
  int64_t number() { return one_of<int64_t>({0, 1, 1, 2, 2, 3, 5, -1, -2, 64, int64_t{1} << 31, int64_t{1} << 62, INT64_MAX, INT64_MIN}); }
  DType dtype() { return static_cast<DType>(random() % (static_cast<unsigned>(DType::string) + 1)); }
  Dim extent() {
    switch (random() % 8) {
      case 0: return Dim::unknown();
      case 1: return Dim(one_of<int64_t>({1, 2}), static_cast<SymbolId>(random() % 2));
      case 2: return one_of<int64_t>({0, int64_t{1} << 40, INT64_MAX});
      default: return one_of<int64_t>({1, 2, 3, 4, 8});
    }
  }
  const Tensor* content() {
    std::vector<int64_t>& v = contents.emplace_back(random() % 5);
    for (int64_t& x : v) x = number();
    const auto n = static_cast<int64_t>(v.size());
    tensors.push_back(*Tensor::borrow(std::span(v), n == 1 && random() % 2 ? Shape{} : Shape{n}));
    return &tensors.back();
  }
  ValueInfo operand() {
    ValueInfo v;
    v.dtype = random() % 3 ? one_of({DType::f32, DType::i64, DType::boolean, DType::u8}) : dtype();
    if (random() % 8 == 0) v.present = false;
    else if (random() % 12 == 0) v.container = one_of({Container::sequence, Container::optional_tensor, Container::optional_sequence});
    if (random() % 6 == 0) {
      v.ranked = false;
    } else if (v.present && v.container == Container::tensor && random() % 3 == 0) {
      v.value = content();
      v.dtype = DType::i64;
      for (const int64_t d : v.value->shape().dims()) v.dims.push_back(d);
    } else {
      for (size_t n = one_of<size_t>({0, 1, 2, 2, 3, 4, 4, 5, 8}); n > 0; --n) v.dims.push_back(extent());
    }
    return v;
  }
  Attrs attributes() {
    Attrs a;
    for (const char* name : {"axis", "axes", "perm", "kernel_shape", "strides", "pads", "dilations", "output_padding", "output_shape", "group", "to", "dtype", "keepdims", "block_size", "blocksize",
                             "num_heads", "q_num_heads", "kv_num_heads", "hidden_size", "batch_dims", "num_outputs", "split", "sections", "k", "p", "N", "bits", "n_captures", "num_scan_inputs",
                             "scan_input_axes", "scan_output_axes", "upper", "transA", "start", "end", "allowzero", "ceil_mode", "storage_order", "equation", "mode", "direction"}) {
      if (random() % 3) continue;
      switch (random() % 4) {
        case 0: {
          std::vector<int64_t> list(random() % 6);
          for (int64_t& x : list) x = number();
          a.set(name, std::move(list));
          break;
        }
        case 1: a.set(name, std::string(one_of({"", "linear", "constant", "ij,jk->ik", "...->", "->,,", "bidirectional", "SAME_UPPER"}))); break;
        default: a.set(name, number());
      }
    }
    return a;
  }
};

TEST(OpRegistry, tensor_operators_stand_operands_and_attributes_without_sense) {
  for (const OpDef* op : all_ops()) {
    if (!is_tensor_op(op)) continue;
    SCOPED_TRACE(op->name);
    EXPECT_GE(op->min_in, 0);
    for (uint32_t seed = 0; seed < 300; ++seed) {
      Garbage g{std::minstd_rand(seed + 1)};
      const bool variadic = op->max_in == kVariadic;
      std::vector<ValueInfo> in(static_cast<size_t>(variadic ? op->min_in + static_cast<int>(seed % 4) : op->max_in));
      for (ValueInfo& v : in) v = g.operand();
      const int n_out = 1 + static_cast<int>(seed) % std::min(op->n_out, 3);
      const Attrs attrs = g.attributes();
      const auto got = op->infer(OpCall{in, attrs, {}, n_out});
      if (!got) {
        EXPECT_TRUE(got.error().code == Errc::invalid_argument || got.error().code == Errc::unsupported) << "seed " << seed << ": " << got.error().message;
        EXPECT_FALSE(got.error().message.empty()) << "seed " << seed;
        continue;
      }
      EXPECT_EQ(got->size(), static_cast<size_t>(n_out)) << "seed " << seed;
      for (const ValueInfo& v : *got) {
        EXPECT_LE(v.dims.size(), static_cast<size_t>(Shape::kMaxRank)) << "seed " << seed;
        for (const Dim& d : v.dims) EXPECT_GE(d.times, 0) << "seed " << seed;
      }
    }
  }
}

TEST(OpRegistry, tensor_operators_know_little_of_unranked_operands_and_say_so) {
  for (const OpDef* op : all_ops()) {
    if (!is_tensor_op(op)) continue;
    for (const bool present : {false, true}) {
      std::vector<ValueInfo> in(static_cast<size_t>(op->max_in == kVariadic ? op->min_in : op->max_in));
      for (ValueInfo& v : in) v.ranked = false, v.present = present;
      const auto got = op->infer(OpCall{in, Attrs(), {}, 1});
      EXPECT_FALSE(got && !present && op->min_in > 0) << op->name << " does without its operands";
      EXPECT_TRUE(!got || got->size() == 1) << op->name;
    }
  }
}

TEST(Attrs, typed_access_defaults_and_equality) {
  Attrs a{{"eps", 0.5}, {"n", 3}, {"mode", "neox"}, {"dims", std::vector<int64_t>{1, -1}}, {"xs", std::vector<double>{0.25}}};
  EXPECT_EQ(a.f("eps"), 0.5);
  EXPECT_EQ(a.f("n"), 3.0);
  EXPECT_EQ(a.i("n"), 3);
  EXPECT_EQ(a.i("eps", 7), 7);
  EXPECT_EQ(a.i("absent", -2), -2);
  EXPECT_EQ(a.s("mode"), "neox");
  EXPECT_EQ(a.s("n", "x"), "x");
  EXPECT_EQ(a.is("dims").size(), 2u);
  EXPECT_EQ(a.fs("xs")[0], 0.25);
  EXPECT_TRUE(a.fs("dims").empty());
  EXPECT_TRUE(a.has("mode"));
  EXPECT_FALSE(a.has("mod"));
  EXPECT_EQ((Attrs{{"a", 1}, {"b", 2}}), (Attrs{{"b", 2}, {"a", 1}}));
  EXPECT_FALSE((Attrs{{"a", 1}}) == (Attrs{{"a", 1.0}}));
  EXPECT_FALSE((Attrs{{"a", 1}}) == (Attrs{{"a", 1}, {"b", 1}}));
  a.set("n", int64_t{4});
  a.set("new", 1.5);
  EXPECT_EQ(a.i("n"), 4);
  EXPECT_EQ(a.f("new"), 1.5);
  EXPECT_EQ(a.all().size(), 6u);
}

struct Refusal {
  const char* op;
  std::vector<In> in;
  Attrs attrs;
  const char* says;
};

TEST(OpInfer, refusals_say_what_was_got_and_expected) {
  const In kv = state(StateKind::kv_values, {8, 2, 64, 64}), kk = state(StateKind::kv_keys, {8, 2, 64, 64});
  const Refusal refusals[] = {
      {"linear", {rows({kN, 64}), weights(DType::f32, {8, 63})}, {}, "linear: weight is f32 [8, 63], expected rows of 64 (x is f32 [s0, 64])"},
      {"linear", {rows({kN, 40}), weights(DType::q4_0, {8, 40})}, {}, "multiple of the block, 32"},
      {"linear", {rows({kN, 64}), weights(DType::i8, {8, 64})}, {}, "expected f32, f16, bf16 or a block format"},
      {"linear", {rows({kN, 64}), weights(DType::f32, {8, 64}), vec({9})}, {}, "bias is f32 [9], expected f32 [8]"},
      {"linear", {rows({kN, 64}), weights(DType::f32, {8, 64}), absent(), rows({kN, 9})}, {}, "residual is f32 [s0, 9], expected f32 [s0, 8]"},
      {"quantize_rows", {rows({kN, 33})}, {}, "multiple of 32"},
      {"rms_norm", {rows({kN, 64}), vec({48})}, {}, "rms_norm: weight is f32 [48], expected f32 [64] (x is f32 [s0, 64])"},
      {"rms_norm", {rows({kN, 64})}, {{"eps", -1.0}}, "attribute eps is -1"},
      {"rms_norm_add_quant", {rows({kN, 64}), vec({64})}, {}, "residual is absent"},
      {"rms_norm_add_quant", {rows({kN, 64}), absent(), rows({kN, 64}), vec({32})}, {}, "next weight is f32 [32], expected f32 [64]"},
      {"rms_norm_add_quant", {rows({kN, 33}), absent(), rows({kN, 33})}, {}, "multiple of 32"},
      {"add", {rows({kN, 64}), rows({kM, 64})}, {}, "add: b is f32 [s1, 64], expected the extents of a"},
      {"glu", {rows({kN, 64}), rows({kN, 64})}, {{"act", "swish"}}, "expected one of \"silu\""},
      {"rope", {rows({kN, 2, 64}), positions()}, {{"n_rot", 65}}, "attribute n_rot is 65, expected 2 to 64"},
      {"rope", {rows({kN, 2, 64}), positions()}, {{"n_rot", 33}}, "expected an even number"},
      {"rope", {rows({kN, 2, 64}), positions()}, {{"ext_factor", 1.0}}, "attribute n_ctx_orig is 0"},
      {"kv_store", {kv, rows({kN, 2, 64})}, {}, "attribute values is absent, expected 1"},
      {"kv_store", {kk, rows({kN, 2, 64})}, {{"values", 1}}, "attribute values is 1, expected 0"},
      {"kv_store", {kk, rows({kN, 3, 64})}, {}, "expected 2 heads of 64"},
      {"kv_store", {rows({8, 2, 64, 64}), rows({kN, 2, 64})}, {}, "state is no state, expected a state of keys"},
      {"rope_kv_store", {kk, rows({kN, 3, 64}), positions()}, {}, "rope_kv_store: kv_store: x is f32 [s0, 3, 64], expected 2 heads of 64"},
      {"rope_kv_store", {kv, rows({kN, 2, 64}), positions()}, {}, "expected a state of keys"},
      {"rope_kv_store", {kk, rows({kN, 2, 64}), positions()}, {{"n_rot", 65}}, "attribute n_rot is 65"},
      {"attention", {rows({kN, 5, 64}), kk, kv}, {}, "multiple of 2"},
      {"attention", {rows({kN, 4, 64}), kv, kk}, {}, "keys is a state of values, expected a state of keys"},
      {"slice", {rows({kN, 64})}, {{"start", 60}, {"length", 5}}, "attribute length is 5, expected 1 to 4"},
      {"reshape", {rows({kN, 64})}, {{"dims", std::vector<int64_t>{-1, 3, 21}}}, "does not become [s0, 3, 21]"},
      {"moe_route", {rows({kN, 64})}, {{"n_used", 65}}, "attribute n_used is 65, expected 1 to 64"},
      {"moe_route", {rows({kN, 64})}, {{"n_used", 8}, {"groups", 5}, {"groups_used", 1}}, "divisor of 64"},
      {"causal_conv", {rows({kN, 64}), vec({64, 4}), absent(), state(StateKind::recurrent, {2, 64, 4})}, {}, "state is f32 [2, 64, 4], expected f32 [2, 64, 3]"},
      {"gather_rows", {rows({kN, 64}), rows({kM})}, {}, "rows is f32 [s1], expected i32"},
      {"softmax", {rows({64, kN})}, {}, "constant last extent"},
      {"add", {rows({kN, kM}), rows({kN, kM})}, {}, "at most one symbolic extent"},
  };
  for (const Refusal& r : refusals) {
    const OpDef* op = find_op(r.op);
    ASSERT_NE(op, nullptr);
    std::vector<ValueInfo> in(static_cast<size_t>(op->max_in));
    for (ValueInfo& v : in) v.present = false;
    for (size_t i = 0; i < r.in.size(); ++i) in[i] = ValueInfo{r.in[i].dtype, r.in[i].dims, r.in[i].state, r.in[i].present};
    auto got = op->infer(OpCall{in, r.attrs});
    if (got) {
      ADD_FAILURE() << r.op << " accepts what should say: " << r.says;
      continue;
    }
    EXPECT_EQ(got.error().code, Errc::invalid_argument);
    EXPECT_NE(got.error().message.find(r.says), std::string::npos) << got.error().message << "\n  does not say: " << r.says;
  }
}

}  // namespace
}  // namespace mainspring::inline v0
