#include "ops/shape.h"

#include <cmath>

#include "core/checked.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {

std::string text_of(const Dims& dims) {
  std::string out = "[";
  for (const Dim& d : dims) {
    if (out.size() > 1) out += ", ";
    if (d.is_constant()) out += fmt::format("{}", d.times);
    else if (d.times == 1) out += fmt::format("s{}", d.symbol);
    else out += fmt::format("{}*s{}", d.times, d.symbol);
  }
  return out + "]";
}

std::string text_of(const ValueInfo& info) {
  if (!info.present) return "absent";
  return fmt::format("{} {}", name_of(info.dtype), text_of(info.dims));
}

std::optional<int64_t> constant_elements(const Dims& dims, size_t first) {
  std::optional<int64_t> n = 1;
  for (size_t i = first; i < dims.size() && n; ++i) {
    if (!dims[i].is_constant()) return std::nullopt;
    n = checked_mul(*n, dims[i].times);
  }
  return n;
}

Result<void> Want::sane(const ValueInfo& info, const char* name, size_t min_rank, size_t max_rank) const {
  const size_t rank = info.dims.size();
  if (rank < min_rank || (max_rank && rank > max_rank) || rank > static_cast<size_t>(Shape::kMaxRank)) {
    const size_t most = max_rank ? max_rank : static_cast<size_t>(Shape::kMaxRank);
    if (min_rank == most) return fail("{} is {}, expected {} extents", name, text_of(info), min_rank);
    return fail("{} is {}, expected {} to {} extents", name, text_of(info), min_rank, most);
  }
  int symbolic = 0;
  for (const Dim& d : info.dims) {
    if (d.times < 1) return fail("{} is {}, expected extents of at least 1", name, text_of(info));
    symbolic += d.is_constant() ? 0 : 1;
  }
  if (symbolic > 1) return fail("{} is {}, expected at most one symbolic extent", name, text_of(info));
  return {};
}

Result<const ValueInfo*> Want::tensor(size_t i, const char* name, DType dtype, size_t min_rank, size_t max_rank) const {
  if (!has(i)) return fail("input {} ({}) is absent, expected {}", i, name, name_of(dtype));
  const ValueInfo& v = in(i);
  if (v.dtype != dtype) return fail("{} is {}, expected {}", name, text_of(v), name_of(dtype));
  MAINSPRING_TRY_VOID(sane(v, name, min_rank, max_rank));
  return &v;
}

Result<const ValueInfo*> Want::rows(size_t i, const char* name, size_t min_rank, size_t max_rank) const {
  MAINSPRING_TRY(const ValueInfo* v, tensor(i, name, DType::f32, min_rank, max_rank));
  if (!v->dims.empty() && !v->dims.back().is_constant()) return fail("{} is {}, expected a constant last extent", name, text_of(*v));
  return v;
}

Result<const ValueInfo*> Want::activations(size_t i, const char* name, size_t min_rank, size_t max_rank) const {
  if (!has(i) || !is_lowered_rows(in(i).dtype)) {
    if (has(i) && in(i).dtype != DType::f32) return fail("{} is {}, expected f32, bf16, q8_rows or q16_rows", name, text_of(in(i)));
    return rows(i, name, min_rank, max_rank);
  }
  const ValueInfo& v = in(i);
  MAINSPRING_TRY_VOID(sane(v, name, min_rank, max_rank));
  if (!v.dims.back().is_constant() || v.dims.back().times % 32 != 0)
    return fail("{} is {}, expected a constant last extent that is a multiple of 32", name, text_of(v));
  return &v;
}

Result<const ValueInfo*> Want::weight(size_t i, const char* name, size_t rank) const {
  if (!has(i)) return fail("input {} ({}) is absent, expected weights", i, name);
  const ValueInfo& v = in(i);
  const BlockFormat* format = format_of(v.dtype);
  if (!format) return fail("{} is {}, expected f32, f16, bf16 or a block format of weights", name, text_of(v));
  MAINSPRING_TRY_VOID(sane(v, name, rank, rank));
  if (!constant_elements(v.dims, 0)) return fail("{} is {}, expected constant extents", name, text_of(v));
  if (v.dims.back().times % format->block != 0)
    return fail("{} is {}, expected a last extent that is a multiple of the block, {}", name, text_of(v), format->block);
  return &v;
}

Result<const ValueInfo*> Want::state(size_t i, const char* name, StateKind kind, size_t rank) const {
  constexpr const char* kinds[] = {"no state", "a state of keys", "a state of values", "a recurrent state"};
  if (!has(i)) return fail("input {} ({}) is absent, expected {}", i, name, kinds[static_cast<int>(kind)]);
  const ValueInfo& v = in(i);
  if (v.state != kind) return fail("{} is {}, expected {}", name, kinds[static_cast<int>(v.state)], kinds[static_cast<int>(kind)]);
  if (is_kv(kind) ? !is_kv_dtype(v.dtype) : v.dtype != DType::f32)
    return fail("{} is {}, expected f32{}", name, text_of(v), is_kv(kind) ? ", f16 or q8_0" : "");
  MAINSPRING_TRY_VOID(sane(v, name, rank, rank));
  return &v;
}

Result<void> Want::exactly(size_t i, const char* name, const Dims& expected, DType dtype) const {
  const ValueInfo wanted{dtype, expected, StateKind::none, true};
  if (!has(i)) return fail("input {} ({}) is absent, expected {}", i, name, text_of(wanted));
  if (in(i).dtype != dtype || in(i).dims != expected) return fail("{} is {}, expected {}", name, text_of(in(i)), text_of(wanted));
  return {};
}

Result<void> Want::maybe(size_t i, const char* name, const Dims& expected, DType dtype) const {
  if (!has(i)) return {};
  return exactly(i, name, expected, dtype);
}

Result<double> Want::number(const char* name, double otherwise, double least) const {
  const double x = attrs().f(name, otherwise);
  if (!std::isfinite(x) || x < least) return fail("attribute {} is {}, expected a finite number of at least {}", name, x, least);
  return x;
}

Result<int64_t> Want::integer(const char* name, int64_t otherwise, int64_t least, int64_t most) const {
  const int64_t x = attrs().i(name, otherwise);
  if (x < least || x > most) return fail("attribute {} is {}, expected {} to {}", name, x, least, most);
  return x;
}

Result<size_t> Want::choice(const char* name, std::string_view otherwise, std::span<const std::string_view> choices) const {
  const std::string_view got = attrs().s(name, otherwise);
  std::string list;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == got) return i;
    list += fmt::format("{}\"{}\"", i ? ", " : "", choices[i]);
  }
  return fail("attribute {} is \"{}\", expected one of {}", name, got, list);
}

Result<std::vector<ValueInfo>> then_quantised(const char* op, const OpCall& c, Result<std::vector<ValueInfo>> inferred) {
  if (!inferred) return inferred;
  constexpr DType dtypes[] = {DType::q8_rows, DType::q16_rows, DType::bf16};
  constexpr std::string_view names[] = {name_of(dtypes[0]), name_of(dtypes[1]), name_of(dtypes[2])};
  MAINSPRING_TRY(const size_t rows, Want(op, c).choice("rows", names[0], names));
  ValueInfo& y = (*inferred)[0];
  if (y.dims.empty() || !y.dims.back().is_constant() || y.dims.back().times % 32 != 0)
    return within(op, invalid("output is {}, expected a constant last extent that is a multiple of 32", text_of(y)));
  y.dtype = dtypes[rows];
  return inferred;
}

}  // namespace mainspring::inline v0
