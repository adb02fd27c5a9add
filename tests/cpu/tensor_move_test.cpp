// Operators that move elements, in every element size, against index arithmetic written out here.
#include "cpu/bind/tensor_binders.h"
#include "cpu/tensor_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

const auto kExact = [](double) { return 0.0; };

std::vector<int64_t> strides_of(const std::vector<int64_t>& dims) {
  std::vector<int64_t> s(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) s[d - 1] = s[d] * dims[d];
  return s;
}
std::vector<int64_t> index_of(int64_t e, const std::vector<int64_t>& dims) {
  std::vector<int64_t> at(dims.size());
  for (size_t d = dims.size(); d-- > 0; e /= dims[d]) at[d] = e % dims[d];
  return at;
}
int64_t offset_of(const std::vector<int64_t>& at, const std::vector<int64_t>& strides) {
  int64_t o = 0;
  for (size_t d = 0; d < at.size(); ++d) o += at[d] * strides[d];
  return o;
}

TEST(TensorMove, transposes_of_every_kind) {
  const std::pair<std::vector<int64_t>, std::vector<int64_t>> cases[] = {
      {{7, 9}, {1, 0}},          {{64, 64}, {1, 0}},          {{17, 33}, {1, 0}},        {{2, 100, 3, 16}, {0, 2, 1, 3}}, {{2, 3, 50, 16}, {0, 1, 3, 2}},
      {{3, 5, 7}, {2, 1, 0}},    {{4, 1, 6, 5}, {3, 1, 0, 2}}, {{2, 3, 4, 5, 6}, {4, 2, 0, 3, 1}}, {{1, 700, 130}, {0, 2, 1}}, {{5}, {0}},
      {{3, 40, 2}, {1, 0, 2}},   {{2, 0, 3}, {2, 1, 0}}};
  for (const DType t : {DType::f32, DType::u8, DType::f16, DType::i64})
    for (const auto& [dims, perm] : cases) {
      const Tensor x = dense(t, dims, 3, 0, 100);
      std::vector<int64_t> out, from;
      for (const int64_t p : perm) out.push_back(dims[static_cast<size_t>(p)]), from.push_back(strides_of(dims)[static_cast<size_t>(p)]);
      expect_each(cpu::bind_transpose, "Transpose", {{"perm", perm}}, {x}, {dense(t, out)}, [&](size_t, int64_t e) { return at(x, offset_of(index_of(e, out), from)); }, kExact);
    }
}

TEST(TensorMove, parts_are_joined_and_cut) {
  for (const std::vector<int64_t>& lead : std::vector<std::vector<int64_t>>{{}, {3}, {2, 5}})
    for (const int64_t inner : {1, 4, 700}) {
      std::vector<Tensor> parts;
      std::vector<int64_t> dims = lead;
      dims.insert(dims.end(), {0, inner});
      const size_t axis = lead.size();
      int64_t total = 0;
      for (const int64_t n : {3, 0, 1, 40}) {
        dims[axis] = n;
        total += n;
        parts.push_back(dense(DType::f32, dims, static_cast<uint32_t>(n + 1)));
      }
      dims[axis] = total;
      const Tensor whole = dense(DType::f32, dims, 9);
      const auto part_at = [&](std::vector<int64_t> index) {
        size_t p = 0;
        while (index[axis] >= parts[p].dims[axis]) index[axis] -= parts[p++].dims[axis];
        return at(parts[p], offset_of(index, strides_of(parts[p].dims)));
      };
      expect_each(cpu::bind_concat_split, "Concat", {{"axis", static_cast<int64_t>(axis)}}, parts, {dense(DType::f32, dims)}, [&](size_t, int64_t e) { return part_at(index_of(e, dims)); }, kExact);
      std::vector<Tensor> out;
      for (const Tensor& p : parts) out.push_back(dense(DType::f32, p.dims));
      expect_each(cpu::bind_concat_split, "Split", {{"axis", static_cast<int64_t>(axis)}}, {whole}, out, [&](size_t o, int64_t e) {
        std::vector<int64_t> index = index_of(e, parts[o].dims);
        for (size_t p = 0; p < o; ++p) index[axis] += parts[p].dims[axis];
        return at(whole, offset_of(index, strides_of(dims)));
      }, kExact);
    }
}

