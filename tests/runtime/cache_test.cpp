// Packed weights kept between starts: the same bits with and without, and a file that is not exactly ours is replaced, never believed.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/folder.h"
#include "cpu/isa.h"
#include "runtime/model_impl.h"
#include "runtime/runner.h"

namespace mainspring::inline v0::test {
namespace {

namespace fs = std::filesystem;

class PlanCaches : public testing::Test {
 protected:
  PlanCaches() : bytes_(arch_model(zoo_model("gemma3-dense")).file(DType::q4_0)) {
    char name[] = "/tmp/mainspring-cache-XXXXXX";
    folder_ = mkdtemp(name);
    expected_ = run({});
  }
  ~PlanCaches() override { fs::remove_all(folder_); }

  /// The logits of a new Model, in `packed_` how many matrices were packed for it, in `measured_` how many choices.
  Rows run(const ContextOptions& options) {
    const Model model = open_file(bytes_, options);
    Session session = open_session(model, {.max_context = 64, .max_output_rows = 64, .threads = 2});
    const auto plan = compile(*model.impl(), {false, 2, 1, 64, false}, 64, 64);
    packed_ = total_ = 0;
    for (const auto& p : (*plan)->panels) ++total_, packed_ += !p->from_cache;
    const auto& cache = model.impl()->panels.cache;
    measured_ = cache == nullptr ? 0 : cache->choices().measured();
    layouts_.clear();
    for (const PlannedNode& n : (*plan)->nodes)
      for (const std::string& layout : n.layouts) layouts_ += layout + '\n';
    return feed(session, ids(20, model.vocabulary_size()));
  }
  Rows run() { return run({.cache_folder = folder_}); }
  std::string the_file() const {
    std::string found;
    for (const auto& e : fs::directory_iterator(folder_)) {
      EXPECT_TRUE(found.empty()) << "one file a model";
      found = e.path();
    }
    return found;
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& path, const std::string& text) {
    fs::remove(path);  // a mapping may still hold the old one
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), 0600);
  }

  std::string bytes_, folder_;
  Rows expected_;
  size_t packed_ = 0, total_ = 0;
  int measured_ = 0;
  std::string layouts_;
  /// Whether several kernels could do the model's matrices.
  const bool choice_ = detect_isa().has(Isa::avxvnni) || detect_isa().has(Isa::avx512vnni);
};

TEST_F(PlanCaches, TheSecondStartPacksNothingAndHasTheSameBits) {
  EXPECT_TRUE(same_bits(run(), expected_));
  EXPECT_EQ(packed_, total_);
  ASSERT_GT(total_, 5u);
  EXPECT_TRUE(same_bits(run(), expected_));
  EXPECT_EQ(packed_, 0u);
  EXPECT_TRUE(same_bits(run({.cpu_isa = "scalar", .cache_folder = folder_}), run({.cpu_isa = "scalar"}))) << "another instruction set has a file of its own";
}

TEST_F(PlanCaches, ADamagedFileIsReplaced) {
  run();
  const std::string path = the_file(), good = read(path);
  std::vector<std::string> bad = {"", "MSPLAN03", good.substr(0, 64), good.substr(0, good.size() / 2), good.substr(0, good.size() - 1), good + "x"};
  for (const size_t at : {size_t{0}, size_t{9}, size_t{17}, size_t{25}, size_t{33}, size_t{70}, size_t{200}}) bad.push_back(good), bad.back()[at] ^= 0x40;
  for (size_t at = 4096; at < good.size(); at += 4096) {  // lost stretches, wherever they begin
    const size_t n = std::min<size_t>(65536, good.size() - at);
    bad.push_back(good), bad.back().replace(at, n, n, '\0');
  }
  size_t replaced = 0;
  for (size_t i = 0; i < std::min<size_t>(bad.size(), 60); ++i) {
    write(path, bad[i]);
    EXPECT_TRUE(same_bits(run(), expected_)) << "damage " << i;
    replaced += packed_ > 0;
    EXPECT_TRUE(same_bits(run(), expected_)) << "after damage " << i;
    EXPECT_EQ(packed_, 0u) << "damage " << i;
  }
  EXPECT_GE(replaced, 13u);
}

TEST_F(PlanCaches, TheSecondStartMeasuresNothing) {
  run({});
  EXPECT_EQ(measured_, 0) << "nothing is measured that could not be kept";
  run();
  EXPECT_EQ(measured_ > 0, choice_);
  const int all = measured_;
  const std::string layouts = layouts_, path = the_file(), good = read(path);
  run();
  EXPECT_EQ(measured_, 0);
  EXPECT_EQ(layouts_, layouts);
  const size_t at = good.find("qgemm q4_0 k ");
  if (!choice_) return;
  ASSERT_NE(at, good.npos);
  for (const size_t byte : {at, at + 40}) {  // the question, the times
    std::string bad = good;
    bad[byte] ^= 1;
    write(path, bad);
    EXPECT_TRUE(same_bits(run(), expected_));
    EXPECT_EQ(measured_, all);
    run();
    EXPECT_EQ(measured_, 0);
  }
}

