// Names → slots. Jinja compiles a template to Python functions, and what a name means follows from that: which scope stores it anywhere
// decides what every read in that scope sees, also reads that come earlier. So the same analysis is made here (jinja2.idtracking and
// compiler.Frame hold the rules), once per template, and the evaluator only indexes arrays.
#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>

#include "llm/template/ast.h"
#include "llm/template/tables.h"

namespace mainspring::inline v0::jinja {
namespace {

struct Ident {
  const Function* function = nullptr;
  uint16_t slot = 0;
};

// How a scope's variable gets its first value.
enum class LoadKind : uint8_t { parameter, resolve, alias, undefined };
struct SymbolLoad {
  LoadKind kind = LoadKind::undefined;
  uint16_t slot = 0;
  std::string_view name;
  Ident source;
};

struct FunctionNames {
  Function* function = nullptr;
  std::unordered_map<std::string, uint16_t> slots;  // "level name" → slot: scopes of one level share a name's slot, as in Jinja
};

// A scope's names. A branch of an `if` starts as its scope is and adds to it: `base` is what it starts from (Jinja copies, which is
// quadratic in templates made for it).
struct Symbols {
  const Symbols* parent = nullptr;
  FunctionNames* names = nullptr;
  int level = 0;
  const Symbols* base = nullptr;
  std::unordered_map<std::string_view, Ident> refs;
  std::vector<SymbolLoad> loads;
  std::unordered_map<uint16_t, size_t> load_index;  // slot → loads
  std::set<std::string_view> stores;

  const Ident* find_here(std::string_view name) const {
    for (const Symbols* s = this; s != nullptr; s = s->base)
      if (auto it = s->refs.find(name); it != s->refs.end()) return &it->second;
    return nullptr;
  }
  const Ident* find(std::string_view name) const {
    for (const Symbols* s = this; s != nullptr; s = s->parent)
      if (const Ident* ident = s->find_here(name)) return ident;
    return nullptr;
  }
  bool stores_here(std::string_view name) const {
    for (const Symbols* s = this; s != nullptr; s = s->base)
      if (s->stores.count(name) != 0) return true;
    return false;
  }
  void set_load(const SymbolLoad& load) {
    auto [it, fresh] = load_index.emplace(load.slot, loads.size());
    if (fresh) loads.push_back(load);
    else loads[it->second] = load;
  }
};

struct Frame {
  Symbols* symbols = nullptr;
  const Function* function = nullptr;
  bool toplevel = false;
  bool soft = false;  // inside `if`: unknown filters are errors only when reached
  int loops = 0;      // around, within the function
};

class Resolver {
 public:
  explicit Resolver(Ast& ast) : ast_(ast) {}
  Result<void> run();

 private:
  Error fail(uint32_t at, std::string_view what) const { return error_at(ast_.stream.source, at, what); }
  Result<void> spend(size_t work);

  // Symbols.
  Result<Ident> define(Symbols& s, std::string_view name, LoadKind kind, Ident source = {});
  Result<void> load(Symbols& s, std::string_view name);
  Result<void> store(Symbols& s, std::string_view name);
  Result<void> declare(Symbols& s, std::string_view name);
  Result<void> merge_branches(Symbols& s, std::vector<Symbols>& branches);
  static Symbols scope(const Symbols* parent, FunctionNames& names) {
    Symbols s;
    s.parent = parent;
    s.names = &names;
    s.level = parent == nullptr ? 0 : parent->level + 1;
    return s;
  }
  static Symbols inner(const Symbols& parent) { return scope(&parent, *parent.names); }
  static Symbols inner(const Symbols& parent, FunctionNames& names) { return scope(&parent, names); }
  static Symbols branch(const Symbols& base) {
    Symbols s;
    s.parent = base.parent;
    s.names = base.names;
    s.level = base.level;
    s.base = &base;
    return s;
  }
  FunctionNames new_function(int depth);

  // What a scope's symbols are: the statements in it, but not in scopes within.
  Result<void> analyze(Symbols& s, const Expr* e, bool as_parameter = false);
  Result<void> analyze(Symbols& s, const Stmt* stmt);
  Result<void> analyze(Symbols& s, const std::vector<Stmt*>& body);
  Result<void> analyze_if(Symbols& s, const Stmt* stmt);
  Result<void> analyze_signature(Symbols& s, const Stmt* stmt);