TEST(TensorMove, slices_step_both_ways) {
  const Tensor x = dense(DType::f32, {5, 12, 31}, 1);
  const Tensor starts = constant(DType::i64, {3}, {1, -1, 100}), ends = constant(DType::i64, {3}, {5, -100, -100}), axes = constant(DType::i64, {3}, {0, 1, -1}), steps = constant(DType::i64, {3}, {2, -3, -1});
  expect_each(cpu::bind_strided_slice, "Slice", {}, {x, starts, ends, axes, steps}, {dense(DType::f32, {2, 4, 31})}, [&](size_t, int64_t e) {
    const auto i = index_of(e, {2, 4, 31});
    return at(x, offset_of({1 + 2 * i[0], 11 - 3 * i[1], 30 - i[2]}, strides_of(x.dims)));
  }, kExact);
  expect_each(cpu::bind_strided_slice, "Slice", {}, {x, constant(DType::i64, {1}, {3}), constant(DType::i64, {1}, {7}), constant(DType::i64, {1}, {1})}, {dense(DType::f32, {5, 4, 31})}, [&](size_t, int64_t e) {
    const auto i = index_of(e, {5, 4, 31});
    return at(x, offset_of({i[0], i[1] + 3, i[2]}, strides_of(x.dims)));
  }, kExact);
}

TEST(TensorMove, expand_and_tile_repeat) {
  const Tensor x = dense(DType::f32, {3, 1, 5}, 1);
  expect_each(cpu::bind_repeat, "Expand", {}, {x}, {dense(DType::f32, {2, 3, 4, 5})}, [&](size_t, int64_t e) {
    const auto i = index_of(e, {2, 3, 4, 5});
    return at(x, i[1] * 5 + i[3]);
  }, kExact);
  expect_each(cpu::bind_repeat, "Tile", {}, {x}, {dense(DType::f32, {6, 7, 15})}, [&](size_t, int64_t e) {
    const auto i = index_of(e, {6, 7, 15});
    return at(x, i[0] % 3 * 5 + i[2] % 5);
  }, kExact);
}

TEST(TensorMove, pads_of_every_mode) {
  const Tensor x = dense(DType::f32, {2, 4, 9}, 1);
  for (const char* mode : {"constant", "reflect", "edge", "wrap"})
    for (const std::vector<double>& pads : std::vector<std::vector<double>>{{0, 1, 3, 0, 2, 1}, {1, 0, 0, 0, 0, 2}, {0, -1, 2, 0, 1, -3}, {0, 0, 0, 0, 0, 0}}) {
      std::vector<int64_t> y, before;
      for (size_t d = 0; d < 3; ++d) y.push_back(x.dims[d] + static_cast<int64_t>(pads[d] + pads[d + 3])), before.push_back(static_cast<int64_t>(pads[d]));
      expect_each(cpu::bind_pad, "Pad", {{"mode", std::string(mode)}}, {x, constant(DType::i64, {6}, pads), constant(DType::f32, {}, {7.5})}, {dense(DType::f32, y)}, [&](size_t, int64_t e) {
        auto i = index_of(e, y);
        for (size_t d = 0; d < 3; ++d) {
          const int64_t n = x.dims[d];
          i[d] -= before[d];
          if (i[d] >= 0 && i[d] < n) continue;
          if (mode[0] == 'c') return 7.5;
          if (mode[0] == 'e') i[d] = std::clamp<int64_t>(i[d], 0, n - 1);
          if (mode[0] == 'w') i[d] = (i[d] + n) % n;
          if (mode[0] == 'r') i[d] = i[d] < 0 ? -i[d] : 2 * n - 2 - i[d];
        }
        return at(x, offset_of(i, strides_of(x.dims)));
      }, kExact);
    }
}

