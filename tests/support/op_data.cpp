#include "support/op_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <numeric>

#include "quant/half.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace mainspring::inline v0::optest {

uint64_t Random::next() {  // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
double Random::normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform()); }
int64_t Random::below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }

Shape shape_of(const Dims& dims, const std::vector<int64_t>& symbols) {
  Shape s;
  for (const Dim& d : dims) s.push_back(d.at(symbols));
  return s;
}

namespace {

/// A cache in q8_0: where its heads and their scales lie.
struct Q8Cache {
  int64_t d, groups, heads;
  bool values;
  Q8Cache(const Shape& shape, StateKind state)
      : d(shape[state == StateKind::kv_values ? 3 : 2]), groups(kv_groups(d)), heads(shape[0] * shape[1]), values(state == StateKind::kv_values) {}
  static bool is(DType dtype, StateKind state) { return dtype == DType::q8_0 && is_kv(state); }
  template <class Bytes> auto* head(Bytes& bytes, int64_t h) const { return bytes.data() + h * kv_head_bytes(DType::q8_0, d); }
  int64_t elements() const { return d * kKvBlock; }
  int64_t scales() const { return groups * kKvBlock; }
  /// The scale of element i of a head.
  int64_t scale_of(int64_t i) const { return values ? i / d * groups + i % d / kKvGroup : i / kKvBlock / kKvGroup * kKvBlock + i % kKvBlock; }
};

}  // namespace

int64_t outer_bytes(DType dtype, const Shape& shape, StateKind state) {
  if (Q8Cache::is(dtype, state)) return shape[1] * kv_head_bytes(dtype, Q8Cache(shape, state).d);
  const int64_t k = shape.back();
  const int64_t row = is_quantised_rows(dtype) ? static_cast<int64_t>(quantised_row_bytes(dtype, k)) : k / info_of(dtype).block * info_of(dtype).bytes;
  if (shape.rank() < 2) return shape.rank() == 1 ? info_of(dtype).bytes : row;
  int64_t n = row;
  for (int i = 1; i + 1 < shape.rank(); ++i) n *= shape[i];
  return n;
}

int64_t bytes_of(DType dtype, const Shape& shape, StateKind state) {
  if (shape.rank() == 0) return info_of(dtype).bytes;
  if (shape.rank() == 1 && info_of(dtype).block > 1)
    return is_quantised_rows(dtype) ? static_cast<int64_t>(quantised_row_bytes(dtype, shape[0])) : shape[0] / info_of(dtype).block * info_of(dtype).bytes;
  return shape[0] * outer_bytes(dtype, shape, state);
}

std::vector<float> Data::floats() const {
  std::vector<float> out(static_cast<size_t>(shape.elements()));
  if (out.empty()) return out;
  if (dtype == DType::i32) {
    std::transform(as<int32_t>(), as<int32_t>() + out.size(), out.begin(), [](int32_t i) { return static_cast<float>(i); });
  } else if (is_quantised_rows(dtype)) {
    const int64_t k = shape.back(), stride = static_cast<int64_t>(quantised_row_bytes(dtype, k));
    for (int64_t r = 0; r < shape.elements() / k; ++r) decode_quantised_row(dtype, bytes.data() + r * stride, k, out.data() + r * k);
  } else if (Q8Cache::is(dtype, state)) {
    const Q8Cache c(shape, state);
    for (int64_t h = 0; h < c.heads; ++h) {
      const auto* q = reinterpret_cast<const int8_t*>(c.head(bytes, h));
      const auto* scales = reinterpret_cast<const float*>(q + c.elements());
      for (int64_t i = 0; i < c.elements(); ++i) out[static_cast<size_t>(h * c.elements() + i)] = static_cast<float>(q[i]) * scales[c.scale_of(i)];
    }
  } else {
    format_of(dtype)->decode(bytes.data(), shape.elements(), out.data());
  }
  return out;
}

