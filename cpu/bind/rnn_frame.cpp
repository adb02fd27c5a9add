// Time steps of recurrent networks, whatever computes them: states, lengths, directions, outputs.
#include <cstring>

#include "cpu/bind/rnn.h"

namespace mainspring::inline v0::cpu {
namespace {

float* floats(const StepEnv& env, Ref r) { return r ? reinterpret_cast<float*>(env.at(r)) : nullptr; }
size_t float_bytes(int64_t n) { return static_cast<size_t>(n) * sizeof(float); }

RnnPart part_of(const RnnNet& n, int64_t tile) {
  RnnPart p;
  p.group = tile % n.group_tiles() * n.groups_per_tile;
  p.groups = std::min(n.groups_per_tile, n.groups() - p.group);
  tile /= n.group_tiles();
  p.direction = tile % n.directions;
  p.row = tile / n.directions * n.rows_per_tile;
  p.rows = std::min(n.rows_per_tile, n.batch - p.row);
  return p;
}

/// Rows of `from`, padded() apart, to a state's or an output's, from the part's first unit on; zeros where `from` is null.
void put(const RnnNet& n, const RnnPart& p, const float* from, float* to, int64_t to_stride) {
  const int64_t unit = p.group * kRnnGroup, units = std::min(p.groups * kRnnGroup, n.hidden - unit);
  for (int64_t r = 0; r < p.rows; ++r) {
    float* y = to + (p.row + r) * to_stride + unit;
    if (from) std::memcpy(y, from + r * n.padded() + unit, float_bytes(units));
    else std::memset(y, 0, float_bytes(units));
  }
}

void put_last(const RnnNet& n, const StepEnv& env, const RnnPart& p, const float* h) {
  const int64_t at = p.direction * n.state_direction;
  if (float* y = floats(env, n.y_h)) put(n, p, h, y + at, n.state_batch);
  if (float* y = floats(env, n.y_c)) put(n, p, n.cell(env, p.direction, p.row), y + at, n.state_batch);
}

void one_time(const RnnNet& n, const StepEnv& env, const RnnPart& p, int64_t time, int worker) {
  int64_t length = n.times;
  if (n.ragged) length = std::clamp<int64_t>(reinterpret_cast<const int32_t*>(env.at(n.lengths))[p.row], 0, n.times);
  float* y = floats(env, n.y);
  if (y) y += p.direction * n.y_direction;
  if (time >= length) {
    if (y) put(n, p, nullptr, y + time * n.y_time, n.y_batch);
    if (length == 0 && time == 0) put_last(n, env, p, n.unit(env, 0, p.direction, p.row));
    return;
  }
  const int64_t t = n.reverse || p.direction == 1 ? length - 1 - time : time;
  const int64_t unit = p.group * kRnnGroup;
  const float* before = n.unit(env, time & 1, p.direction, p.row);
  float* after = n.unit(env, ~time & 1, p.direction, p.row);
  RnnStep a{};
  a.h = before;
  a.h_stride = a.unit_stride = n.padded();
  a.k = n.hidden;
  a.p = n.product(env, p.direction, t * n.row_of_time + p.row * n.row_of_batch) + unit;
  a.p_stride = n.row_of_batch * n.gates * n.padded();
  a.p_gate = n.padded();
  a.before = before + unit;
  a.c = n.cell(env, p.direction, p.row) + unit;
  a.y = after + unit;
  a.rows = p.rows;
  a.groups = p.groups;
  n.step(n, env, a, p, worker);
  if (y) put(n, p, after, y + t * n.y_time, n.y_batch);
  if (time == length - 1) put_last(n, env, p, after);
}

int64_t time_tiles(const void* params, const StepEnv&) { return static_cast<const RnnTimes*>(params)->net->tiles(); }

void time_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& s = *static_cast<const RnnTimes*>(params);
  const RnnPart p = part_of(*s.net, tile);
  for (int64_t t = s.first; t < s.last; ++t) one_time(*s.net, env, p, t, worker);
}

Result<void> want_dense_f32(const BindRequest& q, const Operand& o, const char* name) {
  if (o && o.dtype != DType::f32) return unsupported("{}: {} is {}, the CPU kernel takes f32", q.node->op, name, name_of(o.dtype));
  return {};
}

/// Whether rows have lengths of their own: not where constants say that all are full.
bool ragged(const Operand& lengths, int64_t times) {
  if (!lengths) return false;
  if (!lengths.is_weight) return true;
  const auto* n = reinterpret_cast<const int32_t*>(lengths.ref.offset);
  return std::any_of(n, n + lengths.dims[0].times, [&](int32_t l) { return l != times; });
}

}  // namespace

