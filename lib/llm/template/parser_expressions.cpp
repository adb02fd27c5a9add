#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "llm/template/parser.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// The parser recurses over brackets (two levels each) and the evaluator over chained operators. Python's own compiler gives up on an
// expression at about 90 brackets.
constexpr int kMaxLevels = 200;
constexpr int kMaxExprDepth = 200;

// Counts one level of the parser's own recursion.
struct Level {
  explicit Level(int& depth) : depth_(depth) { ++depth_; }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  int& depth_;
};

}  // namespace

// ---- tokens -----------------------------------------------------------------------------------------------------------------
bool Parser::skip_op(std::string_view op) {
  if (!is_op(op)) return false;
  ++i_;
  return true;
}
bool Parser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  ++i_;
  return true;
}

Error Parser::fail_here(std::string_view expected) const {
  const Token& t = current();
  if (t.type == TokenType::end) return fail(t.at, fmt::format("unexpected end of template, expected {}", expected));
  std::string_view got = t.type == TokenType::block_end || t.type == TokenType::variable_end ? std::string_view("end of tag") : t.text;
  return fail(t.at, fmt::format("expected {}, got '{}'", expected, got.substr(0, 40)));
}
Error Parser::fail_unsupported(uint32_t at, std::string_view what) const {
  Error e = fail(at, what);
  e.code = Errc::unsupported;
  return e;
}

Result<Token> Parser::expect_op(std::string_view op) {
  if (!is_op(op)) return fail_here(fmt::format("'{}'", op));
  return next();
}
Result<Token> Parser::expect_name() {
  if (current().type != TokenType::name) return fail_here("a name");
  return next();
}
Result<void> Parser::expect_name(std::string_view name) {
  if (!is_name(name)) return fail_here(fmt::format("'{}'", name));
  next();
  return {};
}
Result<void> Parser::expect(TokenType type, std::string_view what) {
  if (current().type != type) return fail_here(what);
  next();
  return {};
}

// ---- nodes ------------------------------------------------------------------------------------------------------------------
Expr* Parser::make(ExprKind kind, uint32_t at) {
  Expr& e = ast_.exprs.emplace_back();
  e.kind = kind;
  e.at = at;
  return &e;
}

Value Parser::constant_string(std::string_view text) {
  Str& s = ast_.strings.emplace_back();
  s.text = text;
  s.length = count_code_points(text);
  return Value::of(&s);
}

Result<Expr*> Parser::finish(Expr* e) {
  int below = 0;
  auto take = [&](const Expr* child) { below = child != nullptr ? std::max(below, child->depth) : below; };
  take(e->a);
  take(e->b);
  take(e->c);
  take(e->star);
  take(e->star_star);
  for (const Expr* item : e->items) take(item);
  for (const KeywordExpr& k : e->keywords) take(k.value);
  e->depth = below + 1;
  if (e->depth > kMaxExprDepth) return fail(e->at, fmt::format("an expression is nested deeper than {}", kMaxExprDepth));
  return e;
}

// ---- operators, loosest first -----------------------------------------------------------------------------------------------
Result<Expr*> Parser::parse_expression(bool conditional) { return conditional ? parse_conditional() : parse_or(); }

Result<Expr*> Parser::parse_conditional() {
  Level level(depth_);
  if (depth_ > kMaxLevels) return fail(current().at, fmt::format("brackets are nested deeper than {}", kMaxLevels / 2));
  uint32_t at = current().at;
  MAINSPRING_TRY(Expr * e, parse_or());
  while (skip_name("if")) {
    Expr* c = make(ExprKind::conditional, at);
    c->a = e;
    MAINSPRING_TRY(c->b, parse_or());
    if (skip_name("else")) {
      MAINSPRING_TRY(c->c, parse_conditional());
    }
    MAINSPRING_TRY(e, finish(c));
  }
  return e;
}

Result<Expr*> Parser::parse_or() {
  MAINSPRING_TRY(Expr * e, parse_and());
  while (is_name("or")) {
    Expr* o = make(ExprKind::logical_or, next().at);
    o->a = e;
    MAINSPRING_TRY(o->b, parse_and());
    MAINSPRING_TRY(e, finish(o));
  }
  return e;
}

