// The operator harness. In: a table of OpCases (operator, operands, attributes, steps). Out: GoogleTest failures.
//
// Each case runs on the scalar reference and, through the operator's CPU binder, on every instruction set that the machine has. Checked are:
// extents against inference; results against the reference within a computed tolerance (below); inputs left alone; guard bytes around
// operands, panels, scratch and state; the same bits for 1, 2 and 7 workers in any tile order, for rows a stride apart, and for each row
// alone, one step a row; steps of no rows. An operator without a binder is skipped: it runs the reference. A binder that refuses is a
// failure, unless the case says that it may.
//
// Tolerance of an f32 result: ε (4 √depth · S + 4 |y|) + the least normal float (8 |y| for pointwise functions). S is how much y moves, per unit, when every float input moves
// by a relative step: it is the condition of the problem, measured on the reference. depth is the longest reduction (1 for pointwise ops):
// its root is how rounding errors of a sum grow. Ops that only move, add or multiply once, integers and quantised rows are compared exactly.
//
//   const OpCase kCases[] = {{.name = "odd", .op = "rms_norm", .in = {rows({kN, 63}), vec({63})}, .attrs = {{"eps", 1e-6}}}};
//   MAINSPRING_OP_TEST(RmsNorm, kCases)
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0::optest {

inline const Dim kN{1, 0};  ///< rows of the step
inline const Dim kM{1, 1};  ///< another count, for gather_rows: half the rows, rounded up

/// What an operand is filled with.
enum class Fill : uint8_t {
  normal,     ///< N(0,1), with some -0, +0 and subnormals among them
  wide,       ///< N(0,1) * 20, where functions saturate
  unit,       ///< (0, 1)
  negative,   ///< (-1, 0): decays
  special,    ///< as wide, with ±infinity, NaN and extremes among them
  positions,  ///< i32, of the step's segments
  ids,        ///< i32 in [0, limit), distinct along the last extent of a matrix where they can be
};

/// One operand of a case.
struct In {
  Dims dims = {};
  DType dtype = DType::f32;
  Fill fill = Fill::normal;
  bool weight = false;
  StateKind state = StateKind::none;
  int64_t limit = 0;
  bool present = true;
  bool also_linear = false;
};
inline In rows(Dims dims, Fill fill = Fill::normal) { return {.dims = std::move(dims), .fill = fill}; }
inline In vec(Dims dims, Fill fill = Fill::normal) { return {.dims = std::move(dims), .fill = fill, .weight = true}; }
inline In weights(DType dtype, Dims dims) { return {.dims = std::move(dims), .dtype = dtype, .weight = true}; }
inline In quantised(Dims dims, DType rows = DType::q8_rows) { return {.dims = std::move(dims), .dtype = rows}; }
inline In positions() { return {.dims = {kN}, .dtype = DType::i32, .fill = Fill::positions}; }
inline In ids(Dims dims, int64_t limit) { return {.dims = std::move(dims), .dtype = DType::i32, .fill = Fill::ids, .limit = limit}; }
inline In state(StateKind kind, Dims dims, DType dtype = DType::f32) { return {.dims = std::move(dims), .dtype = dtype, .state = kind}; }
inline In absent() { return {.present = false}; }

using StepSegments = std::vector<Segment>;

/// One case. `steps` follow each other: state goes from one to the next. Without `steps`, one sequence of 0, 1, 2, 5 and 17 rows in turn.
struct OpCase {
  std::string name;
  const char* op;
  std::vector<In> in = {};
  Attrs attrs = {};
  std::vector<StepSegments> steps = {};
  uint32_t seed = 1;
  bool exact_request = false;      ///< BindRequest::exact
  bool row_alone = true;           ///< false where a row's result is not its own (no causal mask)
  bool may_refuse = false;         ///< there need not be a kernel
  double error = 1;                ///< times the tolerance above: for kernels of a coarser numerics class
  double quant_steps = 0;          ///< q8_rows and q16_rows results may differ by this many quanta; 0: to the bit
};

/// The reference alone: inference accepts, extents agree, guards hold, strides and zero rows work, rows do not depend on company.
void check_reference(const OpCase& c);
/// The CPU provider's kernel for that instruction set (and everything below it) against the reference. Returns the kernel's name, or
/// "refused: …" with the reason.
std::string check_kernel(const OpCase& c, Isa isa);

/// A dense tensor: rows of q8_rows lie q8_rows_stride apart.
struct Data {
  DType dtype = DType::f32;
  Shape shape = {};
  std::vector<std::byte> bytes = {};
  bool present = true;
  StateKind state = StateKind::none;
  template <class T> T* as() { return reinterpret_cast<T*>(bytes.data()); }
  template <class T> const T* as() const { return reinterpret_cast<const T*>(bytes.data()); }
  std::vector<float> floats() const;  ///< decoded
};
Data data_of(std::initializer_list<int64_t> shape, const std::vector<float>& values);
Data data_of(std::initializer_list<int64_t> shape, const std::vector<int32_t>& values);
/// Runs the reference on dense tensors. State outputs come back as outputs. For golden tests; infers, and fails the test where that errs.
std::vector<Data> run_reference(const char* op, const std::vector<Data>& in, const Attrs& attrs, std::span<const Segment> segments = {},
                                const std::vector<StateKind>& states = {}, std::span<const int32_t> block_table = {});

/// Runs `body` for each case under its name.
void for_each(std::span<const OpCase> cases, const std::function<void(const OpCase&)>& body);
/// What the machine has, capped at `isa`; skips the test (true) when the machine lacks it.
bool lacks(Isa isa);

#define MAINSPRING_OP_TEST(suite, cases)                                                                                      \
  TEST(suite, reference) { ::mainspring::optest::for_each(cases, ::mainspring::optest::check_reference); }                   \
  class suite##Kernels : public ::testing::TestWithParam<::mainspring::Isa> {};                                              \
  TEST_P(suite##Kernels, agree_with_reference) {                                                                             \
    if (::mainspring::optest::lacks(GetParam())) GTEST_SKIP() << "the machine has no " << ::mainspring::name_of(GetParam()); \
    ::mainspring::optest::for_each(cases, [](const ::mainspring::optest::OpCase& c) {                                        \
      ::mainspring::optest::check_kernel(c, GetParam());                                                                     \
    });                                                                                                                      \
  }                                                                                                                          \
  INSTANTIATE_TEST_SUITE_P(isa, suite##Kernels,                                                                              \
                           ::testing::Values(::mainspring::Isa::scalar, ::mainspring::Isa::avx2, ::mainspring::Isa::avxvnni, \
                                             ::mainspring::Isa::avx512, ::mainspring::Isa::avx512vnni, ::mainspring::Isa::amx), \
                           [](const auto& p) { return std::string(::mainspring::name_of(p.param)); })

}  // namespace mainspring::inline v0::optest
