// Operators that only move elements, of any dtype but strings: each is a list of strided copies (cpu/kernels/move), made at bind.
#include <array>
#include <cstring>

#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"
#include "cpu/kernels/move/move.h"

namespace mainspring::inline v0::cpu {
namespace {

using Extents = std::vector<int64_t>;

struct Piece {
  MovePlan plan;
  Ref from, to;         ///< from none: the fill
  int64_t from_bytes, to_bytes;  ///< of the first element
  Cut cut;
  int64_t end = 0;      ///< tiles of this piece and those before it
};

struct MoveParams {
  std::vector<Piece> pieces;
  alignas(16) std::array<std::byte, 16> fill{};
};

int64_t move_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const MoveParams*>(params);
  return p.pieces.empty() ? 0 : p.pieces.back().end;
}

void move_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const MoveParams*>(params);
  const auto at = std::upper_bound(p.pieces.begin(), p.pieces.end(), tile, [](int64_t t, const Piece& piece) { return t < piece.end; });
  const int64_t t = tile - (at->end - at->cut.tiles());
  const std::byte* from = at->from ? env.at(at->from) + at->from_bytes : p.fill.data();
  at->plan.run(from, env.at(at->to) + at->to_bytes, at->cut.first(t), at->cut.last(t));
}

Extents strides_of(std::span<const int64_t> dims) {
  Extents s(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) s[d - 1] = s[d] * dims[d];
  return s;
}

/// The pieces of one node.
class Moves {
 public:
  Moves(const BindRequest& q, IsaSet isa) : q_(q), kernel_(select_move(isa)), bytes_(info_of(q.out[0].dtype).bytes) {}
  /// Offsets in elements.
  void add(std::span<const MoveDim> dims, Ref from, int64_t from_offset, Ref to, int64_t to_offset) {
    Piece piece{MovePlan(dims, bytes_, kernel_), from, to, from_offset * bytes_, to_offset * bytes_, {}};
    if (piece.plan.units() == 0) return;
    piece.cut = Cut::of(piece.plan.units(), 1, std::max<int64_t>(1, piece.plan.unit_bytes() / 8), q_.workers);
    piece.end = (params_.pieces.empty() ? 0 : params_.pieces.back().end) + piece.cut.tiles();
    params_.pieces.push_back(std::move(piece));
  }
  void fill_with(const Operand& value) {
    if (const std::byte* data = content_of(value)) std::memcpy(params_.fill.data(), data, static_cast<size_t>(bytes_));
  }
  Result<KernelBinding> bind() && { return one_step(fmt::format("move.{}", kernel_.name), std::move(params_), move_run, move_tiles); }

 private:
  const BindRequest& q_;
  const MoveKernel& kernel_;
  int64_t bytes_;
  MoveParams params_;
};

/// Constant extents, no strings, no blocks; operands 0 and output 0 of one dtype.
Result<void> want_movable(const BindRequest& q) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const DType t = q.out[0].dtype;
  if (t == DType::string || is_block_format(t)) return unsupported("{}: the kernel does not move {}", q.node->op, name_of(t));
  return {};
}

}  // namespace

// Reshape, Flatten, Squeeze, Unsqueeze, Identity, where the planner made no view of them
Result<KernelBinding> bind_copy(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  if (q.in[0].dtype != q.out[0].dtype || elements_of(q.in[0]) != elements_of(q.out[0])) return unsupported("{}: no plain copy", q.node->op);
  Moves moves(q, isa);
  const MoveDim all[] = {{elements_of(q.out[0]), 1, 1}};
  moves.add(all, q.in[0].ref, 0, q.out[0].ref, 0);
  return std::move(moves).bind();
}

Result<KernelBinding> bind_transpose(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  const Extents x = *extents_of(q.in[0]), xs = strides_of(x), ys = strides_of(*extents_of(q.out[0]));
  const auto perm = q.node->attrs.is("perm");
  std::vector<MoveDim> dims;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t from = perm.empty() ? x.size() - 1 - i : static_cast<size_t>(perm[i]);
    if (from >= x.size() || (!perm.empty() && perm.size() != x.size())) return unsupported("Transpose: perm does not fit rank {}", x.size());
    dims.push_back({x[from], xs[from], ys[i]});
  }
  Moves moves(q, isa);
  moves.add(dims, q.in[0].ref, 0, q.out[0].ref, 0);
  return std::move(moves).bind();
}

