#include "core/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/context_impl.h"
#include "import/gguf.h"
#include "tests/import/gguf_bytes.h"

namespace {

using namespace mainspring;

// Counts what is out, checks that release names what allocate gave, and refuses request number `fail`.
class CountingAllocator final : public Allocator {
 public:
  explicit CountingAllocator(int fail = -1) : fail_(fail) {}
  ~CountingAllocator() override { EXPECT_EQ(bytes_out, 0u); }
  void* allocate(size_t bytes, size_t alignment) override {
    EXPECT_GE(alignment, 64u);
    if (requests++ == fail_) return nullptr;
    void* p = nullptr;
    if (posix_memalign(&p, alignment, bytes + 1) != 0) return nullptr;
    bytes_out += bytes;
    return p;
  }
  void release(void* memory, size_t bytes, size_t) override {
    bytes_out -= bytes;
    std::free(memory);
  }
  int requests = 0;
  size_t bytes_out = 0;

 private:
  int fail_;
};

class FakeReader final : public Reader {
 public:
  Result<uint64_t> size(std::string_view path) override {
    const auto at = files.find(path);
    if (at == files.end()) return Error{Errc::not_found, "archive has no such file"};
    return uint64_t{claimed ? claimed : at->second.size()};
  }
  Result<void> read(std::string_view path, uint64_t offset, std::span<std::byte> out) override {
    const std::string& content = files.find(path)->second;
    if (offset + out.size() > content.size()) return Error{Errc::io_error, "short read"};
    std::memcpy(out.data(), content.data() + offset, out.size());
    return {};
  }
  std::map<std::string, std::string, std::less<>> files;
  uint64_t claimed = 0;
};

TEST(Buffer, AlignedAndGivenBack) {
  CountingAllocator allocator;
  ContextOptions options;
  options.allocator = &allocator;
  const Context context(options);
  {
    auto a = Buffer::create(context, 100, "a");
    ASSERT_TRUE(a);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a->data()) % 64, 0u);
    EXPECT_EQ(a->size(), 100u);
    auto b = Buffer::create(context, 100, "b", 4096);
    ASSERT_TRUE(b);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b->data()) % 4096, 0u);
    EXPECT_EQ(allocator.bytes_out, 200u);
    Buffer moved = *std::move(a);
    EXPECT_EQ(allocator.bytes_out, 200u);
    moved = *std::move(b);
    EXPECT_EQ(allocator.bytes_out, 100u);
    EXPECT_EQ(moved.as<float>().size(), 25u);
    auto none = Buffer::create(context, 0, "none");
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    EXPECT_EQ(allocator.requests, 2);
  }
  EXPECT_EQ(allocator.bytes_out, 0u);
}

TEST(Buffer, RunningOutIsAValueThatSaysWhatFor) {
  CountingAllocator allocator(0);
  const auto r = Buffer::create(allocator, 12345, "kv cache");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::out_of_memory);
  EXPECT_NE(r.error().message.find("kv cache"), std::string::npos);
  EXPECT_NE(r.error().message.find("12345"), std::string::npos);
  EXPECT_FALSE(Buffer::create(allocator, 10, "x", 96));
}

TEST(Buffer, TheSystemsAllocatorServesEverySize) {
  for (size_t bytes : {size_t{1}, size_t{4096}, size_t{8} << 20, (size_t{8} << 20) + 1, (size_t{40} << 20) + 12345}) {
    auto r = Buffer::create(system_allocator(), bytes, "test");
    ASSERT_TRUE(r);
    r->data()[0] = std::byte{1};
    r->data()[bytes - 1] = std::byte{2};
    if (bytes >= size_t{8} << 20) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(r->data()) % (size_t{2} << 20), 0u) << bytes;
    }
  }
  for (size_t bytes : {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - (size_t{1} << 20)}) {
    const auto r = Buffer::create(system_allocator(), bytes, "test");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::out_of_memory);
  }
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainspring-file-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(std::string_view name, std::string_view content) {
    const std::string path = folder_ + "/" + std::string(name);
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static void expect_error(const Result<std::shared_ptr<ByteSource>>& r, Errc code, std::string_view part) {
    ASSERT_FALSE(r) << part;
    EXPECT_EQ(r.error().code, code) << r.error().message;
    EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
  }
  std::string folder_;
};

TEST_F(Files, MapsWhatStandsThere) {
  const std::string path = write("a", "some bytes");
  auto r = ByteSource::open(Context(), path);
  ASSERT_TRUE(r) << r.error().message;
  const ByteSource& source = **r;
  EXPECT_TRUE(source.is_mapped());
  EXPECT_EQ(source.path(), path);
  EXPECT_EQ(std::memcmp(source.bytes().data(), "some bytes", 10), 0);
  EXPECT_EQ(source.bytes().size(), 10u);
  std::filesystem::remove(path);  // the mapping keeps the bytes
  EXPECT_EQ(source.bytes()[9], std::byte{'s'});
}

