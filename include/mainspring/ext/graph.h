// EXTENDERS: the graph that every importer builds, every pass rewrites and the planner compiles.
//
// A Graph is flat: vectors of values and nodes, named by integer ids. Values are in SSA form: each is written once. State (KV, recurrent
// memory) is a value that outlives a step: an op that changes it takes the old version and yields a new one of the same state.
// Extents are symbolic: a Dim is a constant or a multiple of a named symbol (`n_tokens`), whose range is the graph's profile.
// Thread-safety: plain data, one thread at a time. Nothing here allocates from the host's hook: a graph is bookkeeping.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mainspring/export.h"
#include "mainspring/result.h"
#include "mainspring/tensor.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

using ValueId = int32_t;
using NodeId = int32_t;
using SymbolId = int32_t;
inline constexpr int32_t kNone = -1;
inline constexpr SymbolId kUnknown = -2;  ///< the symbol of an extent that nothing is known about

/// An extent: `times` (no symbol) or `times × symbol`. A plan has no unknown extents; a graph as imported may.
struct Dim {
  int64_t times = 1;
  SymbolId symbol = kNone;
  constexpr Dim() = default;
  constexpr Dim(int64_t n) : times(n) {}  // NOLINT: a number is a Dim
  constexpr Dim(int64_t n, SymbolId s) : times(n), symbol(s) {}
  static constexpr Dim unknown() { return {1, kUnknown}; }
  constexpr bool is_constant() const { return symbol == kNone; }
  constexpr bool is_known() const { return symbol != kUnknown; }
  constexpr int64_t at(std::span<const int64_t> symbols) const { return is_constant() ? times : times * symbols[static_cast<size_t>(symbol)]; }
  /// Two unknown extents are not equal.
  friend constexpr bool operator==(const Dim& a, const Dim& b) { return a.times == b.times && a.symbol == b.symbol && a.symbol != kUnknown; }
};
using Dims = std::vector<Dim>;  ///< outer to inner, row-major

/// The value of a Symbol: least, usual and largest. Arena offsets are computed at `max`.
struct Symbol {
  std::string name;
  int64_t min = 1, opt = 1, max = 1;
};

/// One attribute of a node. Read once, when a kernel is bound.
struct Attr {
  std::string name;
  std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, std::vector<std::string>, Tensor> value;
};

/// Named attributes with defaults.
class MAINSPRING_API Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<Attr> list) : list_(list) {}
  int64_t i(std::string_view name, int64_t otherwise = 0) const;
  double f(std::string_view name, double otherwise = 0) const;
  std::string_view s(std::string_view name, std::string_view otherwise = {}) const;
  std::span<const double> fs(std::string_view name) const;
  std::span<const int64_t> is(std::string_view name) const;
  std::span<const std::string> ss(std::string_view name) const;
  const Tensor* t(std::string_view name) const;  ///< null where there is none
  bool has(std::string_view name) const { return find(name) != nullptr; }
  void set(std::string name, decltype(Attr::value) value);
  std::span<const Attr> all() const { return list_; }
  friend bool operator==(const Attrs& a, const Attrs& b);

 private:
  const Attr* find(std::string_view name) const;
  std::vector<Attr> list_;
};

/// What a value is.
enum class Kind : uint8_t {
  input,     ///< given with each step
  weight,    ///< constant bytes of the model, mapped
  state,     ///< outlives the step; all versions share one storage
  computed,  ///< made by a node
};

/// What a value holds. An optional is what it holds, or nothing.
enum class Container : uint8_t { tensor, sequence, optional_tensor, optional_sequence };

/// How a state is laid out and paged.
enum class StateKind : uint8_t {
  none,
  kv_keys,    ///< [blocks, kv_heads, head_dim, 64]: inside a block of 64 tokens keys lie transposed, so that one load holds 8 or 16 tokens
  kv_values,  ///< [blocks, kv_heads, 64, head_dim]
  recurrent,  ///< [sequences, …] f32: one slot for each sequence, zero at position 0
};

/// Tokens of one KV block: cut at absolute positions.
inline constexpr int kKvBlock = 64;

struct Value {
  std::string name;
  DType dtype = DType::f32;
  Dims dims;
  bool ranked = true;                    ///< false: not even the rank is known, dims is empty
  Container container = Container::tensor;  ///< dtype and dims are those of the elements
  Kind kind = Kind::computed;
  StateKind state_kind = StateKind::none;
  ValueId state = kNone;                 ///< versions of a state: the first version's id
  std::span<const std::byte> bytes;      ///< weights: row-major, of the dtype's blocks; owned by the Model
  std::shared_ptr<const void> keeper;    ///< weights that were made by a pass or an importer: keeps `bytes` alive
  int source = -1;                       ///< weights from a file: index of the source, so that pages can be given back
};

struct OpDef;
struct Graph;

struct Node {
  std::string op;       ///< name in the operator table
  std::string name;     ///< for messages and explain: "blk.3.attn_q"
  std::vector<ValueId> in;   ///< kNone where an optional input is absent
  std::vector<ValueId> out;
  Attrs attrs;
  std::vector<std::shared_ptr<const Graph>> bodies;  ///< sub-graphs of If, Loop, Scan, SequenceMap: see OpCall::bodies
};

/// A program over values. Nodes stand in an order in which they can run.
struct MAINSPRING_API Graph {
  std::vector<Symbol> symbols;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<const OpDef*> custom_ops;  ///< the host's (ModelOptions::ops), looked up before the table; valid as long as the graph

  SymbolId add_symbol(Symbol s);
  ValueId add_value(Value v);
  /// Appends a node: looks the op up, infers dtypes and dims of its outputs and makes the output values.
  /// Errors: not_found (no such op), invalid_argument (what the op's inference says, with the node's name before it).
  /// `n_out`: how many outputs to keep where the op has optional or variadic ones; -1: as many as inference gives.
  Result<std::vector<ValueId>> add_node(std::string_view op, std::string name, std::vector<ValueId> in, Attrs attrs = {}, int n_out = -1,
                                        std::vector<std::shared_ptr<const Graph>> bodies = {});
  /// The operator of that name: the host's, then the library's; null where there is none.
  const OpDef* find_op(std::string_view name) const;
  /// Consistency: ids in range, SSA, order, every op known, dims as inference says. Errors: internal, naming the node.
  Result<void> verify() const;
  /// One line a node, for tests and `explain`.
  std::string print() const;
};

/// What a pass may ask about the place where the graph will run.
struct PassContext {
  bool exact = false;  ///< f32 activations: nothing may be lowered to int8
  /// Whether the provider has a kernel for this node with these operand dtypes (a trial bind; the node need not be in the graph).
  bool (*accepts)(void* user, const Graph& graph, const Node& node, std::span<const DType> operands) = nullptr;
  void* user = nullptr;
  Allocator* allocator = nullptr;  ///< for constants that a pass makes; null: none may be made
};

/// A rewriting of the graph; true when it changed something. Passes stand in lib/passes/passes.inc, in order.
using PassFn = Result<bool> (*)(Graph&, const PassContext&);
struct Pass {
  const char* name;
  PassFn run;
};

}  // namespace mainspring::inline v0
