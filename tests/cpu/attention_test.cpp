// Attention and kv_store on the CPU: against a plain double reference, and bit for bit over everything that must not matter: chunks of the
// prompt, neighbours in the batch, block ids, worker memory, how a step falls into tiles, garbage in slots that a row does not see.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "cpu/bind/bind.h"
#include "cpu/kernels/attention/attention.h"
#include "quant/half.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"

namespace {

using namespace mainspring;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

IsaSet machine() {
#if defined(MAINSPRING_EMULATE_ISA)
  return IsaSet{~0u};
#else
  return detect_isa();
#endif
}

struct Shape3 {
  const char* name;
  int64_t heads, kv_heads, dk, dv;
  int64_t window = 0;
  double softcap = 0;
  bool sinks = false, causal = true;
  DType kv = DType::f16;
};

/// The numbers of one sequence: rows of q, k, v by position.
struct Sequence {
  std::vector<float> q, k, v;
  int64_t rows = 0;
};

Sequence sequence_of(const Shape3& s, int64_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Sequence x;
  x.rows = rows;
  auto fill = [&](std::vector<float>& to, int64_t n) {
    to.resize(static_cast<size_t>(n));
    for (float& f : to) f = normal(random);
  };
  fill(x.q, rows * s.heads * s.dk);
  fill(x.k, rows * s.kv_heads * s.dk);
  fill(x.v, rows * s.kv_heads * s.dv);
  return x;
}

/// What the tile cutter is told, and how tiles are run.
struct Manner {
  int64_t max_rows = 2100, max_context = 2100;
  int workers = 1;
  uint32_t order = 0;    ///< 0: ascending; else the seed of a shuffle
  uint32_t blocks = 1;   ///< seed of the block table
};

/// Rows [from, from + rows) of sequence `index` as a part of a step.
struct Part {
  int32_t index;
  int64_t from, rows;
};
using StepParts = std::vector<Part>;

/// A paged cache of its own, filled and read through the two binders.
class Cache {
 public:
  Cache(const Shape3& shape, const AttentionKernel& kernel, const Manner& manner, std::vector<const Sequence*> sequences)
      : s_(shape), manner_(manner), sequences_(std::move(sequences)), random_(manner.order) {
    for (const Sequence* x : sequences_) blocks_per_sequence_ = std::max(blocks_per_sequence_, static_cast<int32_t>(x->rows / kKvBlock + 2));
    const int64_t n = static_cast<int64_t>(sequences_.size()) * blocks_per_sequence_;
    table_.resize(static_cast<size_t>(n));
    std::iota(table_.begin(), table_.end(), 1);  // block 0 stays garbage
    std::shuffle(table_.begin(), table_.end(), std::mt19937(manner.blocks));
    keys_.assign(static_cast<size_t>((n + 1) * s_.kv_heads * kv_head_bytes(s_.kv, s_.dk)), std::byte{0xff});  // NaN in f16, f32 and scales
    values_.assign(static_cast<size_t>((n + 1) * s_.kv_heads * kv_head_bytes(s_.kv, s_.dv)), std::byte{0xff});
    std::mt19937 random(77);
    for (int64_t h = 0; h < s_.heads; ++h) sinks.push_back(std::normal_distribution<float>()(random));
    bind(IsaSet{}.with(kernel.isa), n + 1);
  }

