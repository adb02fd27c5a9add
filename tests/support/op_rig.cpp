#include "support/op_rig.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::optest {

constexpr int64_t kGuard = 192;

int64_t Rig::place(int64_t bytes, int64_t misaligned) {
  const int64_t at = static_cast<int64_t>(round_up(static_cast<size_t>(end_), 64)) + misaligned;
  end_ = at + bytes + kGuard;
  return at;
}

Operand Rig::operand_of(const ValueInfo& info, const In* in, bool strided) {
  Operand o;
  if (!info.present) return o;
  o.dtype = info.dtype;
  o.dims = info.dims;
  o.state = info.state;
  o.is_weight = in && in->weight;
  o.also_linear = in && in->also_linear;
  const Shape shape = shape_of(info.dims, problem_.max_symbols);
  const DTypeInfo type = info_of(info.dtype);
  const bool q8 = is_quantised_rows(info.dtype), fixed = o.is_weight || o.state != StateKind::none;
  const bool gap = strided && !fixed && shape.rank() > 1;
  const int64_t outer = outer_bytes(info.dtype, shape, info.state), extra = gap ? (q8 ? 64 : 5 * type.bytes) : 0;
  const int64_t rows = shape.rank() > 1 ? shape[0] : 1;
  // Weights lie as GGUF aligns them, other operands at any element.
  const int64_t misaligned = o.is_weight ? 32 : (strided && !q8 && !fixed ? type.bytes : 0);
  o.ref.offset = place(bytes_of(info.dtype, shape, info.state) + rows * extra, misaligned);
  o.ref.space = o.is_weight ? Space::constant : o.state != StateKind::none ? Space::state : info.dtype == DType::i32 ? Space::input : Space::arena;
  o.row_stride = shape.rank() < 2 ? 1 : q8 ? outer + extra : is_kv(o.state) ? shape.elements() / shape[0] : (outer + extra) / type.bytes * type.block;
  return o;
}

Rig::Rig(const Problem& problem, bool strided, int64_t scratch_bytes, int64_t worker_scratch_bytes, int workers)
    : problem_(problem), scratch_bytes_(scratch_bytes), worker_stride_(static_cast<int64_t>(round_up(static_cast<size_t>(worker_scratch_bytes), 64)) + 64),
      workers_(workers) {
  for (size_t i = 0; i < problem.in.size(); ++i) in_.push_back(operand_of(problem.in[i], i < problem.c->in.size() ? &problem.c->in[i] : nullptr, strided));
  for (size_t i = 0; i < problem.out.size(); ++i)
    out_.push_back(problem.state_of[i] >= 0 ? in_[static_cast<size_t>(problem.state_of[i])] : operand_of(problem.out[i], nullptr, strided));
  if (scratch_bytes) scratch_ = {Space::arena, place(scratch_bytes, 0)};
  worker_scratch_ = place(worker_stride_ * workers, 0);
  block_ = std::make_unique<Block>(end_);
  for (Operand& o : in_)
    if (o.ref.space == Space::constant) o.ref.offset += reinterpret_cast<int64_t>(block_->data());
}

/// each(address, bytes, offset in a dense tensor) for every contiguous run.
template <class F>
void Rig::pieces(const Operand& o, const Shape& shape, F each) {
  std::byte* at = o.ref.space == Space::constant ? reinterpret_cast<std::byte*>(o.ref.offset) : block_->data() + o.ref.offset;
  if (shape.rank() < 2) return each(at, bytes_of(o.dtype, shape), 0);
  const DTypeInfo type = info_of(o.dtype);
  const int64_t outer = outer_bytes(o.dtype, shape, o.state);
  const int64_t stride = is_kv(o.state) ? outer : is_quantised_rows(o.dtype) ? o.row_stride : o.row_stride / type.block * type.bytes;
  for (int64_t r = 0; r < shape[0]; ++r) each(at + r * stride, outer, r * outer);
}

void Rig::put(const Operand& o, const Data& d) {
  pieces(o, d.shape, [&d](std::byte* at, int64_t bytes, int64_t offset) {
    if (bytes) std::memcpy(at, d.bytes.data() + offset, static_cast<size_t>(bytes));
  });
}

