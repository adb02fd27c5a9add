// conv and conv_transpose: tiles of output pixels × panels. Where a tile's inputs reach over the sides of the last axis, its rows of inputs are copied between
// zeros first; rows above and below are left out of the sum. Both keep each output's own order of products.
#include "cpu/bind/conv.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "cpu/bind/rows.h"
#include "ops/fused_act.h"

namespace mainspring::inline v0::cpu {
namespace {

struct ConvParams {
  ConvPlan plan;
  ConvIo io;
  Ref source;       ///< computed weights: a step packs them each time
  Packing packing;
};

/// A tile's place, and its lists in the worker's scratch.
struct Tile {
  const ConvParams& p;
  const ConvPart& part;
  int64_t image, d, row, rows, pixel, pixels, panel, panels, group, groups;
  const float* x;  // of the image
  float* y;
  const float* add;
  const float* w;
  ConvRow* list;
  ConvTap* taps;
  int64_t* held;  // which row of inputs each copy is of
  float* copies;
  int64_t n_rows = 0, n_taps = 0, n_held = 0;

  int64_t channels() const { return groups * p.plan.shape.group_in(); }
  const ConvShape& shape() const { return p.plan.shape; }
  int64_t output_at(int64_t r, int64_t q) const {
    const auto& l = part.line;
    const auto& a = shape().axis;
    return (((l[0].first + d * l[0].step) * a[1].out + l[1].first + r * l[1].step) * a[2].out + l[2].first + q * l[2].step) * shape().oc;
  }
  void begin_row(int64_t r, int64_t q, int64_t n, const float* from, int64_t channel = 0) {
    const int64_t at = output_at(r, q) + channel;
    list[n_rows++] = {from + channel, y + at, add != nullptr ? add + at : nullptr, taps + n_taps, 0, n};
  }
  void tap(int64_t at, int64_t weights) {
    taps[n_taps++] = {at, weights};
    ++list[n_rows - 1].n_taps;
  }
  /// Calls each(row of inputs, row of weights) for the taps of the first two axes that fall on inputs.
  template <class F>
  void for_input_rows(int64_t r, F each) const {
    const ConvLine &ld = part.line[0], &lh = part.line[1];
    const int64_t step = static_cast<int64_t>(part.line[2].at.size()) * shape().group_in();
    int64_t weights_row = part.w_row;
    for (const int64_t dd : ld.at)
      for (const int64_t hh : lh.at) {
        const int64_t id = d * ld.in_step + dd, ih = r * lh.in_step + hh;
        if (id >= 0 && id < shape().axis[0].in && ih >= 0 && ih < shape().axis[1].in) each(id * shape().axis[1].in + ih, weights_row);
        weights_row += step;
      }
  }
};

/// Inputs [first, first + count) of a row, zeros where there are none, as `channels` floats each.
void copy_inputs(const Tile& t, int64_t row, int64_t first, int64_t count, float* to) {
  const ConvShape& s = t.shape();
  const int64_t in = s.axis[2].in, channels = t.channels();
  const int64_t begin = std::clamp<int64_t>(-first, 0, count), end = std::clamp<int64_t>(in - first, begin, count);
  std::fill(to, to + begin * channels, 0.0f);
  std::fill(to + end * channels, to + count * channels, 0.0f);
  if (end <= begin) return;
  const float* from = t.x + (row * in + first + begin) * s.c + t.group * s.group_in();
  if (channels == s.c) {
    std::memcpy(to + begin * channels, from, static_cast<size_t>((end - begin) * channels) * sizeof(float));
    return;
  }
  for (int64_t i = begin; i < end; ++i, from += s.c) std::memcpy(to + i * channels, from, static_cast<size_t>(channels) * sizeof(float));
}

void run_dense(Tile& t, ConvArgs& a) {
  const ConvShape& s = t.shape();
  const ConvLine& line = t.part.line[2];
  const int64_t first = t.pixel * line.in_step + line.least(), count = (t.pixels - 1) * line.in_step + line.reach();
  const bool inside = first >= 0 && first + count <= s.axis[2].in;
  const int64_t pixel_floats = inside ? s.c : t.channels(), row_floats = count * pixel_floats;
  const float* from = inside ? t.x + t.group * s.group_in() : t.copies;
  a.x_step = line.in_step * pixel_floats;
  a.depth = t.part.joined ? static_cast<int64_t>(line.at.size()) * s.c : s.group_in();
  for (int64_t r = t.row; r < t.row + t.rows; ++r) {
    t.begin_row(r, t.pixel, t.pixels, from);
    t.for_input_rows(r, [&](int64_t input, int64_t w) {
      int64_t at = (input * s.axis[2].in + first) * s.c;
      if (!inside) {
        const int64_t* found = std::find(t.held, t.held + t.n_held, input);
        at = (found - t.held) * row_floats;
        if (found == t.held + t.n_held) {
          copy_inputs(t, input, first, count, t.copies + at);
          t.held[t.n_held++] = input;
        }
      }
      if (line.at.empty()) return;
      if (t.part.joined) return t.tap(at, w);
      for (size_t j = 0; j < line.at.size(); ++j) t.tap(at + (line.at[j] - line.least()) * pixel_floats, w + static_cast<int64_t>(j) * s.group_in());
    });
  }
  a.n_rows = t.n_rows;
  if (t.p.plan.thin) {
    a.w = t.w, a.w_step = t.p.plan.thin_step(), a.outputs = s.oc;
    return t.p.io.fn->thin(a);
  }
  a.w_step = t.p.plan.panel_floats();
  const int64_t outputs = s.group_out(), output = t.panel * kConvWidth;
  a.outputs = std::min(t.panels * kConvWidth, outputs - output);
  const float* bias = a.bias;
  for (int64_t g = t.group; g < t.group + t.groups; ++g) {
    const int64_t out = g * outputs + output;
    a.w = t.w + (g * t.p.plan.panels() + t.panel) * a.w_step;
    a.bias = bias != nullptr ? bias + out : nullptr;
    for (ConvRow* row = t.list; row < t.list + t.n_rows; ++row) {
      const int64_t moved_in = g == t.group ? 0 : s.group_in(), moved_out = g == t.group ? out : outputs;
      row->x += moved_in, row->y += moved_out, row->add += row->add != nullptr ? moved_out : 0;
    }
    t.p.io.fn->dense(a);
  }
}

void run_depthwise(Tile& t, ConvArgs& a) {
  const ConvShape& s = t.shape();
  const ConvLine& line = t.part.line[2];
  const int64_t in = s.axis[2].in, last = t.pixel + t.pixels;
  const auto whole = [&](int64_t q) { return line.at.empty() || (q * line.in_step + line.at.front() >= 0 && q * line.in_step + line.at.back() < in); };
  a.x_step = line.in_step * s.c;
  a.depth = 1;
  a.w_step = t.p.plan.channels();
  const int64_t output = t.panel * kConvWidth;
  a.outputs = std::min(t.panels * kConvWidth, s.c - output);
  a.w = t.w + output;
  a.bias += a.bias != nullptr ? output : 0;
  for (int64_t r = t.row; r < t.row + t.rows; ++r)
    for (int64_t q = t.pixel, n; q < last; q += n) {
      for (n = 1; q + n < last && whole(q) && whole(q + n);) ++n;
      t.begin_row(r, q, n, t.x, output);
      t.for_input_rows(r, [&](int64_t input, int64_t w) {
        for (size_t j = 0; j < line.at.size(); ++j) {
          const int64_t i = q * line.in_step + line.at[j];
          if (i >= 0 && i + (n - 1) * line.in_step < in) t.tap((input * in + i) * s.c, w + static_cast<int64_t>(j));
        }
      });
    }
  a.n_rows = t.n_rows;
  t.p.io.fn->depthwise(a);
}

void conv_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const ConvParams*>(params);
  const ConvPart* part = p.plan.parts.data();
  int64_t before = 0;
  for (; tile >= part->tiles; ++part) before = part->tiles;
  tile -= before;
  // Tiles of the same panels follow each other.
  const int64_t pixel_tile = tile % part->pixel_tiles, row_tile = tile / part->pixel_tiles % part->row_tiles;
  const int64_t outer = tile / part->pixel_tiles / part->row_tiles, panel_tile = outer % part->panel_tiles, group_tile = outer / part->panel_tiles;
  const int64_t blocks = ceil_div(part->line[1].count, part->rows), block = row_tile % blocks, plane = row_tile / blocks;
  const int64_t image = plane / part->line[0].count;
  const auto floats = [&](Ref r, int64_t skip) { return r ? reinterpret_cast<float*>(env.at(r)) + image * skip : nullptr; };
  std::byte* scratch = env.scratch(worker);
  const auto take = [&](int64_t bytes) { return std::exchange(scratch, scratch + round_up(static_cast<size_t>(bytes), 64)); };
  Tile t{p,
         *part,
         image,
         plane % part->line[0].count,
         block * part->rows,
         0,
         pixel_tile * part->pixels,
         0,
         panel_tile * part->panels,
         0,
         group_tile * part->groups,
         0,
         floats(p.io.x, p.io.x_batch),
         floats(p.io.y, p.io.y_batch),
         floats(p.io.add, p.io.add_batch),
         p.io.weights(env),
         reinterpret_cast<ConvRow*>(take(p.plan.most_rows * static_cast<int64_t>(sizeof(ConvRow)))),
         reinterpret_cast<ConvTap*>(take(p.plan.most_taps * static_cast<int64_t>(sizeof(ConvTap)))),
         reinterpret_cast<int64_t*>(take((p.plan.input_floats > 0 ? p.plan.most_inputs : 0) * 8)),
         nullptr};
  t.copies = reinterpret_cast<float*>(scratch);
  t.rows = std::min(part->rows, part->line[1].count - t.row);
  t.pixels = std::min(part->pixels, part->line[2].count - t.pixel);
  t.panels = std::min(part->panels, p.plan.panels() - t.panel);
  t.groups = std::min(part->groups, p.plan.groups() - t.group);
  ConvArgs a = p.io.args(env);
  a.rows = t.list;
  a.y_step = part->line[2].step * p.plan.shape.oc;
  (p.plan.depthwise ? run_depthwise : run_dense)(t, a);
}

int64_t conv_tiles(const void* params, const StepEnv&) {
  const ConvPlan& plan = static_cast<const ConvParams*>(params)->plan;
  return plan.batch == 0 ? 0 : plan.parts.back().tiles;
}

void pack_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const ConvParams*>(params);
  p.packing.pack(p.packing.user.get(), env.at(p.source), tile, env.at(p.io.w));
}

