// ImageDecoder(bytes u8 [n]) -> u8 [height, width, channels]      attr pixel_format RGB | BGR | Grayscale (one channel)
//   Formats without compression: PNM (P1 to P6), BMP (palettes of 1, 4 and 8 bits, 24 and 32 bits), TIFF (8 bits, one run of pixels). The others are
//   unsupported. A damaged file is an image of no pixels, as ONNX says. No more pixels are made than the bytes hold.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "ops/nn/numbers.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kOp = "ImageDecoder";
constexpr std::string_view kPixelFormats[] = {"RGB", "BGR", "Grayscale"};
using Bytes = std::span<const uint8_t>;

/// Where the samples of a picture lie. A sample of one channel is grey, or an entry of the palette.
struct Raster {
  Bytes pixels;             ///< from the first row on; of plain text what stands behind the head
  int64_t width = 0, height = 0, channels = 1;
  int bits = 8;             ///< of a sample: 1, 4, 8 or 16 (high byte first)
  int64_t row_bytes = 0;
  int64_t most = 255;       ///< a sample's largest value
  bool bottom_up = false, blue_first = false, inverted = false, text = false;
  Bytes palette = {};       ///< of four bytes: blue, green, red, nothing

  bool holds() const {
    constexpr int64_t kMost = int64_t{1} << 30;
    if (width < 1 || height < 1 || width > kMost || height > kMost || most < 1) return false;
    const auto n = static_cast<int64_t>(pixels.size());
    if (text) return width * channels <= n / height;  // a digit each
    return (width * channels * bits + 7) / 8 <= row_bytes && row_bytes <= n && height <= n / row_bytes;
  }
  int64_t sample(int64_t y, int64_t i) const {
    const uint8_t* row = pixels.data() + (bottom_up ? height - 1 - y : y) * row_bytes;
    if (bits == 16) return row[2 * i] * 256 + row[2 * i + 1];
    const int64_t bit = i * bits;
    return row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1);
  }
};

/// Reads numbers of a text one after the other; a comment goes from # to the line's end.
struct Words {
  Bytes bytes;
  size_t at = 0;
  static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  bool skip() {
    for (bool comment = false; at < bytes.size(); ++at) {
      comment = comment ? bytes[at] != '\n' : bytes[at] == '#';
      if (!comment && !is_space(bytes[at])) return true;
    }
    return false;
  }
  /// -1: there is none. A single digit where `digit`.
  int64_t number(bool digit = false) {
    if (!skip()) return -1;
    const char* begin = reinterpret_cast<const char*>(bytes.data() + at);
    const char* end = reinterpret_cast<const char*>(bytes.data() + bytes.size());
    if (digit) end = begin + 1;
    int64_t n = 0;
    const auto [stop, error] = std::from_chars(begin, end, n);
    if (error != std::errc() || n < 0) return -1;
    at += static_cast<size_t>(stop - begin);
    return n;
  }
};

/// Whole numbers of a file, low or high byte first; 0 beyond its end.
struct Fields {
  Bytes bytes;
  bool high_first = false;
  int64_t get(size_t at, size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    uint32_t n = 0;
    for (size_t i = 0; i < size; ++i) n = n << 8 | bytes[at + (high_first ? i : size - 1 - i)];
    return n;
  }
  Bytes from(int64_t at) const { return bytes.subspan(std::min(static_cast<size_t>(at), bytes.size())); }
};

Raster pnm(Bytes bytes) {
  const int kind = bytes[1] - '0';
  Words words{bytes, 2};
  Raster r;
  r.width = words.number();
  r.height = words.number();
  r.inverted = kind == 1 || kind == 4;  // 1 is black
  r.most = r.inverted ? 1 : words.number();
  r.channels = kind == 3 || kind == 6 ? 3 : 1;
  r.text = kind <= 3;
  r.bits = r.inverted ? 1 : r.most > 255 ? 16 : 8;
  if (r.most > 65535) r.most = 0;
  r.pixels = bytes.subspan(std::min(words.at + (r.text ? 0 : 1), bytes.size()));  // one space behind the head
  if (r.width < (int64_t{1} << 30)) r.row_bytes = (r.width * r.channels * r.bits + 7) / 8;
  return r;
}