  /// Stores and attends; results are added to `out`, by sequence and row.
  void step(const StepParts& parts) {
    std::vector<Segment> segments;
    std::vector<float> q, k, v;
    int32_t row = 0;
    for (const Part& p : parts) {
      const Sequence& x = *sequences_[static_cast<size_t>(p.index)];
      segments.push_back({row, static_cast<int32_t>(p.rows), p.index, static_cast<int32_t>(p.from)});
      row += static_cast<int32_t>(p.rows);
      auto append = [&](std::vector<float>& to, const std::vector<float>& from, int64_t width) {
        to.insert(to.end(), from.begin() + p.from * width, from.begin() + (p.from + p.rows) * width);
      };
      append(q, x.q, s_.heads * s_.dk);
      append(k, x.k, s_.kv_heads * s_.dk);
      append(v, x.v, s_.kv_heads * s_.dv);
    }
    std::vector<float> y(static_cast<size_t>(row * s_.heads * s_.dv), kNaN);
    std::vector<std::byte> scratch(attention_.scratch_bytes + 64, std::byte{0xff});
    const size_t most = std::max({attention_.worker_scratch_bytes, keys_store_.worker_scratch_bytes, values_store_.worker_scratch_bytes, size_t{64}});
    const int64_t stride = static_cast<int64_t>((most + 63) / 64 * 64);
    std::vector<std::byte> private_memory(static_cast<size_t>(stride * manner_.workers) + 64, std::byte{0xff});
    const int64_t symbols[] = {row};
    StepEnv env;
    env.base[static_cast<int>(Space::input)] = nullptr;
    env.symbols = symbols;
    env.info = {segments, table_.data(), blocks_per_sequence_};
    auto aligned = [](std::vector<std::byte>& m) { return m.data() + (64 - reinterpret_cast<uintptr_t>(m.data()) % 64) % 64; };
    env.worker_scratch = aligned(private_memory);
    env.scratch_stride = stride;
    env.base[static_cast<int>(Space::arena)] = aligned(scratch);
    auto run = [&](const KernelBinding& b, const float* x, float* result) {
      env.base[static_cast<int>(Space::input)] = reinterpret_cast<std::byte*>(const_cast<float*>(x));
      env.base[static_cast<int>(Space::state)] = reinterpret_cast<std::byte*>(result);
      for (const Step& s : b.finish(b, {}, Ref{Space::arena, 0})) run_tiles(s, env);
    };
    run(keys_store_, k.data(), nullptr);
    run(values_store_, v.data(), nullptr);
    run(attention_, q.data(), y.data());
    size_t at = 0;
    out.resize(sequences_.size());
    for (const Part& p : parts) {
      auto& to = out[static_cast<size_t>(p.index)];
      const size_t n = static_cast<size_t>(p.rows * s_.heads * s_.dv);
      to.insert(to.end(), y.begin() + static_cast<int64_t>(at), y.begin() + static_cast<int64_t>(at + n));
      at += n;
    }
  }

  std::vector<std::vector<float>> out;
  std::vector<float> sinks;
  const std::string& kernel() const { return attention_.kernel; }
  size_t scratch_bytes() const { return attention_.scratch_bytes; }
  std::byte* keys() { return keys_.data(); }
  std::byte* values() { return values_.data(); }
  size_t keys_size() const { return keys_.size(); }
  size_t values_size() const { return values_.size(); }

 private:
  Operand rows(int64_t heads, int64_t d, Space space) const {
    Operand o;
    o.dims = {Dim(1, 0), heads, d};
    o.ref = {space, 0};
    o.row_stride = heads * d;
    return o;
  }
  void bind(IsaSet isa, int64_t n) {
    Operand keys, values, sinks_in;
    keys.dtype = values.dtype = s_.kv;
    keys.state = StateKind::kv_keys;
    values.state = StateKind::kv_values;
    keys.dims = {n, s_.kv_heads, s_.dk, kKvBlock};
    values.dims = {n, s_.kv_heads, kKvBlock, s_.dv};
    keys.row_stride = s_.kv_heads * s_.dk * kKvBlock;
    values.row_stride = s_.kv_heads * s_.dv * kKvBlock;
    keys.ref = {Space::constant, reinterpret_cast<int64_t>(keys_.data())};
    values.ref = {Space::constant, reinterpret_cast<int64_t>(values_.data())};
    sinks_in.dims = {s_.heads};
    if (s_.sinks) sinks_in.ref = {Space::constant, reinterpret_cast<int64_t>(sinks.data())};
    const Symbol symbols[] = {{"n_tokens", 1, 1, manner_.max_rows}};
    auto call = [&](const char* op, const Attrs& attrs, std::vector<Operand> in, std::vector<Operand> out_operands, cpu::Binder binder) {
      Node node;
      node.op = op;
      node.attrs = attrs;
      BindRequest r{.node = &node, .op = nullptr, .in = in, .out = out_operands, .symbols = symbols, .workers = manner_.workers, .max_context = manner_.max_context};
      auto b = binder(r, isa);
      EXPECT_TRUE(b) << b.error().message;
      return b ? *std::move(b) : KernelBinding{};
    };
    keys_store_ = call("kv_store", {}, {keys, rows(s_.kv_heads, s_.dk, Space::input)}, {keys}, cpu::bind_kv_store);
    values_store_ = call("kv_store", {}, {values, rows(s_.kv_heads, s_.dv, Space::input)}, {values}, cpu::bind_kv_store);
    attention_ = call("attention",
                      {{"scale", 1 / std::sqrt(static_cast<double>(s_.dk))}, {"window", s_.window}, {"softcap", s_.softcap}, {"causal", int64_t{s_.causal}}},
                      {rows(s_.heads, s_.dk, Space::input), keys, values, sinks_in}, {rows(s_.heads, s_.dv, Space::state)}, cpu::bind_attention);
  }
  void run_tiles(const Step& s, const StepEnv& env) {
    std::vector<int64_t> tiles(static_cast<size_t>(s.tiles(s.params, env)));
    std::iota(tiles.begin(), tiles.end(), 0);
    if (manner_.order) std::shuffle(tiles.begin(), tiles.end(), random_);
    for (size_t i = 0; i < tiles.size(); ++i) s.run(s.params, env, tiles[i], static_cast<int>(i) % manner_.workers);
  }

