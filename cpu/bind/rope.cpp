// Rope: a tile is some rows; the angles of a row are computed once for all its heads, into the worker's scratch.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/checked.h"
#include "cpu/bind/bind.h"
#include "cpu/kernels/rope/rope.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileElements = 64 * 1024;

struct Rope {
  Arg x, positions, y;
  const RopeIsa* fn;
  const float* factors;   ///< null, or [n_rot / 2]: read when the steps are made
  Attrs attrs;
  int64_t heads, d, n_rot, tile_rows;
  bool neox;
  float magnitude;
  std::vector<uint64_t> steps;   ///< turns for each position, by pair
};

/// The pair (as a real number) that makes `turns` turns over the context that the model was trained with.
double pair_of(const Attrs& attrs, double n_rot, double turns) {
  const double context = static_cast<double>(attrs.i("n_ctx_orig"));
  return n_rot * std::log(context / (turns * 2 * std::numbers::pi)) / (2 * std::log(attrs.f("base", 10000)));
}

/// Angles for each position: YaRN, arXiv:2309.00071. Pairs that turn often keep their angle, those that turn seldom are interpolated.
void make_steps(Rope& r) {
  const double n = static_cast<double>(r.n_rot), base = r.attrs.f("base", 10000);
  const double freq_scale = r.attrs.f("freq_scale", 1), ext_factor = r.attrs.f("ext_factor", 0);
  double low = 0, high = 0, magnitude = r.attrs.f("attn_factor", 1);
  if (ext_factor != 0) {
    low = std::max(0.0, std::floor(pair_of(r.attrs, n, r.attrs.f("beta_fast", 32))));
    high = std::min(n - 1, std::ceil(pair_of(r.attrs, n, r.attrs.f("beta_slow", 1))));
    magnitude *= 1 + 0.1 * std::log(1 / freq_scale);
  }
  r.magnitude = static_cast<float>(magnitude);
  r.steps.clear();
  for (int64_t i = 0; i < r.n_rot / 2; ++i) {
    const double full = std::pow(base, -2.0 * static_cast<double>(i) / n) / (r.factors ? static_cast<double>(r.factors[i]) : 1.0);
    const double keep = ext_factor * (1 - std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0));
    r.steps.push_back(rope_step(freq_scale * full * (1 - keep) + full * keep));
  }
}

int64_t tiles(const void* params, const StepEnv& env) {
  const Rope& r = *static_cast<const Rope*>(params);
  return ceil_div(env.extent(r.x.rows), r.tile_rows);
}

void run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const Rope& r = *static_cast<const Rope*>(params);
  float* table = reinterpret_cast<float*>(env.scratch(worker));
  const int64_t first = tile * r.tile_rows, last = std::min(env.extent(r.x.rows), first + r.tile_rows);
  const int32_t* positions = r.positions.at<int32_t>(env);
  for (int64_t i = first; i < last; ++i) {
    r.fn->angles(r.steps.data(), r.n_rot / 2, positions[i], r.magnitude, r.neox, table);
    r.fn->rotate({r.x.row<float>(env, i), r.y.row<float>(env, i), r.heads, r.d, r.n_rot / 2, r.neox, table});
  }
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const>, Ref) {
  auto* r = static_cast<Rope*>(self.params.get());
  make_steps(*r);
  return {{run, tiles, r}};
}

}  // namespace

Result<KernelBinding> bind_rope(const BindRequest& request, IsaSet isa) {
  if (request.in.size() < 2) return unsupported("rope: {} operands, expected x and positions", request.in.size());
  const Operand &x = request.in[0], &positions = request.in[1];
  if (x.dtype != DType::f32 || x.dims.size() != 3) return unsupported("rope: x is {} of rank {}, expected f32 of rank 3", name_of(x.dtype), x.dims.size());
  if (positions.dtype != DType::i32) return unsupported("rope: positions are {}, expected i32", name_of(positions.dtype));
  const bool factors = request.in.size() > 2 && request.in[2];
  if (factors && (!request.in[2].is_weight || request.in[2].dtype != DType::f32))
    return unsupported("rope: factors are {}, expected a weight in f32", request.in[2].is_weight ? name_of(request.in[2].dtype) : "computed");
  const RopeKernel& kernel = select_rope(isa);
  const Attrs& attrs = request.node->attrs;
  auto r = std::make_shared<Rope>();
  r->x = arg_of(x);
  r->positions = arg_of(positions);
  r->y = arg_of(request.out[0]);
  r->fn = kernel.fn;
  r->factors = factors ? reinterpret_cast<const float*>(request.in[2].ref.offset) : nullptr;
  r->attrs = attrs;
  r->heads = x.dims[1].times;
  r->d = x.dims[2].times;
  r->n_rot = attrs.i("n_rot", r->d);
  r->neox = attrs.s("mode", "norm") == "neox";
  if (r->n_rot < 2 || r->n_rot > r->d || r->n_rot % 2 != 0) return unsupported("rope: n_rot is {}, expected an even number up to {}", r->n_rot, r->d);
  r->tile_rows = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, r->heads * r->d));
  KernelBinding b;
  b.kernel = fmt::format("rope.{}.{}", kernel.name, r->neox ? "neox" : "norm");
  b.worker_scratch_bytes = static_cast<size_t>(rope_table_floats(r->n_rot / 2)) * sizeof(float);
  b.finish = finish;
  b.params = r;
  return b;
}

}  // namespace mainspring::inline v0::cpu