Result<Expr*> Parser::parse_and() {
  MAINSPRING_TRY(Expr * e, parse_not());
  while (is_name("and")) {
    Expr* o = make(ExprKind::logical_and, next().at);
    o->a = e;
    MAINSPRING_TRY(o->b, parse_not());
    MAINSPRING_TRY(e, finish(o));
  }
  return e;
}

Result<Expr*> Parser::parse_not() {
  if (!is_name("not")) return parse_compare();
  Level level(depth_);
  if (depth_ > kMaxLevels) return fail(current().at, fmt::format("operators are nested deeper than {}", kMaxLevels));
  Expr* n = make(ExprKind::logical_not, next().at);
  MAINSPRING_TRY(n->a, parse_not());
  return finish(n);
}

Result<Expr*> Parser::parse_compare() {
  struct Symbol {
    std::string_view text;
    CompareOp op;
  };
  constexpr Symbol symbols[] = {{"==", CompareOp::eq}, {"!=", CompareOp::ne}, {"<", CompareOp::lt},
                                {"<=", CompareOp::le}, {">", CompareOp::gt},  {">=", CompareOp::ge}};
  MAINSPRING_TRY(Expr * e, parse_sum());
  Expr* chain = nullptr;
  for (;;) {
    uint32_t at = current().at;
    CompareOp op = CompareOp::in;
    const Symbol* symbol = nullptr;
    if (current().type == TokenType::op)
      for (const Symbol& s : symbols)
        if (s.text == current().text) symbol = &s;
    if (symbol != nullptr) {
      next();
      op = symbol->op;
    } else if (skip_name("in")) {
      op = CompareOp::in;
    } else if (is_name("not") && look().type == TokenType::name && look().text == "in") {
      i_ += 2;
      op = CompareOp::not_in;
    } else {
      break;
    }
    if (chain == nullptr) {
      chain = make(ExprKind::compare, at);
      chain->a = e;
    }
    MAINSPRING_TRY(Expr * operand, parse_sum());
    chain->items.push_back(operand);
    chain->compare_ops.push_back(op);
  }
  return chain == nullptr ? Result<Expr*>(e) : finish(chain);
}

Result<Expr*> Parser::parse_sum() {
  MAINSPRING_TRY(Expr * e, parse_concat());
  while (is_op("+") || is_op("-")) {
    Token t = next();
    Expr* o = make(ExprKind::arithmetic, t.at);
    o->op = t.text == "+" ? Arithmetic::add : Arithmetic::subtract;
    o->a = e;
    MAINSPRING_TRY(o->b, parse_concat());
    MAINSPRING_TRY(e, finish(o));
  }
  return e;
}

Result<Expr*> Parser::parse_concat() {
  MAINSPRING_TRY(Expr * e, parse_product());
  if (!is_op("~")) return e;
  Expr* c = make(ExprKind::concat, current().at);
  c->items.push_back(e);
  while (skip_op("~")) {
    MAINSPRING_TRY(Expr * item, parse_product());
    c->items.push_back(item);
  }
  return finish(c);
}

Result<Expr*> Parser::parse_product() {
  MAINSPRING_TRY(Expr * e, parse_power());
  while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
    Token t = next();
    Expr* o = make(ExprKind::arithmetic, t.at);
    o->op = t.text == "*" ? Arithmetic::multiply : t.text == "/" ? Arithmetic::divide : t.text == "%" ? Arithmetic::modulo : Arithmetic::floor_divide;
    o->a = e;
    MAINSPRING_TRY(o->b, parse_power());
    MAINSPRING_TRY(e, finish(o));
  }
  return e;
}

// Left to right, unlike Python: so does Jinja.
Result<Expr*> Parser::parse_power() {
  MAINSPRING_TRY(Expr * e, parse_unary());
  while (is_op("**")) {
    Expr* o = make(ExprKind::arithmetic, next().at);
    o->op = Arithmetic::power;
    o->a = e;
    MAINSPRING_TRY(o->b, parse_unary());
    MAINSPRING_TRY(e, finish(o));
  }
  return e;
}

