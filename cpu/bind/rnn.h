// The frame of recurrent networks: what is common to LSTM, GRU and RNN in f32 and with int8 weights. Operands as in ONNX: X [time, batch, inputs],
// initial_h and initial_c [directions, batch, hidden], Y [time, directions, batch, hidden], Y_h and Y_c as initial_h; with layout 1 batch stands first.
//
// Steps: the input's products for all times at once, as one matrix product; then the times, several of them in one step where a tile has all of the
// units of its rows (nothing to wait for but itself), or one where units are shared out. The directions are tiles side by side. The units and cells of
// a row live in the node's scratch between steps.
#pragma once

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/rnn/rnn.h"

namespace mainspring::inline v0::cpu {

struct RnnNet;

/// Rows of a tile, and the units that it makes.
struct RnnPart {
  int64_t direction, row, rows, group, groups;
};

struct RnnNet {
  int64_t times = 1, batch = 1, inputs = 1, hidden = 1, gates = 4, directions = 1;
  bool reverse = false;                     ///< the only direction goes backwards
  bool ragged = false;                      ///< rows have lengths of their own: `lengths` [batch] i32
  Ref x, y, y_h, y_c, h0, c0, lengths;
  int64_t row_of_time = 1, row_of_batch = 1;                  ///< rows of X, and of the products
  int64_t y_time = 0, y_direction = 0, y_batch = 0;           ///< floats
  int64_t state_direction = 0, state_batch = 0;               ///< floats, of initial and final states
  int64_t rows_per_tile = 1, groups_per_tile = 1;             ///< of a step in time
  Ref scratch;
  /// Does one time step: everything is set but the panels.
  void (*step)(const RnnNet& net, const StepEnv& env, RnnStep& a, const RnnPart& part, int worker) = nullptr;
  const void* user = nullptr;               ///< of `step`

  int64_t groups() const { return rnn_groups(hidden); }
  int64_t padded() const { return groups() * kRnnGroup; }
  int64_t row_tiles() const { return ceil_div(batch, rows_per_tile); }
  int64_t group_tiles() const { return ceil_div(groups(), groups_per_tile); }
  int64_t tiles() const { return directions * row_tiles() * group_tiles(); }
  int64_t states() const { return directions * batch * padded(); }
  // Scratch, in floats: products [directions, rows of X, gates, padded], two versions of the units, cells, what a step keeps ([directions, batch, padded] each).
  int64_t products() const { return directions * times * batch * gates * padded(); }
  size_t scratch_bytes() const { return static_cast<size_t>(products() + 4 * states()) * sizeof(float); }
  float* product(const StepEnv& env, int64_t direction, int64_t row) const { return at(env, (direction * times * batch + row) * gates * padded()); }
  float* unit(const StepEnv& env, int64_t version, int64_t direction, int64_t row) const { return at(env, products() + version * states() + (direction * batch + row) * padded()); }
  float* cell(const StepEnv& env, int64_t direction, int64_t row) const { return unit(env, 2, direction, row); }
  float* kept(const StepEnv& env, int64_t direction, int64_t row) const { return unit(env, 3, direction, row); }

  /// Fills the states before the first step.
  void begin(const StepEnv& env) const;

 private:
  float* at(const StepEnv& env, int64_t i) const { return reinterpret_cast<float*>(env.at(scratch)) + i; }
};

/// Reads extents, attributes and optional operands that all have in common. Inputs 4 to 6: sequence_lens, initial_h, initial_c.
/// Errors: unsupported.
Result<RnnNet> rnn_net(const BindRequest& request, int64_t gates, int64_t hidden);

/// Cuts a step in time: `ns`: what a row costs in one time step, over all units; `shared_ns`: what all rows of a tile cost together at least (reading the
/// weights). `whole_units`, `whole_batch`: what may not be cut. Gives the time steps that one Step does.
int64_t cut_rnn(RnnNet* net, double ns, double shared_ns, bool whole_units, bool whole_batch, int workers);

/// A run of times, as the parameters of a Step.
struct RnnTimes {
  const RnnNet* net = nullptr;
  int64_t first = 0, last = 0;
};
/// One entry for each step in time.
std::vector<RnnTimes> rnn_times(const RnnNet& net, int64_t per_step);
Step rnn_step(const RnnTimes& times);

}  // namespace mainspring::inline v0::cpu
