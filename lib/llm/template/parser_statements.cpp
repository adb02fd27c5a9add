#include <algorithm>

#include "llm/template/parser.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// Tags inside tags. Python's compiler stops at 20 nested loops and 100 levels of indentation.
constexpr int kMaxBodies = 100;

}  // namespace

Stmt* Parser::make(StmtKind kind, uint32_t at) {
  Stmt& s = ast_.stmts.emplace_back();
  s.kind = kind;
  s.at = at;
  return &s;
}

void Parser::flush(std::vector<Stmt*>& body, std::vector<Expr*>& output) {
  if (output.empty()) return;
  Stmt* s = make(StmtKind::output, output[0]->at);
  s->exprs = std::move(output);
  output.clear();
  body.push_back(s);
}

Result<void> Parser::run() {
  MAINSPRING_TRY(ast_.body, parse_body({}));
  return {};
}

// Text, prints and tags up to one of the end tags, which stays the current token (or to the template's end if there are none).
Result<std::vector<Stmt*>> Parser::parse_body(Names ends) {
  std::vector<Stmt*> body;
  std::vector<Expr*> output;
  for (;;) {
    Token t = current();
    if (t.type == TokenType::end) break;
    if (t.type == TokenType::data) {
      next();
      Expr* text = make(ExprKind::constant, t.at);
      text->value = constant_string(t.text);
      text->is_data = true;
      output.push_back(text);
    } else if (t.type == TokenType::variable_begin) {
      next();
      MAINSPRING_TRY(Expr * e, parse_tuple());
      output.push_back(e);
      MAINSPRING_TRY_VOID(expect(TokenType::variable_end, "'}}'"));
    } else {
      flush(body, output);
      next();
      if (current().type == TokenType::name && std::find(ends.begin(), ends.end(), current().text) != ends.end()) return body;
      MAINSPRING_TRY_VOID(parse_block_tag(body));
    }
  }
  flush(body, output);
  return body;
}

Result<void> Parser::parse_block_tag(std::vector<Stmt*>& body) {
  if (is_name("generation")) {  // marks the assistant's text, renders as if it were not there
    next();
    MAINSPRING_TRY(std::vector<Stmt*> inner, parse_statements({"endgeneration"}));
    next();
    body.insert(body.end(), inner.begin(), inner.end());
  } else {
    MAINSPRING_TRY(Stmt * s, parse_statement());
    body.push_back(s);
  }
  return expect(TokenType::block_end, "'%}'");
}

// The rest of the opening tag, then its body up to one of the end tags.
Result<std::vector<Stmt*>> Parser::parse_statements(Names ends) {
  skip_op(":");  // for Python's habits
  uint32_t at = current().at;
  MAINSPRING_TRY_VOID(expect(TokenType::block_end, "'%}'"));
  if (body_depth_ >= kMaxBodies) return fail(at, fmt::format("tags are nested deeper than {}", kMaxBodies));
  ++body_depth_;
  Result<std::vector<Stmt*>> body = parse_body(ends);
  --body_depth_;
  if (body && current().type == TokenType::end) {
    std::string expected;
    for (std::string_view end : ends) expected += fmt::format("{}'{}'", expected.empty() ? "" : " or ", end);
    return fail(at, fmt::format("this tag is not closed: unexpected end of template, expected {}", expected));
  }
  return body;
}

Result<Stmt*> Parser::parse_statement() {
  Token t = current();
  if (t.type != TokenType::name) return fail_here("a tag name");
  std::string_view tag = t.text;
  if (tag == "if") return parse_if();
  if (tag == "for") return parse_for();
  if (tag == "set") return parse_set();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call_block();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "block") return parse_block();
  if (tag == "print") return parse_print();
  if (tag == "autoescape") return parse_autoescape();
  if (tag == "break" || tag == "continue") return make(tag == "break" ? StmtKind::break_ : StmtKind::continue_, next().at);
  if (tag == "extends" || tag == "include" || tag == "import" || tag == "from")
    return fail_unsupported(t.at, fmt::format("the tag '{}' needs a second template, and a chat template stands alone", tag));
  return fail(t.at, fmt::format("unknown tag '{}'", tag));
}

Result<Stmt*> Parser::parse_if() {
  Stmt* root = make(StmtKind::if_, next().at);
  Stmt* branch = root;
  for (;;) {
    MAINSPRING_TRY(branch->test, parse_tuple({.conditional = false}));
    MAINSPRING_TRY(branch->body, parse_statements({"elif", "else", "endif"}));
    Token end = next();
    if (end.text == "elif") {
      branch = make(StmtKind::if_, end.at);
      root->branches.push_back(branch);
      continue;
    }
    if (end.text == "else") {
      MAINSPRING_TRY(root->else_body, parse_statements({"endif"}));
      next();
    }
    return root;
  }
}

Result<Stmt*> Parser::parse_for() {
  Stmt* s = make(StmtKind::for_, next().at);
  MAINSPRING_TRY(s->target, parse_target());
  MAINSPRING_TRY_VOID(expect_name("in"));
  MAINSPRING_TRY(s->value, parse_tuple({.conditional = false}));
  if (skip_name("if")) {
    MAINSPRING_TRY(s->test, parse_expression());
  }
  s->recursive = skip_name("recursive");
  MAINSPRING_TRY(s->body, parse_statements({"endfor", "else"}));
  if (next().text == "else") {
    MAINSPRING_TRY(s->else_body, parse_statements({"endfor"}));
    next();
  }
  return s;
}

