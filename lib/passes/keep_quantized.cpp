// What a file stores as small integers stays so. A product of f32 with a matrix that is (code - zero point) · scale (Cast, Sub, Mul; DequantizeLinear;
// com.microsoft.MatMulNBits) becomes block_linear with weights of blocks of 32: q4_0, q5_0 or q8_0, whichever holds all differences exactly. Rows gathered
// from such a table are gathered first and scaled then. Before fold_constants, which would make floats of it all.
//
// Scales: one for an output stands beside the product, exactly, and those of the blocks are 1. Scales of their own are kept as f16, divided by a power of two
// that the blocks of an output share: what was f16 in the file stays exact, else a scale moves by 2^-12 of itself at most.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/tensor.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "quant/q4_q5_q8.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kBlock = 32;

/// Numbers of a constant spread over the elements (o, i) of a matrix [n, k]: number o / o_block · o_stride + i / i_block · i_stride of it. Without data: `otherwise`.
struct Spread {
  DType dtype = DType::f32;
  const std::byte* data = nullptr;
  double otherwise = 0;
  int64_t o_stride = 0, i_stride = 0, o_block = 1, i_block = 1;
  int64_t per_byte = 1;  ///< more than 1: unsigned codes, that many a byte, the first in the lowest bits

  double at(int64_t o, int64_t i) const {
    if (data == nullptr) return otherwise;
    const int64_t index = o / o_block * o_stride + i / i_block * i_stride;
    if (per_byte == 1) return load(dtype, data, index);
    const int64_t bits = 8 / per_byte;
    return static_cast<double>(std::to_integer<int>(data[index / per_byte]) >> (index % per_byte * bits) & ((1 << bits) - 1));
  }
  /// Whether a stretch of kBlock that begins at a multiple of it has one number.
  bool by_block() const { return i_stride == 0 || i_block % kBlock == 0; }
  Spread turned() const {
    Spread s = *this;
    std::swap(s.o_stride, s.i_stride);
    std::swap(s.o_block, s.i_block);
    return s;
  }
};

struct Stored {
  int64_t n = 0, k = 0;
  Spread code, scale, zero;
  Stored turned() const { return {k, n, code.turned(), scale.turned(), zero.turned()}; }
};

bool one_byte(DType t) { return t == DType::i8 || t == DType::u8 || t == DType::i4 || t == DType::u4 || t == DType::i2 || t == DType::u2; }
/// A weight as a matrix of integers of at most a byte.
bool is_codes(const Rewrite& r, ValueId v, size_t rank = 2) {
  return r.is_weight(v) && one_byte(r.value(v).dtype) && r.value(v).dims.size() >= rank && constant(r.value(v).dims) && !r.value(v).bytes.empty();
}
bool is_scale(const Rewrite& r, ValueId v) { return r.is_weight(v) && r.value(v).dtype == DType::f32 && constant(r.value(v).dims) && !r.value(v).bytes.empty(); }

/// A constant that broadcasts to [rows, columns], read as [o, i] = [row, column].
std::optional<Spread> broadcast_to(const Value& v, int64_t rows, int64_t columns) {
  Spread s{v.dtype, v.bytes.data()};
  const size_t rank = v.dims.size();
  for (size_t i = 0; i + 2 < rank; ++i)
    if (v.dims[i] != Dim(1)) return std::nullopt;
  const int64_t c = rank > 0 ? v.dims[rank - 1].times : 1, w = rank > 1 ? v.dims[rank - 2].times : 1;
  if ((c != 1 && c != columns) || (w != 1 && w != rows)) return std::nullopt;
  s.i_stride = c == 1 ? 0 : 1;
  s.o_stride = w == 1 ? 0 : c;
  return s;
}