namespace {

template <class T>
Data make(DType dtype, std::initializer_list<int64_t> shape, const std::vector<T>& values) {
  Data d{dtype, Shape(shape), std::vector<std::byte>(values.size() * sizeof(T))};
  if (!values.empty()) std::memcpy(d.bytes.data(), values.data(), d.bytes.size());
  return d;
}

/// Puts an f16 scale into a random block of a format without an encoder.
void set_scale(DType dtype, std::byte* block, double scale) {
  const uint16_t h = f32_to_f16(static_cast<float>(scale));
  if (dtype == DType::iq1_m) {  // the scale's four nibbles are the top ones of the four words of sub-scales, at the block's end
    for (int i = 0; i < 4; ++i) {
      std::byte& top = block[48 + 2 * i + 1];
      top = (top & std::byte{0x0f}) | static_cast<std::byte>((h >> (4 * i) & 15) << 4);
    }
    return;
  }
  std::memcpy(block, &h, 2);
}

float special(Random& random) {
  constexpr float values[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(), 1e30f, -1e30f, 88.8f, -103.9f, 1e-30f};
  return values[random.below(std::size(values))];
}

float draw(Fill fill, Random& random) {
  constexpr float odd[] = {-0.0f, 0.0f, 1e-40f, -1.5e-42f};
  switch (fill) {
    case Fill::unit: return static_cast<float>(random.uniform() * 0.998 + 0.001);
    case Fill::negative: return static_cast<float>(-(random.uniform() * 0.998 + 0.001));
    case Fill::wide: return static_cast<float>(random.normal() * 20);
    case Fill::special: return random.below(3) == 0 ? special(random) : static_cast<float>(random.normal() * 20);
    default: return random.below(32) == 0 ? odd[random.below(4)] : static_cast<float>(random.normal());
  }
}

void fill_positions(Data& d, std::span<const Segment> segments) {
  for (const Segment& s : segments)
    for (int32_t t = 0; t < s.rows; ++t) d.as<int32_t>()[s.first_row + t] = s.first_position + t;
}

void fill_ids(Data& d, int64_t limit, Random& random) {
  const int64_t width = d.shape.rank() > 1 ? d.shape.back() : 1;
  std::vector<int32_t> pool(static_cast<size_t>(limit));
  std::iota(pool.begin(), pool.end(), 0);
  for (int64_t i = 0; i < d.shape.elements(); ++i) {
    const int64_t j = i % width;
    if (j < limit) std::swap(pool[static_cast<size_t>(j)], pool[static_cast<size_t>(j + random.below(limit - j))]);
    d.as<int32_t>()[i] = pool[static_cast<size_t>(j % limit)];
  }
}

}  // namespace

Data data_of(std::initializer_list<int64_t> shape, const std::vector<float>& values) { return make(DType::f32, shape, values); }
Data data_of(std::initializer_list<int64_t> shape, const std::vector<int32_t>& values) { return make(DType::i32, shape, values); }

Data make_weights(DType dtype, const Shape& shape, double scale, Random& random) {
  const BlockFormat* format = format_of(dtype);
  Data d{dtype, shape, std::vector<std::byte>(static_cast<size_t>(bytes_of(dtype, shape)))};
  if (format->encode) {
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(random.normal() * scale);
    if (!format->encode(values.data(), shape.elements(), d.bytes.data())) ADD_FAILURE() << "no encoding in " << format->name;
    return d;
  }
  for (std::byte& b : d.bytes) b = static_cast<std::byte>(random.next() >> 56);
  for (size_t at = 0; at < d.bytes.size(); at += static_cast<size_t>(format->bytes)) {
    const double drawn = scale * (0.5 + random.uniform()) / 16;  // quants times sub-scales reach the tens
    set_scale(dtype, d.bytes.data() + at, random.below(2) ? drawn : -drawn);
  }
  return d;
}

