#include "import/gguf.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "tests/import/gguf_bytes.h"

namespace {

using namespace mainspring;
using gguf_test::Bytes;
using gguf_test::FileBuilder;
using gguf_test::sample;
using gguf_test::source_of;
using Type = MetaValue::Type;

Result<GgufFile> parse(const std::string& bytes) { return read_gguf(source_of(bytes)); }

void expect_error(const std::string& bytes, Errc code, std::string_view part) {
  const auto r = parse(bytes);
  ASSERT_FALSE(r) << "expected: " << part;
  EXPECT_EQ(r.error().code, code) << r.error().message;
  EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
}

TEST(Gguf, ReadsEveryMetadataType) {
  const std::string bytes = sample().bytes();
  auto r = parse(bytes);
  ASSERT_TRUE(r) << r.error().message;
  const Metadata& m = r->metadata;
  EXPECT_EQ(r->version, 3u);
  EXPECT_EQ(r->alignment, 32u);
  EXPECT_EQ(m.entries().size(), 18u);
  EXPECT_EQ(m.entries()[0].key, "a.u8");  // file order
  EXPECT_EQ(m.find("a.u8")->as_int(), 200);
  EXPECT_EQ(m.find("a.i8")->as_int(), -3);
  EXPECT_EQ(m.find("a.u16")->as_int(), 60000);
  EXPECT_EQ(m.find("a.i16")->as_int(), -300);
  EXPECT_EQ(m.find("a.u32")->as_int(), 4000000000);
  EXPECT_EQ(m.find("a.i32")->as_int(), -70000);
  EXPECT_EQ(m.find("a.u64")->as_int(), std::nullopt);
  EXPECT_EQ(m.find("a.u64")->bits, ~uint64_t{0});
  EXPECT_EQ(m.find("a.i64")->as_int(), INT64_MIN);
  EXPECT_EQ(m.find("a.f32")->as_float(), 0.5);
  EXPECT_EQ(m.find("a.f64")->as_float(), -1e300);
  EXPECT_EQ(m.find("a.bool")->as_bool(), true);
  EXPECT_EQ(m.find("a.string")->as_string(), "gr\xc3\xbc\xc3\x9f dich");
  EXPECT_EQ(m.find("a.bytes")->as_string(), std::string_view("\xff\x00\xfe", 3));
  EXPECT_EQ(m.find("a.empty")->as_string(), "");
  EXPECT_EQ(m.find("a.nothing"), nullptr);
}

TEST(Gguf, ReadsArrays) {
  const std::string bytes = sample().bytes();
  auto r = parse(bytes);
  ASSERT_TRUE(r) << r.error().message;
  const MetaValue& tokens = *r->metadata.find("tokens");
  EXPECT_EQ(tokens.element, Type::string);
  ASSERT_EQ(tokens.strings.size(), 4u);
  EXPECT_EQ(tokens.strings[1], "");
  EXPECT_EQ(tokens.at(3).as_string(), "\xe2\x96\x81world");
  EXPECT_GE(tokens.strings[2].data(), bytes.data());  // a view of the file, not a copy
  EXPECT_LT(tokens.strings[2].data(), bytes.data() + bytes.size());
  const MetaValue& scores = *r->metadata.find("scores");
  EXPECT_EQ(scores.count, 3u);
  EXPECT_EQ(scores.at(1).as_float(), -2.0);
  EXPECT_EQ(r->metadata.find("none")->count, 0u);
  const MetaValue& nested = *r->metadata.find("nested");
  ASSERT_EQ(nested.nested.size(), 2u);
  EXPECT_EQ(nested.nested[0].at(1).as_int(), -1);
  EXPECT_EQ(nested.at(1).strings[0], "x");
}

TEST(Gguf, ReadsTensorsWithShapesOuterToInner) {
  const std::string bytes = sample().bytes();
  auto r = parse(bytes);
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->tensors.size(), 4u);
  const GgufTensor* t = r->find("w.f32");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->dtype, DType::f32);
  EXPECT_EQ(t->shape, (Shape{2, 3}));
  EXPECT_EQ(t->bytes.size(), 24u);
  EXPECT_EQ(t->bytes[23], std::byte{1});
  t = r->find("w.q4_0");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->dtype, DType::q4_0);
  EXPECT_EQ(t->bytes.size(), 72u);
  EXPECT_EQ(t->bytes[0], std::byte{2});
  EXPECT_EQ(r->find("w.scalar")->shape.rank(), 0);
  EXPECT_EQ(r->find("w.scalar")->bytes.size(), 4u);
  EXPECT_EQ(r->find("w"), nullptr);
  EXPECT_EQ(r->find("zzz"), nullptr);
}