Result<Raster> bmp(Bytes bytes) {
  const Fields f{bytes};
  const int64_t head = f.get(14, 4), bits = f.get(28, 2), how = f.get(30, 4), colours = f.get(46, 4);
  if (head < 40) return unsupported("{}: a BMP with a head of {} bytes", kOp, head);
  const bool masks = how == 3 && bits == 32 && f.get(54, 4) == 0xff0000 && f.get(58, 4) == 0xff00 && f.get(62, 4) == 0xff;  // as without them
  if ((how != 0 && !masks) || bits == 16) return unsupported("{}: a BMP of {} bits with compression {}", kOp, bits, how);
  Raster r;
  r.width = f.get(18, 4);
  r.height = static_cast<int32_t>(f.get(22, 4));
  r.bottom_up = r.height > 0;
  r.height = std::abs(r.height);
  r.blue_first = true;
  r.channels = bits >= 24 ? bits / 8 : 1;
  r.bits = static_cast<int>(bits >= 24 ? 8 : bits);
  if (bits != 1 && bits != 4 && bits != 8 && bits != 24 && bits != 32) return Raster{};
  if (r.width < (int64_t{1} << 30)) r.row_bytes = (r.width * bits + 31) / 32 * 4;
  r.pixels = f.from(f.get(10, 4));
  if (r.channels == 1) {
    r.palette = f.from(14 + head);
    r.palette = r.palette.first(std::min(r.palette.size(), static_cast<size_t>(std::min<int64_t>(colours == 0 ? 256 : colours, int64_t{1} << r.bits)) * 4));
    if (r.palette.size() < 4) return Raster{};
  }
  return r;
}

Result<Raster> tiff(Bytes bytes) {
  const Fields f{bytes, bytes[0] == 'M'};
  /// A tag's list of numbers of 16 or 32 bits.
  struct Tag {
    size_t at = 0, size = 0;
    int64_t n = 0;
  };
  const auto find = [&f](int64_t which) {
    const auto directory = static_cast<size_t>(f.get(4, 4));
    for (int64_t k = 0, n = f.get(directory, 2); k < n; ++k) {
      const size_t at = directory + 2 + static_cast<size_t>(k) * 12;
      if (f.get(at, 2) != which) continue;
      Tag t{at + 8, f.get(at + 2, 2) == 3 ? size_t{2} : size_t{4}, f.get(at + 4, 4)};
      if (t.n * static_cast<int64_t>(t.size) > 4) t.at = static_cast<size_t>(f.get(at + 8, 4));
      return t;
    }
    return Tag{};
  };
  const auto item = [&f](const Tag& t, int64_t i) { return f.get(t.at + static_cast<size_t>(i) * t.size, t.size); };
  const auto first = [&](int64_t which, int64_t otherwise) {
    const Tag t = find(which);
    return t.n > 0 ? item(t, 0) : otherwise;
  };
  Raster r;
  r.width = first(256, 0);
  r.height = first(257, 0);
  r.channels = first(277, 1);
  const bool known = r.channels == 1 ? first(262, 0) == 1 : (r.channels == 3 || r.channels == 4) && first(262, 0) == 2;
  if (!known || first(259, 1) != 1 || first(258, 1) != 8 || first(284, 1) != 1)
    return unsupported("{}: a TIFF with compression {}, {} bits a sample, {} channels", kOp, first(259, 1), first(258, 1), r.channels);
  const Tag strips = find(273);
  r.row_bytes = r.width * r.channels;
  const int64_t pixels = strips.n > 0 ? item(strips, 0) : 0;
  if (pixels >= 8) r.pixels = f.from(pixels);  // behind the head; 0 where the list is cut off
  if (!r.holds()) return Raster{};
  const int64_t rows = std::clamp<int64_t>(first(278, r.height), 1, r.height);
  for (int64_t i = 1; i < (r.height + rows - 1) / rows; ++i)
    if (i >= strips.n || item(strips, i) != item(strips, i - 1) + rows * r.row_bytes) return unsupported("{}: a TIFF whose rows lie apart", kOp);
  return r;
}