// Both ways between a whole and its parts along an axis
Result<KernelBinding> bind_concat_split(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  const bool split = q.node->op == "Split";
  const Operand& whole = split ? q.in[0] : q.out[0];
  const Extents w = *extents_of(whole), ws = strides_of(w);
  MAINSPRING_TRY(const size_t axis, axis_of(q, q.node->attrs.i("axis"), w.size()));
  Moves moves(q, isa);
  int64_t offset = 0;
  for (const Operand& part : split ? q.out : q.in) {
    if (!part) continue;
    const Extents p = *extents_of(part), ps = strides_of(p);
    if (p.size() != w.size() || offset + p[axis] > w[axis]) return unsupported("{}: parts do not fit the whole", q.node->op);
    std::vector<MoveDim> dims;
    for (size_t d = 0; d < p.size(); ++d) dims.push_back({p[d], split ? ws[d] : ps[d], split ? ps[d] : ws[d]});
    const int64_t at = offset * ws[axis];
    moves.add(dims, split ? whole.ref : part.ref, split ? at : 0, split ? part.ref : whole.ref, split ? 0 : at);
    offset += p[axis];
  }
  return std::move(moves).bind();
}

Result<KernelBinding> bind_strided_slice(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  const Extents x = *extents_of(q.in[0]), xs = strides_of(x), y = *extents_of(q.out[0]), ys = strides_of(y);
  const auto starts = ints_of(q.in[1]);
  auto axes = has(q, 3) ? ints_of(q.in[3]) : std::optional(Extents()), steps = has(q, 4) ? ints_of(q.in[4]) : std::optional(Extents());
  if (!starts || !axes || !steps) return unsupported("Slice: the kernel wants constant starts, axes and steps");
  std::vector<MoveDim> dims;
  for (size_t d = 0; d < x.size(); ++d) dims.push_back({y[d], xs[d], ys[d]});
  int64_t offset = 0;
  for (size_t i = 0; i < starts->size(); ++i) {
    MAINSPRING_TRY(const size_t d, axis_of(q, axes->empty() ? static_cast<int64_t>(i) : (*axes)[i], x.size()));
    const int64_t step = steps->empty() ? 1 : (*steps)[i];
    int64_t start = (*starts)[i] < 0 ? (*starts)[i] + x[d] : (*starts)[i];
    start = std::clamp<int64_t>(start, 0, std::max<int64_t>(0, step < 0 ? x[d] - 1 : x[d]));
    if (y[d] > 0 && (start + (y[d] - 1) * step < 0 || start + (y[d] - 1) * step >= x[d])) return unsupported("Slice: the output does not fit the steps");
    offset += start * xs[d];
    dims[d].from *= step;
  }
  Moves moves(q, isa);
  moves.add(dims, q.in[0].ref, offset, q.out[0].ref, 0);
  return std::move(moves).bind();
}

// Expand and Tile: the source repeats along extents of stride 0
Result<KernelBinding> bind_repeat(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  const Extents x = *extents_of(q.in[0]), xs = strides_of(x), y = *extents_of(q.out[0]), ys = strides_of(y);
  if (x.size() > y.size()) return unsupported("{}: rank {} to {}", q.node->op, x.size(), y.size());
  std::vector<MoveDim> dims;
  for (size_t d = 0; d < y.size(); ++d) {
    const size_t lead = y.size() - x.size();
    const int64_t n = d < lead ? 1 : x[d - lead];
    if (n == 0 || y[d] % n != 0) {
      if (elements_of(q.out[0]) != 0) return unsupported("{}: extent {} does not repeat to {}", q.node->op, n, y[d]);
      continue;
    }
    dims.push_back({y[d] / n, 0, ys[d] * n});
    dims.push_back({n, d < lead ? 0 : xs[d - lead], ys[d]});
  }
  Moves moves(q, isa);
  if (elements_of(q.out[0]) > 0) moves.add(dims, q.in[0].ref, 0, q.out[0].ref, 0);
  return std::move(moves).bind();
}

