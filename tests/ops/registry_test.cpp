// The table of operators, attributes, and what shape rules accept and say.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "mainspring/ext/op.h"
#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

std::string text_of_file(const std::filesystem::path& path) {
  std::stringstream s;
  s << std::ifstream(path).rdbuf();
  return s.str();
}

std::multiset<std::string> matches(const std::string& text, const char* pattern) {
  std::multiset<std::string> out;
  const std::regex re(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), re), end; it != end; ++it) out.insert((*it)[1]);
  return out;
}

TEST(OpRegistry, table_lines_are_the_definitions_in_the_files) {
  const std::filesystem::path room = std::filesystem::path(MAINSPRING_SOURCE_DIR) / "lib/ops";
  std::multiset<std::string> defined;
  for (const auto& entry : std::filesystem::directory_iterator(room)) {
    if (entry.path().extension() != ".cpp") continue;
    const auto found = matches(text_of_file(entry.path()), "constinit const OpDef op_([a-z0-9_]+)");
    const bool machinery = entry.path().stem() == "registry" || entry.path().stem() == "shape";
    EXPECT_EQ(found.empty(), machinery) << entry.path() << " defines no operator";
    defined.insert(found.begin(), found.end());
  }
  EXPECT_EQ(defined, matches(text_of_file(room / "ops.inc"), "MAINSPRING_OP\\(([a-z0-9_]+)\\)\\n"));
}

TEST(OpRegistry, every_op_is_found_by_its_name_and_is_complete) {
  ASSERT_FALSE(all_ops().empty());
  for (const OpDef* op : all_ops()) {
    EXPECT_EQ(find_op(op->name), op);
    EXPECT_TRUE(op->infer && op->reference) << op->name;
    EXPECT_LE(op->min_in, op->max_in) << op->name;
    EXPECT_GE(op->n_out, 1) << op->name;
  }
  EXPECT_EQ(find_op("no_such_op"), nullptr);
  EXPECT_EQ(find_op(""), nullptr);
}

TEST(OpRegistry, every_op_refuses_absent_and_senseless_operands) {
  const Attrs none;
  for (const OpDef* op : all_ops()) {
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