/// What Mul(Cast(w), scale) and Mul(Sub(Cast(w), zero), scale) are made of.
struct Scaled {
  ValueId codes = kNone, scale = kNone, zero = kNone;
};
std::optional<Scaled> scaled(const Rewrite& r, const Node& mul, size_t rank) {
  if (mul.op != "Mul" || mul.in.size() != 2) return std::nullopt;
  for (size_t k = 0; k < 2; ++k) {
    Scaled s{.scale = r.now(mul.in[1 - k])};
    const Node* from = r.maker(mul.in[k]);
    if (from == nullptr || !is_scale(r, s.scale)) continue;
    if (from->op == "Sub") {
      s.zero = r.now(from->in[1]);
      if (const Node* cast = r.maker(s.zero); cast != nullptr && cast->op == "Cast") s.zero = r.now(cast->in[0]);
      if (!r.is_weight(s.zero) || !constant(r.value(s.zero).dims)) continue;
      from = r.maker(from->in[0]);
    }
    if (from == nullptr || from->op != "Cast" || r.value(from->out[0]).dtype != DType::f32) continue;
    s.codes = r.now(from->in[0]);
    if (is_codes(r, s.codes, rank)) return s;
  }
  return std::nullopt;
}

/// A matrix [rows, columns] of codes, as [o, i] = [row, column].
std::optional<Stored> stored(const Rewrite& r, ValueId v) {
  const Node* n = r.maker(v);
  if (n == nullptr) return std::nullopt;
  if (n->op == "Transpose") {
    const auto of = stored(r, n->in[0]);
    const auto perm = n->attrs.is("perm");
    if (!of || !(perm.empty() || (perm.size() == 2 && perm[0] == 1 && perm[1] == 0))) return std::nullopt;
    return of->turned();
  }
  Scaled of;
  const bool linear = n->op == "DequantizeLinear";
  if (linear) {
    of = {r.now(n->in[0]), r.now(n->in[1]), n->in.size() > 2 ? r.now(n->in[2]) : kNone};
    if (!is_codes(r, of.codes) || !is_scale(r, of.scale) || (of.zero != kNone && !r.is_weight(of.zero)) || r.value(v).dtype != DType::f32) return std::nullopt;
  } else if (const auto found = scaled(r, *n, 2)) {
    of = *found;
  } else {
    return std::nullopt;
  }
  const Value &w = r.value(of.codes), &scale = r.value(of.scale);
  if (w.dims.size() != 2) return std::nullopt;
  const int64_t rows = w.dims[0].times, columns = w.dims[1].times;
  Stored s{rows, columns, *broadcast_to(w, rows, columns), {}, {}};
  const int64_t block = linear ? n->attrs.i("block_size") : 0;
  const int64_t axis = linear ? (n->attrs.i("axis", 1) + 2) % 2 : 1;
  const auto spread = [&](const Value& x) -> std::optional<Spread> {
    auto to = block == 0 ? broadcast_to(x, rows, columns) : std::optional(Spread{x.dtype, x.bytes.data()});
    if (block != 0) {
      to->o_stride = x.dims[1].times;
      to->i_stride = 1;
      (axis == 0 ? to->o_block : to->i_block) = block;
    } else if (linear && axis == 0 && x.dims.size() == 1 && x.dims[0] != Dim(1)) {
      to = Spread{x.dtype, x.bytes.data(), 0, 1, 0};
    }
    return to;
  };
  if (block != 0 && (scale.dims.size() != 2 || block < 0)) return std::nullopt;
  const auto scales = spread(scale), zeros = of.zero == kNone ? std::optional(Spread{}) : spread(r.value(of.zero));
  if (!scales || !zeros) return std::nullopt;
  s.scale = *scales;
  s.zero = *zeros;
  return s;
}