  Shape3 s_;
  Manner manner_;
  std::vector<const Sequence*> sequences_;
  std::mt19937 random_;
  int32_t blocks_per_sequence_ = 1;
  std::vector<int32_t> table_;
  std::vector<std::byte> keys_, values_;
  KernelBinding keys_store_, values_store_, attention_;
};

/// The numbers as a cache holds them: by the scalar codecs, row by row.
std::vector<float> stored(DType t, std::vector<float> x, int64_t d) {
  if (t == DType::f16)
    for (float& f : x) f = f16_to_f32(f32_to_f16(f));
  if (t != DType::q8_0) return x;
  const int64_t padded = (d + 31) / 32 * 32;
  std::vector<float> row(static_cast<size_t>(padded)), planes(q8_rows_stride(padded) / sizeof(float));
  for (auto at = x.begin(); at != x.end(); at += d) {
    std::copy(at, at + d, row.begin());
    quantise_q8_rows(row.data(), padded, 1, padded, planes.data());
    decode_q8_row(planes.data(), padded, row.data());
    std::copy(row.begin(), row.begin() + d, at);
    std::fill(row.begin() + d, row.end(), 0.0f);
  }
  return x;
}
Sequence stored(const Shape3& s, Sequence x) {
  x.k = stored(s.kv, std::move(x.k), s.dk);
  x.v = stored(s.kv, std::move(x.v), s.dv);
  return x;
}

/// One row's head of a stored sequence in double, and how far f32 arithmetic may be from it: 4 eps (sqrt(dk) |q||k| scale + sqrt(keys) + 8) max|v|.
void expect_row(const Shape3& s, const Sequence& x, const std::vector<float>& sinks, int64_t row, int64_t head, int64_t keys_end, const float* got) {
  const int64_t kv = head / (s.heads / s.kv_heads), begin = s.window ? std::max<int64_t>(0, row - s.window + 1) : 0;
  const float* q = x.q.data() + (row * s.heads + head) * s.dk;
  const double scale = 1 / std::sqrt(static_cast<double>(s.dk));
  std::vector<double> score;
  double top = s.sinks ? sinks[static_cast<size_t>(head)] : -1e300, length = 0, largest = 0, norm = 0;
  for (int64_t i = 0; i < s.dk; ++i) norm += static_cast<double>(q[i]) * q[i];
  for (int64_t j = begin; j < keys_end; ++j) {
    double dot = 0, k2 = 0;
    for (int64_t i = 0; i < s.dk; ++i) {
      const double k = x.k[static_cast<size_t>((j * s.kv_heads + kv) * s.dk + i)];
      dot += q[i] * k;
      k2 += k * k;
    }
    dot *= scale;
    if (s.softcap != 0) dot = s.softcap * std::tanh(dot / s.softcap);
    length = std::max(length, std::sqrt(norm * k2) * scale);
    score.push_back(dot);
    top = std::max(top, dot);
  }
  double sum = s.sinks ? std::exp(sinks[static_cast<size_t>(head)] - top) : 0;
  for (double& d : score) sum += d = std::exp(d - top);
  for (int64_t i = 0; i < s.dv; ++i) {
    double mix = 0;
    for (int64_t j = begin; j < keys_end; ++j) {
      const double v = x.v[static_cast<size_t>((j * s.kv_heads + kv) * s.dv + i)];
      mix += score[static_cast<size_t>(j - begin)] * v;
      largest = std::max(largest, std::fabs(v));
    }
    const double n = static_cast<double>(keys_end - begin), eps = std::ldexp(1.0, -24);
    const double tolerance = 4 * eps * (std::sqrt(static_cast<double>(s.dk)) * length + std::sqrt(n) + 8) * largest;
    ASSERT_NEAR(got[i], mix / sum, tolerance) << s.name << ": row " << row << " head " << head << " element " << i;
  }
}

class AttentionKernels : public ::testing::TestWithParam<int> {
 protected:
  const AttentionKernel& kernel() const { return attention_kernels()[static_cast<size_t>(GetParam())]; }
  void SetUp() override {
    if (!machine().has(kernel().isa)) GTEST_SKIP() << "the machine has no " << kernel().name;
  }
  std::vector<float> run(const Shape3& s, const Sequence& x, const std::vector<int64_t>& chunks, const Manner& manner = {}) const {
    Cache cache(s, kernel(), manner, {&x});
    int64_t from = 0;
    for (size_t i = 0; from < x.rows; ++i) {
      const int64_t n = std::min(chunks[i % chunks.size()], x.rows - from);
      cache.step({{0, from, n}});
      from += n;
    }
    return cache.out[0];
  }
};
INSTANTIATE_TEST_SUITE_P(isa, AttentionKernels, ::testing::Range(0, 3), [](const auto& p) { return std::string(attention_kernels()[static_cast<size_t>(p.param)].name); });

void expect_same(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0) return;
  size_t i = 0;
  while (std::memcmp(&a[i], &b[i], sizeof(float)) == 0) ++i;
  FAIL() << what << ": element " << i << " is " << a[i] << " and " << b[i];
}

