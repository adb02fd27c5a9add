// The verifier catches each way to break a graph; the builder refuses what an operator's inference refuses.
#include <gtest/gtest.h>

#include "mainspring/ext/graph.h"

namespace mainspring::inline v0 {
namespace {

struct Small : testing::Test {
  Small() {
    n = g.add_symbol({"n_tokens", 1, 8, 64});
    Value v;
    v.name = "x";
    v.dims = {Dim(1, n), 32};
    v.kind = Kind::input;
    x = g.add_value(v);
    g.inputs = {x};
    a = (*g.add_node("add", "a", {x, x}))[0];
    b = (*g.add_node("mul", "b", {a, x}))[0];
    g.outputs = {b};
  }
  void broken(std::string_view part) {
    const auto r = g.verify();
    ASSERT_FALSE(r) << part;
    EXPECT_EQ(r.error().code, Errc::internal);
    EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
  }
  Graph g;
  SymbolId n;
  ValueId x, a, b;
};
using Verifier = Small;
using Builder = Small;

TEST_F(Verifier, AcceptsWhatTheBuilderMade) {
  const auto r = g.verify();
  EXPECT_TRUE(r) << r.error().message;
}
TEST_F(Verifier, IdsInRange) {
  g.nodes[1].in[0] = 99;
  broken("b");
}
TEST_F(Verifier, NegativeIds) {
  g.nodes[1].in[0] = -7;
  broken("b");
}
TEST_F(Verifier, OrderOfNodes) {
  std::swap(g.nodes[0], g.nodes[1]);
  broken("b");
}
TEST_F(Verifier, EachValueIsWrittenOnce) {
  g.nodes[1].out[0] = a;
  broken("b");
}
TEST_F(Verifier, KnownOperators) {
  g.nodes[0].op = "no_such_op";
  broken("no_such_op");
}
TEST_F(Verifier, ShapesAreThoseThatFollow) {
  g.values[static_cast<size_t>(a)].dims = {Dim(1, n), 31};
  broken("a");
}
TEST_F(Verifier, DtypesAreThoseThatFollow) {
  g.values[static_cast<size_t>(b)].dtype = DType::i32;
  broken("b");
}
TEST_F(Verifier, OutputsExist) {
  g.outputs = {77};
  EXPECT_FALSE(g.verify());
}

TEST_F(Builder, RefusesWithTheNodesName) {
  const auto none = g.add_node("no_such_op", "c", {x});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  Value odd;
  odd.name = "odd";
  odd.dims = {Dim(1, n), 7};
  odd.kind = Kind::input;
  const ValueId o = g.add_value(odd);
  const auto r = g.add_node("add", "misfit", {x, o});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument);
  EXPECT_NE(r.error().message.find("misfit"), std::string::npos) << r.error().message;
}

TEST_F(Builder, PrintsALineForEachNode) {
  const std::string text = g.print();
  EXPECT_NE(text.find("add"), std::string::npos);
  EXPECT_NE(text.find("mul"), std::string::npos);
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), 2);
}

}  // namespace
}  // namespace mainspring::inline v0
