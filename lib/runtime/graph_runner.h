// Runs a graph of tensors. In: its inputs. Out: its outputs. Plans the part whose extents follow from the inputs' (lib/plan/specialise.h), runs it, runs the
// nodes at its border, goes on with the rest; plans are kept by the extents they were made for. Bodies of control flow are runners of their own.
// One thread at a time. Must not know files and texts.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "mainspring/ext/provider.h"
#include "plan/plan.h"
#include "plan/specialise.h"

namespace mainspring::inline v0 {

class GraphRunner;

/// What the runners of one session share.
struct GraphHost {
  Context context;
  Provider* provider = nullptr;
  PanelStore* panels = nullptr;
  SourceRelease release;
  PlanOptions options;
  std::string passes;       ///< switches, as run_passes takes them
  StopConditions stop;      ///< of the present call
  Buffer arena;             ///< grows to what the largest plan needs; nothing in it outlives a plan's run
  std::map<const Graph*, std::unique_ptr<GraphRunner>> bodies;

  /// Uninitialised elements, from memory that a tensor no longer alive has left where there is such. Errors: as Tensor::make.
  Result<Tensor> make(DType dtype, const Shape& shape);
  GraphRunner& body(const Graph& graph);
  Allocator& allocator() const;

 private:
  std::vector<std::shared_ptr<Buffer>> kept_;
  size_t next_ = 0;
};

class GraphRunner {
 public:
  /// `graph` must outlive the runner.
  GraphRunner(const Graph& graph, GraphHost& host);
  ~GraphRunner();

  /// Takes the inputs in, by position; `out`: tensors that are there already are the caller's memory to write to. The datums of `out` must stay
  /// in place until the run is done. Errors: invalid_argument (dtype, rank or extents are not what the graph says; operands do not fit each other).
  Result<void> start(std::span<const Datum> in, std::span<Datum> out);
  /// Goes on until all is done (true) or the host's stop says to leave (false). Errors: what nodes say, cancelled, out_of_memory; then the run is over.
  Result<bool> advance();
  Result<void> run(std::span<const Datum> in, std::span<Datum> out);
  /// Makes the first plan for such inputs, without running. Errors: as start.
  Result<void> prepare(std::span<const Datum> in);
  bool in_progress() const { return current_ != nullptr; }

  struct Segment;
  /// The plans of the latest run, in order.
  std::vector<const Plan*> plans() const;

 private:
  Result<void> check(std::span<const Datum> in) const;
  Result<Segment*> root_for(std::span<const Datum> in);
  Result<Segment*> child_of(Segment& s);
  Result<Segment*> compile_into(std::vector<std::unique_ptr<Segment>>& list, Progress progress);
  Result<std::unique_ptr<Segment>> compile(Progress progress);
  Result<void> bind(Segment& s);
  Result<void> run_border(Segment& s);
  Result<void> run_node(Segment& s, NodeId i);
  Result<void> finish(Segment& s);
  Datum datum_of(const Segment& s, ValueId v) const;
  Datum* caller_output(ValueId v);
  void forget();
  void add_key(const Datum& d, bool with_content);

  const Graph& graph_;
  GraphHost& host_;
  std::vector<bool> shaping_;                  ///< by value of graph_
  std::vector<std::unique_ptr<Segment>> roots_;
  int64_t clock_ = 0;
  std::vector<int64_t> key_;
  // of the present run
  Segment* current_ = nullptr;
  bool fresh_ = true;
  std::vector<Datum> slots_;                   ///< by value of the chain's source
  std::span<Datum> out_;
  std::vector<std::byte*> externals_;
  std::vector<Segment*> path_;                 ///< segments of the latest run
};

/// Passes, then a plan, for a graph of constant extents. Errors: as make_plan.
Result<std::shared_ptr<const Plan>> compile_tensors(Graph graph, GraphHost& host);

/// A node's operands and results at run time, and its bodies.
class NodeCall final : public DynamicCall {
 public:
  NodeCall(const Node& node, std::span<const Datum> operands, std::span<Datum> results, GraphHost& host)
      : DynamicCall(operands, results, node.attrs, node.bodies), node_(node), host_(host) {}
  Result<Tensor> make(DType dtype, const Shape& shape) override { return host_.make(dtype, shape); }
  Result<Tensor> make_strings(std::span<const std::string_view> strings, const Shape& shape) override { return Tensor::copy_strings(host_.allocator(), strings, shape); }
  Result<std::vector<Datum>> run_body(size_t i, std::span<const Datum> own) override;
  Result<void> go_on() override;

 private:
  const Node& node_;
  GraphHost& host_;
};

}  // namespace mainspring::inline v0