constexpr Shape3 kShapes[] = {
    {"one", 1, 1, 1, 1},
    {"tiny", 2, 1, 3, 5, 0, 0, false, true, DType::f32},
    {"smol", 9, 3, 64, 64},
    {"plain f32", 4, 4, 64, 64, 0, 0, false, true, DType::f32},
    {"phi", 2, 2, 80, 80},
    {"wide", 8, 1, 128, 128},
    {"odd", 5, 1, 33, 17},
    {"gemma", 4, 1, 48, 48, 100, 50},
    {"narrow window", 6, 2, 24, 24, 5},
    {"oss", 8, 2, 64, 64, 128, 0, true},
    {"sinks", 3, 1, 16, 12, 0, 0, true, true, DType::f32},
    {"encoder", 3, 3, 32, 32, 0, 0, false, false},
    {"mla", 7, 1, 576, 512},
    {"smol q8", 9, 3, 64, 64, 0, 0, false, true, DType::q8_0},
    {"one q8", 1, 1, 1, 1, 0, 0, false, true, DType::q8_0},
    {"phi q8", 2, 2, 80, 80, 0, 0, false, true, DType::q8_0},
    {"wide q8", 8, 1, 128, 128, 0, 0, false, true, DType::q8_0},
    {"odd q8", 5, 1, 33, 17, 0, 0, false, true, DType::q8_0},
    {"gemma q8", 4, 1, 48, 48, 100, 50, true, true, DType::q8_0},
    {"encoder q8", 3, 3, 32, 32, 0, 0, false, false, DType::q8_0},
};

TEST_P(AttentionKernels, agree_with_reference) {
  for (const Shape3& s : kShapes)
    for (int64_t length : {1, 63, 64, 65, 257, 700}) {
      if (length > 65 && s.dk > 200) continue;
      if (length > 300 && s.dk * s.heads > 250) continue;
      const Sequence x = sequence_of(s, length, static_cast<uint32_t>(length)), held = stored(s, x);
      Cache cache(s, kernel(), {}, {&x});
      cache.step({{0, 0, length}});
      for (int64_t row = 0; row < length; row += row % 64 < 60 ? 31 : 3)
        for (int64_t head = 0; head < s.heads; head += 3)
          expect_row(s, held, cache.sinks, row, head, s.causal ? row + 1 : length, cache.out[0].data() + (row * s.heads + head) * s.dv);
      if (HasFatalFailure()) return;
    }
}