  // Resolving.
  Scope scope_of(const Symbols& s, const Function* function) const;
  Result<SlotRef> ref(const Frame& f, std::string_view name, uint32_t at) const;
  Result<void> resolve(const Frame& f, Expr* e);
  Result<void> resolve(const Frame& f, Stmt* s);
  Result<void> resolve(const Frame& f, const std::vector<Stmt*>& body);
  Result<void> resolve_filter_or_test(const Frame& f, Expr* e);
  Result<void> resolve_if(const Frame& f, Stmt* s);
  Result<void> resolve_for(const Frame& f, Stmt* s);
  Result<void> resolve_loop_condition(const Frame& f, Stmt* s);
  Result<void> resolve_macro(const Frame& f, Stmt* s);
  Result<void> resolve_inner(const Frame& f, Stmt* s);
  Result<void> resolve_block_use(const Frame& f, Stmt* s);
  Result<void> resolve_block(Stmt* s);
  Expr* copy_target(const Expr* e);

  Ast& ast_;
  int64_t work_ = 0;
};

// ---- who mentions a name before storing it ----------------------------------------------------------------------------------
class Undeclared {
 public:
  explicit Undeclared(std::initializer_list<std::string_view> names) : names_(names) {}
  bool has(std::string_view name) const { return found_.count(name) != 0; }

  void visit(const Expr* e) {
    if (e == nullptr) return;
    if (e->kind == ExprKind::name) {
      if (!e->store && names_.count(e->name) != 0) found_.insert(e->name);
      else if (e->store) names_.erase(e->name);
    }
    visit(e->a);
    visit(e->b);
    visit(e->c);
    for (const Expr* item : e->items) visit(item);
    for (const KeywordExpr& k : e->keywords) visit(k.value);
    visit(e->star);
    visit(e->star_star);
  }
  void visit(const std::vector<Expr*>& list) {
    for (const Expr* e : list) visit(e);
  }
  void visit(const std::vector<Stmt*>& body) {
    for (const Stmt* s : body) visit(s);
  }
  // In the order of Jinja's node fields, because a store hides the reads behind it.
  void visit(const Stmt* s) {
    if (s->kind == StmtKind::block) return;
    if (s->kind == StmtKind::call_block) visit(s->value);
    if (s->kind != StmtKind::macro) visit(s->target);
    visit(s->targets);
    if (s->kind != StmtKind::for_) visit(s->test);
    if (s->kind != StmtKind::call_block) visit(s->value);
    visit(s->exprs);
    visit(s->params);
    visit(s->defaults);
    if (s->kind == StmtKind::set_block) visit(s->filter);
    visit(s->body);
    if (s->kind == StmtKind::filter_block) visit(s->filter);
    visit(s->branches);
    visit(s->else_body);
    if (s->kind == StmtKind::for_) visit(s->test);
  }

 private:
  std::set<std::string_view> names_, found_;
};

// Facts about everything inside a loop.
struct LoopFacts {
  bool scoped_block = false;
  const Expr* stores_loop = nullptr;