int64_t pack_tiles(const void* params, const StepEnv& env) { return conv_tiles(params, env) == 0 ? 0 : static_cast<const ConvParams*>(params)->packing.pieces; }

ConvAct act_of(std::string_view name) {
  constexpr std::pair<std::string_view, ConvAct> kActs[] = {
      {"leaky_relu", ConvAct::leaky_relu}, {"elu", ConvAct::elu},           {"sigmoid", ConvAct::sigmoid},           {"tanh", ConvAct::tanh},
      {"silu", ConvAct::silu},             {"gelu", ConvAct::gelu},         {"gelu_erf", ConvAct::gelu_erf},         {"hard_sigmoid", ConvAct::hard_sigmoid},
      {"hard_swish", ConvAct::hard_swish}, {"mish", ConvAct::mish},         {"softplus", ConvAct::softplus},         {"", ConvAct::clip},
      {"relu", ConvAct::clip},             {"clip", ConvAct::clip},
  };
  for (const auto& [known, act] : kActs)
    if (known == name) return act;
  return ConvAct::count;
}

/// One image's floats, where the images lie row_stride apart.
int64_t image_floats(const Operand& o) {
  int64_t n = 1;
  for (size_t i = 1; i < o.dims.size(); ++i) n *= o.dims[i].times;
  return n;
}