TEST_P(AttentionKernels, deep_decode_agrees_with_reference) {
  for (const Shape3& s : {kShapes[2], kShapes[7], kShapes[9], kShapes[13]})
    for (int64_t length : {511, 512, 513, 1025}) {
      const Sequence x = sequence_of(s, length, 5), held = stored(s, x);
      Cache cache(s, kernel(), {}, {&x});
      cache.step({{0, 0, length - 1}});
      cache.step({{0, length - 1, 1}});
      for (int64_t head = 0; head < s.heads; ++head)
        expect_row(s, held, cache.sinks, length - 1, head, length, cache.out[0].data() + ((length - 1) * s.heads + head) * s.dv);
      if (HasFatalFailure()) return;
    }
}

// The chunks of a prompt, and whether tiles are cut by split (scratch for all), partly (scratch for some) or never (no scratch).
TEST_P(AttentionKernels, bits_do_not_depend_on_chunks_or_tiles) {
  const std::vector<std::pair<std::vector<int64_t>, Manner>> ways = {
      {{64}, {.max_context = 700}},
      {{7}, {.max_rows = 1, .max_context = 700, .order = 3}},
      {{100, 1, 29}, {.max_context = 1, .workers = 3, .blocks = 4}},
      {{257, 256}, {.max_rows = 200, .max_context = 700, .workers = 2, .order = 5}},
      {{1}, {.max_rows = 1, .max_context = 700}},
      {{270}, {.max_context = 1, .order = 6}},
  };
  for (const Shape3& s : kShapes) {
    if (!s.causal) continue;
    const int64_t length = s.dk > 100 ? 270 : 530;
    const Sequence x = sequence_of(s, length, 9);
    const std::vector<float> want = run(s, x, {length}, {.max_context = 700});
    for (const auto& [chunks, manner] : ways) {
      if (s.dk > 200 && chunks[0] < 64) continue;
      expect_same(run(s, x, chunks, manner), want, fmt::format("{}, chunks of {}, max rows {}, context {}", s.name, chunks[0], manner.max_rows, manner.max_context));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(AttentionKernels, bits_do_not_depend_on_neighbours) {
  for (const Shape3& s : kShapes) {
    if (s.dk > 200) continue;
    const Sequence a = sequence_of(s, 300, 1), b = sequence_of(s, 70, 2), c = sequence_of(s, 301, 3);
    Cache alone_a(s, kernel(), {}, {&a}), alone_b(s, kernel(), {}, {&b}), alone_c(s, kernel(), {}, {&c});
    alone_a.step({{0, 0, 299}});
    alone_a.step({{0, 299, 1}});
    alone_b.step({{0, 0, 70}});
    alone_c.step({{0, 0, 280}});
    alone_c.step({{0, 280, 21}});
    for (const Manner& m : {Manner{.workers = 2, .order = 8, .blocks = 5}, Manner{.max_rows = 12, .blocks = 6}}) {
      Cache all(s, kernel(), m, {&a, &b, &c});
      all.step({{0, 0, 299}, {2, 0, 280}});
      all.step({{0, 299, 1}, {1, 0, 70}, {2, 280, 21}});
      expect_same(all.out[0], alone_a.out[0], fmt::format("{}, first", s.name));
      expect_same(all.out[1], alone_b.out[0], fmt::format("{}, second", s.name));
      expect_same(all.out[2], alone_c.out[0], fmt::format("{}, third", s.name));
      if (HasFatalFailure()) return;
    }
  }
}

// A NaN in a later row of the chunk, in its query, key and value, reaches that row and what comes after, nothing else.
TEST_P(AttentionKernels, garbage_does_not_leak) {
  for (const Shape3& s : kShapes) {
    if (!s.causal) continue;
    const int64_t bad = 70, length = 90;
    Sequence x = sequence_of(s, length, 4);
    const std::vector<float> clean = run(s, x, {length});
    std::fill_n(x.q.begin() + bad * s.heads * s.dk, s.heads * s.dk, kNaN);
    std::fill_n(x.k.begin() + bad * s.kv_heads * s.dk, s.kv_heads * s.dk, kNaN);
    std::fill_n(x.v.begin() + bad * s.kv_heads * s.dv, s.kv_heads * s.dv, std::numeric_limits<float>::infinity());
    std::vector<float> got = run(s, x, {length});
    const int64_t width = s.heads * s.dv;
    EXPECT_TRUE(std::isnan(got[static_cast<size_t>(bad * width)])) << s.name;
    for (int64_t row = 0; row < length; ++row) {
      const bool sees = row >= bad && (s.window == 0 || row - bad < s.window);
      const bool same = std::memcmp(&got[static_cast<size_t>(row * width)], &clean[static_cast<size_t>(row * width)], static_cast<size_t>(width) * 4) == 0;
      ASSERT_EQ(same, !sees) << s.name << " row " << row;
    }
  }
}

// Scores far apart: the largest comes first, last, or in the middle of a split.
TEST_P(AttentionKernels, large_scores) {
  const Shape3 s{"large", 1, 1, 4, 4, 0, 0, false, true, DType::f32};
  for (int64_t peak : {0, 300, 599}) {
    Sequence x = sequence_of(s, 600, 6);
    for (float& f : x.q) f = 100;
    for (float& f : x.k) f *= 3;
    for (int64_t i = 0; i < 4; ++i) x.k[static_cast<size_t>(peak * 4 + i)] = 40;
    const std::vector<float> y = run(s, x, {600});
    for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(y[static_cast<size_t>(599 * 4 + i)], x.v[static_cast<size_t>(peak * 4 + i)]);
  }
}

TEST_P(AttentionKernels, stores_every_f16_like_the_codec) {
  const Shape3 s{"codec", 1, 1, 37, 37};
  Sequence x = sequence_of(s, 65, 8);
  std::mt19937 random(3);
  for (float& f : x.k) f = std::bit_cast<float>(static_cast<uint32_t>(random()));  // every exponent, NaN and infinity among them
  for (float& f : x.v) f = std::ldexp(std::bit_cast<float>(static_cast<uint32_t>(random()) % 0x800000u + 0x3f800000u), static_cast<int>(random() % 50) - 28);
  const Manner straight{.blocks = 2};
  Cache cache(s, kernel(), straight, {&x});
  std::vector<std::byte> keys(cache.keys(), cache.keys() + cache.keys_size()), values(cache.values(), cache.values() + cache.values_size());
  cache.step({{0, 0, 65}});
  std::vector<int32_t> table(3);
  std::iota(table.begin(), table.end(), 1);
  std::shuffle(table.begin(), table.end(), std::mt19937(straight.blocks));
  auto* k = reinterpret_cast<uint16_t*>(keys.data());
  auto* v = reinterpret_cast<uint16_t*>(values.data());
  for (int64_t p = 0; p < 65; ++p)
    for (int64_t i = 0; i < 37; ++i) {
      const int64_t block = int64_t{table[static_cast<size_t>(p / 64)]} * 37 * 64;
      k[block + i * 64 + p % 64] = f32_to_f16(x.k[static_cast<size_t>(p * 37 + i)]);
      v[block + p % 64 * 37 + i] = f32_to_f16(x.v[static_cast<size_t>(p * 37 + i)]);
    }
  EXPECT_EQ(std::memcmp(keys.data(), cache.keys(), keys.size()), 0);
  EXPECT_EQ(std::memcmp(values.data(), cache.values(), values.size()), 0);
}

TEST(AttentionBind, scratch_is_bounded_and_refusals_say_why) {
  const Shape3 s = kShapes[2];
  const Sequence x = sequence_of(s, 1, 1);
  const AttentionKernel& kernel = select_attention(IsaSet{});
  EXPECT_EQ(Cache(s, kernel, {.max_context = 256}, {&x}).scratch_bytes(), 0u);
  EXPECT_LE(Cache(s, kernel, {.max_rows = 100000, .max_context = 100000}, {&x}).scratch_bytes(), size_t{8} << 20);
  Operand q, keys, values;
  q.dims = {Dim(1, 0), 9, 64};
  keys.dtype = values.dtype = DType::bf16;
  keys.dims = {4, 3, 64, 64};
  values.dims = {4, 3, 64, 64};
  const Operand in[] = {q, keys, values}, out[] = {q};
  Node node;
  const auto refused = cpu::bind_attention(BindRequest{.node = &node, .op = nullptr, .in = in, .out = out, .symbols = {}}, IsaSet{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_EQ(refused.error().message, "attention: keys are bf16 and values bf16, expected both f32, f16 or q8_0");
}

}  // namespace