  void visit(const Expr* e) {
    if (e == nullptr) return;
    if (e->kind == ExprKind::name && e->store && e->name == "loop") stores_loop = e;
    if (e->kind == ExprKind::tuple)
      for (const Expr* item : e->items) visit(item);
  }
  void visit(const Stmt* s) {
    if (s->kind == StmtKind::block && s->scoped) scoped_block = true;
    if (s->kind == StmtKind::for_ || s->kind == StmtKind::set || s->kind == StmtKind::set_block) visit(s->target);
    for (const Stmt* inner : s->body) visit(inner);
    for (const Stmt* inner : s->branches) visit(inner);
    for (const Stmt* inner : s->else_body) visit(inner);
  }
};

// ---- symbols ----------------------------------------------------------------------------------------------------------------
// Every name is looked up through the scopes around it; a template can make that long.
Result<void> Resolver::spend(size_t work) {
  work_ += static_cast<int64_t>(work) + 1;
  if (work_ > 10'000'000) return exhausted("the template's names take too long to resolve");
  return {};
}

FunctionNames Resolver::new_function(int depth) {
  Function& f = ast_.functions.emplace_back();
  f.depth = depth;
  return {&f, {}};
}

Result<Ident> Resolver::define(Symbols& s, std::string_view name, LoadKind kind, Ident source) {
  std::string key = fmt::format("{} {}", s.level, name);
  auto [it, fresh] = s.names->slots.emplace(std::move(key), static_cast<uint16_t>(s.names->function->slots));
  if (fresh && ++s.names->function->slots > 65000) return exhausted("the template has more than 65000 names");
  Ident ident{s.names->function, it->second};
  s.refs[name] = ident;
  s.set_load({kind, ident.slot, name, source});
  return ident;
}

Result<void> Resolver::load(Symbols& s, std::string_view name) {
  MAINSPRING_TRY_VOID(spend(1));
  if (s.find(name) != nullptr) return {};
  MAINSPRING_TRY_VOID(define(s, name, LoadKind::resolve));
  return {};
}

Result<void> Resolver::store(Symbols& s, std::string_view name) {
  MAINSPRING_TRY_VOID(spend(1));
  s.stores.insert(name);
  if (s.find_here(name) != nullptr) return {};
  const Ident* outer = s.parent == nullptr ? nullptr : s.parent->find(name);
  if (outer != nullptr) {
    MAINSPRING_TRY_VOID(define(s, name, LoadKind::alias, *outer));
  } else {
    MAINSPRING_TRY_VOID(define(s, name, LoadKind::undefined));
  }
  return {};
}

Result<void> Resolver::declare(Symbols& s, std::string_view name) {
  s.stores.insert(name);
  MAINSPRING_TRY_VOID(define(s, name, LoadKind::parameter));
  return {};
}

// After an `if`: a name stored in some branch but not before has, where no branch ran, the value from outside.
Result<void> Resolver::merge_branches(Symbols& s, std::vector<Symbols>& branches) {
  std::set<std::string_view> fresh;
  for (const Symbols& b : branches)
    for (std::string_view name : b.stores)
      if (!s.stores_here(name)) fresh.insert(name);
  for (Symbols& b : branches) {
    MAINSPRING_TRY_VOID(spend(b.refs.size() + b.loads.size()));
    for (const auto& [name, ident] : b.refs) s.refs[name] = ident;
    for (const SymbolLoad& l : b.loads) s.set_load(l);
    s.stores.insert(b.stores.begin(), b.stores.end());
  }
  for (std::string_view name : fresh) {
    const Ident* target = s.find(name);
    const Ident* outer = s.parent == nullptr ? nullptr : s.parent->find(name);
    s.set_load({outer != nullptr ? LoadKind::alias : LoadKind::resolve, target->slot, name, outer != nullptr ? *outer : Ident{}});
  }
  return {};
}

// ---- analysis ---------------------------------------------------------------------------------------------------------------
Result<void> Resolver::analyze(Symbols& s, const Expr* e, bool as_parameter) {
  if (e == nullptr) return {};
  if (e->kind == ExprKind::name) return as_parameter ? declare(s, e->name) : e->store ? store(s, e->name) : load(s, e->name);
  if (e->kind == ExprKind::namespace_ref) return load(s, e->name);
  for (const Expr* child : {e->a, e->b, e->c, e->star, e->star_star}) MAINSPRING_TRY_VOID(analyze(s, child));
  for (const Expr* item : e->items) MAINSPRING_TRY_VOID(analyze(s, item, as_parameter));
  for (const KeywordExpr& k : e->keywords) MAINSPRING_TRY_VOID(analyze(s, k.value));
  return {};
}

Result<void> Resolver::analyze(Symbols& s, const std::vector<Stmt*>& body) {
  for (const Stmt* stmt : body) MAINSPRING_TRY_VOID(analyze(s, stmt));
  return {};
}

Result<void> Resolver::analyze(Symbols& s, const Stmt* stmt) {
  switch (stmt->kind) {
    case StmtKind::output:
    case StmtKind::with:
      for (const Expr* e : stmt->exprs) MAINSPRING_TRY_VOID(analyze(s, e));
      return {};
    case StmtKind::if_: return analyze_if(s, stmt);
    case StmtKind::macro: return store(s, stmt->name);
    case StmtKind::set: MAINSPRING_TRY_VOID(analyze(s, stmt->value)); return analyze(s, stmt->target);
    case StmtKind::set_block: return analyze(s, stmt->target);
    case StmtKind::for_:
    case StmtKind::call_block: return analyze(s, stmt->value);
    case StmtKind::filter_block: return analyze(s, stmt->filter);
    default: return {};
  }
}

Result<void> Resolver::analyze_if(Symbols& s, const Stmt* stmt) {
  MAINSPRING_TRY_VOID(analyze(s, stmt->test));
  std::vector<Symbols> branches(3, branch(s));
  MAINSPRING_TRY_VOID(analyze(branches[0], stmt->body));
  MAINSPRING_TRY_VOID(analyze(branches[1], stmt->branches));
  MAINSPRING_TRY_VOID(analyze(branches[2], stmt->else_body));
  return merge_branches(s, branches);
}

Result<void> Resolver::analyze_signature(Symbols& s, const Stmt* stmt) {
  for (const Expr* p : stmt->params) MAINSPRING_TRY_VOID(declare(s, p->name));
  for (const Expr* d : stmt->defaults) MAINSPRING_TRY_VOID(analyze(s, d));
  return {};
}

// ---- resolving --------------------------------------------------------------------------------------------------------------
Scope Resolver::scope_of(const Symbols& s, const Function* function) const {
  Scope scope;
  for (const SymbolLoad& l : s.loads) {
    scope.slots.push_back(l.slot);
    if (l.kind == LoadKind::parameter) continue;
    Load load;
    load.slot = l.slot;
    load.name = l.name;
    load.action = l.kind == LoadKind::resolve ? Load::Action::resolve : l.kind == LoadKind::alias ? Load::Action::alias : Load::Action::undefined;
    if (l.kind == LoadKind::alias) load.source = {static_cast<uint16_t>(function->depth - l.source.function->depth), l.source.slot};
    scope.loads.push_back(load);
  }
  return scope;
}

Result<SlotRef> Resolver::ref(const Frame& f, std::string_view name, uint32_t at) const {
  const Ident* ident = f.symbols->find(name);
  if (ident == nullptr) return fail(at, fmt::format("'{}' is not known here", name));
  return SlotRef{static_cast<uint16_t>(f.function->depth - ident->function->depth), ident->slot};
}

Result<void> Resolver::resolve_filter_or_test(const Frame& f, Expr* e) {
  bool filter = e->kind == ExprKind::filter;
  if (filter) e->filter = find_filter(e->name);
  else e->test = find_test(e->name);
  if (e->filter != nullptr || e->test != nullptr || f.soft) return {};
  return fail(e->at, fmt::format("no {} named '{}'", filter ? "filter" : "test", e->name));
}

Result<void> Resolver::resolve(const Frame& outer, Expr* e) {
  if (e == nullptr) return {};
  Frame f = outer;
  switch (e->kind) {
    case ExprKind::name:
    case ExprKind::namespace_ref: {
      MAINSPRING_TRY(e->ref, ref(f, e->name, e->at));
      return {};
    }
    case ExprKind::conditional: f.soft = true; break;
    case ExprKind::filter:
    case ExprKind::test: MAINSPRING_TRY_VOID(resolve_filter_or_test(f, e)); break;
    default: break;
  }
  for (Expr* child : {e->a, e->b, e->c, e->star, e->star_star}) MAINSPRING_TRY_VOID(resolve(f, child));
  for (Expr* item : e->items) MAINSPRING_TRY_VOID(resolve(f, item));
  for (const KeywordExpr& k : e->keywords) MAINSPRING_TRY_VOID(resolve(f, k.value));
  return {};
}

Result<void> Resolver::resolve(const Frame& f, const std::vector<Stmt*>& body) {
  for (Stmt* s : body) MAINSPRING_TRY_VOID(resolve(f, s));
  return {};
}

Result<void> Resolver::resolve(const Frame& f, Stmt* s) {
  switch (s->kind) {
    case StmtKind::output:
      for (Expr* e : s->exprs) MAINSPRING_TRY_VOID(resolve(f, e));
      return {};
    case StmtKind::if_: return resolve_if(f, s);
    case StmtKind::for_: return resolve_for(f, s);
    case StmtKind::set:
      MAINSPRING_TRY_VOID(resolve(f, s->target));
      s->exports = f.toplevel;
      return resolve(f, s->value);
    case StmtKind::macro: {
      MAINSPRING_TRY_VOID(resolve_macro(f, s));
      MAINSPRING_TRY(s->slot, ref(f, s->name, s->at));
      s->exports = f.toplevel;
      return {};
    }
    case StmtKind::call_block: MAINSPRING_TRY_VOID(resolve_macro(f, s)); return resolve(f, s->value);
    case StmtKind::set_block:
    case StmtKind::filter_block:
    case StmtKind::with:
    case StmtKind::scope: return resolve_inner(f, s);
    case StmtKind::block: return resolve_block_use(f, s);
    case StmtKind::break_:
    case StmtKind::continue_:
      if (f.loops == 0) return fail(s->at, fmt::format("'{}' outside a loop", s->kind == StmtKind::break_ ? "break" : "continue"));
      return {};
  }
  return {};
}

Result<void> Resolver::resolve_if(const Frame& outer, Stmt* s) {
  Frame f = outer;
  f.soft = true;
  MAINSPRING_TRY_VOID(resolve(f, s->test));
  MAINSPRING_TRY_VOID(resolve(f, s->body));
  for (Stmt* branch : s->branches) {
    MAINSPRING_TRY_VOID(resolve(f, branch->test));
    MAINSPRING_TRY_VOID(resolve(f, branch->body));
  }
  return resolve(f, s->else_body);
}

// Scopes within the same function: block set, filter block, with, autoescape.
Result<void> Resolver::resolve_inner(const Frame& outer, Stmt* s) {
  Symbols symbols = inner(*outer.symbols);
  for (const Expr* t : s->targets) MAINSPRING_TRY_VOID(analyze(symbols, t, true));
  MAINSPRING_TRY_VOID(analyze(symbols, s->body));
  MAINSPRING_TRY_VOID(analyze(symbols, s->filter));
  s->scope = scope_of(symbols, outer.function);
  Frame f{&symbols, outer.function, false, false, outer.loops};
  for (Expr* e : s->exprs) MAINSPRING_TRY_VOID(resolve(outer, e));
  for (Expr* t : s->targets) MAINSPRING_TRY_VOID(resolve(f, t));
  MAINSPRING_TRY_VOID(resolve(f, s->body));
  MAINSPRING_TRY_VOID(resolve(f, s->filter));
  s->exports = outer.toplevel;
  return resolve(outer, s->target);
}

Expr* Resolver::copy_target(const Expr* e) {
  Expr* copy = &ast_.exprs.emplace_back(*e);
  for (Expr*& item : copy->items) item = copy_target(item);
  return copy;
}

// A loop's condition is a generator of its own in Jinja: it sees the loop's targets and what is around the loop.
Result<void> Resolver::resolve_loop_condition(const Frame& outer, Stmt* s) {
  FunctionNames names = new_function(outer.function->depth + 1);
  Symbols symbols = inner(*outer.symbols, names);
  MAINSPRING_TRY_VOID(analyze(symbols, s->target, true));
  MAINSPRING_TRY_VOID(analyze(symbols, s->test));
  Frame f{&symbols, names.function, false, false, 0};
  s->test_target = copy_target(s->target);
  MAINSPRING_TRY_VOID(resolve(f, s->test_target));
  MAINSPRING_TRY_VOID(resolve(f, s->test));
  s->test_scope = scope_of(symbols, names.function);
  s->test_function = names.function;
  return {};
}

Result<void> Resolver::resolve_for(const Frame& outer, Stmt* s) {
  LoopFacts facts;
  facts.visit(s);
  if (facts.stores_loop != nullptr) return fail(facts.stores_loop->at, "cannot assign to the special variable 'loop' in a loop");
  Undeclared undeclared({"loop"});
  undeclared.visit(s->body);
  s->extended = s->recursive || undeclared.has("loop") || facts.scoped_block;
  if (s->test != nullptr) MAINSPRING_TRY_VOID(resolve_loop_condition(outer, s));

  FunctionNames own;
  if (s->recursive) own = new_function(outer.function->depth + 1);
  const Function* function = s->recursive ? own.function : outer.function;
  Symbols symbols = s->recursive ? inner(*outer.symbols, own) : inner(*outer.symbols);
  Symbols else_symbols = symbols;
  if (s->extended) MAINSPRING_TRY_VOID(declare(symbols, "loop"));
  MAINSPRING_TRY_VOID(analyze(symbols, s->target, true));
  MAINSPRING_TRY_VOID(analyze(symbols, s->body));
  MAINSPRING_TRY_VOID(analyze(else_symbols, s->else_body));

  Frame f{&symbols, function, false, false, (s->recursive ? 0 : outer.loops) + 1};
  MAINSPRING_TRY_VOID(resolve(f, s->target));
  if (s->extended) {
    MAINSPRING_TRY(s->slot, ref(f, "loop", s->at));
  }
  MAINSPRING_TRY_VOID(resolve(f, s->body));
  Frame e{&else_symbols, function, false, false, s->recursive ? 0 : outer.loops};
  MAINSPRING_TRY_VOID(resolve(e, s->else_body));
  s->scope = scope_of(symbols, function);
  s->else_scope = scope_of(else_symbols, function);
  if (s->recursive) s->function = own.function;
  return resolve(outer, s->value);
}

Result<void> Resolver::resolve_macro(const Frame& outer, Stmt* s) {
  FunctionNames names = new_function(outer.function->depth + 1);
  Symbols symbols = inner(*outer.symbols, names);
  MAINSPRING_TRY_VOID(analyze_signature(symbols, s));
  MAINSPRING_TRY_VOID(analyze(symbols, s->body));
  auto position = [&](std::string_view name) {
    for (size_t i = 0; i < s->params.size(); ++i)
      if (s->params[i]->name == name) return i;
    return s->params.size();
  };
  Undeclared undeclared({"caller", "kwargs", "varargs"});
  undeclared.visit(s->body);
  size_t caller = position("caller");
  s->explicit_caller = caller < s->params.size();
  if (undeclared.has("caller")) {
    if (s->explicit_caller && caller + s->defaults.size() < s->params.size())
      return fail(s->at, "the special parameter 'caller' must be left out or be given a default");
    if (!s->explicit_caller) MAINSPRING_TRY_VOID(declare(symbols, "caller"));
    s->accesses_caller = true;
  }
  if (undeclared.has("kwargs") && position("kwargs") == s->params.size()) {
    MAINSPRING_TRY_VOID(declare(symbols, "kwargs"));
    s->accesses_kwargs = true;
  }
  if (undeclared.has("varargs") && position("varargs") == s->params.size()) {
    MAINSPRING_TRY_VOID(declare(symbols, "varargs"));
    s->accesses_varargs = true;
  }
  Frame f{&symbols, names.function, false, false, 0};
  for (Expr* p : s->params) MAINSPRING_TRY_VOID(resolve(f, p));
  for (Expr* d : s->defaults) MAINSPRING_TRY_VOID(resolve(f, d));
  auto slot = [&](std::string_view name) { return symbols.find(name)->slot; };
  if (s->accesses_caller && !s->explicit_caller) s->caller_slot = slot("caller");
  if (s->accesses_kwargs) s->kwargs_slot = slot("kwargs");
  if (s->accesses_varargs) s->varargs_slot = slot("varargs");
  MAINSPRING_TRY_VOID(resolve(f, s->body));
  s->scope = scope_of(symbols, names.function);
  s->function = names.function;
  return {};
}

// A block runs as a function of its own, which sees the variables and, if it is scoped, the scopes around it.
Result<void> Resolver::resolve_block_use(const Frame& f, Stmt* s) {
  if (!s->scoped) return {};
  std::set<std::string_view> seen;
  for (const Symbols* around = f.symbols; around != nullptr; around = around->parent)
    for (std::string_view name : around->stores) {
      if (!seen.insert(name).second) continue;
      MAINSPRING_TRY(SlotRef r, ref(f, name, s->at));
      s->visible.emplace_back(name, r);
    }
  return {};
}

Result<void> Resolver::resolve_block(Stmt* s) {
  FunctionNames names = new_function(0);
  Symbols symbols = scope(nullptr, names);
  Undeclared undeclared({"self", "super"});
  undeclared.visit(s->body);
  if (undeclared.has("self") || undeclared.has("super")) {
    Error e = fail(s->at, "'self' and 'super' need template inheritance, and a chat template stands alone");
    e.code = Errc::unsupported;
    return e;
  }
  MAINSPRING_TRY_VOID(analyze(symbols, s->body));
  MAINSPRING_TRY_VOID(resolve(Frame{&symbols, names.function, false, false, 0}, s->body));
  s->scope = scope_of(symbols, names.function);
  s->function = names.function;
  return {};
}

Result<void> Resolver::run() {
  FunctionNames names = new_function(0);
  Symbols symbols = scope(nullptr, names);
  MAINSPRING_TRY_VOID(analyze(symbols, ast_.body));
  MAINSPRING_TRY_VOID(resolve(Frame{&symbols, names.function, true, false, 0}, ast_.body));
  ast_.scope = scope_of(symbols, names.function);
  ast_.root = names.function;
  for (Stmt* block : ast_.blocks) MAINSPRING_TRY_VOID(resolve_block(block));
  return {};
}

}  // namespace

Result<void> resolve_template(Ast& ast) { return Resolver(ast).run(); }

}  // namespace mainspring::inline v0::jinja