/// B of MatMulNBits.
std::optional<Stored> stored_bits(const Rewrite& r, const Node& n) {
  const auto in = [&](size_t i) { return i < n.in.size() ? r.now(n.in[i]) : kNone; };
  const int64_t bits = n.attrs.i("bits", 4), k = n.attrs.i("K"), block = n.attrs.i("block_size");
  if (!r.is_weight(in(1)) || !is_scale(r, in(2)) || in(4) != kNone || (in(3) != kNone && !r.is_weight(in(3))) || (bits != 4 && bits != 8)) return std::nullopt;
  const int64_t blocks = (k + block - 1) / block, per_byte = 8 / bits;
  Stored s{n.attrs.i("N"), k, {}, {}, {}};
  s.code = {.dtype = DType::u8, .data = r.value(in(1)).bytes.data(), .o_stride = blocks * block, .i_stride = 1, .per_byte = per_byte};
  s.scale = {.dtype = DType::f32, .data = r.value(in(2)).bytes.data(), .o_stride = blocks, .i_stride = 1, .i_block = block};
  s.zero.otherwise = bits == 4 ? 8 : 128;
  if (in(3) == kNone) return s;
  const Value& zero = r.value(in(3));
  const bool packed = zero.dtype == DType::u8;
  s.zero = {.dtype = zero.dtype, .data = zero.bytes.data(), .o_stride = packed ? (blocks + per_byte - 1) / per_byte * per_byte : blocks, .i_stride = 1, .i_block = block, .per_byte = packed ? per_byte : 1};
  return s;
}

/// The codes of outputs [from, from + count) and kBlock k from i on, to rows k apart. What lies output by output is read in that order.
void put_codes(const Spread& code, int64_t from, int64_t count, int64_t i, int64_t k, std::byte* to) {
  if (code.per_byte > 1) {
    for (int64_t o = 0; o < count; ++o)
      for (int64_t j = 0; j < kBlock; ++j) to[o * k + j] = static_cast<std::byte>(static_cast<int>(code.at(from + o, i + j)));
  } else if (code.i_stride == 1) {
    for (int64_t o = 0; o < count; ++o) std::memcpy(to + o * k, code.data + (from + o) * code.o_stride + i, kBlock);
  } else {
    for (int64_t j = 0; j < kBlock; ++j) {
      const std::byte* column = code.data + from * code.o_stride + (i + j) * code.i_stride;
      for (int64_t o = 0; o < count; ++o) to[o * k + j] = column[o * code.o_stride];
    }
  }
}

struct Differences {
  std::vector<int8_t> all;  ///< code - zero, [n, k]; empty where one is no integer of a signed byte
  int least = 0, most = 0;
};

Differences differences(const Stored& s) {
  constexpr int64_t kOutputs = 64;  // as many bytes as a line has
  Differences d;
  d.all.resize(static_cast<size_t>(s.n * s.k));
  const bool is_signed = s.code.per_byte == 1 && is_signed_int(s.code.dtype);
  for (int64_t i = 0; i < s.k; i += kBlock)
    for (int64_t from = 0; from < s.n; from += kOutputs) {
      const int64_t count = std::min(kOutputs, s.n - from);
      int8_t* to = d.all.data() + from * s.k + i;
      put_codes(s.code, from, count, i, s.k, reinterpret_cast<std::byte*>(to));
      for (int64_t o = 0; o < count; ++o, to += s.k) {
        const double zero = s.zero.at(from + o, i);
        if (!(std::abs(zero) <= 256) || zero != std::floor(zero)) return {};
        const int less = static_cast<int>(zero) + (is_signed ? 0 : -128), flip = is_signed ? 0 : 128;  // u8 less 128 is the i8 with the upper bit turned
        int least = 1000, most = -1000;
        for (int64_t j = 0; j < kBlock; ++j) {
          const int v = static_cast<int8_t>(to[j] ^ flip) - less;
          least = std::min(least, v);
          most = std::max(most, v);
          to[j] = static_cast<int8_t>(v);
        }
        d.least = std::min(d.least, least);
        d.most = std::max(d.most, most);
      }
      if (d.least < -128 || d.most > 127) return {};
    }
  return d;
}

/// Blocks of one format from differences and a scale.
struct Format {
  DType dtype;
  int least, most;
  void (*write)(const int8_t* d, Le16 scale, std::byte* to);
};

