// What the qgemm tests share: weights as random blocks, activations as q8_rows, a run with red zones, and a reference in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/qgemm/qgemm.h"
#include "quant/half.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace qgemm_test {

using namespace mainspring;

/// The kernels that can run in this process: by cpuid, and all of them in the lane that emulates instruction sets.
inline std::vector<const QgemmKernel*> usable_kernels() {
#if defined(MAINSPRING_EMULATE_ISA)
  const IsaSet isa{~0u};
#else
  request_tiles();
  const IsaSet isa = detect_isa();
#endif
  std::vector<const QgemmKernel*> out;
  for (const QgemmKernel& k : qgemm_kernels())
    if (isa.has(k.isa)) out.push_back(&k);
  return out;
}

/// Where a format keeps its f16 scales; random bytes there would give weights without bound. Not iq1_m's, see put_scales.
inline std::vector<int> scale_offsets(DType t) {
  switch (t) {
    case DType::q4_1: case DType::q5_1: case DType::q4_k: case DType::q5_k: return {0, 2};
    case DType::q2_k: return {80, 82};
    case DType::q3_k: return {108};
    case DType::q6_k: return {208};
    case DType::tq1_0: return {52};
    case DType::tq2_0: return {64};
    case DType::mxfp4: case DType::iq1_m: return {};
    default: return {0};
  }
}

/// Gives a block the f16 scales next().
template <class Next>
void put_scales(DType t, std::byte* block, Next next) {
  for (int o : scale_offsets(t)) {
    const uint16_t h = f32_to_f16(next());
    std::memcpy(block + o, &h, 2);
  }
  if (t != DType::iq1_m) return;
  const uint16_t h = f32_to_f16(next());  // four bits in the top of each 16-bit word
  for (int i = 0; i < 4; ++i) block[49 + 2 * i] = (block[49 + 2 * i] & std::byte{15}) | static_cast<std::byte>((h >> 4 * i & 15) << 4);
}

struct Bytes : std::vector<std::byte> {
  using std::vector<std::byte>::vector;
};

/// A 64-byte aligned buffer whose contents begin as 0xa5.
class Aligned {
 public:
  explicit Aligned(size_t n) : store_(n + 64, std::byte{0xa5}) {
    const auto at = reinterpret_cast<uintptr_t>(store_.data());
    offset_ = (64 - at % 64) % 64;
  }
  std::byte* data() { return store_.data() + offset_; }

 private:
  std::vector<std::byte> store_;
  size_t offset_ = 0;
};

/// `rows` weight rows of k in format t: every byte random, the scales of moderate size and either sign. scale 0 makes them all zero.
inline Bytes random_weights(DType t, int64_t rows, int64_t k, uint32_t seed, float scale = 0.01f) {
  std::mt19937 rng(seed);
  const DTypeInfo info = info_of(t);
  Bytes w(static_cast<size_t>(rows * k / info.block * info.bytes));
  for (std::byte& b : w) b = static_cast<std::byte>(rng());
  for (size_t at = 0; at < w.size(); at += static_cast<size_t>(info.bytes)) {
    put_scales(t, w.data() + at, [&] { return scale * (static_cast<float>(rng() % 2001) - 1000) / 1000; });
    if (t == DType::mxfp4) w[at] = static_cast<std::byte>(scale == 0 ? 0 : 112 + rng() % 12);
  }
  return w;
}

struct Activations {
  int64_t rows, k;
  Aligned bytes;
  DType dtype = DType::q8_rows;
  int64_t stride() const { return static_cast<int64_t>(quantised_row_bytes(dtype, k)); }
  std::byte* row(int64_t r) { return bytes.data() + r * stride(); }
};

inline Activations random_activations(int64_t rows, int64_t k, uint32_t seed, DType dtype = DType::q8_rows) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * k));
  for (float& v : x) v = normal(rng);
  Activations a{rows, k, Aligned(static_cast<size_t>(rows) * quantised_row_bytes(dtype, k)), dtype};
  for (int64_t r = 0; r < rows; ++r) quantise_row(dtype, x.data() + r * k, k, a.row(r));
  return a;
}

/// Rows whose bytes are all one value, with d = 1: q, or 257 * q where they are q16_rows.
inline Activations constant_activations(int64_t rows, int64_t k, int q, bool alternate, DType dtype = DType::q8_rows) {
  Activations a{rows, k, Aligned(static_cast<size_t>(rows) * quantised_row_bytes(dtype, k)), dtype};
  const int planes = dtype == DType::q16_rows ? 2 : 1, value = planes == 2 ? 257 * q : q;
  for (int64_t r = 0; r < rows; ++r) {
    auto* v = reinterpret_cast<int8_t*>(a.row(r));
    auto* d = reinterpret_cast<float*>(a.row(r) + planes * k);
    float* s = d + k / 32;
    for (int64_t i = 0; i < planes * k; ++i) v[i] = static_cast<int8_t>(alternate && i % 2 ? -q : q);
    for (int64_t b = 0; b < k / 32; ++b) d[b] = 1;
    for (int64_t b = 0; b < k / 16; ++b) s[b] = alternate ? 0.0f : static_cast<float>(16 * value);
  }
  return a;
}