/// Errors: unsupported, with the format's name. What no known format begins like is a picture of no pixels.
Result<Raster> read(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto begins = [&text](std::string_view with, size_t at = 0) { return text.size() >= at && text.substr(at).starts_with(with); };
  if (text.size() > 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '6') return pnm(bytes);
  if (begins("BM")) return bmp(bytes);
  if (begins(std::string_view("II*\0", 4)) || begins(std::string_view("MM\0*", 4))) return tiff(bytes);
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {{"\xff\xd8\xff", "JPEG"}, {"\x89PNG", "PNG"}, {"\xff\x4f\xff\x51", "JPEG 2000"}, {"P7", "PAM"}, {"PF", "PFM"}, {"Pf", "PFM"}};
  for (const auto& [magic, name] : kOthers)
    if (begins(magic)) return unsupported("{}: {} is not read", kOp, name);
  if (begins("jP  ", 4)) return unsupported("{}: JPEG 2000 is not read", kOp);
  if (begins("RIFF") && begins("WEBP", 8)) return unsupported("{}: WebP is not read", kOp);
  return Raster{};
}

Result<size_t> pixel_format(const Attrs& attrs) { return choice_attr(kOp, attrs, "pixel_format", "RGB", kPixelFormats); }

Result<std::vector<ValueInfo>> infer_ImageDecoder(const OpCall& c) {
  MAINSPRING_TRY(const size_t format, pixel_format(c.attrs));
  MAINSPRING_TRY(const ValueInfo* x, need(kOp, c, 0, "encoded_stream"));
  MAINSPRING_TRY_VOID(want_rank(kOp, *x, "encoded_stream", 1, 1));
  if (x->dtype != DType::u8) return invalid("{}: the stream is {}, expected u8", kOp, name_of(x->dtype));
  return one(tensor_of(DType::u8, {Dim::unknown(), Dim::unknown(), Dim(format == 2 ? 1 : 3)}));
}

Result<void> dynamic_ImageDecoder(DynamicCall& c) {
  MAINSPRING_TRY(const size_t format, pixel_format(c.attrs));
  if (c.in.empty() || !c.in[0].is_tensor()) return invalid("{}: no stream", kOp);
  MAINSPRING_TRY(Raster r, read(c.in[0].tensor.span<uint8_t>()));
  if (!r.holds()) r = {};
  const int64_t channels = format == 2 ? 1 : 3;
  MAINSPRING_TRY(Tensor image, c.make(DType::u8, {r.height, r.width, channels}));
  uint8_t* to = reinterpret_cast<uint8_t*>(image.data());
  Words words{r.pixels};
  for (int64_t y = 0; y < r.height; ++y) {
    MAINSPRING_TRY_VOID(c.go_on());
    for (int64_t x = 0; x < r.width; ++x, to += channels) {
      int64_t colour[4] = {};
      for (int64_t k = 0; k < r.channels; ++k) colour[k] = std::clamp<int64_t>(r.text ? words.number(r.bits == 1) : r.sample(y, x * r.channels + k), 0, r.palette.empty() ? r.most : 255);
      if (!r.palette.empty()) {
        const auto entry = static_cast<size_t>(std::min<int64_t>(colour[0], static_cast<int64_t>(r.palette.size()) / 4 - 1)) * 4;
        for (size_t k = 0; k < 3; ++k) colour[k] = r.palette[entry + k];
      } else {
        for (int64_t k = 0; k < r.channels; ++k) colour[k] = (colour[k] * 255 + r.most / 2) / r.most;
        if (r.inverted) colour[0] = 255 - colour[0];
        if (r.channels == 1) colour[1] = colour[2] = colour[0];
      }
      if (r.blue_first) std::swap(colour[0], colour[2]);
      if (format == 1) std::swap(colour[0], colour[2]);
      if (format == 2) to[0] = static_cast<uint8_t>((colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 32768) >> 16);
      for (int64_t k = 0; k < 3 && format != 2; ++k) to[k] = static_cast<uint8_t>(colour[k]);
    }
  }
  c.out[0] = Datum(std::move(image));
  return {};
}

}  // namespace

constinit const OpDef op_ImageDecoder{.name = kOp, .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_ImageDecoder, .dynamic = dynamic_ImageDecoder};

}  // namespace mainspring::inline v0