TEST_F(Files, RefusalsAreClear) {
  const Context context;
  expect_error(ByteSource::open(context, folder_ + "/none"), Errc::not_found, "No such file");
  expect_error(ByteSource::open(context, write("a", "x") + "/b"), Errc::not_found, "Not a directory");
  expect_error(ByteSource::open(context, folder_), Errc::invalid_argument, "is a directory");
  expect_error(ByteSource::open(context, write("empty", "")), Errc::corrupt_data, "is empty");
  expect_error(ByteSource::open(context, ""), Errc::invalid_argument, "path is empty");
  expect_error(ByteSource::open(context, std::string_view("a\0b", 3)), Errc::invalid_argument, "NUL");
  expect_error(ByteSource::open(context, "/dev/null"), Errc::invalid_argument, "device");
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ByteSource::open(context, pipe), Errc::invalid_argument, "pipe");  // and doesn't wait for a writer
  if (geteuid() != 0) {
    const std::string locked = write("locked", "x");
    std::filesystem::permissions(locked, std::filesystem::perms::none);
    expect_error(ByteSource::open(context, locked), Errc::io_error, "Permission denied");
  }
}

size_t resident_pages(std::span<const std::byte> bytes) {
  // /proc/self/smaps would be exact; VmRSS of the file mapping suffices for a test of megabytes.
  std::ifstream smaps("/proc/self/smaps");
  const auto from = reinterpret_cast<uintptr_t>(bytes.data());
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && line.find(':') > 20) inside = begin <= from && from < end;
    size_t kb = 0;
    if (inside && std::sscanf(line.c_str(), "Rss: %zu kB", &kb) == 1) return kb * 1024 / static_cast<size_t>(sysconf(_SC_PAGESIZE));
  }
  return 0;
}

TEST_F(Files, DroppedPagesLeaveMemoryAndComeBackFromTheFile) {
  const std::string content(8 << 20, 'm');
  auto r = ByteSource::map(write("big", content));
  ASSERT_TRUE(r);
  const auto bytes = (*r)->bytes();
  ASSERT_EQ(std::memcmp(bytes.data(), content.data(), content.size()), 0);
  const size_t before = resident_pages(bytes);
  if (before == 0) GTEST_SKIP() << "no smaps on this system";
  (*r)->drop(bytes.subspan(100, 10));  // no whole page: nothing happens
  EXPECT_EQ(resident_pages(bytes), before);
  (*r)->drop(bytes.subspan(1, bytes.size() - 1));
  EXPECT_LE(resident_pages(bytes), 1u);  // the first page is only partly in the range
  (*r)->prefetch(bytes);
  EXPECT_EQ(std::memcmp(bytes.data(), content.data(), content.size()), 0);
  (*r)->drop(std::as_bytes(std::span<const char>(content)));  // not ours: ignored
  EXPECT_EQ(content[1 << 20], 'm');
}

TEST_F(Files, BorrowedBytesAreLeftAlone) {
  std::string content(1 << 20, 'b');
  const auto source = ByteSource::borrow(std::as_bytes(std::span<const char>(content)), "name");
  source->drop(source->bytes());
  source->prefetch(source->bytes());
  EXPECT_EQ(content[1 << 19], 'b');
  EXPECT_EQ(source->path(), "name");
  EXPECT_FALSE(source->is_mapped());
}

TEST(FilesThroughAReader, BytesComeFromTheHost) {
  FakeReader reader;
  reader.files["pak:model"] = "content";
  CountingAllocator allocator;
  ContextOptions options;
  options.reader = &reader;
  options.allocator = &allocator;
  const Context context(options);
  {
    auto r = ByteSource::open(context, "pak:model");
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_EQ(std::memcmp((*r)->bytes().data(), "content", 7), 0);
    EXPECT_EQ(allocator.bytes_out, 7u);
    (*r)->drop((*r)->bytes());
    EXPECT_EQ((*r)->bytes()[6], std::byte{'t'});
  }
  auto missing = ByteSource::open(context, "other");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  reader.claimed = 100;
  auto shrunk = ByteSource::open(context, "pak:model");
  ASSERT_FALSE(shrunk);
  EXPECT_EQ(shrunk.error().code, Errc::io_error);
  reader.claimed = ~uint64_t{0};
  EXPECT_FALSE(ByteSource::open(context, "pak:model"));
  EXPECT_EQ(allocator.bytes_out, 0u);
}

// Refuses each of the allocator's requests once while a split GGUF model is read through a Reader.
TEST(FilesThroughAReader, EachAllocationFailsOnce) {
  FakeReader reader;
  for (int i = 0; i < 3; ++i) {
    gguf_test::FileBuilder f;
    f.u16("split.no", static_cast<uint16_t>(i)).u16("split.count", 3).tensor(fmt::format("t{}", i), {4}, 0, 16, 1);
    reader.files[fmt::format("m-{:05}-of-00003.gguf", i + 1)] = f.bytes();
  }
  for (int fail = 0;; ++fail) {
    ASSERT_LT(fail, 100);
    CountingAllocator allocator(fail);
    ContextOptions options;
    options.reader = &reader;
    options.allocator = &allocator;
    const Context context(options);
    const auto read = [&]() -> Result<GgufFile> {
      MAINSPRING_TRY(auto source, ByteSource::open(context, "m-00001-of-00003.gguf"));
      return read_gguf(std::move(source), [&](const std::string& path) { return ByteSource::open(context, path); });
    };
    const auto r = read();
    if (r) {
      EXPECT_EQ(fail, 3);  // one request for each file
      EXPECT_EQ(r->tensors.size(), 3u);
      break;
    }
    EXPECT_EQ(r.error().code, Errc::out_of_memory) << r.error().message;
  }
}

}  // namespace
