// Memory of one operator call. In: operands with extents at their largest. Out: a StepEnv whose every byte outside the outputs is watched.
// All operands lie in one block, apart from each other; whatever is not an operand is 0xff: NaN for floats, -1 for ints.
#pragma once

#include "mainspring/ext/provider.h"
#include "support/op_data.h"

namespace mainspring::inline v0::optest {

/// 64-byte aligned bytes, all 0xff.
class Block {
 public:
  explicit Block(int64_t bytes) : raw_(static_cast<size_t>(bytes + 64), std::byte{0xff}), size_(bytes) {}
  std::byte* data() {
    const auto at = reinterpret_cast<uintptr_t>(raw_.data());
    return raw_.data() + (64 - at % 64) % 64;
  }
  int64_t size() const { return size_; }
  std::vector<std::byte>& raw() { return raw_; }

 private:
  std::vector<std::byte> raw_;  // never resized: addresses hold
  int64_t size_;
};

/// Everything static about a case.
struct Problem {
  const OpCase* c = nullptr;
  const OpDef* op = nullptr;
  std::vector<ValueInfo> in, out;  ///< in has max_in entries
  std::vector<int> state_of;       ///< by output: the input whose storage it shares, or -1
  std::vector<int64_t> max_symbols;
  int32_t sequences = 1, blocks_per_sequence = 1;
  Node node;
};

/// What a step is given.
struct StepInput {
  std::vector<Data> in = {};
  std::vector<int64_t> symbols = {};
  StepSegments segments = {};
};

class Rig {
 public:
  /// `strided`: operands of two or more extents get a gap behind every index of the outermost one, and an odd address.
  Rig(const Problem& problem, bool strided, int64_t scratch_bytes, int64_t worker_scratch_bytes, int workers);

  std::span<const Operand> in() const { return in_; }
  std::span<const Operand> out() const { return out_; }
  Ref scratch() const { return scratch_; }
  /// Addresses of weights hold for the Rig's life; their contents come with put_weights (and with every run).
  void put_weights(const std::vector<Data>& in);
  /// Places the inputs, calls `compute`, checks that nothing but outputs and scratch has changed, and returns the outputs, dense.
  std::vector<Data> run(const StepInput& step, std::span<const int32_t> block_table, const std::string& what,
                        const std::function<void(const StepEnv&)>& compute);

 private:
  int64_t place(int64_t bytes, int64_t misaligned);
  Operand operand_of(const ValueInfo& info, const In* in, bool strided);
  template <class F> void pieces(const Operand& o, const Shape& shape, F each);
  void put(const Operand& o, const Data& d);
  struct Interval {
    int64_t first, last;  // offsets in the block
  };
  void allow(const Operand& o, const Shape& shape, std::vector<Interval>& writable);
  void check_untouched(std::vector<Interval> writable, const std::vector<std::byte>& before, const std::string& what);

  const Problem& problem_;
  std::vector<Operand> in_, out_;
  Ref scratch_;
  int64_t end_ = 256, scratch_bytes_, worker_scratch_ = 0, worker_stride_ = 0, workers_;
  std::unique_ptr<Block> block_;
};

}  // namespace mainspring::inline v0::optest
