// Rope: a tile is some rows; the angles of a row are computed once for all its heads, into the worker's scratch.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/checked.h"
#include "cpu/bind/rope.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileElements = 64 * 1024;

struct Rope {
  Arg x, y;
  Rotation rotation;
  int64_t heads, tile_rows;
};

/// The pair (as a real number) that makes `turns` turns over the context that the model was trained with.
double pair_of(const Attrs& attrs, double n_rot, double turns) {
  const double context = static_cast<double>(attrs.i("n_ctx_orig"));
  return n_rot * std::log(context / (turns * 2 * std::numbers::pi)) / (2 * std::log(attrs.f("base", 10000)));
}

int64_t tiles(const void* params, const StepEnv& env) {
  const Rope& r = *static_cast<const Rope*>(params);
  return ceil_div(env.extent(r.x.rows), r.tile_rows);
}

void run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const Rope& r = *static_cast<const Rope*>(params);
  float* table = reinterpret_cast<float*>(env.scratch(worker));
  const int64_t first = tile * r.tile_rows, last = std::min(env.extent(r.x.rows), first + r.tile_rows);
  for (int64_t i = first; i < last; ++i) r.rotation.rotate(env, i, r.x.row<float>(env, i), r.y.row<float>(env, i), r.heads, table);
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const>, Ref) {
  auto* r = static_cast<Rope*>(self.params.get());
  r->rotation.make_steps();
  return {{run, tiles, r}};
}

}  // namespace

/// Angles for each position: YaRN, arXiv:2309.00071. Pairs that turn often keep their angle, those that turn seldom are interpolated.
void Rotation::make_steps() {
  const double n = static_cast<double>(n_rot), base = attrs.f("base", 10000);
  const double freq_scale = attrs.f("freq_scale", 1), ext_factor = attrs.f("ext_factor", 0);
  double low = 0, high = 0, scale = attrs.f("attn_factor", 1);
  if (ext_factor != 0) {
    low = std::max(0.0, std::floor(pair_of(attrs, n, attrs.f("beta_fast", 32))));
    high = std::min(n - 1, std::ceil(pair_of(attrs, n, attrs.f("beta_slow", 1))));
    scale *= 1 + 0.1 * std::log(1 / freq_scale);
  }
  magnitude = static_cast<float>(scale);
  steps.clear();
  for (int64_t i = 0; i < n_rot / 2; ++i) {
    const double full = std::pow(base, -2.0 * static_cast<double>(i) / n) / (factors ? static_cast<double>(factors[i]) : 1.0);
    const double keep = ext_factor * (1 - std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0));
    steps.push_back(rope_step(freq_scale * full * (1 - keep) + full * keep));
  }
}

Result<Rotation> rotation_of(const BindRequest& request, size_t first, IsaSet isa) {
  const std::string& op = request.node->op;
  if (request.in.size() < first + 2) return unsupported("{}: {} operands, expected x and positions", op, request.in.size());
  const Operand &x = request.in[first], &positions = request.in[first + 1];
  if (x.dtype != DType::f32 || x.dims.size() != 3) return unsupported("{}: x is {} of rank {}, expected f32 of rank 3", op, name_of(x.dtype), x.dims.size());
  if (positions.dtype != DType::i32) return unsupported("{}: positions are {}, expected i32", op, name_of(positions.dtype));
  const Operand factors = request.in.size() > first + 2 ? request.in[first + 2] : Operand{};
  if (factors && (!factors.is_weight || factors.dtype != DType::f32))
    return unsupported("{}: factors are {}, expected a weight in f32", op, factors.is_weight ? name_of(factors.dtype) : "computed");
  const RopeKernel& kernel = select_rope(isa);
  Rotation r;
  r.positions = arg_of(positions);
  r.fn = kernel.fn;
  r.isa = kernel.name;
  r.factors = factors ? reinterpret_cast<const float*>(factors.ref.offset) : nullptr;
  r.attrs = request.node->attrs;
  r.d = x.dims[2].times;
  r.n_rot = r.attrs.i("n_rot", r.d);
  r.neox = r.attrs.s("mode", "norm") == "neox";
  if (r.n_rot < 2 || r.n_rot > r.d || r.n_rot % 2 != 0) return unsupported("{}: n_rot is {}, expected an even number up to {}", op, r.n_rot, r.d);
  return r;
}

Result<KernelBinding> bind_rope(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY(Rotation rotation, rotation_of(request, 0, isa));
  const Operand& x = request.in[0];
  auto r = std::make_shared<Rope>();
  r->x = arg_of(x);
  r->y = arg_of(request.out[0]);
  r->heads = x.dims[1].times;
  r->tile_rows = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, r->heads * rotation.d));
  KernelBinding b;
  b.kernel = fmt::format("rope.{}.{}", rotation.isa, rotation.neox ? "neox" : "norm");
  b.worker_scratch_bytes = static_cast<size_t>(rotation.table_floats()) * sizeof(float);
  b.finish = finish;
  r->rotation = std::move(rotation);
  b.params = r;
  return b;
}

}  // namespace mainspring::inline v0::cpu