Data make_data(const In& in, const std::vector<int64_t>& symbols, std::span<const Segment> segments, Random& random) {
  const Shape shape = shape_of(in.dims, symbols);
  if (!in.present) {
    Data none;
    none.present = false;
    return none;
  }
  if (in.weight && in.dtype != DType::f32) return make_weights(in.dtype, shape, 1 / std::sqrt(static_cast<double>(shape.back())), random);
  Data d{in.dtype, shape, std::vector<std::byte>(static_cast<size_t>(bytes_of(in.dtype, shape, in.state))), true, in.state};
  if (in.fill == Fill::positions) {
    fill_positions(d, segments);
  } else if (in.fill == Fill::ids) {
    fill_ids(d, in.limit, random);
  } else if (in.dtype == DType::i32) {
    for (int64_t i = 0; i < shape.elements(); ++i) d.as<int32_t>()[i] = static_cast<int32_t>(random.below(1000)) - 500;
  } else if (in.dtype == DType::boolean) {
    for (int64_t i = 0; i < shape.elements(); ++i) d.as<uint8_t>()[i] = random.below(3) != 0;
  } else if (Q8Cache::is(in.dtype, in.state)) {
    const Q8Cache c(shape, in.state);
    for (int64_t h = 0; h < c.heads; ++h) {
      auto* q = reinterpret_cast<int8_t*>(c.head(d.bytes, h));
      auto* scales = reinterpret_cast<float*>(q + c.elements());
      for (int64_t i = 0; i < c.elements(); ++i) q[i] = static_cast<int8_t>(random.below(255) - 127);
      for (int64_t i = 0; i < c.scales(); ++i) scales[i] = static_cast<float>(random.uniform() * 0.03);
    }
  } else if (is_quantised_rows(in.dtype)) {
    std::vector<float> row(static_cast<size_t>(shape.back()));
    for (int64_t r = 0; r < shape.elements() / shape.back(); ++r) {
      for (float& v : row) v = draw(in.fill, random);
      quantise_row(in.dtype, row.data(), shape.back(), d.bytes.data() + r * static_cast<int64_t>(quantised_row_bytes(in.dtype, shape.back())));
    }
  } else {
    for (int64_t i = 0; i < shape.elements(); ++i) {
      const float v = draw(in.fill, random);
      if (in.dtype == DType::f16) d.as<uint16_t>()[i] = f32_to_f16(v);
      else if (in.dtype == DType::bf16) d.as<uint16_t>()[i] = f32_to_bf16(v);
      else d.as<float>()[i] = v;
    }
  }
  return d;
}

Data perturbed(const Data& d, double size, Random& random) {
  Data out = d;
  auto moved = [&](float x) { return static_cast<float>(static_cast<double>(x) * (1 + (random.next() >> 63 ? size : -size))); };
  if (d.dtype == DType::f32) {
    for (int64_t i = 0; i < d.shape.elements(); ++i) out.as<float>()[i] = moved(d.as<float>()[i]);
  } else if (d.dtype == DType::f16) {
    for (int64_t i = 0; i < d.shape.elements(); ++i) out.as<uint16_t>()[i] = f32_to_f16(moved(f16_to_f32(d.as<uint16_t>()[i])));
  } else if (Q8Cache::is(d.dtype, d.state)) {
    const Q8Cache c(d.shape, d.state);
    for (int64_t h = 0; h < c.heads; ++h) {
      auto* scales = reinterpret_cast<float*>(c.head(out.bytes, h) + c.elements());
      for (int64_t i = 0; i < c.scales(); ++i) scales[i] = moved(scales[i]);
    }
  } else if (is_quantised_rows(d.dtype)) {
    const int64_t k = d.shape.back(), stride = static_cast<int64_t>(quantised_row_bytes(d.dtype, k)), planes = d.dtype == DType::q16_rows ? 2 : 1;
    for (int64_t r = 0; r < d.shape.elements() / k; ++r) {
      float* scales = reinterpret_cast<float*>(out.bytes.data() + r * stride + planes * k);
      for (int64_t b = 0; b < k / 32; ++b) scales[b] = moved(scales[b]);
    }
  }
  return out;
}

}  // namespace mainspring::inline v0::optest