TEST(TensorMove, depth_and_space_change_places) {
  for (const char* mode : {"DCR", "CRD"}) {
    const Tensor x = dense(DType::f32, {2, 12, 3, 5}, 1);
    expect_each(cpu::bind_depth_space, "DepthToSpace", {{"blocksize", int64_t{2}}, {"mode", std::string(mode)}}, {x}, {dense(DType::f32, {2, 3, 6, 10})}, [&](size_t, int64_t e) {
      const auto i = index_of(e, {2, 3, 6, 10});
      const int64_t block = i[2] % 2 * 2 + i[3] % 2, channel = mode[0] == 'D' ? block * 3 + i[1] : i[1] * 4 + block;
      return at(x, offset_of({i[0], channel, i[2] / 2, i[3] / 2}, strides_of(x.dims)));
    }, kExact);
  }
  const Tensor x = dense(DType::f32, {2, 3, 6, 10}, 1);
  expect_each(cpu::bind_depth_space, "SpaceToDepth", {{"blocksize", int64_t{2}}}, {x}, {dense(DType::f32, {2, 12, 3, 5})}, [&](size_t, int64_t e) {
    const auto i = index_of(e, {2, 12, 3, 5});
    return at(x, offset_of({i[0], i[1] % 3, i[2] * 2 + i[1] / 6, i[3] * 2 + i[1] / 3 % 2}, strides_of(x.dims)));
  }, kExact);
}

TEST(TensorGather, indices_name_blocks_elements_and_tuples) {
  const Tensor x = dense(DType::f32, {4, 6, 10}, 1);
  for (const DType t : {DType::i64, DType::i32}) {
    const Tensor three = constant(t, {3}, {5, -1, 2}), outside = constant(t, {2}, {9, -7});
    expect_each(cpu::bind_gather, "Gather", {{"axis", int64_t{1}}}, {x, three}, {dense(DType::f32, {4, 3, 10})}, [&](size_t, int64_t e) {
      const auto i = index_of(e, {4, 3, 10});
      return at(x, (i[0] * 6 + (i[1] == 2 ? 2 : 5)) * 10 + i[2]);
    }, kExact);
    expect_each(cpu::bind_gather, "Gather", {{"axis", int64_t{-2}}}, {x, outside}, {dense(DType::f32, {4, 2, 10})}, [](size_t, int64_t) { return 0.0; }, kExact);
    const Tensor places = dense(t, {3, 5, 10}, 2, -6, 6);
    expect_each(cpu::bind_gather_elements, "GatherElements", {{"axis", int64_t{1}}}, {x, places}, {dense(DType::f32, {3, 5, 10})}, [&](size_t, int64_t e) {
      const auto i = index_of(e, {3, 5, 10});
      const auto k = static_cast<int64_t>(at(places, e));
      return at(x, (i[0] * 6 + (k < 0 ? k + 6 : k)) * 10 + i[2]);
    }, kExact);
    expect_each(cpu::bind_gather_elements, "GatherElements", {{"axis", int64_t{2}}}, {x, places}, {dense(DType::f32, {3, 5, 10})}, [&](size_t, int64_t e) {
      const auto i = index_of(e, {3, 5, 10});
      const auto k = static_cast<int64_t>(at(places, e));
      return at(x, (i[0] * 6 + i[1]) * 10 + (k < 0 ? k + 10 : k));
    }, kExact);
    const Tensor tuples = constant(t, {3, 2}, {0, 0, 3, 5, -1, 1});
    const int64_t at_block[] = {0, 23, 19};
    expect_each(cpu::bind_gather_nd, "GatherND", {}, {x, tuples}, {dense(DType::f32, {3, 10})}, [&](size_t, int64_t e) { return at(x, at_block[e / 10] * 10 + e % 10); }, kExact);
    const Tensor batched = constant(t, {4, 1}, {0, 5, -1, 2});
    const int64_t in_batch[] = {0, 5, 5, 2};
    expect_each(cpu::bind_gather_nd, "GatherND", {{"batch_dims", int64_t{1}}}, {x, batched}, {dense(DType::f32, {4, 10})}, [&](size_t, int64_t e) { return at(x, (e / 10 * 6 + in_batch[e / 10]) * 10 + e % 10); }, kExact);
    const Tensor updates = dense(DType::f32, {3, 10}, 7);
    expect_each(cpu::bind_scatter_nd, "ScatterND", {}, {x, tuples, updates}, {dense(DType::f32, {4, 6, 10})}, [&](size_t, int64_t e) {
      for (int64_t k = 0; k < 3; ++k)
        if (at_block[k] == e / 10) return at(updates, k * 10 + e % 10);
      return at(x, e);
    }, kExact);
  }
}

}  // namespace
