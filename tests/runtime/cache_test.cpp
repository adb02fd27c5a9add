// Packed weights kept between starts: the same bits with and without, and a file that is not exactly ours is replaced, never believed.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "core/buffer.h"
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

  /// The logits of a new Model, and in `packed_` how many matrices were packed for it.
  Rows run(const ContextOptions& options) {
    const Model model = open_file(bytes_, options);
    Session session = open_session(model, {.max_context = 64, .max_output_rows = 64, .threads = 2});
    const auto plan = compile(*model.impl(), {false, 2, 1, 64, false}, 64, 64);
    packed_ = total_ = 0;
    for (const auto& p : (*plan)->panels) ++total_, packed_ += !p->from_cache;
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
  std::vector<std::string> bad = {"", "MSPLAN01", good.substr(0, 64), good.substr(0, good.size() / 2), good.substr(0, good.size() - 1), good + "x"};
  for (const size_t at : {size_t{0}, size_t{9}, size_t{17}, size_t{25}, size_t{33}, size_t{70}, size_t{200}}) bad.push_back(good), bad.back()[at] ^= 0x40;
  for (size_t page = 4096; page < good.size(); page += 4096) bad.push_back(good), bad.back().replace(page, std::min<size_t>(4096, good.size() - page), std::min<size_t>(4096, good.size() - page), '\0');
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
