// Session::run and the host's memory: repeated runs take none, changing extents stay within bounds, each allocation may fail.
#include "runtime/fault_allocator.h"
#include "runtime/graph_rig.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace mainspring::inline v0::test {
namespace {

TEST(RunMemory, ARunWithKnownExtentsAndBoundOutputsAllocatesNothing) {
  for (const std::string& bytes : {vision_model(), dense_model()}) {
    FaultAllocator allocator;
    const Model model = open_file(bytes, {.threads = 2, .allocator = &allocator});
    Session session = open_session(model, {.threads = 2});
    const bool vision = model.outputs().size() == 2;
    const Shape shapes[] = {vision ? Shape{1, 3, 6, 5} : Shape{7, 4}, vision ? Shape{1, 3, 11, 4} : Shape{2, 4}};
    std::vector<Tensor> in, out, top(2, data<float>(Shape{}, {0}));
    for (const Shape& s : shapes) {
      in.push_back(noise(s));
      out.push_back(run(session, {{"x", in.back()}})["y"]);
    }
    const auto both = [&](const RunOptions& options) {
      bool ok = true;
      for (size_t i = 0; i < 2; ++i) {
        const NamedTensor inputs[] = {{"x", in[i]}}, outputs[] = {{"y", out[i]}, {"z", top[i]}};
        auto r = session.run(inputs, std::span(outputs).first(vision ? 2 : 1), options);
        while (r && r->in_progress) r = session.resume_run(options);
        ok = ok && r.has_value();
      }
      return ok;
    };
    ASSERT_TRUE(both({}));
    const long before = calls_of_new(), calls = allocator.calls;
    bool ok = true;
    for (int i = 0; i < 20; ++i) ok = ok && both({}) && both({.budget = std::chrono::nanoseconds(1)});
    EXPECT_EQ(calls_of_new() - before, 0);
    EXPECT_EQ(allocator.calls - calls, 0);
    EXPECT_TRUE(ok);
  }
}

TEST(RunMemory, InputsAreNotCopied) {
  ox::Graph g;
  g.inputs = {ox::info("x", ox::tensor_type(ox::kF32, {"N", "64"}))};
  g.outputs = {ox::info("y", ox::unranked_type(ox::kF32))};
  g.nodes = {ox::node("ReduceMax", {"x"}, {"y"}, {ox::attr("keepdims", 0)})};
  const std::string bytes = ox::model(g);
  FaultAllocator allocator;
  const Model model = open_file(bytes, {.threads = 1, .allocator = &allocator});
  Session session = open_session(model, {.threads = 1});
  std::vector<float> x = noise(size_t{16384} * 64);
  const auto input = Tensor::borrow(std::span(x), Shape{16384, 64});
  ASSERT_TRUE(input);
  const RunResult r = run(session, {{"x", *input}});
  EXPECT_EQ(elements(r["y"])[0], *std::max_element(x.begin(), x.end()));
  EXPECT_LT(allocator.most, 1 << 20) << "the input has 4 MB";
}

TEST(RunMemory, TenThousandRunsOfChangingExtentsStayFlat) {
  FaultAllocator allocator;
  const std::string bytes = dense_model();
  const Model model = open_file(bytes, {.threads = 1, .allocator = &allocator});
  Session session = open_session(model, {.threads = 1});
  const std::vector<float> x = noise(400 * 4);
  const auto heap = []() -> long {
#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 33)
    return static_cast<long>(mallinfo2().uordblks);
#endif
#endif
    return 0;
  };
  long early = 0, late = 0, early_heap = 0, late_heap = 0;
  uint32_t seed = 1;
  for (int i = 0; i < 10000; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const int64_t n = 1 + (seed >> 8) % 400;
    const auto r = session.run({{"x", *Tensor::borrow(std::span(x).first(static_cast<size_t>(n) * 4), Shape{n, 4})}});
    ASSERT_TRUE(r) << r.error().message;
    ASSERT_EQ((*r)["y"].shape(), (Shape{n, 4}));
    (i < 3000 ? early : late) = std::max(i < 3000 ? early : late, allocator.live.load());
    (i < 3000 ? early_heap : late_heap) = std::max(i < 3000 ? early_heap : late_heap, heap());
  }
  EXPECT_LE(late, early + early / 10);
  EXPECT_LE(late_heap, early_heap + (1 << 20));
}

/// Every way of running at once: plans, a loop, extents that hang on data, a sequence, strings.
std::string mixed_model() {
  ox::Graph body;
  body.inputs = {ox::info("i", ox::tensor_type(ox::kI64, {})), ox::info("go", ox::tensor_type(ox::kBool, {})), ox::info("acc", ox::tensor_type(ox::kF32, {"N", "4"}))};
  body.outputs = {ox::info("go_on", ox::tensor_type(ox::kBool, {})), ox::info("next", ox::tensor_type(ox::kF32, {"N", "4"})), ox::info("row", ox::tensor_type(ox::kF32, {"N", "4"}))};
  body.nodes = {ox::node("Identity", {"go"}, {"go_on"}), ox::node("MatMul", {"acc", "w"}, {"next"}), ox::node("Relu", {"next"}, {"row"})};
  ox::Graph g;
  g.inputs = {ox::info("x", ox::tensor_type(ox::kF32, {"N", "4"})), ox::info("s", ox::tensor_type(ox::kString, {"M"}))};
  g.outputs = {ox::info("y", ox::unranked_type(ox::kF32)), ox::info("picked", ox::unranked_type(ox::kI64)), ox::info("list", ox::Message().add(4, ox::Message().add(1, ox::unranked_type(ox::kF32)))),
               ox::info("t", ox::unranked_type(ox::kString))};
  g.initializers = {weights("w", {4, 4}, 1), ox::raw_tensor<int64_t>("three", ox::kI64, {}, {3})};
  g.nodes = {ox::node("MatMul", {"x", "w"}, {"m"}),
             ox::node("Loop", {"three", "", "m"}, {"last", "rows"}, {ox::attr_g("body", body.message())}),
             ox::node("ReduceSum", {"rows"}, {"y"}, {ox::attr("keepdims", 0)}),
             ox::node("NonZero", {"last"}, {"picked"}),
             ox::node("SequenceConstruct", {"m", "last"}, {"list"}),
             ox::node("StringConcat", {"s", "s"}, {"t"})};
  return ox::model(g);
}

TEST(RunMemory, EachAllocationFailedOnceIsAnErrorAndNothingIsLost) {
  const std::string bytes = mixed_model();
  const Tensor x = noise(Shape{3, 4});
  const std::string_view words[] = {"one", "two"};
  const auto s = Tensor::borrow(std::span<const std::string_view>(words), Shape{2});
  ASSERT_TRUE(s);
  long failures = 0, in_runs = 0;
  for (long n = 1;; ++n) {
    ASSERT_LT(n, 10000);
    FaultAllocator allocator;
    allocator.fail_at = n;
    bool done = false;
    {
      const Context context({.threads = 1, .allocator = &allocator});
      const auto attempt = [&]() -> Result<void> {
        MAINSPRING_TRY(const Model model, Model::open(std::as_bytes(std::span(bytes)), {.context = &context}));
        MAINSPRING_TRY(Session session, Session::create(model, {.threads = 1}));
        const auto first = session.run({{"x", x}, {"s", *s}});
        done = allocator.calls < n;
        allocator.fail_at = 0;
        const auto second = session.run({{"x", x}, {"s", *s}});
        EXPECT_TRUE(second) << "allocation " << n << ": " << second.error().message;
        if (!first) {
          ++in_runs;
          return first.error();
        }
        EXPECT_TRUE(same_tensor((*first)["y"], (*second)["y"]));
        return {};
      };
      const auto result = attempt();
      EXPECT_EQ(result.has_value(), done) << "allocation " << n << " failed and nobody noticed";
      if (!result) {
        EXPECT_EQ(result.error().code, Errc::out_of_memory) << result.error().message;
        ++failures;
      }
    }
    EXPECT_EQ(allocator.live, 0) << "allocation " << n << " failed: memory is lost";
    if (done) break;
  }
  EXPECT_GT(failures, 5);
  EXPECT_GT(in_runs, 5);
}

}  // namespace
}  // namespace mainspring::inline v0::test