Result<Expr*> Parser::parse_unary(bool with_filter) {
  Level level(depth_);
  if (depth_ > kMaxLevels) return fail(current().at, fmt::format("operators are nested deeper than {}", kMaxLevels));
  Expr* e = nullptr;
  if (is_op("-") || is_op("+")) {
    Token t = next();
    e = make(t.text == "-" ? ExprKind::negate : ExprKind::positive, t.at);
    MAINSPRING_TRY(e->a, parse_unary(false));
    MAINSPRING_TRY(e, finish(e));
  } else {
    MAINSPRING_TRY(e, parse_primary());
  }
  MAINSPRING_TRY(e, parse_postfix(e));
  return with_filter ? parse_filters_and_tests(e) : Result<Expr*>(e);
}

// ---- primaries --------------------------------------------------------------------------------------------------------------
Result<Expr*> Parser::parse_primary(bool with_namespace) {
  const Token& t = current();
  switch (t.type) {
    case TokenType::name: return parse_name(with_namespace);
    case TokenType::integer:
    case TokenType::real: return parse_number();
    case TokenType::string: {
      Expr* e = make(ExprKind::constant, t.at);
      Token first = next();
      if (current().type != TokenType::string) {
        e->value = constant_string(first.text);
        return e;
      }
      std::string& joined = ast_.text.emplace_back(first.text);
      while (current().type == TokenType::string) joined += next().text;
      e->value = constant_string(joined);
      return e;
    }
    default: break;
  }
  if (is_op("(")) {
    next();
    MAINSPRING_TRY(Expr * e, parse_tuple({.parenthesised = true}));
    MAINSPRING_TRY_VOID(expect_op(")"));
    return e;
  }
  if (is_op("[")) return parse_list();
  if (is_op("{")) return parse_dict();
  return fail_here("an expression");
}

Result<Expr*> Parser::parse_name(bool with_namespace) {
  Token t = next();
  Expr* e = make(ExprKind::constant, t.at);
  if (t.text == "true" || t.text == "True" || t.text == "false" || t.text == "False") {
    e->value = Value::of(t.text == "true" || t.text == "True");
  } else if (t.text == "none" || t.text == "None") {
    e->value = Value::none();
  } else if (with_namespace && skip_op(".")) {
    MAINSPRING_TRY(Token attribute, expect_name());
    e->kind = ExprKind::namespace_ref;
    e->name = t.text;
    e->attribute = attribute.text;
  } else {
    e->kind = ExprKind::name;
    e->name = t.text;
  }
  return e;
}

Result<Expr*> Parser::parse_number() {
  Token t = next();
  Expr* e = make(ExprKind::constant, t.at);
  if (t.type == TokenType::real) {
    std::optional<double> v = parse_real(t.text);
    if (!v) return fail(t.at, fmt::format("cannot read the number '{}'", t.text));
    e->value = Value::of(*v);
    return e;
  }
  std::string_view digits = t.text;
  unsigned base = 10;
  if (digits.size() > 2 && digits[0] == '0' && digits[1] > '9') {
    char letter = static_cast<char>(digits[1] | 32);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    digits.remove_prefix(2);
  }
  if (digits.size() > 4300) return fail(t.at, fmt::format("an integer has {} digits, expected at most 4300", digits.size()));
  Result<BigInt> v = BigInt::parse(digits, base);
  if (!v) return fail(t.at, v.error().message);
  if (v->fits_int64()) {
    e->value = Value::of(v->to_int64());
    return e;
  }
  Big& big = ast_.bigs.emplace_back();
  big.limbs = ast_.limbs.emplace_back(std::move(v->limbs));
  e->value = Value::of_kind(Kind::big);
  e->value.big = &big;
  return e;
}

bool Parser::at_tuple_end() const {
  return current().type == TokenType::variable_end || current().type == TokenType::block_end || is_op(")");
}

