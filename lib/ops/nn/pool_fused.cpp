// pool: windows of channels-last tensors. x [n, spatial…, c] f32 -> y [n, spatial'…, c]; one to three spatial extents.
// kind "max" or "average"; kernel, strides, dilations [spatial]; pads [2 * spatial]: those before, then those after; ceil_mode: an output more where a window
// that begins inside of the input or the pads before it fits in part; count_include_pad: averages count positions in the pads; global: the window is
// everything.
#include <cmath>

#include "ops/op.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

Window window_of(const Attrs& attrs, size_t spatial, const int64_t* extents) {
  const auto list = [&](const char* name, size_t n, int64_t otherwise) {
    const auto given = attrs.is(name);
    return given.size() == n ? std::vector<int64_t>(given.begin(), given.end()) : std::vector<int64_t>(n, otherwise);
  };
  Window w{list("kernel", spatial, 1), list("strides", spatial, 1), list("dilations", spatial, 1), list("pads", 2 * spatial, 0)};
  if (attrs.i("global") != 0) w = {std::vector<int64_t>(extents, extents + spatial), std::vector<int64_t>(spatial, 1), std::vector<int64_t>(spatial, 1), std::vector<int64_t>(2 * spatial, 0)};
  return w;
}

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("pool", c, 0, "x"));
  if (x->dtype != DType::f32) return invalid("pool: x is {}, expected f32", name_of(x->dtype));
  if (!x->ranked) return one(unranked(DType::f32));
  MAINSPRING_TRY_VOID(want_rank("pool", *x, "x", 3, 5));
  const size_t spatial = x->dims.size() - 2;
  const bool global = c.attrs.i("global") != 0, up = c.attrs.i("ceil_mode") != 0;
  const std::string_view kind = c.attrs.s("kind", "max");
  if (kind != "max" && kind != "average") return invalid("pool: kind '{}', expected max or average", kind);
  for (const char* name : {"kernel", "strides", "dilations"}) {
    const auto list = c.attrs.is(name);
    if (list.size() != spatial && !(list.empty() && (global || std::string_view(name) != "kernel"))) return invalid("pool: {} {}, expected {}", list.size(), name, spatial);
    for (const int64_t v : list)
      if (v < 1) return invalid("pool: {} holds {}, expected at least 1", name, v);
  }
  const auto pads = c.attrs.is("pads");
  if (!pads.empty() && pads.size() != 2 * spatial) return invalid("pool: {} pads, expected {}", pads.size(), 2 * spatial);
  for (const int64_t v : pads)
    if (v < 0) return invalid("pool: a pad is {}, expected at least 0", v);
  const std::vector<int64_t> ones(spatial, 1);
  const Window w = window_of(c.attrs, spatial, ones.data());
  Dims dims = x->dims;
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t stride = w.strides[d], before = w.pads[d], after = w.pads[d + spatial];
    const auto reach = checked_mul(w.kernel[d] - 1, w.dilations[d]);
    if (!reach || *reach > int64_t{1} << 40 || before > int64_t{1} << 40 || after > int64_t{1} << 40) return invalid("pool: the window of extent {} is absurd", d);
    if (!global && dims[d + 1].is_constant() && dims[d + 1].times + before + after < *reach + 1 && !up)
      return invalid("pool: extent {} is {} with pads, the window is {}", d, dims[d + 1].times + before + after, *reach + 1);
    dims[d + 1] = global ? Dim(1) : map_dim(dims[d + 1], [&](int64_t n) {
      const int64_t room = n + before + after - *reach - 1;
      int64_t y = (up ? (room + stride - 1) / stride : room / stride) + 1;
      if (up && (y - 1) * stride >= n + before) --y;
      return std::max<int64_t>(0, y);
    });
  }
  return one(tensor_of(DType::f32, std::move(dims)));
}

void reference(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const size_t spatial = static_cast<size_t>(x.shape.rank() - 2);
  const Window w = window_of(a.attrs, spatial, x.shape.dims().data() + 1);
  const bool average = a.attrs.s("kind", "max") == "average", count_pads = a.attrs.i("count_include_pad") != 0;
  const int64_t c = x.shape.back();
  int64_t pixels = 1, in_pixels = 1, taps = 1;
  for (size_t d = 0; d < spatial; ++d) {
    pixels *= y.shape[static_cast<int>(d) + 1];
    in_pixels *= x.shape[static_cast<int>(d) + 1];
    taps *= w.kernel[d];
  }
  for (int64_t e = 0; e < y.shape.elements(); ++e) {
    const int64_t channel = e % c, n = e / c / pixels, pixel = e / c % pixels;
    double sum = 0, top = -HUGE_VAL;
    int64_t counted = 0;
    for (int64_t t = 0; t < taps; ++t) {
      int64_t at = 0, stride = 1, p = pixel, k = t;
      bool inside = true, in_pads = true;
      for (size_t d = spatial; d-- > 0;) {
        const int64_t m = y.shape[static_cast<int>(d) + 1], extent = x.shape[static_cast<int>(d) + 1];
        const int64_t i = p % m * w.strides[d] - w.pads[d] + k % w.kernel[d] * w.dilations[d];
        inside = inside && i >= 0 && i < extent;
        in_pads = in_pads && i < extent + w.pads[d + spatial];
        at += i * stride;
        stride *= extent;
        p /= m;
        k /= w.kernel[d];
      }
      if (inside || (count_pads && in_pads)) ++counted;
      if (!inside) continue;
      const double v = load(x, (n * in_pixels + at) * c + channel);
      sum += v;
      if (std::isnan(v) || v > top) top = v;
      if (std::isnan(top)) break;
    }
    store(y, e, average ? (counted > 0 ? sum / static_cast<double>(counted) : 0) : top);
  }
}

}  // namespace

constinit const OpDef op_pool{.name = "pool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
