// The rotation of rope, for the steps that rotate rows: rope itself, and the store of rotated keys.
#pragma once

#include "cpu/bind/bind.h"
#include "cpu/kernels/rope/rope.h"

namespace mainspring::inline v0::cpu {

struct Rotation {
  Arg positions;
  const RopeIsa* fn = nullptr;
  const char* isa = "";           ///< name of the kernel
  const float* factors = nullptr; ///< null, or [n_rot / 2]: read by make_steps
  Attrs attrs;
  int64_t d = 0, n_rot = 0;
  bool neox = false;
  float magnitude = 1;
  std::vector<uint64_t> steps;    ///< turns for each position, by pair

  /// When a plan's steps are made: the file's bytes are there then.
  void make_steps();
  int64_t table_floats() const { return rope_table_floats(n_rot / 2); }
  /// Row i of the step, `heads` heads of it; `table` is scratch.
  void rotate(const StepEnv& env, int64_t i, const float* x, float* y, int64_t heads, float* table) const {
    fn->angles(steps.data(), n_rot / 2, positions.at<int32_t>(env)[i], magnitude, neox, table);
    fn->rotate({x, y, heads, d, n_rot / 2, neox, table});
  }
};

/// Operands x, positions and factors (may be absent) of a node with the attributes of rope. Errors: unsupported.
Result<Rotation> rotation_of(const BindRequest& request, size_t x, IsaSet isa);

}  // namespace mainspring::inline v0::cpu