Result<Expr*> Parser::parse_tuple(TupleRules rules) {
  uint32_t at = current().at;
  std::vector<Expr*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    if (at_tuple_end()) break;
    MAINSPRING_TRY(Expr * item, rules.simplified ? parse_primary(rules.with_namespace) : parse_expression(rules.conditional));
    items.push_back(item);
    if (!is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    // Nothing at all is an empty tuple only inside parentheses.
    if (!rules.parenthesised) return fail_here("an expression");
  }
  Expr* e = make(ExprKind::tuple, at);
  e->items = std::move(items);
  return finish(e);
}

Result<Expr*> Parser::parse_list() {
  Expr* e = make(ExprKind::list, next().at);
  while (!is_op("]")) {
    if (!e->items.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    if (is_op("]")) break;
    MAINSPRING_TRY(Expr * item, parse_expression());
    e->items.push_back(item);
  }
  MAINSPRING_TRY_VOID(expect_op("]"));
  return finish(e);
}

Result<Expr*> Parser::parse_dict() {
  Expr* e = make(ExprKind::dict, next().at);
  while (!is_op("}")) {
    if (!e->items.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    if (is_op("}")) break;
    MAINSPRING_TRY(Expr * key, parse_expression());
    MAINSPRING_TRY_VOID(expect_op(":"));
    MAINSPRING_TRY(Expr * value, parse_expression());
    e->items.push_back(key);
    e->items.push_back(value);
  }
  MAINSPRING_TRY_VOID(expect_op("}"));
  return finish(e);
}

// ---- what follows a primary -------------------------------------------------------------------------------------------------
Result<Expr*> Parser::parse_postfix(Expr* e) {
  for (;;) {
    if (is_op(".") || is_op("[")) {
      MAINSPRING_TRY(e, parse_subscript(e));
    } else if (is_op("(")) {
      MAINSPRING_TRY(e, parse_call(e));
    } else {
      return e;
    }
  }
}

Result<Expr*> Parser::parse_filters_and_tests(Expr* e) {
  for (;;) {
    if (is_op("|")) {
      MAINSPRING_TRY(e, parse_filter(e));
    } else if (is_name("is")) {
      MAINSPRING_TRY(e, parse_test(e));
    } else if (is_op("(")) {
      MAINSPRING_TRY(e, parse_call(e));
    } else {
      return e;
    }
  }
}

Result<Expr*> Parser::parse_subscript(Expr* e) {
  Token t = next();
  if (t.text == ".") {
    Token attribute = next();
    if (attribute.type == TokenType::name) {
      Expr* a = make(ExprKind::attribute, t.at);
      a->a = e;
      a->name = attribute.text;
      return finish(a);
    }
    if (attribute.type != TokenType::integer) return fail(attribute.at, "expected a name or a number after '.'");
    --i_;
    Expr* a = make(ExprKind::item, t.at);
    a->a = e;
    MAINSPRING_TRY(a->b, parse_number());
    return finish(a);
  }
  std::vector<Expr*> arguments;
  while (!is_op("]")) {
    if (!arguments.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    MAINSPRING_TRY(Expr * argument, parse_subscribed());
    arguments.push_back(argument);
  }
  MAINSPRING_TRY_VOID(expect_op("]"));
  Expr* i = make(ExprKind::item, t.at);
  i->a = e;
  if (arguments.size() == 1) {
    i->b = arguments[0];
    return finish(i);
  }
  i->b = make(ExprKind::tuple, t.at);
  i->b->items = std::move(arguments);
  for (const Expr* item : i->b->items)
    if (item->kind == ExprKind::slice) return fail(item->at, "a slice cannot stand in a tuple");
  MAINSPRING_TRY(i->b, finish(i->b));
  return finish(i);
}

// An index, or start:stop:step with any part left out.
Result<Expr*> Parser::parse_subscribed() {
  uint32_t at = current().at;
  Expr* start = nullptr;
  if (!is_op(":")) {
    MAINSPRING_TRY(start, parse_expression());
    if (!is_op(":")) return start;
  }
  next();
  Expr* s = make(ExprKind::slice, at);
  s->a = start;
  if (!is_op(":") && !is_op("]") && !is_op(",")) {
    MAINSPRING_TRY(s->b, parse_expression());
  }
  if (skip_op(":") && !is_op("]") && !is_op(",")) {
    MAINSPRING_TRY(s->c, parse_expression());
  }
  return finish(s);
}

Result<Expr*> Parser::parse_call(Expr* e) {
  Expr* call = make(ExprKind::call, current().at);
  call->a = e;
  MAINSPRING_TRY_VOID(parse_arguments(*call));
  return finish(call);
}

Result<void> Parser::parse_argument(Expr& call, uint32_t at) {
  auto bad = [&] { return fail(at, "invalid syntax for the arguments of a call"); };
  if (skip_op("*")) {
    if (call.star != nullptr || call.star_star != nullptr) return bad();
    MAINSPRING_TRY(call.star, parse_expression());
  } else if (skip_op("**")) {
    if (call.star_star != nullptr) return bad();
    MAINSPRING_TRY(call.star_star, parse_expression());
  } else if (current().type == TokenType::name && look().type == TokenType::op && look().text == "=") {
    if (call.star_star != nullptr) return bad();
    Token name = next();
    next();
    for (const KeywordExpr& k : call.keywords)
      if (k.name == name.text) return fail(name.at, fmt::format("keyword argument '{}' is repeated", name.text));
    KeywordExpr k{name.text, nullptr};
    MAINSPRING_TRY(k.value, parse_expression());
    call.keywords.push_back(k);
  } else {
    if (call.star != nullptr || call.star_star != nullptr || !call.keywords.empty()) return bad();
    MAINSPRING_TRY(Expr * argument, parse_expression());
    call.items.push_back(argument);
  }
  return {};
}

Result<void> Parser::parse_arguments(Expr& call) {
  MAINSPRING_TRY(Token open, expect_op("("));
  bool require_comma = false;
  while (!is_op(")")) {
    if (require_comma) {
      MAINSPRING_TRY_VOID(expect_op(","));
      if (is_op(")")) break;
    }
    MAINSPRING_TRY_VOID(parse_argument(call, open.at));
    require_comma = true;
  }
  MAINSPRING_TRY_VOID(expect_op(")"));
  return {};
}

Result<std::string_view> Parser::parse_dotted_name() {
  MAINSPRING_TRY(Token name, expect_name());
  if (!is_op(".")) return name.text;
  std::string& dotted = ast_.text.emplace_back(name.text);
  while (skip_op(".")) {
    MAINSPRING_TRY(Token part, expect_name());
    dotted += '.';
    dotted += part.text;
  }
  return std::string_view(dotted);
}

Result<Expr*> Parser::parse_filter(Expr* e, bool start_inline) {
  while (is_op("|") || start_inline) {
    if (!start_inline) next();
    start_inline = false;
    Expr* f = make(ExprKind::filter, current().at);
    f->a = e;
    MAINSPRING_TRY(f->name, parse_dotted_name());
    if (is_op("(")) MAINSPRING_TRY_VOID(parse_arguments(*f));
    MAINSPRING_TRY(e, finish(f));
  }
  return e;
}

Result<Expr*> Parser::parse_test(Expr* e) {
  Expr* test = make(ExprKind::test, next().at);
  test->a = e;
  bool negated = skip_name("not");
  MAINSPRING_TRY(test->name, parse_dotted_name());
  TokenType type = current().type;
  bool is_argument = type == TokenType::name || type == TokenType::string || type == TokenType::integer || type == TokenType::real ||
                     is_op("[") || is_op("{");
  if (is_op("(")) {
    MAINSPRING_TRY_VOID(parse_arguments(*test));
  } else if (is_argument && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) return fail(current().at, "tests cannot be chained with 'is'");
    MAINSPRING_TRY(Expr * argument, parse_primary());
    MAINSPRING_TRY(argument, parse_postfix(argument));
    test->items.push_back(argument);
  }
  MAINSPRING_TRY(test, finish(test));
  if (!negated) return test;
  Expr* n = make(ExprKind::logical_not, test->at);
  n->a = test;
  return finish(n);
}

}  // namespace mainspring::inline v0::jinja
