// Test data for the operator harness. In: an operand's description and a seed. Out: dense tensors, the same on every machine.
#pragma once

#include "support/op_test.h"

namespace mainspring::inline v0::optest {

/// 64 bits a call; the same everywhere (the standard's distributions are not).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u) {}
  uint64_t next();
  double uniform();           ///< [0, 1)
  double normal();
  int64_t below(int64_t n);   ///< [0, n)
 private:
  uint64_t state_;
};

/// Actual extents of a step.
Shape shape_of(const Dims& dims, const std::vector<int64_t>& symbols);
/// Bytes from one index of the outermost extent to the next when dense.
int64_t outer_bytes(DType dtype, const Shape& shape, StateKind state = StateKind::none);
int64_t bytes_of(DType dtype, const Shape& shape, StateKind state = StateKind::none);

/// Weights in any format whose values are about `scale` in size: encoded where the format has an encoder, otherwise random blocks with a
/// sane scale.
Data make_weights(DType dtype, const Shape& shape, double scale, Random& random);
/// An operand's contents for a step.
Data make_data(const In& in, const std::vector<int64_t>& symbols, std::span<const Segment> segments, Random& random);
/// Every float input moved by a relative step of ±size, by bits of `random`. Integers and block formats stay.
Data perturbed(const Data& d, double size, Random& random);

}  // namespace mainspring::inline v0::optest
