// Convolutions as the binder cuts them, one thread: shapes of detectors, text readers and voices × instruction set. x and y stay in the caches where they fit.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "bench/kernels.h"
#include "core/buffer.h"
#include "core/checked.h"
#include "cpu/binding.h"
#include "cpu/kernels/conv/conv.h"

namespace bench {
namespace {

using namespace mainspring;
using Ints = std::vector<int64_t>;

struct Shape {
  const char* name;
  Dims x, w;
  int64_t stride = 1, pad = 0, group = 1, dilation = 1;
  bool transposed = false;
};
const Shape kShapes[] = {
    {"3x3s2 3-16 320", {1, 320, 320, 3}, {16, 3, 3, 3}, 2, 1},
    {"3x3s2 16-32 160", {1, 160, 160, 16}, {32, 16, 3, 3}, 2, 1},
    {"3x3 16-16 80", {1, 80, 80, 16}, {16, 16, 3, 3}, 1, 1},
    {"3x3 32-32 40", {1, 40, 40, 32}, {32, 32, 3, 3}, 1, 1},
    {"3x3 64-64 40", {1, 40, 40, 64}, {64, 64, 3, 3}, 1, 1},
    {"3x3 80-80 40", {1, 40, 40, 80}, {80, 80, 3, 3}, 1, 1},
    {"3x3 128-128 20", {1, 20, 20, 128}, {128, 128, 3, 3}, 1, 1},
    {"3x3s2 128-256 20", {1, 20, 20, 128}, {256, 128, 3, 3}, 2, 1},
    {"3x3 256-256 10", {1, 10, 10, 256}, {256, 256, 3, 3}, 1, 1},
    {"3x3 512-512 7", {1, 7, 7, 512}, {512, 512, 3, 3}, 1, 1},
    {"1x1 32-32 80", {1, 80, 80, 32}, {32, 32, 1, 1}},
    {"1x1 192-64 40", {1, 40, 40, 192}, {64, 192, 1, 1}},
    {"1x1 384-256 10", {1, 10, 10, 384}, {256, 384, 1, 1}},
    {"1x1 22-67 60", {1, 60, 60, 22}, {67, 22, 1, 1}},
    {"dw3x3 16 160", {1, 160, 160, 16}, {16, 1, 3, 3}, 1, 1, 16},
    {"dw3x3s2 96 80", {1, 80, 80, 96}, {96, 1, 3, 3}, 2, 1, 96},
    {"dw5x5 192 40", {1, 40, 40, 192}, {192, 1, 5, 5}, 1, 2, 192},
    {"dw5x5 480 12x80", {1, 12, 80, 480}, {480, 1, 5, 5}, 1, 2, 480},
    {"k5 192-192 300", {1, 300, 192}, {192, 192, 5}, 1, 2},
    {"k7 256-256 2400", {1, 2400, 256}, {256, 256, 7}, 1, 3},
    {"k3d5 128-128 9600", {1, 9600, 128}, {128, 128, 3}, 1, 5, 1, 5},
    {"k11d5 64-64 19200", {1, 19200, 64}, {64, 64, 11}, 1, 25, 1, 5},
    {"k11 32-32 38400", {1, 38400, 32}, {32, 32, 11}, 1, 5},
    {"k7 32-1 38400", {1, 38400, 32}, {1, 32, 7}, 1, 3},
    {"t16s8 512-256 300", {1, 300, 512}, {512, 256, 16}, 8, 4, 1, 1, true},
    {"t2x2s2 64-24 80", {1, 80, 80, 64}, {64, 24, 2, 2}, 2, 0, 1, 1, true},
    {"g4 3x3 64-64 40", {1, 40, 40, 64}, {64, 16, 3, 3}, 1, 1, 4},
};

int64_t elements(const Dims& dims) {
  int64_t n = 1;
  for (const Dim& d : dims) n *= d.times;
  return n;
}

/// A bound node with memory of its own.
struct Bound {
  Buffer memory, panels, scratch;
  Node node;
  KernelBinding binding;
  std::vector<Step> steps;
  StepEnv env;
  double ops = 0, bytes = 0;
};

void run(benchmark::State& state, const Shape& s, Isa isa) {
  Bound b;
  const size_t axes = s.x.size() - 2;
  b.node.op = s.transposed ? "conv_transpose" : "conv";
  b.node.attrs = {{"strides", Ints(axes, s.stride)}, {"dilations", Ints(axes, s.dilation)}, {"pads", Ints(2 * axes, s.pad)}, {"group", s.group}, {"act", std::string("relu")}};
  const OpDef* op = find_op(b.node.op);
  const ValueInfo in[] = {{DType::f32, s.x}, {DType::f32, s.w}};
  const Dims y = op->infer(OpCall{in, b.node.attrs}).value().front().dims;
  const Dims bias{y.back()};
  Operand operands[4];
  const Dims* dims[] = {&s.x, &s.w, &bias, &y};
  size_t floats = 0;
  for (const Dims* d : dims) floats += round_up(static_cast<size_t>(elements(*d)), 16);
  b.memory = Buffer::create(system_allocator(), floats * 4, "benchmark").value();
  fill({reinterpret_cast<float*>(b.memory.data()), floats}, 3);
  for (size_t i = 0, at = 0; i < 4; at += round_up(static_cast<size_t>(elements(*dims[i])), 16), ++i)
    operands[i] = {DType::f32, *dims[i], StateKind::none, {Space::constant, reinterpret_cast<int64_t>(b.memory.data() + at * 4)},
                   i == 2 ? 1 : elements(*dims[i]) / (*dims[i])[0].times, i == 1 || i == 2};
  BindRequest q;
  q.node = &b.node, q.op = op;
  q.in = std::span(operands, 3), q.out = std::span(operands + 3, 1);
  b.binding = cpu::binder_of(b.node.op)(q, cap(detect_isa(), name_of(isa)).value()).value();
  const Packing& packing = b.binding.packings[0];
  b.panels = Buffer::create(system_allocator(), packing.bytes, "panels").value();
  for (int64_t i = 0; i < packing.pieces; ++i) packing.pack(packing.user.get(), reinterpret_cast<std::byte*>(operands[1].ref.offset), i, b.panels.data());
  b.scratch = Buffer::create(system_allocator(), b.binding.worker_scratch_bytes + 64, "scratch").value();
  b.env.worker_scratch = b.scratch.data();
  const std::vector<const std::byte*> panels{b.panels.data()};
  b.steps = b.binding.finish(b.binding, panels, {});
  for (auto _ : state) {
    for (const Step& step : b.steps) {
      const int64_t tiles = step.tiles(step.params, b.env);
      for (int64_t t = 0; t < tiles; ++t) step.run(step.params, b.env, t, 0);
    }
    benchmark::ClobberMemory();
  }
  report(state, isa, {0, static_cast<double>(b.binding.ops_per_row * s.x[0].times)});
}

}  // namespace

void register_conv() {
  for (const ConvKernel& k : conv_kernels()) {
    if (!detect_isa().has(k.isa) || k.isa == Isa::scalar) continue;
    for (const Shape& s : kShapes) {
      const std::string name = fmt::format("conv/{}/{}", k.name, s.name);
      benchmark::RegisterBenchmark(name.c_str(), [&s, isa = k.isa](benchmark::State& state) { run(state, s, isa); });
    }
  }
}

}  // namespace bench
