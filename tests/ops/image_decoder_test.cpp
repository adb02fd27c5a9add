// ImageDecoder: small files written by hand, damaged ones, formats that are not read.
#include <gtest/gtest.h>

#include "core/buffer.h"
#include "core/buffer.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

using Pixels = std::vector<int>;

class Call final : public DynamicCall {
 public:
  Call(std::span<const Datum> i, std::span<Datum> o, const Attrs& a) : DynamicCall(i, o, a) {}
  Result<Tensor> make(DType dtype, const Shape& shape) override { return Tensor::make(system_allocator(), dtype, shape); }
  Result<Tensor> make_strings(std::span<const std::string_view>, const Shape&) override { return Error{Errc::internal, "not asked for"}; }
  Result<std::vector<Datum>> run_body(size_t, std::span<const Datum>) override { return Error{Errc::internal, "not asked for"}; }
  Result<void> go_on() override { return {}; }
};

struct Picture {
  std::string error;
  Shape shape;
  Pixels pixels;
};
Picture decoded(std::string_view file, const char* format = "RGB") {
  const std::vector<char> exact(file.begin(), file.end());  // so that tools see a read behind its end
  const Datum in[] = {*Tensor::borrow_bytes(DType::u8, {static_cast<int64_t>(exact.size())}, const_cast<char*>(exact.data()), exact.size())};
  Datum out[1];
  const Attrs attrs{{"pixel_format", std::string(format)}};
  Call call(in, out, attrs);
  const auto done = find_op("ImageDecoder")->dynamic(call);
  if (!done) return {done.error().message, {}, {}};
  const auto bytes = std::as_const(out[0].tensor).span<uint8_t>();
  return {"", out[0].tensor.shape(), Pixels(bytes.begin(), bytes.end())};
}
std::string number(uint32_t n, int bytes) {
  std::string s;
  for (; bytes > 0; --bytes, n >>= 8) s += static_cast<char>(n & 255);
  return s;
}
std::string bmp(uint32_t width, int32_t height, uint32_t bits, std::string_view palette, std::string_view rows) {
  return "BM" + number(0, 8) + number(static_cast<uint32_t>(54 + palette.size()), 4) + number(40, 4) + number(width, 4) + number(static_cast<uint32_t>(height), 4) + number(1, 2) + number(bits, 2) +
         number(0, 16) + number(static_cast<uint32_t>(palette.size() / 4), 4) + number(0, 4) + std::string(palette) + std::string(rows);
}
std::string tiff(uint32_t second_strip) {  // 2 × 2 of one channel in two strips of a row
  std::string s = "II" + number(42, 2) + number(8, 4) + number(7, 2);
  const auto tag = [&s](uint32_t which, uint32_t n, uint32_t value) { s += number(which, 2) + number(4, 2) + number(n, 4) + number(value, 4); };
  tag(256, 1, 2), tag(257, 1, 2), tag(258, 1, 8), tag(262, 1, 1), tag(273, 2, 98), tag(277, 1, 1), tag(278, 1, 1);
  return s + number(0, 4) + number(106, 4) + number(second_strip, 4) + "\x01\x02\x03\x04";
}

TEST(ImageDecoder, Pnm) {
  EXPECT_EQ(decoded("P6\n#c\n2 1 255\n\x01\x02\x03\x04\x05\x06").pixels, (Pixels{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(decoded("P6\n2 1 255\n\x01\x02\x03\x04\x05\x06", "BGR").pixels, (Pixels{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(decoded("P3 1 2 15\n15 0 3 #c\n 1 2 99").pixels, (Pixels{255, 0, 51, 17, 34, 255}));
  EXPECT_EQ(decoded("P5 2 1 255\n\x07\x09", "Grayscale").pixels, (Pixels{7, 9}));
  EXPECT_EQ(decoded(std::string_view("P5 1 1 65535\n\x80\x00", 15)).pixels, (Pixels{128, 128, 128}));
  EXPECT_EQ(decoded("P1 3 1 1 0\n1", "Grayscale").pixels, (Pixels{0, 255, 0}));
  EXPECT_EQ(decoded("P4 9 1\n\x80\x80", "Grayscale").pixels, (Pixels{0, 255, 255, 255, 255, 255, 255, 255, 0}));
}

TEST(ImageDecoder, Bmp) {
  const std::string two("\x01\x02\x03\x04\x05\x06\x00\x00\x07\x08\x09\x0a\x0b\x0c\x00\x00", 16);
  EXPECT_EQ(decoded(bmp(2, 2, 24, "", two)).pixels, (Pixels{9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));  // the last row comes first
  EXPECT_EQ(decoded(bmp(2, -2, 24, "", two), "BGR").pixels, (Pixels{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(decoded(bmp(1, 1, 32, "", "\x01\x02\x03\x04")).pixels, (Pixels{3, 2, 1}));
  const std::string colours("\x01\x02\x03\x00\x04\x05\x06\x00", 8);
  EXPECT_EQ(decoded(bmp(3, 1, 4, colours, std::string("\x01\xf0\x00\x00", 4))).pixels, (Pixels{3, 2, 1, 6, 5, 4, 6, 5, 4}));  // beyond the palette: its last
  EXPECT_NE(decoded(bmp(1, 1, 16, "", "\x01\x02\x03\x04")).error.find("BMP"), std::string::npos);
}

TEST(ImageDecoder, Tiff) {
  EXPECT_EQ(decoded(tiff(108), "Grayscale").pixels, (Pixels{1, 2, 3, 4}));
  EXPECT_NE(decoded(tiff(109)).error.find("TIFF"), std::string::npos);
}

TEST(ImageDecoder, DamagedFilesHaveNoPixels) {
  const std::string whole[] = {"P6 2 1 255\n\x01\x02\x03\x04\x05\x06", bmp(1, 1, 24, "", std::string("\x01\x02\x03\x00", 4)), tiff(108)};
  for (const std::string& file : whole)
    for (size_t n = 0; n < file.size(); ++n) {
      const Picture p = decoded(file.substr(0, n));
      if (p.error.empty()) { EXPECT_EQ(p.shape, (Shape{0, 0, 3})) << file.substr(0, 2) << " of " << n << " bytes"; }
    }
  for (const char* file : {"", "?", "P6 99999999999999999999 1 255\n", "P6 1073741824 1073741824 255\n", "P5 -1 1 255\n\x01", "P5 1 1 0\n\x01", "P1 9 1 1 0"}) EXPECT_EQ(decoded(file).shape, (Shape{0, 0, 3})) << file;
  EXPECT_EQ(decoded(bmp(0x7fffffff, INT32_MIN, 32, "", "\x01")).shape, (Shape{0, 0, 3}));
  EXPECT_EQ(decoded(bmp(1, 1, 8, "", std::string(8, '\0'))).shape[2], 3);
  EXPECT_EQ(decoded("?", "Grayscale").shape, (Shape{0, 0, 1}));
}

TEST(ImageDecoder, NamesFormatsThatItDoesNotRead) {
  for (const auto& [file, name] : std::initializer_list<std::pair<std::string_view, const char*>>{{"\xff\xd8\xff\xe0", "JPEG"}, {"\x89PNG\r\n", "PNG"}, {"RIFFabcdWEBP", "WebP"}, {"abcdjP  ", "JPEG 2000"}})
    EXPECT_NE(decoded(file).error.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace mainspring::inline v0
