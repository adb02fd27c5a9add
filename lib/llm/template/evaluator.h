// The tree and the variables in; text out. One Evaluator is one render, on one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/template/ast.h"
#include "llm/template/calls.h"
#include "llm/template/iterate.h"
#include "llm/template/template.h"
#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

/// The variables of one run of a Function.
struct Activation {
  Activation* parent = nullptr;
  Value* slots = nullptr;
};

struct Macro {
  const Stmt* definition = nullptr;
  Activation* closure = nullptr;
};

/// `loop` inside a for.
struct Loop {
  Iterator* iterator = nullptr;
  Value iterable;
  const Stmt* statement = nullptr;
  Activation* closure = nullptr;  ///< around a recursive loop
  int64_t index0 = -1;
  int64_t length = -1;            ///< not known yet
  int64_t depth0 = 0;
  Value after, current, before;   ///< missing where there is none
  Value last_changed;
};
/// Puts the next item in `out`; false at the end.
Result<bool> loop_next(Evaluator& ev, Loop& loop, Value& out);
Result<int64_t> loop_length(Evaluator& ev, Loop& loop);
/// loop.index and so on; nullopt where there is no such attribute.
Result<std::optional<Value>> loop_attribute(Evaluator& ev, Loop& loop, std::string_view name);
Result<void> append_loop_repr(TextBuilder& out, const Loop& loop);
Result<void> append_macro_repr(TextBuilder& out, const Macro& macro);

/// a + b, a * b, … on any values.
Result<Value> apply_operator(Evaluator& ev, Arithmetic op, Value a, Value b);

class Evaluator {
 public:
  Evaluator(const Ast& ast, Heap& heap, const Dict& variables, const RenderOptions& options)
      : ast_(ast), heap_(heap), variables_(variables), options_(options), output_(heap, options.limits.max_output_bytes), out_(&output_) {}

  Result<std::string> render();

  Heap& heap() { return heap_; }
  /// What strftime_now tells; asked of the clock once.
  const DateTime& now();
  Result<Value> call(Value callee, const Arguments& args);
  /// foo.name and foo[key] with Jinja's fallback from one to the other.
  Result<Value> attribute(Value object, std::string_view name);
  Result<Value> item(Value object, Value key);
  /// By name, for map, select and the like.
  Result<Value> apply_filter(std::string_view name, Value input, const Arguments& args);
  Result<bool> apply_test(std::string_view name, Value input, const Arguments& args);
  /// One level of nesting, given back by leave_level(): generators made of generators nest like expressions.
  Result<void> enter_level();
  void leave_level() { --depth_; }
  /// Renders the body of a recursive loop for other items.
  Result<Value> call_loop(Loop& loop, Value iterable);

 private:
  enum class Flow : uint8_t { normal, break_, continue_ };
  using Body = std::vector<Stmt*>;
  friend Result<bool> next_matching(Evaluator&, Iterator&, Value&);

  // Errors get the place where they first surface.
  Error locate(uint32_t at, Error e);
  template <class T>
  Result<T> located(uint32_t at, Result<T> r) {
    if (r) return r;
    return locate(at, std::move(r).error());
  }

  // Expressions.
  Result<Value> eval(const Expr& e);
  Result<Value> eval_kind(const Expr& e);
  Result<Value> eval_name(const Expr& e);
  Result<Value> eval_items(const Expr& e, Kind kind);
  Result<Value> eval_dict(const Expr& e);
  Result<Value> eval_unary(const Expr& e);
  Result<Value> eval_arithmetic(const Expr& e);
  Result<Value> eval_concat(const Expr& e);
  Result<Value> eval_compare(const Expr& e);
  Result<bool> compare_one(CompareOp op, Value a, Value b);
  Result<Value> eval_conditional(const Expr& e);
  Result<Value> eval_item(const Expr& e);
  Result<Value> eval_slice(Value object, const Expr& s);
  Result<Value> eval_call(const Expr& e, const Value* caller = nullptr);
  Result<Value> eval_filter(const Expr& e, const Value* input = nullptr);
  Result<Value> eval_test(const Expr& e);
  struct ArgumentStore {
    std::vector<Value> positional;
    std::vector<Keyword> keywords;
    [[nodiscard]] Arguments view() const { return {positional, keywords}; }
  };
  Result<void> eval_arguments(const Expr& e, ArgumentStore& store);
  Result<void> eval_star_arguments(const Expr& e, ArgumentStore& store);
  Result<Value> call_macro(const Macro& macro, const Arguments& args);
  Result<void> bind_macro(const Macro& macro, const Arguments& args, Activation& act);

  // Statements.
  Result<Flow> exec(const Body& body);
  Result<Flow> exec(const Stmt& s);
  Result<void> exec_output(const Stmt& s);
  Result<Flow> exec_if(const Stmt& s);
  Result<Flow> exec_for(const Stmt& s);
  Result<Flow> run_loop(const Stmt& s, Value iterable, Loop* loop);
  Result<Flow> run_iterations(const Stmt& s, Iterator& it, Loop* loop, bool& completed);
  Result<Value> render_recursive(const Stmt& s, Value iterable, Activation* closure, int64_t depth);
  Result<void> exec_set(const Stmt& s);
  Result<Flow> exec_set_block(const Stmt& s);
  Result<Flow> exec_filter_block(const Stmt& s);
  Result<Flow> exec_with(const Stmt& s);
  Result<void> exec_call_block(const Stmt& s);
  Result<void> exec_block(const Stmt& s);
  void define_macro(const Stmt& s);
  Result<void> check_namespaces(const Expr& target);
  Result<void> assign(const Expr& target, Value v);
  Result<void> assign_items(const Expr& target, Value v);
  Result<void> export_names(const Expr& target);
  /// Runs a body into a text of its own.
  Result<Flow> capture(const Body& body, Value& text);

  // Scopes.
  Value& slot(SlotRef ref);
  Result<Activation*> new_activation(const Function& f, Activation* parent);
  void enter(const Scope& scope);
  void leave(const Scope& scope);
  Value resolve(std::string_view name);

  // Values.
  std::optional<Value> python_attribute(Value object, std::string_view name);
  Result<std::optional<Value>> found_attribute(Value object, std::string_view name);
  Result<std::optional<Value>> found_item(Value object, Value key);

  const Ast& ast_;
  Heap& heap_;
  const Dict& variables_;
  const RenderOptions& options_;
  TextBuilder output_;
  TextBuilder* out_;
  Activation* act_ = nullptr;
  Dict* exported_ = nullptr;   // names set at the top level, for blocks
  const Dict* scoped_ = nullptr;  // what a scoped block sees besides
  std::optional<DateTime> now_;
  int depth_ = 0;
  int call_depth_ = 0;
  bool located_ = false;
};

}  // namespace mainspring::inline v0::jinja