TEST(Gguf, VocabularyOnlyNeedsNoDataSection) {
  FileBuilder f;
  f.string("general.architecture", "llama");
  auto r = parse(f.bytes());
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_TRUE(r->tensors.empty());
  EXPECT_EQ(r->find("x"), nullptr);
}

TEST(Gguf, VersionsAndByteOrder) {
  FileBuilder f = sample();
  f.version = 2;
  const std::string two = f.bytes();
  auto r = parse(two);
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->version, 2u);
  f.version = 0;
  expect_error(f.bytes(), Errc::corrupt_data, "version 0");
  f.version = 1;
  expect_error(f.bytes(), Errc::unsupported, "version 1");
  f.version = 4;
  expect_error(f.bytes(), Errc::unsupported, "version 4");
  f.version = 0x03000000;
  expect_error(f.bytes(), Errc::unsupported, "big-endian");
  std::string not_gguf = sample().bytes();
  not_gguf[3] = 'f';
  expect_error(not_gguf, Errc::corrupt_data, "'GGUF'");
  expect_error("GG", Errc::corrupt_data, "'GGUF'");
  EXPECT_FALSE(read_gguf(nullptr));
}

TEST(Gguf, AlignmentIsObeyed) {
  FileBuilder f;
  f.alignment = 256;
  f.u32("general.alignment", 256).tensor("a", {1}, 0, 4, 7).tensor("b", {1}, 0, 4, 8);
  const std::string bytes = f.bytes();
  auto r = parse(bytes);
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->alignment, 256u);
  EXPECT_EQ(r->find("b")->bytes[0], std::byte{8});
  for (uint32_t bad : {0u, 3u, 24u, 0xffffffffu}) {
    FileBuilder g;
    g.u32("general.alignment", bad);
    expect_error(g.bytes(), Errc::corrupt_data, "power of two");
  }
  FileBuilder text;
  text.string("general.alignment", "32");
  expect_error(text.bytes(), Errc::corrupt_data, "not an integer");
  FileBuilder off;
  off.info("a", {1}, 0, 4).data.assign(64, 'x');
  expect_error(off.bytes(), Errc::corrupt_data, "multiple of the alignment");
}

