// Session::run: names, memory of the caller, what is refused, profiles, pauses, cancels, threads.
#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/graph_rig.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace mainspring::inline v0::test {
namespace {

TEST(Run, GivesOutputsByName) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  ASSERT_TRUE(model.is_graph());
  ASSERT_EQ(model.outputs().size(), 2u);
  Session session = open_session(model, {.threads = 2});
  const RunResult r = run(session, {{"x", noise(Shape{1, 3, 5, 6})}});
  ASSERT_EQ(r.names, (std::vector<std::string>{"y", "z"}));
  EXPECT_EQ(r["y"].shape(), (Shape{1, 30, 8}));
  EXPECT_EQ(r["z"].shape(), Shape{});
  EXPECT_TRUE(r["nothing"].empty());
  const std::vector<float> y = elements(r["y"]);
  EXPECT_EQ(elements(r["z"])[0], *std::max_element(y.begin(), y.end()));
}

TEST(Run, ComputesWhatTheNodesSay) {
  const std::string bytes = dense_model();
  const std::vector<float> x = noise(12), w = noise(16, 7), b = noise(4, 8);
  const RunResult r = run_model(bytes, {{"x", data(Shape{3, 4}, x)}});
  const std::vector<float> y = elements(r["y"]);
  ASSERT_EQ(y.size(), 12u);
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 4; ++j) {
      double sum = static_cast<double>(b[j]);
      for (size_t k = 0; k < 4; ++k) sum += static_cast<double>(x[i * 4 + k]) * static_cast<double>(w[k * 4 + j]);
      EXPECT_NEAR(static_cast<double>(y[i * 4 + j]), sum, 1e-5);
    }
}

TEST(Run, SessionsOfOneModelDoNotDisturbEachOther) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  Session first = open_session(model, {.threads = 1}), second = open_session(model, {.threads = 1});
  const Tensor a = noise(Shape{1, 3, 6, 7}, 1), b = noise(Shape{1, 3, 9, 4}, 2);
  const Tensor want_a = run(first, {{"x", a}})["y"], want_b = run(second, {{"x", b}})["y"];
  std::atomic<int> wrong{0};
  const auto work = [&](Session& s, const Tensor& x, const Tensor& want) {
    for (int i = 0; i < 50; ++i) {
      const auto r = s.run({{"x", x}});
      if (!r || !same_tensor((*r)["y"], want)) ++wrong;
    }
  };
  std::thread other([&] { work(second, b, want_b); });
  work(first, a, want_a);
  other.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(same_tensor(run(first, {{"x", b}})["y"], want_b));
}

#if defined(__unix__) || defined(__APPLE__)
TEST(Run, ReadsInputsWhereTheyLieAndNowhereElse) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t n = 3 * 7 * 5;
  auto* pages = static_cast<std::byte*>(mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(static_cast<void*>(pages), MAP_FAILED);
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  const std::vector<float> x = noise(n);
  const Tensor want = run(session, {{"x", data(Shape{1, 3, 7, 5}, x)}})["y"];
  ASSERT_EQ(mprotect(pages, page, PROT_NONE), 0);
  ASSERT_EQ(mprotect(pages + 2 * page, page, PROT_NONE), 0);
  for (const bool at_end : {false, true}) {  // of the page that may be read: neither end is aligned to more than an element
    std::byte* place = at_end ? pages + 2 * page - n * 4 : pages + page;
    ASSERT_EQ(mprotect(pages + page, page, PROT_READ | PROT_WRITE), 0);
    std::memcpy(place, x.data(), n * 4);
    ASSERT_EQ(mprotect(pages + page, page, PROT_READ), 0);  // a write would end the program
    auto input = Tensor::borrow_bytes(DType::f32, Shape{1, 3, 7, 5}, place, n * 4);
    ASSERT_TRUE(input);
    EXPECT_TRUE(same_tensor(run(session, {{"x", *input}})["y"], want)) << at_end;
  }
  munmap(pages, 3 * page);
}
#endif

