// GRAPH + what is known before a run → the part of it that can be planned now. In: a graph with symbolic or unknown extents; extents of its inputs, and
// contents of the small ones that extents hang on. Out: a graph with constant extents alone, arithmetic on shapes done; and the nodes at its border,
// whose results only running can size. Once those have run, the rest is specialised in turn. Must not know sessions.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"
#include "mainspring/tensor.h"

namespace mainspring::inline v0 {

/// How far a graph's values are known, from segment to segment of one run.
struct Progress {
  Graph source;                     ///< grows where a branch is taken in: ids and nodes of before keep their meaning
  enum class State : uint8_t { unmade, content, given };  ///< content: known without running; given: at hand when the segment runs
  std::vector<State> state;         ///< by value of source
  std::vector<DType> dtype;         ///< of given tensors
  std::vector<Shape> shape;         ///< of given tensors
  std::vector<bool> is_tensor;      ///< of given values; others are for nodes at a border alone
  std::vector<Tensor> content;      ///< state content; also a given tensor's where extents hang on it
  std::vector<bool> done;           ///< by node of source
};

struct Specialised {
  Graph graph;                      ///< its inputs and outputs stand as the next two say
  std::vector<ValueId> inputs;      ///< values of source: given ones that the graph reads
  std::vector<ValueId> outputs;     ///< values of source that it makes for what comes later (the source's outputs among them)
  std::vector<NodeId> border;       ///< nodes of source to run after it, in order
};

/// What to begin with: no value but the weights is known.
Progress begin(const Graph& source, Allocator& allocator);
/// Takes in all that can be: marks what is done. Errors: invalid_argument (operands do not fit each other, with the node's name), out_of_memory.
Result<Specialised> specialise(Progress& progress, Allocator& allocator);

/// By value of the graph: whether the extents of something hang on its content.
std::vector<bool> shapes_hang_on(const Graph& graph);

}  // namespace mainspring::inline v0
