// Recursive descent over the tokens, with Jinja's grammar. parser_expressions.cpp and parser_statements.cpp implement it.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "llm/template/ast.h"

namespace mainspring::inline v0::jinja {

class Parser {
 public:
  explicit Parser(Ast& ast) : ast_(ast), source_(ast.stream.source), tokens_(ast.stream.tokens) {}
  Result<void> run();

 private:
  using Names = std::initializer_list<std::string_view>;
  /// How parse_tuple behaves: see Jinja's parse_tuple.
  struct TupleRules {
    bool simplified = false, conditional = true, parenthesised = false, with_namespace = false;
  };

  // Tokens.
  const Token& current() const { return tokens_[i_]; }
  const Token& look() const { return tokens_[i_ + 1 < tokens_.size() ? i_ + 1 : i_]; }
  Token next() { return current().type == TokenType::end ? current() : tokens_[i_++]; }
  bool is_op(std::string_view op) const { return current().type == TokenType::op && current().text == op; }
  bool is_name(std::string_view name) const { return current().type == TokenType::name && current().text == name; }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  Result<Token> expect_op(std::string_view op);
  Result<Token> expect_name();
  Result<void> expect_name(std::string_view name);
  Result<void> expect(TokenType type, std::string_view what);
  Error fail(uint32_t at, std::string_view what) const { return error_at(source_, at, what); }
  Error fail_here(std::string_view expected) const;
  Error fail_unsupported(uint32_t at, std::string_view what) const;

  // Nodes.
  Expr* make(ExprKind kind, uint32_t at);
  Stmt* make(StmtKind kind, uint32_t at);
  Value constant_string(std::string_view text);
  /// Notes the depth below a finished node. Fails past the limit.
  Result<Expr*> finish(Expr* e);

  // Expressions.
  Result<Expr*> parse_expression(bool conditional = true);
  Result<Expr*> parse_conditional();
  Result<Expr*> parse_or();
  Result<Expr*> parse_and();
  Result<Expr*> parse_not();
  Result<Expr*> parse_compare();
  Result<Expr*> parse_sum();
  Result<Expr*> parse_concat();
  Result<Expr*> parse_product();
  Result<Expr*> parse_power();
  Result<Expr*> parse_unary(bool with_filter = true);
  Result<Expr*> parse_primary(bool with_namespace = false);
  Result<Expr*> parse_name(bool with_namespace);
  Result<Expr*> parse_number();
  Result<Expr*> parse_tuple(TupleRules rules);
  Result<Expr*> parse_tuple() { return parse_tuple(TupleRules()); }
  Result<Expr*> parse_list();
  Result<Expr*> parse_dict();
  Result<Expr*> parse_postfix(Expr* e);
  Result<Expr*> parse_filters_and_tests(Expr* e);
  Result<Expr*> parse_subscript(Expr* e);
  Result<Expr*> parse_subscribed();
  Result<Expr*> parse_call(Expr* e);
  Result<void> parse_arguments(Expr& call);
  Result<void> parse_argument(Expr& call, uint32_t at);
  Result<Expr*> parse_filter(Expr* e, bool start_inline = false);
  Result<Expr*> parse_test(Expr* e);
  Result<std::string_view> parse_dotted_name();
  bool at_tuple_end() const;

  // Statements.
  Result<std::vector<Stmt*>> parse_body(Names ends);
  Result<std::vector<Stmt*>> parse_statements(Names ends);
  Result<void> parse_block_tag(std::vector<Stmt*>& body);
  Result<Stmt*> parse_statement();
  Result<Stmt*> parse_if();
  Result<Stmt*> parse_for();
  Result<Stmt*> parse_set();
  Result<Stmt*> parse_with();
  Result<Stmt*> parse_macro();
  Result<Stmt*> parse_call_block();
  Result<Stmt*> parse_filter_block();
  Result<Stmt*> parse_block();
  Result<Stmt*> parse_print();
  Result<Stmt*> parse_autoescape();
  Result<void> parse_signature(Stmt& s);
  Result<Expr*> parse_target(bool with_namespace = false);
  Result<Expr*> parse_name_target();
  Result<void> check_target(Expr* e);
  void flush(std::vector<Stmt*>& body, std::vector<Expr*>& output);

  Ast& ast_;
  std::string_view source_;
  std::vector<Token>& tokens_;
  size_t i_ = 0;
  int depth_ = 0;       // of nested calls of the parser, for its own stack
  int body_depth_ = 0;  // of nested statements
};

}  // namespace mainspring::inline v0::jinja