Result<KernelBinding> bind(const BindRequest& q, IsaSet isa, bool transposed) {
  const char* op = q.op->name;
  const Operand &x = q.in[0], &w = q.in[1], bias = operand(q.in, 2), add = operand(q.in, 3), &y = q.out[0];
  for (const Operand* o : {&x, &w, &bias, &add, &y}) {
    if (o->dtype != DType::f32) return unsupported("{}: an operand is {}, the CPU kernel takes f32", op, name_of(o->dtype));
    for (const Dim& d : o->dims)
      if (!d.is_constant()) return unsupported("{}: an extent is symbolic", op);
  }
  if (!w.is_weight && w.row_stride != image_floats(w)) return unsupported("{}: the weights are computed and lie apart", op);
  MAINSPRING_TRY(const ConvShape shape, conv_shape(op, transposed, x.dims, w.dims, q.node->attrs));
  const FusedAct* act = fused_act_of(q.node->attrs);
  if (act == nullptr || act_of(act->name) == ConvAct::count) return unsupported("{}: no kernel for this activation", op);
  const ConvKernel& kernel = select_conv(isa);
  ConvIo io;
  io.fn = kernel.fn;
  io.x = x.ref, io.y = y.ref, io.bias = bias.ref, io.add = add.ref;
  io.x_batch = x.row_stride, io.y_batch = y.row_stride, io.add_batch = add.row_stride;
  io.act = act_of(act->name);
  io.act_first = q.node->attrs.i("act_first") != 0;
  io.a = static_cast<float>(act->name == "clip" || io.act != ConvAct::clip ? q.node->attrs.f("act_a", act->a) : act->a);
  io.b = static_cast<float>(act->name == "clip" || io.act != ConvAct::clip ? q.node->attrs.f("act_b", act->b) : act->b);
  if (act->name.empty()) io.a = -static_cast<float>(kNoBound), io.b = static_cast<float>(kNoBound);
  int64_t batch = x.dims[0].times;
  const bool dense_batch = x.row_stride == image_floats(x) && y.row_stride == image_floats(y) && (!add || add.row_stride == image_floats(add));
  const ConvShape simple = simplified(shape, &batch, dense_batch);
  if (!q.exact && w.is_weight && batch > 0 && winograd_pays(simple)) return bind_winograd(io, simple, batch, kernel, q.workers);
  ConvParams p{plan_conv(simple, batch, kernel, q.workers), io, w.ref, {}};
  p.packing = conv_packing(p.plan);
  KernelBinding b;
  b.kernel = p.plan.depthwise || p.plan.thin ? fmt::format("conv.{} {}", kernel.name, p.plan.thin ? "thin" : "depthwise") : fmt::format("conv.{} {}x{}", kernel.name, kernel.pixel_tile, kConvWidth);
  b.bytes_read = static_cast<int64_t>(p.packing.bytes);
  if (w.is_weight) b.packings.push_back(p.packing);
  else b.scratch_bytes = round_up(p.packing.bytes, 64);
  b.worker_scratch_bytes = p.plan.scratch_bytes();
  b.ops_per_row = 2 * p.plan.products();
  b.finish = [](const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
    auto* all = static_cast<ConvParams*>(self.params.get());
    all->io.w = packed.empty() ? scratch : ConvIo::constant(packed[0]);
    std::vector<Step> steps{Step{conv_run, conv_tiles, all}};
    if (packed.empty()) steps.insert(steps.begin(), Step{pack_run, pack_tiles, all});
    return steps;
  };
  b.params = std::make_shared<ConvParams>(std::move(p));
  return b;
}

}  // namespace

Result<KernelBinding> bind_conv(const BindRequest& q, IsaSet isa) { return bind(q, isa, false); }
Result<KernelBinding> bind_conv_transpose(const BindRequest& q, IsaSet isa) { return bind(q, isa, true); }

}  // namespace mainspring::inline v0::cpu