TEST_F(PlanCaches, ChoicesAreKeptWhereNoPanelIsNew) {
  run();
  const Choices::Question question{"asked by a test", 2, 1, 64, std::byte{}, [](const void*, int, int, std::byte*) {}, nullptr};
  const auto ask = [&] {
    const Model model = open_file(bytes_, {.cache_folder = folder_});
    PlanCache& cache = *model.impl()->panels.cache;
    EXPECT_EQ(cache.choices().choose(question).ns.size(), 2u);
    const auto plan = *compile(*model.impl(), {false, 2, 1, 64, false}, 64, 64);
    for (const auto& p : plan->panels) EXPECT_TRUE(p->from_cache);
    return cache.choices().measured();
  };
  EXPECT_EQ(ask(), 1);
  EXPECT_EQ(ask(), 0);
  run();
  EXPECT_EQ(packed_, 0u);
}

TEST_F(PlanCaches, AnotherModelsFileIsNotTaken) {
  run();
  const std::string path = the_file();
  bytes_ = arch_model(zoo_model("gemma3-dense")).file(DType::q8_0);
  EXPECT_TRUE(same_bits(run(), run({})));
  EXPECT_EQ(the_file(), path) << "a replaced model's file replaces the old one's panels";
  run();
  EXPECT_EQ(packed_, 0u);
}

TEST_F(PlanCaches, AFileThatOthersMayWriteIsNotTaken) {
  run();
  chmod(the_file().c_str(), 0666);
  EXPECT_TRUE(same_bits(run(), expected_));
  EXPECT_EQ(packed_, total_);
  run();
  EXPECT_EQ(packed_, 0u) << "it was replaced by one of our own";
}

TEST_F(PlanCaches, AFolderThatCannotBeWrittenIsNoError) {
  EXPECT_TRUE(same_bits(run({.cache_folder = folder_ + "/none"}), expected_));
  EXPECT_EQ(measured_ > 0, choice_);
  EXPECT_TRUE(same_bits(run({.cache_folder = "/proc"}), expected_));
}

TEST_F(PlanCaches, TwoModelsAtOnce) {
  run();
  const Model a = open_file(bytes_, {.cache_folder = folder_}), b = open_file(bytes_, {.cache_folder = folder_});
  Session of_a = open_session(a, {.max_context = 64, .max_output_rows = 64}), of_b = open_session(b, {.max_context = 64, .max_output_rows = 64});
  const auto tokens = ids(20, a.vocabulary_size());
  fs::remove(the_file());  // what is mapped stays
  EXPECT_TRUE(same_bits(feed(of_a, tokens), expected_));
  EXPECT_TRUE(same_bits(feed(of_b, tokens), expected_));
}