void RnnNet::begin(const StepEnv& env) const {
  std::memset(unit(env, 0, 0, 0), 0, float_bytes(4 * states()));
  const float *h = floats(env, h0), *c = floats(env, c0);
  for (int64_t d = 0; d < directions; ++d)
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t from = d * state_direction + b * state_batch;
      if (h) std::memcpy(unit(env, 0, d, b), h + from, float_bytes(hidden));
      if (c) std::memcpy(cell(env, d, b), c + from, float_bytes(hidden));
    }
}

Result<RnnNet> rnn_net(const BindRequest& q, int64_t gates, int64_t hidden) {
  const Operand &x = q.in[0], lengths = operand(q.in, 4), h0 = operand(q.in, 5), c0 = operand(q.in, 6);
  const Operand y = operand(q.out, 0), y_h = operand(q.out, 1), y_c = operand(q.out, 2);
  for (const Operand* o : {&x, &h0, &c0, &y, &y_h, &y_c}) MAINSPRING_TRY_VOID(want_dense_f32(q, *o, "an operand"));
  if (x.dims.size() != 3) return unsupported("{}: X has rank {}, expected 3", q.node->op, x.dims.size());
  for (const Dim& d : x.dims)
    if (!d.is_constant()) return unsupported("{}: X has a symbolic extent", q.node->op);
  if (lengths && lengths.dtype != DType::i32) return unsupported("{}: sequence_lens is {}, expected i32", q.node->op, name_of(lengths.dtype));
  const bool batch_first = q.node->attrs.i("layout") != 0;
  const std::string_view direction = q.node->attrs.s("direction", "forward");
  RnnNet n;
  n.gates = gates;
  n.hidden = hidden;
  n.directions = direction == "bidirectional" ? 2 : 1;
  n.reverse = direction == "reverse";
  n.times = x.dims[batch_first ? 1 : 0].times;
  n.batch = x.dims[batch_first ? 0 : 1].times;
  n.inputs = x.dims[2].times;
  if (n.times * n.batch * n.inputs * hidden == 0) return unsupported("{}: an extent is zero", q.node->op);
  n.ragged = ragged(lengths, n.times);
  n.x = x.ref, n.y = y.ref, n.y_h = y_h.ref, n.y_c = y_c.ref, n.h0 = h0.ref, n.c0 = c0.ref, n.lengths = lengths.ref;
  n.row_of_time = batch_first ? 1 : n.batch;
  n.row_of_batch = batch_first ? n.times : 1;
  n.y_direction = batch_first ? hidden : n.batch * hidden;
  n.y_time = n.directions * (batch_first ? hidden : n.batch * hidden);
  n.y_batch = batch_first ? n.times * n.directions * hidden : hidden;
  n.state_direction = batch_first ? hidden : n.batch * hidden;
  n.state_batch = batch_first ? n.directions * hidden : hidden;
  return n;
}

int64_t cut_rnn(RnnNet* net, double ns, double shared_ns, bool whole_units, bool whole_batch, int workers) {
  constexpr double kTileNs = 80'000;
  constexpr double kWorthSharing = 15'000;  // of one time step: two workers meet within one or two µs
  RnnNet& n = *net;
  n.groups_per_tile = n.groups();
  n.rows_per_tile = n.ragged ? 1 : n.batch;
  const auto cost = [&] { return std::max(shared_ns, static_cast<double>(n.rows_per_tile) * ns) * static_cast<double>(n.groups_per_tile) / static_cast<double>(n.groups()); };
  // Rows first: they need nothing of each other. Not below 8, which share a reading of the weights.
  if (!n.ragged && !whole_batch)
    while (n.rows_per_tile > 8 && (cost() > kTileNs || n.tiles() < workers)) n.rows_per_tile = ceil_div(n.rows_per_tile, 2);
  if (!whole_units && (cost() > kTileNs || (n.tiles() < workers && cost() > kWorthSharing))) {
    const int64_t parts = std::max(static_cast<int64_t>(cost() / kTileNs) + 1, ceil_div(workers, n.tiles()));
    n.groups_per_tile = ceil_div(n.groups(), std::min(parts, n.groups()));
    return 1;
  }
  return std::clamp<int64_t>(static_cast<int64_t>(kTileNs / cost()), 1, n.times);
}

std::vector<RnnTimes> rnn_times(const RnnNet& net, int64_t per_step) {
  std::vector<RnnTimes> all;
  for (int64_t t = 0; t < net.times; t += per_step) all.push_back({&net, t, std::min(t + per_step, net.times)});
  return all;
}

Step rnn_step(const RnnTimes& times) { return {time_run, time_tiles, &times}; }

}  // namespace mainspring::inline v0::cpu
