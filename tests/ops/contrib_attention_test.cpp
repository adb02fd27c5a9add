// The attentions of com.microsoft against ONNX's Attention, and steps of a cache against the whole.
#include "support/tensor_call.h"

namespace mainspring::inline v0 {
namespace {

using namespace test;

constexpr double kClose = 1e-5;

Operand part(Operand x, int64_t first, int64_t count) {  // columns of the last extent
  Shape s = x.shape;
  const int64_t n = s.back();
  s[s.rank() - 1] = count;
  Operand y(x.dtype, s);
  for (int64_t i = 0; i < s.elements(); ++i) store(y.view(), i, load(x.view(), i / count * n + first + i % count));
  return y;
}
Operand slice(Operand x, int64_t first, int64_t count) {  // of the second extent of [B, S, …]
  Shape s = x.shape;
  const int64_t rows = s[1], inner = s.elements() / (s[0] * s[1]);
  s[1] = count;
  Operand y(x.dtype, s);
  for (int64_t i = 0; i < s.elements(); ++i) store(y.view(), i, load(x.view(), (i / (count * inner) * rows + first + i / inner % count) * inner + i % inner));
  return y;
}
Operand joined(Operand a, Operand b) {  // along the second extent
  Shape s = a.shape;
  s[1] += b.shape[1];
  Operand y(a.dtype, s);
  const int64_t inner = s.elements() / (s[0] * s[1]);
  for (int64_t i = 0; i < s.elements(); ++i) {
    const int64_t n = i / (s[1] * inner), r = i / inner % s[1];
    store(y.view(), i, r < a.shape[1] ? load(a.view(), (n * a.shape[1] + r) * inner + i % inner) : load(b.view(), (n * b.shape[1] + r - a.shape[1]) * inner + i % inner));
  }
  return y;
}
const Attrs kHeads{{"num_heads", int64_t{2}}};
const Attrs kOnnx{{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}};

TEST(ContribAttention, many_heads) {
  const Operand q = noise(DType::f32, {2, 3, 8}, 1), k = noise(DType::f32, {2, 5, 8}, 2), v = noise(DType::f32, {2, 5, 4}, 3), bias = noise(DType::f32, {1, 2, 3, 5}, 4);
  const auto got = run("com.microsoft.MultiHeadAttention", {q, k, v, {}, {}, bias}, kHeads, 3);
  const auto want = run("Attention", {q, k, v, bias}, kOnnx, 3);
  for (size_t i = 0; i < 3; ++i) expect_near(got[i], want[i], kClose);
  // What a mask hides is as good as not there.
  const Operand lengths = numbers(DType::i32, {2}, {4, 4}), shown = numbers(DType::i32, {2, 5}, {1, 1, 1, 1, 0, 1, 1, 1, 1, 0});
  const Operand fewer = run("Attention", {q, slice(k, 0, 4), slice(v, 0, 4)}, kOnnx)[0];
  expect_near(run("com.microsoft.MultiHeadAttention", {q, k, v, {}, lengths}, kHeads)[0], fewer, kClose);
  expect_near(run("com.microsoft.MultiHeadAttention", {q, k, v, {}, shown}, kHeads)[0], fewer, kClose);
  // Packed: [B, S, heads, parts, size].
  const Operand all = noise(DType::f32, {2, 3, 2, 3, 4}, 5);
  Operand parts[3] = {Operand(DType::f32, {2, 3, 8}), Operand(DType::f32, {2, 3, 8}), Operand(DType::f32, {2, 3, 8})};
  for (int64_t i = 0; i < 144; ++i) store(parts[i / 4 % 3].view(), i / 24 * 8 + i / 12 % 2 * 4 + i % 4, load(Operand(all).view(), i));
  expect_near(run("com.microsoft.MultiHeadAttention", {all}, kHeads)[0], run("Attention", {parts[0], parts[1], parts[2]}, kOnnx)[0], kClose);
  expect_refused("com.microsoft.MultiHeadAttention", {q, noise(DType::f32, {2, 5, 6}, 1), v}, kHeads);
}

TEST(ContribAttention, projections) {
  const Operand x = noise(DType::f32, {2, 3, 6}, 1), w = noise(DType::f32, {6, 24}, 2), b = noise(DType::f32, {24}, 3);
  Operand projected = run("com.microsoft.FusedMatMul", {x, w})[0];
  for (int64_t i = 0; i < projected.shape.elements(); ++i) store(projected.view(), i, load(projected.view(), i) + load(Operand(b).view(), i % 24));
  const Operand q = part(projected, 0, 8), k = part(projected, 8, 8), v = part(projected, 16, 8);
  const Attrs causal{{"num_heads", int64_t{2}}, {"unidirectional", int64_t{1}}};
  const Attrs onnx{{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}};
  auto whole = run("com.microsoft.Attention", {x, w, b}, causal, 2);
  expect_near(whole[0], run("Attention", {q, k, v}, onnx)[0], kClose);
  // Two steps with a past are the same rows.
  auto first = run("com.microsoft.Attention", {slice(x, 0, 2), w, b}, causal, 2);
  auto second = run("com.microsoft.Attention", {slice(x, 2, 1), w, b, {}, first[1]}, causal, 2);
  expect_near(joined(first[0], second[0]), whole[0], kClose);
  expect_near(second[1], whole[1], kClose);
  // Codes of whole numbers are those numbers.
  const Operand codes = noise(DType::u8, {2, 3, 6}, 4), weights = noise(DType::i8, {6, 24}, 5), sx = floats({}, {0.01}), sw = floats({}, {0.02});
  Operand fx(DType::f32, {2, 3, 6}), fw(DType::f32, {6, 24});
  for (int64_t i = 0; i < 36; ++i) store(fx.view(), i, (load(Operand(codes).view(), i) - 30) * 0.01);
  for (int64_t i = 0; i < 144; ++i) store(fw.view(), i, load(Operand(weights).view(), i) * 0.02);
  const Operand ends = numbers(DType::i32, {2}, {2, 3}), zero = numbers(DType::u8, {}, {30});
  expect_near(run("com.microsoft.QAttention", {codes, weights, b, sx, sw, ends, zero}, kHeads)[0], run("com.microsoft.Attention", {fx, fw, b, ends}, kHeads)[0], 1e-4);
}

TEST(ContribAttention, groups_of_queries) {
  const Operand q = noise(DType::f32, {1, 5, 16}, 1), k = noise(DType::f32, {1, 5, 8}, 2), v = noise(DType::f32, {1, 5, 8}, 3);
  const Operand cosines = noise(DType::f32, {8, 2}, 4), sines = noise(DType::f32, {8, 2}, 5);
  const Attrs attrs{{"num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"do_rotary", int64_t{1}}};
  const auto count = [](double n) { return numbers(DType::i32, {1}, {n}); };
  const auto scalar = [](double n) { return numbers(DType::i32, {}, {n}); };
  auto whole = run("com.microsoft.GroupQueryAttention", {q, k, v, {}, {}, count(4), scalar(5), cosines, sines}, attrs, 3);
  // The long way: rotate, then attend.
  const Operand ids = numbers(DType::i64, {1, 5}, {0, 1, 2, 3, 4});
  const Operand rq = run("RotaryEmbedding", {q, cosines, sines, ids}, {{"num_heads", int64_t{4}}})[0], rk = run("RotaryEmbedding", {k, cosines, sines, ids}, {{"num_heads", int64_t{2}}})[0];
  const auto want = run("Attention", {rq, rk, v}, {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}}, 3);
  for (size_t i = 0; i < 3; ++i) expect_near(whole[i], want[i], kClose);
  expect_near(run("com.microsoft.RotaryEmbedding", {q, ids, cosines, sines}, {{"num_heads", int64_t{4}}})[0], rq, kClose);
  expect_near(run("com.microsoft.RotaryEmbedding", {q, numbers(DType::i64, {1}, {0}), cosines, sines})[0], rq, kClose);
  // Three positions, then two steps of one; packed in the last.
  auto step = run("com.microsoft.GroupQueryAttention", {slice(q, 0, 3), slice(k, 0, 3), slice(v, 0, 3), {}, {}, count(2), scalar(3), cosines, sines}, attrs, 3);
  Operand rows = step[0];
  step = run("com.microsoft.GroupQueryAttention", {slice(q, 3, 1), slice(k, 3, 1), slice(v, 3, 1), step[1], step[2], count(3), scalar(4), cosines, sines}, attrs, 3);
  rows = joined(rows, step[0]);
  Operand packed(DType::f32, {1, 1, 32});
  for (int64_t i = 0; i < 32; ++i) store(packed.view(), i, i < 16 ? load(slice(q, 4, 1).view(), i) : i < 24 ? load(slice(k, 4, 1).view(), i - 16) : load(slice(v, 4, 1).view(), i - 24));
  step = run("com.microsoft.GroupQueryAttention", {packed, {}, {}, step[1], step[2], count(4), scalar(5), cosines, sines}, attrs, 3);
  expect_near(joined(rows, step[0]), whole[0], kClose);
  expect_near(step[1], whole[1], kClose);
  // A window of two keys; a sink takes its share.
  const Attrs near{{"num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"local_window_size", int64_t{2}}};
  expect_near(run("com.microsoft.GroupQueryAttention", {q, k, v, {}, {}, count(4), scalar(5)}, near)[0],
              run("Attention", {q, k, v}, {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}, {"left_window_size", int64_t{1}}})[0], kClose);
  const Operand one = floats({1, 1, 4}, {0, 0, 0, 0}), value = floats({1, 1, 4}, {1, 2, 3, 4});
  const Attrs smooth{{"num_heads", int64_t{1}}, {"kv_num_heads", int64_t{1}}, {"smooth_softmax", int64_t{1}}};
  expect_near(run("com.microsoft.GroupQueryAttention", {one, one, value, {}, {}, count(0), scalar(1)}, smooth)[0], floats({1, 1, 4}, {0.5, 1, 1.5, 2}), kClose);
  expect_refused("com.microsoft.GroupQueryAttention", {q, k, v, {}, {}, count(4), scalar(3)}, attrs);
}

TEST(ContribAttention, relative_positions) {
  const Operand table = floats({8, 1}, {0, 1, 2, 3, 4, 5, 6, 7});
  const auto length = [](double n) { return numbers(DType::i64, {1}, {n}); };
  // One way: 4 exact buckets, then logarithmic up to 16.
  auto y = run("com.microsoft.RelativePositionBias", {table, length(20), length(1)}, {{"max_distance", int64_t{16}}})[0];
  const std::vector<double> rows = y.numbers();
  EXPECT_EQ((std::vector<double>{rows[0], rows[1], rows[3], rows[4], rows[5], rows[8], rows[12], rows[19]}), (std::vector<double>{0, 1, 3, 4, 4, 6, 7, 7}));
  // Both ways: the upper half of the table is for keys ahead.
  y = run("com.microsoft.RelativePositionBias", {table, length(2), length(2)}, {{"max_distance", int64_t{16}}, {"is_bidirectional", int64_t{1}}})[0];
  expect_near(y, floats({1, 1, 2, 2}, {0, 5, 1, 0}), 0);
}

}  // namespace
}  // namespace mainspring::inline v0