void put_nibbles(const int8_t* d, int offset, uint8_t* qs) {
  for (int i = 0; i < 16; ++i) qs[i] = static_cast<uint8_t>(((d[i] + offset) & 15) | ((d[i + 16] + offset) & 15) << 4);
}

constexpr Format kFormats[] = {
    {DType::q4_0, -8, 7,
     [](const int8_t* d, Le16 scale, std::byte* to) {
       BlockQ4_0 b{scale, {}};
       put_nibbles(d, 8, b.qs);
       std::memcpy(to, &b, sizeof b);
     }},
    {DType::q5_0, -16, 15,
     [](const int8_t* d, Le16 scale, std::byte* to) {
       BlockQ5_0 b{scale, {}, {}};
       put_nibbles(d, 16, b.qs);
       for (int i = 0; i < 32; ++i) b.qh[i / 8] = static_cast<uint8_t>(b.qh[i / 8] | ((d[i] + 16) >> 4 & 1) << (i % 8));
       std::memcpy(to, &b, sizeof b);
     }},
    {DType::q8_0, -128, 127,
     [](const int8_t* d, Le16 scale, std::byte* to) {
       BlockQ8_0 b{scale, {}};
       std::memcpy(b.qs, d, sizeof b.qs);
       std::memcpy(to, &b, sizeof b);
     }},
};

struct Kept {
  ValueId weight = kNone, scale = kNone;
};

/// The matrix in blocks, and what its outputs are multiplied with (`factor` among it); nothing where blocks cannot hold it.
Result<std::optional<Kept>> kept(Rewrite& r, const Stored& s, double factor, const std::string& name, Allocator& allocator) {
  if (s.n < 1 || s.k < kBlock || s.k % kBlock != 0 || !s.scale.by_block() || !s.zero.by_block()) return std::optional<Kept>();
  const int64_t blocks = s.k / kBlock;
  std::vector<float> common(static_cast<size_t>(s.n)), scales(static_cast<size_t>(s.n * blocks));  // of an output, and of its blocks beyond that
  for (int64_t o = 0; o < s.n; ++o) {
    float* of = scales.data() + o * blocks;
    bool uniform = true;
    float most = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      of[b] = static_cast<float>(s.scale.at(o, b * kBlock));
      if (!std::isfinite(of[b])) return std::optional<Kept>();
      uniform &= of[b] == of[0];
      most = std::max(most, std::abs(of[b]));
    }
    const float shared = uniform ? of[0] : std::ldexp(1.0f, std::ilogb(most));
    for (int64_t b = 0; b < blocks; ++b) of[b] = uniform ? 1 : of[b] / shared;
    common[static_cast<size_t>(o)] = static_cast<float>(static_cast<double>(shared) * factor);
  }
  const Differences d = differences(s);
  if (d.all.empty()) return std::optional<Kept>();
  const Format& f = *std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& x) { return d.least >= x.least && d.most <= x.most; });
  MAINSPRING_TRY(Tensor w, Tensor::make(allocator, f.dtype, {s.n, s.k}));
  for (int64_t i = 0; i < s.n * blocks; ++i) f.write(d.all.data() + i * kBlock, le16_of(f32_to_f16(scales[static_cast<size_t>(i)])), w.data() + i * info_of(f.dtype).bytes);
  MAINSPRING_TRY(Tensor c, float_tensor(allocator, common, {s.n}));
  Kept k;
  k.weight = r.weight(name, std::move(w));
  k.scale = r.weight(name + ".scale", std::move(c));
  return std::optional(k);
}