// Pad: along each axis the output falls into stretches that come from the fill, from the input, or from the input backwards (reflect) or at rest (edge)
Result<KernelBinding> bind_pad(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  struct Stretch {
    int64_t at, n, from, step;
    bool fill;
  };
  const Extents x = *extents_of(q.in[0]), xs = strides_of(x), y = *extents_of(q.out[0]), ys = strides_of(y);
  const size_t rank = x.size();
  const auto pads = ints_of(q.in[1]), axes = has(q, 3) ? ints_of(q.in[3]) : std::optional(Extents());
  const std::string_view mode = q.node->attrs.s("mode", "constant");
  if (!pads || !axes || (has(q, 2) && content_of(q.in[2]) == nullptr)) return unsupported("Pad: the kernel wants constant pads and value");
  std::vector<std::vector<Stretch>> stretches;
  for (size_t d = 0; d < rank; ++d) stretches.push_back({{0, x[d], 0, 1, false}});
  const size_t n_axes = pads->size() / 2;
  for (size_t i = 0; i < n_axes; ++i) {
    MAINSPRING_TRY(const size_t d, axis_of(q, axes->empty() ? static_cast<int64_t>(i) : (*axes)[i], rank));
    const int64_t before = (*pads)[i], after = (*pads)[i + n_axes], n = x[d];
    const int64_t most = mode == "reflect" ? n - 1 : mode == "wrap" ? n : mode == "constant" || n > 0 ? INT64_MAX : 0;
    if (before > most || after > most || n + before + after != y[d]) return unsupported("Pad: {} and {} around {}, mode {}", before, after, n, mode);
    const int64_t skip = std::max<int64_t>(0, -before), kept = n - skip - std::max<int64_t>(0, -after);
    if (kept < 0) return unsupported("Pad: nothing stays of an axis");
    auto& list = stretches[d];
    list.clear();
    const auto around = [&](int64_t at, int64_t count, bool low) {
      if (count <= 0) return;
      if (mode == "constant") list.push_back({at, count, 0, 0, true});
      else if (mode == "edge") list.push_back({at, count, low ? 0 : n - 1, 0, false});
      else if (mode == "reflect") list.push_back({at, count, low ? count : n - 2, -1, false});
      else list.push_back({at, count, low ? n - count : 0, 1, false});  // wrap
    };
    around(0, before, true);
    if (kept > 0) list.push_back({std::max<int64_t>(0, before), kept, skip, 1, false});
    around(std::max<int64_t>(0, before) + kept, after, false);
  }
  Moves moves(q, isa);
  if (has(q, 2)) moves.fill_with(q.in[2]);
  size_t n_pieces = 1;
  for (const auto& list : stretches) n_pieces *= std::max<size_t>(1, list.size());
  if (n_pieces > 243 || (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")) return unsupported("Pad: {} pieces in mode {}", n_pieces, mode);
  // Odometer over stretches; once an axis is filled, the ones after it are filled whole.
  std::vector<size_t> index(rank, 0);
  for (size_t piece = 0; piece < n_pieces; ++piece) {
    std::vector<MoveDim> dims;
    int64_t from = 0, to = 0;
    bool fill = false, repeated = false;
    for (size_t d = 0; d < rank; ++d) {
      if (stretches[d].empty()) return std::move(moves).bind();  // nothing to write
      const Stretch& s = stretches[d][index[d]];
      if (fill) {
        repeated = repeated || index[d] > 0;
        dims.push_back({y[d], 0, ys[d]});
        continue;
      }
      fill = s.fill;
      from += s.from * xs[d];
      to += s.at * ys[d];
      dims.push_back({s.n, s.step * xs[d], ys[d]});
    }
    if (fill)
      for (MoveDim& d : dims) d.from = 0;
    if (!repeated) moves.add(dims, fill ? Ref{} : q.in[0].ref, fill ? 0 : from, q.out[0].ref, to);
    for (size_t d = rank; d-- > 0;) {
      if (++index[d] < stretches[d].size()) break;
      index[d] = 0;
    }
  }
  return std::move(moves).bind();
}

// DepthToSpace (DCR, CRD) and SpaceToDepth: transposes of six extents
Result<KernelBinding> bind_depth_space(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_movable(q));
  const bool to_space = q.node->op == "DepthToSpace";
  const Extents x = *extents_of(q.in[0]), y = *extents_of(q.out[0]);
  const int64_t b = q.node->attrs.i("blocksize", 1);
  if (x.size() != 4 || y.size() != 4 || b < 1) return unsupported("{}: rank {}", q.node->op, x.size());
  const Extents &deep = to_space ? x : y, &wide = to_space ? y : x;
  const int64_t c = wide[1], h = deep[2], w = deep[3], plane = h * w;
  const bool crd = q.node->attrs.s("mode", "DCR") == "CRD";
  if (deep[1] != c * b * b || wide[2] != h * b || wide[3] != w * b) return unsupported("{}: extents do not fit blocks of {}", q.node->op, b);
  // (n, c, h, block row, w, block column), strides in the deep and in the wide tensor
  const int64_t deep_strides[] = {c * b * b * plane, crd ? b * b * plane : plane, w, crd ? b * plane : b * c * plane, 1, crd ? plane : c * plane};
  const int64_t wide_strides[] = {c * b * b * plane, b * b * plane, b * w * b, w * b, b, 1}, n[] = {x[0], c, h, b, w, b};
  std::vector<MoveDim> dims;
  for (size_t i = 0; i < 6; ++i) dims.push_back({n[i], to_space ? deep_strides[i] : wide_strides[i], to_space ? wide_strides[i] : deep_strides[i]});
  if (!to_space) std::stable_sort(dims.begin(), dims.end(), [](const MoveDim& l, const MoveDim& r) { return l.to > r.to; });
  Moves moves(q, isa);
  moves.add(dims, q.in[0].ref, 0, q.out[0].ref, 0);
  return std::move(moves).bind();
}

}  // namespace mainspring::inline v0::cpu