struct Packed {
  const QgemmKernel* kernel;
  int64_t outputs, k;
  Aligned panels;  ///< or source rows
  /// What a run of panels from `first` on begins with.
  std::byte* panel(int64_t first) {
    const DTypeInfo info = info_of(kernel->weight);
    return panels.data() + first * (kernel->codes ? kernel->width * (k / info.block * info.bytes) : static_cast<int64_t>(kernel->panel_bytes(k)));
  }
};

inline Packed pack_weights(const QgemmKernel& kernel, const Bytes& w, int64_t outputs, int64_t k) {
  if (kernel.codes) {
    Packed rows{&kernel, outputs, k, Aligned(w.size())};
    std::copy(w.begin(), w.end(), rows.panels.data());
    return rows;
  }
  const size_t row_bytes = w.size() / static_cast<size_t>(outputs), panel = kernel.panel_bytes(k);
  Packed p{&kernel, outputs, k, Aligned(static_cast<size_t>(kernel.panel_count(outputs)) * panel)};
  for (int64_t i = 0; i < kernel.panel_count(outputs); ++i)
    kernel.pack(w.data() + static_cast<size_t>(i * kernel.width) * row_bytes, row_bytes, std::min<int64_t>(kernel.width, outputs - i * kernel.width), k,
                p.panels.data() + static_cast<size_t>(i) * panel);
  return p;
}

constexpr int kRedZone = 19;
constexpr uint32_t kRedBits = 0x7fc0beef;

/// y of rows [first, first + n) as bits, packed; false in *clean where something outside the valid outputs and the scratch was written.
inline std::vector<uint32_t> run_rows(Packed& p, Activations& x, int64_t first, int64_t n, bool* clean, const float* bias = nullptr,
                                      bool with_scratch = true) {
  const size_t scratch_bytes = qgemm_scratch_bytes(p.kernel->width, p.k);
  Aligned scratch(scratch_bytes + kRedZone);
  const int64_t stride = p.outputs + kRedZone;
  std::vector<uint32_t> y(static_cast<size_t>(kRedZone + n * stride), kRedBits);
  (*p.kernel)({.panels = p.panels.data(), .x = x.row(first), .x_stride = x.stride(), .y = reinterpret_cast<float*>(y.data() + kRedZone),
               .y_stride = stride, .bias = bias, .k = p.k, .rows = n, .panels_count = p.kernel->panel_count(p.outputs), .outputs = p.outputs, .wide = x.dtype == DType::q16_rows,
               .scratch = with_scratch ? scratch.data() : nullptr});
  std::vector<uint32_t> out;
  *clean = std::all_of(scratch.data() + scratch_bytes, scratch.data() + scratch_bytes + kRedZone, [](std::byte b) { return b == std::byte{0xa5}; });
  *clean = *clean && std::all_of(y.begin(), y.begin() + kRedZone, [](uint32_t v) { return v == kRedBits; });
  for (int64_t r = 0; r < n; ++r) {
    const auto row = y.begin() + kRedZone + r * stride;
    out.insert(out.end(), row, row + p.outputs);
    *clean = *clean && std::all_of(row + p.outputs, row + stride, [](uint32_t v) { return v == kRedBits; });
  }
  return out;
}

inline float float_of(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

/// What an output should be, and how far off f32 arithmetic may be: 2^-24 for each operation of the chain, times the size of the terms.
/// A term is at most 4 * max|w| * |x| in its block: codes without their offset or min reach twice the largest weight, and so do offsets.
struct Expected {
  double value, tolerance;
};
inline Expected expected(DType t, const std::byte* row, const Activations& x, const std::byte* x_row) {
  std::vector<float> w(static_cast<size_t>(x.k)), a(static_cast<size_t>(x.k));
  format_of(t)->decode(row, x.k, w.data());
  decode_quantised_row(x.dtype, x_row, x.k, a.data());
  double value = 0, size = 0;
  for (size_t b = 0; b < w.size(); b += 32) {
    double w_max = 0, x_sum = 0;
    for (size_t i = b; i < b + 32; ++i) {
      value += static_cast<double>(w[i]) * static_cast<double>(a[i]);
      w_max = std::max(w_max, std::abs(static_cast<double>(w[i])));
      x_sum += std::abs(static_cast<double>(a[i]));
    }
    size += 4 * w_max * x_sum;
  }
  const double operations = static_cast<double>(x.k) / 32 * 4 + 8;
  return {value, 0x1p-24 * operations * size};
}

}  // namespace qgemm_test