// general.alignment 1 is a power of two, and lets an f32 tensor begin at an odd byte.
TEST(Gguf, MisalignedElementsAreRefused) {
  bool refused = false, read = false;
  for (size_t pad = 0; pad < 4; ++pad) {
    FileBuilder f;
    f.alignment = 1;
    f.u32("general.alignment", 1).string("pad", std::string(pad, 'x')).tensor("a", {1}, 0, 4, 7);
    const std::string bytes = f.bytes();
    const auto r = parse(bytes);
    if (r) {
      read = true;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(r->tensors[0].bytes.data()) % 4, 0u);
    } else {
      refused = true;
      EXPECT_EQ(r.error().code, Errc::corrupt_data) << r.error().message;
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(read);
}

TEST(Gguf, BorrowedBytesAtAnOddAddressAreRefused) {
  FileBuilder f;
  f.tensor("a", {1}, 0, 4, 7);
  const std::string shifted = "x" + f.bytes();
  const auto r = read_gguf(ByteSource::borrow(std::as_bytes(std::span<const char>(shifted)).subspan(1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument) << r.error().message;
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string whole = sample().bytes();
  ASSERT_TRUE(parse(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);  // its own allocation: a sanitizer sees an overread
    const auto r = parse(cut);
    ASSERT_FALSE(r) << n << " of " << whole.size() << " bytes";
    EXPECT_EQ(r.error().code, Errc::corrupt_data) << n << ": " << r.error().message;
    EXPECT_FALSE(r.error().message.empty());
  }
}

// Any byte, any change: an error or a file whose views lie inside the bytes.
TEST(Gguf, FlippedBytesNeverEscape) {
  const std::string whole = sample().bytes();
  const size_t header = whole.find("w.scalar") + 40;
  for (size_t at = 0; at < header; ++at) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff, -1}) {
      std::string bytes = whole;
      bytes[at] = value < 0 ? static_cast<char>(bytes[at] ^ 1) : static_cast<char>(value);
      const auto r = parse(bytes);
      if (!r) continue;
      const char* end = bytes.data() + bytes.size();
      for (const GgufTensor& t : r->tensors) {
        const char* p = reinterpret_cast<const char*>(t.bytes.data());
        ASSERT_TRUE(p >= bytes.data() && p + t.bytes.size() <= end) << at;
        const DTypeInfo info = info_of(t.dtype);
        ASSERT_EQ(static_cast<size_t>(t.shape.elements() / info.block * info.bytes), t.bytes.size()) << at;
      }
      for (const auto& e : r->metadata.entries()) ASSERT_EQ(r->metadata.find(e.key), &e.value);
    }
  }
}

TEST(Gguf, HugeClaimsAllocateNothing) {
  FileBuilder f;
  f.n_keys = uint64_t{1} << 60;
  expect_error(f.bytes(), Errc::corrupt_data, "keys are claimed");
  FileBuilder t;
  t.n_tensors = uint64_t{1} << 60;
  expect_error(t.bytes(), Errc::corrupt_data, "tensors are claimed");
  for (Type element : {Type::string, Type::array, Type::u8, Type::f64}) {
    for (uint64_t count : {uint64_t{1} << 27, uint64_t{1} << 61, ~uint64_t{0}}) {
      FileBuilder a;
      a.key("big", Type::array).type(element).put(count);
      a.keys.data.append(1000, '\0');
      expect_error(a.bytes(), Errc::corrupt_data, "an array claims");
    }
  }
  FileBuilder s;
  s.key("big", Type::string).put(~uint64_t{0} - 3);
  s.keys.data.append(100, '\0');
  expect_error(s.bytes(), Errc::corrupt_data, "ends too early");
}

TEST(Gguf, LimitsBoundSparseFiles) {
  FileBuilder deep;
  Bytes& b = deep.key("deep", Type::array);
  for (int i = 0; i < 1000; ++i) b.type(Type::array).put(uint64_t{1});
  b.type(Type::u8).put(uint64_t{0});
  expect_error(deep.bytes(), Errc::unsupported, "nested more than");
  FileBuilder wide;
  wide.key("wide", Type::array).type(Type::array).put(uint64_t{100000});
  for (int i = 0; i < 100000; ++i) wide.keys.type(Type::u8).put(uint64_t{0});
  expect_error(wide.bytes(), Errc::unsupported, "arrays inside arrays");
}