Result<Stmt*> Parser::parse_set() {
  Stmt* s = make(StmtKind::set, next().at);
  MAINSPRING_TRY(s->target, parse_target(true));
  if (skip_op("=")) {
    MAINSPRING_TRY(s->value, parse_tuple());
    return s;
  }
  s->kind = StmtKind::set_block;
  MAINSPRING_TRY(s->filter, parse_filter(nullptr));
  MAINSPRING_TRY(s->body, parse_statements({"endset"}));
  next();
  return s;
}

Result<Stmt*> Parser::parse_with() {
  Stmt* s = make(StmtKind::with, next().at);
  while (current().type != TokenType::block_end) {
    if (!s->targets.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    MAINSPRING_TRY(Expr * target, parse_target());
    MAINSPRING_TRY_VOID(expect_op("="));
    MAINSPRING_TRY(Expr * value, parse_expression());
    s->targets.push_back(target);
    s->exprs.push_back(value);
  }
  MAINSPRING_TRY(s->body, parse_statements({"endwith"}));
  next();
  return s;
}

Result<Expr*> Parser::parse_name_target() {
  MAINSPRING_TRY(Token t, expect_name());
  Expr* e = make(ExprKind::name, t.at);
  e->name = t.text;
  e->store = true;
  MAINSPRING_TRY_VOID(check_target(e));
  return e;
}

Result<Expr*> Parser::parse_target(bool with_namespace) {
  MAINSPRING_TRY(Expr * e, parse_tuple({.simplified = true, .with_namespace = with_namespace}));
  MAINSPRING_TRY_VOID(check_target(e));
  return e;
}

Result<void> Parser::check_target(Expr* e) {
  constexpr std::string_view reserved[] = {"true", "false", "none", "True", "False", "None"};
  if (e->kind == ExprKind::name && std::find(std::begin(reserved), std::end(reserved), e->name) == std::end(reserved)) {
    e->store = true;
    return {};
  }
  if (e->kind == ExprKind::namespace_ref) return {};
  if (e->kind != ExprKind::tuple) return fail(e->at, "cannot assign to this expression");
  for (Expr* item : e->items) MAINSPRING_TRY_VOID(check_target(item));
  return {};
}

Result<void> Parser::parse_signature(Stmt& s) {
  MAINSPRING_TRY_VOID(expect_op("("));
  while (!is_op(")")) {
    if (!s.params.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    MAINSPRING_TRY(Expr * param, parse_name_target());
    for (const Expr* other : s.params)
      if (other->name == param->name) return fail(param->at, fmt::format("parameter '{}' is repeated", param->name));
    s.params.push_back(param);
    if (skip_op("=")) {
      MAINSPRING_TRY(Expr * value, parse_expression());
      s.defaults.push_back(value);
    } else if (!s.defaults.empty()) {
      return fail(param->at, "a parameter without a default follows one with a default");
    }
  }
  MAINSPRING_TRY_VOID(expect_op(")"));
  return {};
}

Result<Stmt*> Parser::parse_macro() {
  Stmt* s = make(StmtKind::macro, next().at);
  MAINSPRING_TRY(s->target, parse_name_target());
  s->name = s->target->name;
  MAINSPRING_TRY_VOID(parse_signature(*s));
  MAINSPRING_TRY(s->body, parse_statements({"endmacro"}));
  next();
  return s;
}

Result<Stmt*> Parser::parse_call_block() {
  Stmt* s = make(StmtKind::call_block, next().at);
  if (is_op("(")) MAINSPRING_TRY_VOID(parse_signature(*s));
  MAINSPRING_TRY(s->value, parse_expression());
  if (s->value->kind != ExprKind::call) return fail(s->at, "expected a call");
  MAINSPRING_TRY(s->body, parse_statements({"endcall"}));
  next();
  return s;
}

Result<Stmt*> Parser::parse_filter_block() {
  Stmt* s = make(StmtKind::filter_block, next().at);
  MAINSPRING_TRY(s->filter, parse_filter(nullptr, true));
  MAINSPRING_TRY(s->body, parse_statements({"endfilter"}));
  next();
  return s;
}

Result<Stmt*> Parser::parse_block() {
  Stmt* s = make(StmtKind::block, next().at);
  MAINSPRING_TRY(Token name, expect_name());
  s->name = name.text;
  s->scoped = skip_name("scoped");
  s->required = skip_name("required");
  if (s->required) return fail_unsupported(s->at, "a required block needs a second template, and a chat template stands alone");
  for (const Stmt* other : ast_.blocks)
    if (other->name == s->name) return fail(s->at, fmt::format("block '{}' is defined twice", s->name));
  ast_.blocks.push_back(s);
  MAINSPRING_TRY(s->body, parse_statements({"endblock"}));
  next();
  skip_name(s->name);
  return s;
}

Result<Stmt*> Parser::parse_print() {
  Stmt* s = make(StmtKind::output, next().at);
  while (current().type != TokenType::block_end) {
    if (!s->exprs.empty()) MAINSPRING_TRY_VOID(expect_op(","));
    MAINSPRING_TRY(Expr * e, parse_expression());
    s->exprs.push_back(e);
  }
  return s;
}

Result<Stmt*> Parser::parse_autoescape() {
  Stmt* s = make(StmtKind::scope, next().at);
  MAINSPRING_TRY(Expr * on, parse_expression());
  bool off = on->kind == ExprKind::constant && on->value.is(Kind::boolean) && !on->value.boolean;
  if (!off) return fail_unsupported(s->at, "autoescape can only be false");
  MAINSPRING_TRY(s->body, parse_statements({"endautoescape"}));
  next();
  return s;
}

Result<void> parse_template(std::string_view source, Ast& ast) {
  MAINSPRING_TRY_VOID(tokenize(source, ast.stream));
  return Parser(ast).run();
}

}  // namespace mainspring::inline v0::jinja
