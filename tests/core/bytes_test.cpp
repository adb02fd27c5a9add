#include "core/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "mainspring/types.h"

namespace {

using namespace mainspring;

std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span<const char>(s.data(), s.size())); }

TEST(Bytes, ReadsLittleEndianAtAnyAddress) {
  const std::string_view raw("\x01\x02\x03\x04\x05\x06\x07\x08\x09\xff\xfe\xff\x00\x00\xc0\x3f", 16);
  ByteReader in(bytes_of(raw));
  EXPECT_EQ(*in.read<uint8_t>(), 1);
  EXPECT_EQ(*in.read<uint64_t>(), 0x0908070605040302u);  // unaligned
  EXPECT_EQ(*in.read<int8_t>(), -1);
  EXPECT_EQ(*in.read<int16_t>(), -2);
  EXPECT_EQ(in.offset(), 12u);
  EXPECT_EQ(*in.read<float>(), 1.5f);
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(Bytes, AFailedReadMovesNothing) {
  ByteReader in(bytes_of("abc"));
  const auto r = in.read<uint32_t>();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::corrupt_data);
  EXPECT_EQ(r.error().message, "ends too early: 4 bytes are wanted at offset 0, 3 remain");
  EXPECT_EQ(in.offset(), 0u);
  EXPECT_FALSE(in.take(std::numeric_limits<uint64_t>::max()));
  EXPECT_FALSE(in.seek(4));
  EXPECT_TRUE(in.seek(3));
  EXPECT_FALSE(in.read<uint8_t>());
  EXPECT_TRUE(in.take(0));
}

TEST(Bytes, TakeGivesViews) {
  const std::string_view raw = "hello world";
  ByteReader in(bytes_of(raw));
  const auto text = in.take_text(5);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "hello");
  EXPECT_EQ(text->data(), raw.data());
}

TEST(Metadata, FindsByNameInFileOrder) {
  Metadata m;
  for (std::string_view key : {"zeta", "alpha", "mid", "al"}) {
    MetaValue v;
    v.text = key;
    v.type = MetaValue::Type::string;
    m.add(key, v);
  }
  ASSERT_TRUE(m.seal());
  EXPECT_EQ(m.entries()[0].key, "zeta");
  for (const auto& e : m.entries()) EXPECT_EQ(m.find(e.key), &e.value);
  for (std::string_view missing : {"", "a", "alphabet", "zz"}) EXPECT_EQ(m.find(missing), nullptr) << missing;
}

TEST(Metadata, ADuplicateIsNamed) {
  Metadata m;
  for (std::string_view key : {"a", "b", "c", "b"}) m.add(key, {});
  std::string_view twice;
  EXPECT_FALSE(m.seal(&twice));
  EXPECT_EQ(twice, "b");
  Metadata empty;
  EXPECT_TRUE(empty.seal());
  EXPECT_EQ(empty.find("a"), nullptr);
}

}  // namespace