TEST(Run, WritesOutputsToTheCallersMemory) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  const Tensor x = noise(Shape{1, 3, 4, 6});
  const RunResult want = run(session, {{"x", x}});
  std::vector<float> memory(24 * 8 + 2, 77.0f);
  float z[3] = {77, 77, 77};
  auto y = Tensor::borrow(std::span(memory).subspan(1, 24 * 8), Shape{1, 24, 8});
  auto top = Tensor::borrow(std::span(z).subspan(1, 1), Shape{});
  ASSERT_TRUE(y && top);
  const RunResult half = run(session, {{"x", x}}, {{"y", *y}});
  EXPECT_TRUE(same_tensor(*y, want["y"]));
  ASSERT_EQ(half.values.size(), 2u);
  EXPECT_FALSE(half.values[0]);
  EXPECT_TRUE(same_tensor(half["z"], want["z"]));

  std::fill(memory.begin(), memory.end(), 77.0f);
  const RunResult whole = run(session, {{"x", x}}, {{"z", *top}, {"y", *y}});
  EXPECT_TRUE(whole.values.empty());
  EXPECT_TRUE(same_tensor(*y, want["y"]));
  EXPECT_TRUE(same_tensor(*top, want["z"]));
  for (const float guard : {memory.front(), memory.back(), z[0], z[2]}) EXPECT_EQ(guard, 77.0f);
}

TEST(Run, ResultsOutliveTheSession) {
  const std::string bytes = dense_model();
  const Tensor x = noise(Shape{5, 4});
  std::vector<Tensor> kept;
  std::vector<std::vector<float>> copies;
  {
    const Model model = open_file(bytes);
    Session session = open_session(model, {.threads = 1});
    for (uint32_t i = 0; i < 100; ++i) {  // more than the session keeps memory for
      kept.push_back(run(session, {{"x", noise(Shape{5, 4}, i)}})["y"]);
      copies.push_back(elements(kept.back()));
    }
  }
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(elements(kept[i]), copies[i]) << i;
}

TEST(Run, RefusesWhatDoesNotFitAndGoesOn) {
  const std::string bytes = dense_model();
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 1});
  const Tensor x = noise(Shape{2, 4});
  const Tensor want = run(session, {{"x", x}})["y"];
  float memory[12] = {};
  const auto place = [&](Shape s) { return *Tensor::borrow(std::span(memory).first(static_cast<size_t>(s.elements())), s); };
  struct Case {
    std::vector<NamedTensor> in, out;
    std::vector<std::string> says;  // what was got, what is expected
  };
  const Case cases[] = {
      {{{"x", data<int64_t>(Shape{1, 4}, {1, 2, 3, 4})}}, {}, {"'x'", "i64", "f32"}},
      {{{"x", noise(Shape{4})}}, {}, {"'x'", "[4]", "4]", "expected"}},
      {{{"x", noise(Shape{2, 2, 4})}}, {}, {"'x'", "[2, 2, 4]", "expected"}},
      {{{"x", noise(Shape{2, 5})}}, {}, {"'x'", "[2, 5]", "4]", "expected"}},
      {{{"q", x}}, {}, {"'q'", "x"}},
      {{{"x", x}, {"q", x}}, {}, {"'q'", "x"}},
      {{{"x", x}, {"x", x}}, {}, {"'x'", "twice"}},
      {{}, {}, {"'x'", "not given"}},
      {{{"x", Datum()}}, {}, {"'x'", "not given"}},
      {{{"x", Datum::sequence(DType::f32, {x})}}, {}, {"'x'", "sequence", "tensor"}},
      {{{"x", x}}, {{"q", place({2, 4})}}, {"'q'", "y"}},
      {{{"x", x}}, {{"y", place({2, 4})}, {"y", place({2, 4})}}, {"'y'", "twice"}},
      {{{"x", x}}, {{"y", place({2, 5})}}, {"'y'", "[2, 4]", "[2, 5]"}},
      {{{"x", x}}, {{"y", place({8})}}, {"'y'", "[2, 4]", "[8]"}},
      {{{"x", x}}, {{"y", data<int32_t>(Shape{2, 4}, std::vector<int32_t>(8))}}, {"'y'", "f32", "i32"}},
  };
  for (const Case& c : cases) {
    const auto refused = session.run(c.in, c.out);
    ASSERT_FALSE(refused) << c.says[0];
    EXPECT_EQ(refused.error().code, Errc::invalid_argument) << refused.error().message;
    for (const std::string& part : c.says) EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message << " does not say " << part;
    EXPECT_TRUE(same_tensor(run(session, {{"x", x}})["y"], want)) << "after: " << refused.error().message;
  }
  for (const float m : memory) EXPECT_EQ(m, 0.0f) << "refused runs wrote";
  const auto none = session.resume_run();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::invalid_argument);
  const auto step = session.step(std::vector<int32_t>{1});
  ASSERT_FALSE(step) << "a graph has no tokens";
  EXPECT_EQ(step.error().code, Errc::invalid_argument);
}

