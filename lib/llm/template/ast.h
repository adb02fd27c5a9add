// The syntax tree of a template: what the parser makes, the resolver completes (slots, filters, tests) and the evaluator walks.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "llm/template/lexer.h"
#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

struct FilterEntry;  // tables.h
struct TestEntry;

/// A variable of a function: `hops` closures outward, then the slot.
struct SlotRef {
  uint16_t hops = 0;
  uint16_t slot = 0;
};

enum class ExprKind : uint8_t {
  constant,
  name,          // name → ref
  namespace_ref, // name, attribute: the target of `set ns.x`
  tuple,         // items
  list,          // items
  dict,          // items: key, value, key, value …
  negate,        // a
  positive,      // a
  logical_not,   // a
  logical_and,   // a, b
  logical_or,    // a, b
  arithmetic,    // op, a, b
  concat,        // items
  compare,       // a, items, compare_ops
  conditional,   // a if b else c (c may be null)
  attribute,     // a.name
  item,          // a[b]
  slice,         // a, b, c: start, stop, step; each may be null
  call,          // a(arguments)
  filter,        // a|name(arguments); a is null in filter blocks and block sets
  test,          // a is name(arguments)
};

enum class CompareOp : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

struct Expr;
struct KeywordExpr {
  std::string_view name;
  Expr* value = nullptr;
};

struct Expr {
  ExprKind kind = ExprKind::constant;
  Arithmetic op = Arithmetic::add;
  bool store = false;      ///< a name that is assigned to
  bool is_data = false;    ///< a constant that is the template's own text
  int depth = 1;           ///< of the tree below, bounded by the parser
  uint32_t at = 0;
  std::string_view name, attribute;
  Value value;
  SlotRef ref;
  Expr *a = nullptr, *b = nullptr, *c = nullptr;
  std::vector<Expr*> items;  ///< also a call's positional arguments
  std::vector<CompareOp> compare_ops;
  std::vector<KeywordExpr> keywords;
  Expr *star = nullptr, *star_star = nullptr;  ///< *args, **kwargs
  const FilterEntry* filter = nullptr;  ///< null: unknown, an error once it is reached (Jinja looks inside `if` only when it runs)
  const TestEntry* test = nullptr;
};

/// What a scope sets up when it is entered, and forgets when it is left.
struct Load {
  enum class Action : uint8_t { resolve, alias, undefined } action = Action::undefined;
  uint16_t slot = 0;
  std::string_view name;  ///< resolve: in the variables and globals
  SlotRef source;         ///< alias: another variable
};
struct Scope {
  std::vector<Load> loads;
  std::vector<uint16_t> slots;  ///< to forget
};
/// A body with variables of its own: the template, a macro, a call block, a block, a recursive loop, a loop's condition.
struct Function {
  int depth = 0;  ///< functions around it
  size_t slots = 0;
};

enum class StmtKind : uint8_t {
  output,        // exprs
  if_,           // test, body, branches (elif), else_body
  for_,          // target, value, test, body, else_body, recursive
  set,           // target = value
  set_block,     // target, filter, body
  macro,         // name, params, defaults, body
  call_block,    // params, defaults, value (the call), body
  filter_block,  // filter, body
  with,          // targets, exprs, body
  block,         // name, body
  scope,         // body (autoescape false)
  break_,
  continue_,
};

struct Stmt {
  StmtKind kind = StmtKind::output;
  uint32_t at = 0;
  std::string_view name;
  Expr *target = nullptr, *value = nullptr, *test = nullptr, *filter = nullptr;
  std::vector<Expr*> exprs, targets, params, defaults;
  std::vector<Stmt*> body, else_body, branches;
  bool recursive = false, scoped = false, required = false;

  // Filled by the resolver.
  Scope scope;       ///< of the body
  Scope else_scope;  ///< for
  Scope test_scope;  ///< for, inside its function `test_function`
  Expr* test_target = nullptr;  ///< for: the target again, in the condition's function
  const Function* function = nullptr;       ///< macro, call block, block, recursive for
  const Function* test_function = nullptr;  ///< for with a condition
  bool extended = false;                    ///< for: the body uses `loop`
  SlotRef slot;                             ///< macro: where it is stored; for: `loop`
  bool exports = false;                     ///< set, macro: at the top level, seen by blocks
  bool accesses_caller = false, accesses_kwargs = false, accesses_varargs = false, explicit_caller = false;
  uint16_t caller_slot = 0, kwargs_slot = 0, varargs_slot = 0;
  std::vector<std::pair<std::string_view, SlotRef>> visible;  ///< scoped block: what it sees of the scopes around it
};

/// Owns every node; deques keep addresses.
struct Ast {
  TokenStream stream;
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  std::deque<Str> strings;
  std::deque<std::string> text;  ///< of adjacent string literals joined
  std::deque<std::vector<uint32_t>> limbs;
  std::deque<Big> bigs;
  std::deque<Function> functions;
  std::vector<Stmt*> body;
  std::vector<Stmt*> blocks;
  Scope scope;
  const Function* root = nullptr;
};

/// Tokens → tree. Errors: invalid_argument (syntax, too deep), unsupported (extends, include, import).
Result<void> parse_template(std::string_view source, Ast& ast);
/// Names → slots exactly as Jinja's compiler scopes them; filters and tests → entries.
/// Errors: invalid_argument (unknown filter or test, break outside a loop, assignment to `loop`), resource_exhausted (65 535 names).
Result<void> resolve_template(Ast& ast);

}  // namespace mainspring::inline v0::jinja