TEST(Gguf, BadTensorsAreRefused) {
  struct Case { std::vector<int64_t> extents; uint32_t type; uint64_t offset; Errc code; const char* part; };
  const Case cases[] = {
      {{4, 0}, 0, 0, Errc::corrupt_data, "dimension 1 is 0"},
      {{-4}, 0, 0, Errc::corrupt_data, "dimension 0 is -4"},
      {{INT64_MAX, 2}, 0, 0, Errc::corrupt_data, "overflows"},
      {{INT64_MAX}, 0, 0, Errc::corrupt_data, "behind the end"},
      {{1, 1, 1, 1, 1}, 0, 0, Errc::corrupt_data, "5 dimensions"},
      {{33}, 2, 0, Errc::corrupt_data, "multiple of 32"},
      {{}, 2, 0, Errc::corrupt_data, "multiple of 32"},
      {{128}, 12, 0, Errc::corrupt_data, "multiple of 256"},
      {{1}, 4, 0, Errc::unsupported, "tensor type 4"},
      {{1}, 9, 0, Errc::unsupported, "tensor type 9"},
      {{1}, 0xffffffff, 0, Errc::unsupported, "tensor type 4294967295"},
      {{1}, 0, 64, Errc::corrupt_data, "behind the end"},
      {{16}, 0, 32, Errc::corrupt_data, "behind the end"},
      {{1}, 0, ~uint64_t{0} - 31, Errc::corrupt_data, "behind the end"},
  };
  for (const Case& c : cases) {
    FileBuilder f;
    f.info("some.name", c.extents, c.type, c.offset).data.assign(64, 'x');
    expect_error(f.bytes(), c.code, c.part);
    expect_error(f.bytes(), c.code, "some.name");
  }
  FileBuilder nameless;
  nameless.tensor("", {1}, 0, 4, 1);
  expect_error(nameless.bytes(), Errc::corrupt_data, "name is empty");
}

TEST(Gguf, DuplicatesAreCorrupt) {
  FileBuilder keys;
  keys.u32("x", 1).u32("y", 2).u32("x", 3);
  expect_error(keys.bytes(), Errc::corrupt_data, "'x' stands twice");
  FileBuilder tensors;
  tensors.tensor("t", {1}, 0, 4, 1).tensor("u", {1}, 0, 4, 1).tensor("t", {1}, 0, 4, 1);
  expect_error(tensors.bytes(), Errc::corrupt_data, "'t' stands twice");
  FileBuilder nameless;
  nameless.u32("", 1);
  expect_error(nameless.bytes(), Errc::corrupt_data, "is empty");
}

TEST(Gguf, BadValueTypesAreCorrupt) {
  FileBuilder f;
  f.key("k", static_cast<Type>(13)).put(uint64_t{0});
  expect_error(f.bytes(), Errc::corrupt_data, "value type 13");
  FileBuilder a;
  a.key("k", Type::array).type(static_cast<Type>(99)).put(uint64_t{0});
  expect_error(a.bytes(), Errc::corrupt_data, "value type 99");
}

TEST(Gguf, NamesInMessagesArePrintable) {
  FileBuilder f;
  f.u32("a\n\xff", 1).u32("a\n\xff", 1);
  expect_error(f.bytes(), Errc::corrupt_data, "'a?\?' stands");
  FileBuilder g;
  g.u32(std::string(5000, 'k'), 1).u32(std::string(5000, 'k'), 1);
  const auto r = parse(g.bytes());
  ASSERT_FALSE(r);
  EXPECT_LT(r.error().message.size(), 300u);
}

// ---- split files ----------------------------------------------------------------------------------------------------------------

class SplitFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainspring-gguf-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (int i = 0; i < 3; ++i) {
      FileBuilder f;
      f.u16("split.no", static_cast<uint16_t>(i)).u16("split.count", 3).i32("split.tensors.count", 4);
      if (i == 0) f.string("general.name", "whole");
      f.tensor(fmt::format("t{}", i), {4}, 0, 16, static_cast<char>(i + 1));
      if (i == 2) f.tensor("last", {32}, 8, 34, 9);
      parts_[i] = f;
    }
    write_all();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(int number) const { return fmt::format("{}/m-{:05}-of-00003.gguf", folder_, number); }
  void write(int i) { std::ofstream(path(i + 1), std::ios::binary) << parts_[i].bytes(); }
  void write_all() {
    for (int i = 0; i < 3; ++i) write(i);
  }
  static Result<std::shared_ptr<ByteSource>> map(const std::string& p) { return ByteSource::map(p); }
  Result<GgufFile> read(int number = 1) {
    MAINSPRING_TRY(auto source, ByteSource::map(path(number)));
    return read_gguf(std::move(source), map);
  }
  void expect_refusal(Errc code, std::string_view part) {
    const auto r = read();
    ASSERT_FALSE(r) << part;
    EXPECT_EQ(r.error().code, code) << r.error().message;
    EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
  }
  std::string folder_;
  FileBuilder parts_[3];
};

