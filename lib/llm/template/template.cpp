#include "llm/template/template.h"

#include "llm/template/evaluator.h"

namespace mainspring::inline v0 {

struct ChatTemplate::Parsed {
  jinja::Ast ast;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  auto parsed = std::make_shared<Parsed>();
  auto named = [](Error e) { return within("template", std::move(e)); };
  if (Result<void> ok = jinja::parse_template(source, parsed->ast); !ok) return named(std::move(ok).error());
  if (Result<void> ok = jinja::resolve_template(parsed->ast); !ok) return named(std::move(ok).error());
  ChatTemplate t;
  t.parsed_ = std::move(parsed);
  return t;
}

Result<std::string> ChatTemplate::render(const JsonValue& variables, const RenderOptions& options) const {
  if (parsed_ == nullptr) return invalid("template: nothing was parsed");
  if (!variables.is_object()) return invalid("template: the variables are no object");
  jinja::Heap heap(options.limits);
  Result<jinja::Value> values = jinja::from_json(heap, variables);
  if (!values) return within("template: variables", std::move(values).error());
  Result<std::string> text = jinja::Evaluator(parsed_->ast, heap, *values->dict, options).render();
  if (!text) return within("template", std::move(text).error());
  return text;
}

}  // namespace mainspring::inline v0