/// Takes the product n, if it is one that can be.
Result<bool> product(Rewrite& r, const Node& n, Allocator& allocator) {
  const bool bits = n.op == "com.microsoft.MatMulNBits", gemm = n.op == "Gemm", fused = n.op == "com.microsoft.FusedMatMul";
  if (!bits && !gemm && !fused && n.op != "MatMul") return false;
  const Value& x = r.value(n.in[0]);
  if (x.dtype != DType::f32 || !x.ranked || x.dims.size() < 2 || x.container != Container::tensor) return false;
  auto s = bits ? stored_bits(r, n) : stored(r, n.in[1]);
  if (!s || n.attrs.i("transA") != 0 || n.attrs.i("transBatchA") != 0 || n.attrs.i("transBatchB") != 0) return false;
  if (!bits && n.attrs.i("transB") == 0) s = s->turned();
  ValueId added = kNone;
  if (bits && n.in.size() > 5) added = n.in[5];
  if (gemm && n.in.size() > 2) added = n.in[2];
  if (added != kNone && n.attrs.f("beta", 1) != 1) return false;
  const bool bias = added != kNone && r.value(added).ranked && r.value(added).dtype == DType::f32 && r.value(added).dims == Dims{Dim(s->n)};
  MAINSPRING_TRY(const auto w, kept(r, *s, n.attrs.f("alpha", 1), n.name, allocator));
  if (!w) return false;
  const std::vector<ValueId> in{n.in[0], w->weight, bias ? added : kNone, kNone, w->scale};
  if (added == kNone || bias) {
    r.make(n.out[0], "block_linear", n.name, in);
    return true;
  }
  MAINSPRING_TRY(const ValueId y, r.add("block_linear", n.name, in));
  r.make(n.out[0], "Add", n.name + ".c", {y, added});
  return true;
}

/// Rows of (Cast(w) - zero) · scale: gathered, then worked on.
Result<bool> gather(Rewrite& r, const Node& n) {
  if (n.op != "Gather" || n.attrs.i("axis", 0) != 0) return false;
  const Node* mul = r.maker(n.in[0]);
  const auto of = mul == nullptr ? std::nullopt : scaled(r, *mul, 1);
  if (!of) return false;
  const Dims w = r.value(of->codes).dims;
  // A constant of one number for each row is gathered too; one for all rows loses its first axis, for the rows may have more of them, or none.
  const auto take = [&](ValueId v) -> Result<ValueId> {
    Value all = r.value(v);
    if (all.dims.size() < w.size()) return v;
    if (all.dims[0] == w[0]) return r.add("Gather", n.name, {v, n.in[1]}, n.attrs);
    all.dims.erase(all.dims.begin());
    return r.graph().add_value(std::move(all));
  };
  for (const ValueId v : {of->scale, of->zero})
    if (v != kNone && (r.value(v).dims.size() > w.size() || (r.value(v).dims.size() == w.size() && r.value(v).dims[0] != w[0] && r.value(v).dims[0] != Dim(1)))) return false;
  MAINSPRING_TRY(ValueId rows, take(of->codes));
  MAINSPRING_TRY(rows, r.add("Cast", n.name + ".floats", {rows}, {{"to", int64_t{1}}}));
  if (of->zero != kNone) {
    MAINSPRING_TRY(ValueId zero, take(of->zero));
    if (r.value(zero).dtype != DType::f32) {
      MAINSPRING_TRY(zero, r.add("Cast", n.name + ".zero", {zero}, {{"to", int64_t{1}}}));
    }
    MAINSPRING_TRY(rows, r.add("Sub", n.name + ".less", {rows, zero}));
  }
  MAINSPRING_TRY(const ValueId scale, take(of->scale));
  r.make(n.out[0], "Mul", n.name, {rows, scale});
  return true;
}

}  // namespace

Result<bool> pass_keep_quantized(Graph& graph, const PassContext& context) {
  if (context.allocator == nullptr) return false;
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    MAINSPRING_TRY(bool done, gather(r, n));
    if (!done && !context.exact) {
      MAINSPRING_TRY(done, product(r, n, *context.allocator));
    }
    if (!done) r.keep(n);
  }
  if (!r.finish()) return false;
  MAINSPRING_TRY_VOID(pass_dead_code(graph, context));  // floats that nobody reads any more must not be made
  return true;
}

}  // namespace mainspring::inline v0