TEST_F(SplitFiles, AllPartsAreRead) {
  auto r = read();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->sources.size(), 3u);
  ASSERT_EQ(r->tensors.size(), 4u);
  EXPECT_EQ(r->find("t1")->source, 1);
  EXPECT_EQ(r->find("t1")->bytes[15], std::byte{2});
  EXPECT_EQ(r->find("last")->source, 2);
  EXPECT_EQ(r->metadata.find("general.name")->as_string(), "whole");
}

TEST_F(SplitFiles, ThroughAReaderOfTheHost) {
  const std::string bytes[3] = {parts_[0].bytes(), parts_[1].bytes(), parts_[2].bytes()};
  std::vector<std::string> asked;
  const auto open = [&](const std::string& p) -> Result<std::shared_ptr<ByteSource>> {
    asked.push_back(p);
    return source_of(bytes[asked.size()], p);
  };
  auto r = read_gguf(source_of(bytes[0], "archive:m-00001-of-00003.gguf"), open);
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(asked, (std::vector<std::string>{"archive:m-00002-of-00003.gguf", "archive:m-00003-of-00003.gguf"}));
  EXPECT_EQ(r->tensors.size(), 4u);
}

TEST_F(SplitFiles, OnlyTheFirstOneOpensAModel) {
  const auto r = read(2);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument);
  EXPECT_NE(r.error().message.find("part 2 of 3"), std::string::npos) << r.error().message;
}

TEST_F(SplitFiles, NameMustFollowThePattern) {
  const std::string other = folder_ + "/renamed.gguf";
  std::filesystem::copy(path(1), other);
  const auto r = read_gguf(*ByteSource::map(other), map);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument);
  EXPECT_NE(r.error().message.find("-00001-of-00003.gguf"), std::string::npos) << r.error().message;
}

TEST_F(SplitFiles, AWayToOpenTheOthersIsNeeded) {
  const auto r = read_gguf(*ByteSource::map(path(1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::invalid_argument) << r.error().message;
}

TEST_F(SplitFiles, MissingPart) {
  std::filesystem::remove(path(2));
  expect_refusal(Errc::not_found, "00002-of-00003");
}

TEST_F(SplitFiles, PartsThatContradict) {
  parts_[1] = parts_[2];
  write(1);
  expect_refusal(Errc::corrupt_data, "split.no is 2, expected 1");
  parts_[1] = FileBuilder();
  parts_[1].u32("a", 1);
  write(1);
  expect_refusal(Errc::corrupt_data, "split.no is missing");
  parts_[1] = FileBuilder();
  parts_[1].u16("split.no", 1).u16("split.count", 5);
  write(1);
  expect_refusal(Errc::corrupt_data, "split.count is 5");
  parts_[1] = FileBuilder();
  parts_[1].u16("split.no", 1);
  write(1);
  expect_refusal(Errc::corrupt_data, "split.tensors.count is 4");
  parts_[1].tensor("t0", {4}, 0, 16, 1);
  write(1);
  expect_refusal(Errc::corrupt_data, "'t0' stands twice");
}

TEST_F(SplitFiles, BadCounts) {
  parts_[0] = FileBuilder();
  parts_[0].i32("split.no", 0).i32("split.count", -2);
  write(0);
  expect_refusal(Errc::corrupt_data, "split.count is -2");
  parts_[0] = FileBuilder();
  parts_[0].u16("split.count", 3);
  write(0);
  expect_refusal(Errc::corrupt_data, "split.no is missing");
  parts_[0] = FileBuilder();
  parts_[0].string("split.count", "3");
  write(0);
  expect_refusal(Errc::corrupt_data, "not an integer");
  parts_[0] = FileBuilder();
  parts_[0].u16("split.no", 0).u16("split.count", 1);
  write(0);
  EXPECT_TRUE(read());
}

}  // namespace