TEST_F(PlanCaches, ASecondPlanOfAModelWritesOnlyWhatIsNew) {
  const Model model = open_file(bytes_, {.cache_folder = folder_});
  const auto first = *compile(*model.impl(), {false, 2, 1, 64, false}, 64, 1);
  struct stat before {}, after {};
  ASSERT_EQ(stat(the_file().c_str(), &before), 0);
  const auto second = *compile(*model.impl(), {false, 1, 1, 64, false}, 32, 1);
  ASSERT_EQ(stat(the_file().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  const auto exact = *compile(*model.impl(), {true, 1, 1, 64, false}, 32, 1);
  run();
  EXPECT_EQ(packed_, 0u) << "what the first plan kept is still there";
}

TEST_F(PlanCaches, AFolderStaysBelowItsLimit) {
  run();
  const std::string first = the_file();
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  // Others' files, and names like ours whose bytes aren't: never touched, never counted.
  const std::string theirs[] = {folder_ + "/model.gguf", folder_ + "/0123456789abcdef.panels", folder_ + "/0123456789abcdeg.panels", folder_ + "/x.panels"};
  for (const std::string& name : theirs) write(name, std::string(1 << 20, 'x')), fs::last_write_time(name, old);
  write(folder_ + "/0123456789abcdeg.panels", read(first));
  const std::string left = folder_ + "/00000000000000aa.panels.tmp";  // by a writer that was killed
  write(left, read(first));
  fs::last_write_time(left, old);
  fs::last_write_time(first, old + std::chrono::minutes(1));
  const uint64_t one = fs::file_size(first);
  run({.cpu_isa = "scalar", .cache_folder = folder_, .cache_folder_limit = one * 5});
  EXPECT_TRUE(fs::exists(first) && fs::exists(left));
  run();  // marks the first one as used
  EXPECT_EQ(packed_, 0u);
  EXPECT_GT(fs::last_write_time(first), old + std::chrono::minutes(2));
  run({.cpu_isa = "scalar", .cache_folder = folder_, .cache_folder_limit = one * 5});
  EXPECT_EQ(packed_, 0u);
  run({.cpu_isa = "avx2", .cache_folder = folder_, .cache_folder_limit = 1});
  EXPECT_TRUE(fs::exists(first)) << "what could not fit at all is not kept, and nothing goes for it";
  bytes_ += '\0';  // another file of the model
  run({.cache_folder = folder_, .cache_folder_limit = one + one / 2});
  EXPECT_FALSE(fs::exists(left));
  for (const std::string& name : theirs) EXPECT_TRUE(fs::exists(name)) << name;
}

TEST(Folders, TheLongestUnusedGoFirst) {
  const std::vector<FolderFile> files = {{"a", 10, 3}, {"b", 20, 1}, {"c", 30, 2}, {"d", 5, 9}};
  const auto names = [&](uint64_t limit, const char* keep) {
    std::string out;
    for (const FolderFile& f : files_to_remove(files, limit, keep)) out += f.name;
    return out;
  };
  EXPECT_EQ(names(65, "d"), "");
  EXPECT_EQ(names(64, "d"), "b");
  EXPECT_EQ(names(45, "d"), "b");
  EXPECT_EQ(names(44, "d"), "bc");
  EXPECT_EQ(names(0, "d"), "bca");
  EXPECT_EQ(names(44, "b"), "c");
  EXPECT_EQ(names(0, ""), "bcad");
}

TEST_F(PlanCaches, APartlyFilledCacheTakesMemoryForTheRest) {
  run();
  struct Counter final : Allocator {
    void* allocate(size_t n, size_t alignment) override { return held += n, system_allocator().allocate(n, alignment); }
    void release(void* p, size_t n, size_t alignment) override { held -= n, system_allocator().release(p, n, alignment); }
    std::atomic<size_t> held{0};
  } counter;
  const std::string path = the_file(), good = read(path);
  bool in_part = false;
  for (size_t page = 4096; page + 4096 < good.size(); page += 1 << 16) {
    std::string bad = good;
    bad.replace(page, std::min<size_t>(1 << 16, good.size() - page), std::min<size_t>(1 << 16, good.size() - page), '\0');
    write(path, bad);
    const Model model = open_file(bytes_, {.allocator = &counter, .cache_folder = folder_});
    const size_t before = counter.held;
    const auto plan = *compile(*model.impl(), {false, 2, 1, 64, false}, 64, 64);
    std::map<const std::byte*, size_t> packed;
    size_t cached = 0, missing = 0;
    for (const auto& p : plan->panels)
      if (p->from_cache) ++cached;
      else packed[p->data] = round_up(p->bytes, Buffer::kAlignment);
    for (const auto& [data, n] : packed) missing += n;
    EXPECT_EQ(counter.held - before, missing) << page;
    in_part |= cached > 0 && missing > 0;
  }
  EXPECT_TRUE(in_part);
}

struct HostCache final : Cache {
  std::span<const std::byte> load(std::string_view key) override {
    const auto it = held.find(std::string(key));
    return it == held.end() ? std::span<const std::byte>() : it->second.back().bytes();
  }
  Result<void> store(std::string_view key, std::span<const std::span<const std::byte>> parts) override {
    size_t n = 0;
    for (const auto& p : parts) n += p.size();
    MAINSPRING_TRY(Buffer buffer, Buffer::create(system_allocator(), n, "test"));
    n = 0;
    for (const auto& p : parts) std::memcpy(buffer.data() + n, p.data(), p.size()), n += p.size();
    held[std::string(key)].push_back(std::move(buffer));
    return {};
  }
  std::map<std::string, std::vector<Buffer>> held;
};

TEST_F(PlanCaches, TheHostsOwn) {
  HostCache cache;
  EXPECT_TRUE(same_bits(run({.cache = &cache}), expected_));
  EXPECT_EQ(packed_, total_);
  EXPECT_EQ(cache.held.size(), 1u);
  EXPECT_TRUE(same_bits(run({.cache = &cache}), expected_));
  EXPECT_EQ(packed_, 0u);
}

}  // namespace
}  // namespace mainspring::inline v0::test