void Rig::put_weights(const std::vector<Data>& in) {
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i].present && in_[i].is_weight) put(in_[i], in[i]);
}

void Rig::allow(const Operand& o, const Shape& shape, std::vector<Interval>& writable) {
  const int64_t k = shape.back(), planes = o.dtype == DType::q16_rows ? 2 : 1;
  const int64_t row = is_quantised_rows(o.dtype) ? static_cast<int64_t>(quantised_row_bytes(o.dtype, k)) : 0, used = planes * k + k / 8 + k / 4;
  pieces(o, shape, [&](std::byte* at, int64_t bytes, int64_t) {
    const int64_t first = at - block_->data();
    if (!row) return writable.push_back({first, first + bytes});
    for (int64_t i = 0; i < bytes; i += row) writable.push_back({first + i, first + i + used});  // the padding of quantised rows is nobody's
  });
}

void Rig::check_untouched(std::vector<Interval> writable, const std::vector<std::byte>& before, const std::string& what) {
  if (scratch_) writable.push_back({scratch_.offset, scratch_.offset + scratch_bytes_});
  for (int64_t w = 0; w < workers_; ++w) writable.push_back({worker_scratch_ + w * worker_stride_, worker_scratch_ + (w + 1) * worker_stride_ - 64});
  std::sort(writable.begin(), writable.end(), [](Interval a, Interval b) { return a.first < b.first; });
  const std::vector<std::byte>& raw = block_->raw();
  const int64_t lead = block_->data() - raw.data(), end = static_cast<int64_t>(raw.size()) - lead;
  writable.push_back({end, end});
  int64_t from = -lead;
  for (const Interval& w : writable) {
    const auto begin = raw.begin() + lead + from, stop = raw.begin() + lead + std::max(from, w.first);
    const auto old = before.begin() + lead + from;
    if (stop > begin && std::memcmp(&*begin, &*old, static_cast<size_t>(stop - begin)) != 0) {
      const int64_t at = std::mismatch(begin, stop, old).first - raw.begin() - lead;
      std::string map;
      for (const Operand& o : out_) map += fmt::format(" {}", o.ref.offset);
      ADD_FAILURE() << what << ": byte " << at << " was written, which is no output's (outputs begin at" << map << ")";
      return;
    }
    from = std::max(from, w.last);
  }
}

std::vector<Data> Rig::run(const StepInput& step, std::span<const int32_t> block_table, const std::string& what,
                           const std::function<void(const StepEnv&)>& compute) {
  std::vector<std::byte>& raw = block_->raw();
  std::fill(raw.begin(), raw.end(), std::byte{0xff});
  for (size_t i = 0; i < step.in.size(); ++i)
    if (step.in[i].present) put(in_[i], step.in[i]);
  std::vector<Interval> writable;
  std::vector<Shape> shapes;
  for (size_t i = 0; i < out_.size(); ++i) {
    shapes.push_back(shape_of(problem_.out[i].dims, step.symbols));
    allow(out_[i], shapes.back(), writable);
  }
  const std::vector<std::byte> before = raw;
  StepEnv env;
  for (std::byte*& base : env.base) base = block_->data();
  env.symbols = step.symbols.data();
  env.info = StepInfo{step.segments, block_table.data(), problem_.blocks_per_sequence};
  env.worker_scratch = block_->data() + worker_scratch_;
  env.scratch_stride = worker_stride_;
  compute(env);
  check_untouched(std::move(writable), before, what);
  std::vector<Data> out;
  for (size_t i = 0; i < out_.size(); ++i) {
    const Operand& o = out_[i];
    Data d{o.dtype, shapes[i], std::vector<std::byte>(static_cast<size_t>(bytes_of(o.dtype, shapes[i], o.state))), true, o.state};
    pieces(out_[i], shapes[i], [&d](std::byte* at, int64_t bytes, int64_t offset) {
      if (bytes) std::memcpy(d.bytes.data() + offset, at, static_cast<size_t>(bytes));
    });
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace mainspring::inline v0::optest