TEST(Run, ALanguageModelIsNotRun) {
  const std::string bytes = arch_model(zoo_model("phi3-dense")).file(DType::q4_0);
  Session session = open_session(open_file(bytes), {.max_context = 16, .threads = 1});
  const auto r = session.run({{"x", noise(Shape{1})}});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument);
  const auto p = session.prepare({});
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, Errc::invalid_argument);
}

TEST(Run, OperandsThatDoNotFitEachOtherNameTheNode) {
  ox::Graph g;
  g.inputs = {ox::info("a", ox::tensor_type(ox::kF32, {"N"})), ox::info("b", ox::tensor_type(ox::kF32, {"M"}))};
  g.outputs = {ox::info("y", ox::unranked_type(ox::kF32))};
  g.nodes = {ox::node("Add", {"a", "b"}, {"y"}, {}, "", "the_sum")};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  const auto refused = session.run({{"a", noise(Shape{2})}, {"b", noise(Shape{3})}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_NE(refused.error().message.find("the_sum"), std::string::npos) << refused.error().message;
  EXPECT_EQ(run(session, {{"a", noise(Shape{3})}, {"b", noise(Shape{1})}})["y"].shape(), Shape{3});
}

TEST(Run, ProfilesBoundTheExtents) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 1, .profiles = {{"H", {2, 8, 16}}, {"W", {4, 4, 12}}}});
  const size_t arena = session.memory().arena;
  EXPECT_GT(arena, 0u);
  for (const Shape& shape : {Shape{1, 3, 2, 4}, Shape{1, 3, 8, 4}, Shape{1, 3, 16, 12}}) {
    run(session, {{"x", noise(shape)}});
    EXPECT_EQ(session.memory().arena, arena) << "memory was made at creation";
  }
  for (const Shape& shape : {Shape{1, 3, 1, 4}, Shape{1, 3, 17, 4}, Shape{1, 3, 8, 3}, Shape{1, 3, 8, 13}}) {
    const auto refused = session.run({{"x", noise(shape)}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    const std::string& m = refused.error().message;
    EXPECT_TRUE(m.find("'x'") != std::string::npos && (m.find("2 to 16") != std::string::npos || m.find("4 to 12") != std::string::npos)) << m;
  }
  for (const SymbolRange& wrong : {SymbolRange{-1, 1, 2}, SymbolRange{3, 2, 4}, SymbolRange{1, 5, 4}}) {
    const auto refused = Session::create(model, {.threads = 1, .profiles = {{"H", wrong}, {"W", {1, 1, 1}}}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_NE(refused.error().message.find("'H'"), std::string::npos) << refused.error().message;
  }
  const auto unknown = Session::create(model, {.threads = 1, .profiles = {{"Height", {1, 1, 1}}}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::invalid_argument);
  EXPECT_NE(unknown.error().message.find("'Height'"), std::string::npos) << unknown.error().message;
}

TEST(Run, PreparingChecksAndRunsNothing) {
  const std::string bytes = vision_model();
  Session session = open_session(open_file(bytes), {.threads = 1});
  const Tensor x = noise(Shape{1, 3, 6, 6});
  EXPECT_EQ(session.memory().arena, 0u);
  const NamedTensor good[] = {{"x", x}}, bad[] = {{"x", noise(Shape{1, 4, 6, 6})}};
  ASSERT_TRUE(session.prepare(good));
  const size_t arena = session.memory().arena;
  EXPECT_GT(arena, 0u);
  EXPECT_NE(session.explain().find("conv"), std::string::npos) << session.explain();
  const auto refused = session.prepare(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  const auto paused = session.run(good, {}, {.budget = std::chrono::nanoseconds(1)});
  ASSERT_TRUE(paused && paused->in_progress);
  EXPECT_EQ(session.memory().arena, arena);
  EXPECT_FALSE(session.prepare(good)) << "a run is in progress";
  auto r = session.resume_run();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ((*r)["y"].shape(), (Shape{1, 36, 8}));
}

TEST(Run, ExactAndUsualArithmeticAgree) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  Session usual = open_session(model, {.threads = 1}), exact = open_session(model, {.threads = 1, .exact = true});
  const Tensor x = noise(Shape{1, 3, 13, 9});
  const std::vector<float> a = elements(run(usual, {{"x", x}})["y"]), b = elements(run(exact, {{"x", x}})["y"]);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5) << i;
}

TEST(Run, APausedRunGivesTheSameBits) {
  for (const int threads : {1, 2}) {
    const std::string bytes = vision_model();
    const Model model = open_file(bytes);
    Session session = open_session(model, {.threads = threads});
    const Tensor x = noise(Shape{1, 3, 12, 11});
    const Tensor want = run(session, {{"x", x}})["y"];
    const RunOptions glimpse{.budget = std::chrono::nanoseconds(1)};
    auto r = session.run({{"x", x}}, {}, glimpse);
    int pauses = 0;
    for (; r && r->in_progress; r = session.resume_run(glimpse)) {
      EXPECT_TRUE(r->values.empty());
      if (pauses++ == 0) {
        const auto second = session.run({{"x", x}});
        ASSERT_FALSE(second) << "a run is in progress";
        EXPECT_EQ(second.error().code, Errc::invalid_argument);
      }
    }
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_GT(pauses, 3);
    EXPECT_TRUE(same_tensor((*r)["y"], want)) << threads;
    EXPECT_TRUE(same_tensor(run(session, {{"x", x}})["y"], want));
  }
}

TEST(Run, ThreadsDoNotChangeTheBits) {
  const std::string bytes = vision_model();
  const Model model = open_file(bytes);
  for (const Shape& shape : {Shape{1, 3, 1, 1}, Shape{1, 3, 9, 7}, Shape{1, 3, 40, 33}}) {
    Tensor want;
    for (const int threads : {1, 2, 4}) {
      Session session = open_session(model, {.threads = threads});
      const Tensor y = run(session, {{"x", noise(shape)}})["y"];
      if (threads == 1) want = y;
      EXPECT_TRUE(same_tensor(y, want)) << threads << " threads";
    }
  }
}

TEST(Run, ACancelledRunLeavesTheSessionUsable) {
  const std::string vision = vision_model();
  Session session = open_session(open_file(vision), {.threads = 2});
  const Tensor x = noise(Shape{1, 3, 8, 8});
  const Tensor want = run(session, {{"x", x}})["y"];
  std::atomic<bool> stop{true};
  const auto none = session.run({{"x", x}}, {}, {.cancel = &stop});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::cancelled);
  EXPECT_FALSE(session.resume_run()) << "a cancelled run is over";
  EXPECT_TRUE(same_tensor(run(session, {{"x", x}})["y"], want));

  auto paused = session.run({{"x", x}}, {}, {.budget = std::chrono::nanoseconds(1)});
  ASSERT_TRUE(paused && paused->in_progress);
  const auto ended = session.resume_run({.cancel = &stop});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::cancelled);
  EXPECT_TRUE(same_tensor(run(session, {{"x", x}})["y"], want));
}

TEST(Run, AnEndlessLoopIsCancelledFromAnotherThread) {
  // The scan output of loop_model would grow with the rounds: this loop has none.
  ox::Graph body;
  body.inputs = {ox::info("i", ox::tensor_type(ox::kI64, {})), ox::info("go", ox::tensor_type(ox::kBool, {})), ox::info("acc", ox::tensor_type(ox::kF32, {"N"}))};
  body.outputs = {ox::info("go_on", ox::tensor_type(ox::kBool, {})), ox::info("next", ox::tensor_type(ox::kF32, {"N"}))};
  body.nodes = {ox::node("Identity", {"go"}, {"go_on"}), ox::node("Add", {"acc", "step"}, {"next"})};
  ox::Graph g;
  g.inputs = {ox::info("n", ox::tensor_type(ox::kI64, {})), ox::info("x", ox::tensor_type(ox::kF32, {"N"}))};
  g.outputs = {ox::info("last", ox::tensor_type(ox::kF32, {"N"}))};
  g.initializers = {ox::raw_tensor<float>("step", ox::kF32, {1}, {0.5f})};
  g.nodes = {ox::node("Loop", {"n", "", "x"}, {"last"}, {ox::attr_g("body", body.message())})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  std::atomic<bool> stop{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop = true;
  });
  const auto r = session.run({{"n", scalar(INT64_MAX)}, {"x", data<float>(Shape{2}, {1, 2})}}, {}, {.cancel = &stop});
  other.join();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::cancelled) << r.error().message;
  EXPECT_EQ(elements(run(session, {{"n", scalar<int64_t>(3)}, {"x", data<float>(Shape{2}, {1, 2})}})["last"]), (std::vector<float>{2.5f, 3.5f}));
}

}  // namespace
}  // namespace mainspring::inline v0::test
