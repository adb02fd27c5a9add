// Tokens and chat as free functions over a Model (text.h).
#include "llm/text.h"

#include "core/error.h"
#include "mainspring/text.h"
#include "runtime/model_impl.h"

namespace mainspring::inline v0 {
namespace {

/// Kept in the Model; a failure is kept too, so that it costs once.
struct ModelText {
  std::mutex mutex;
  std::unique_ptr<Result<std::unique_ptr<TokenizerImpl>>> tokenizer;
  std::unique_ptr<Result<ChatTemplate>> chat;
};

ModelText& text_of(const Model& model) {
  const Model::Impl& impl = *model.impl();
  const std::lock_guard lock(impl.mutex);
  if (impl.text == nullptr) impl.text = std::make_shared<ModelText>();
  return *static_cast<ModelText*>(impl.text.get());
}

Result<ChatTemplate> parse_chat(const Model& model) {
  const MetaValue* source = model.metadata().find("tokenizer.chat_template");
  if (source == nullptr || !source->as_string()) return not_found("{}: the file has no chat template (tokenizer.chat_template)", model.impl()->path);
  auto parsed = ChatTemplate::parse(*source->as_string());
  if (!parsed) return within("chat template", std::move(parsed).error());
  return parsed;
}

Result<RenderOptions> render_options(std::string_view now) {
  RenderOptions o;
  if (!now.empty()) {
    MAINSPRING_TRY(o.now, DateTime::from_iso(now));
  }
  return o;
}

/// The model's template over `variables`, with the model's own texts of BOS and EOS where none are given.
Result<std::string> render_with(const Model& model, JsonValue variables, std::string_view now) {
  MAINSPRING_TRY(const ChatTemplate* chat, chat_template_of(model));
  if (const auto tokenizer = tokenizer_of(model)) {
    const auto text = [&](int32_t id) { return JsonValue::string(std::string(id < 0 ? std::string_view() : (*tokenizer)->text(id))); };
    if (variables.find("bos_token") == nullptr) variables.set("bos_token", text((*tokenizer)->bos()));
    if (variables.find("eos_token") == nullptr) variables.set("eos_token", text((*tokenizer)->eos()));
  }
  MAINSPRING_TRY(const RenderOptions render, render_options(now));
  auto out = chat->render(variables, render);
  if (!out) return within("chat template", std::move(out).error());
  return out;
}

}  // namespace

Result<const TokenizerImpl*> tokenizer_of(const Model& model) {
  ModelText& text = text_of(model);
  const std::lock_guard lock(text.mutex);
  if (text.tokenizer == nullptr) text.tokenizer = std::make_unique<Result<std::unique_ptr<TokenizerImpl>>>(TokenizerImpl::create(model.metadata()));
  if (!*text.tokenizer) return within(model.impl()->path, text.tokenizer->error());
  return static_cast<const TokenizerImpl*>((**text.tokenizer).get());
}

Result<const ChatTemplate*> chat_template_of(const Model& model) {
  ModelText& text = text_of(model);
  const std::lock_guard lock(text.mutex);
  if (text.chat == nullptr) text.chat = std::make_unique<Result<ChatTemplate>>(parse_chat(model));
  if (!*text.chat) return text.chat->error();
  return static_cast<const ChatTemplate*>(&**text.chat);
}

Result<std::vector<int32_t>> tokenize(const Model& model, std::string_view text, const TokenizeOptions& options) {
  MAINSPRING_TRY(const TokenizerImpl* tokenizer, tokenizer_of(model));
  return tokenizer->encode(text, {options.add_special, options.parse_special});
}

Result<std::string> detokenize(const Model& model, std::span<const int32_t> ids, bool special) {
  MAINSPRING_TRY(const TokenizerImpl* tokenizer, tokenizer_of(model));
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= tokenizer->vocab_size()) return invalid("detokenize: id {} is {}, the vocabulary has 0 to {}", i, ids[i], tokenizer->vocab_size() - 1);
  return tokenizer->decode(ids, special);
}

Result<TokenInfo> token_info(const Model& model) {
  MAINSPRING_TRY(const TokenizerImpl* t, tokenizer_of(model));
  TokenInfo info;
  info.vocabulary = t->vocab_size();
  info.bos = t->bos();
  info.eos = t->eos();
  info.eot = t->eot();
  info.unknown = t->id(Special::unk);
  info.padding = t->id(Special::pad);
  info.add_bos = t->add_bos();
  info.add_eos = t->add_eos();
  info.kind = t->model();
  return info;
}

bool is_end_of_generation(const Model& model, int32_t id) {
  const auto tokenizer = tokenizer_of(model);
  return tokenizer && (*tokenizer)->is_end_of_generation(id);
}

struct TextStream::Impl {
  Model model;  // keeps the tokenizer alive
  StreamDecoder decoder;
};

Result<TextStream> TextStream::create(const Model& model, bool special) {
  MAINSPRING_TRY(const TokenizerImpl* tokenizer, tokenizer_of(model));
  return TextStream(std::make_unique<Impl>(Impl{model, StreamDecoder(*tokenizer, special)}));
}
std::string_view TextStream::push(int32_t id) { return impl_->decoder.push(id); }
std::string_view TextStream::finish() { return impl_->decoder.finish(); }
TextStream::TextStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TextStream::TextStream(TextStream&&) noexcept = default;
TextStream& TextStream::operator=(TextStream&&) noexcept = default;
TextStream::~TextStream() = default;

Result<std::string> render_chat(const Model& model, std::span<const ChatMessage> messages, const ChatOptions& options) {
  JsonValue variables = JsonValue::object();
  if (!options.variables_json.empty()) {
    MAINSPRING_TRY(variables, JsonValue::parse(options.variables_json));
    if (!variables.is_object()) return invalid("chat: variables_json is not an object");
  }
  std::vector<JsonValue> list;
  for (const ChatMessage& m : messages) list.push_back(JsonValue::object({{"role", JsonValue::string(m.role)}, {"content", JsonValue::string(m.content)}}));
  variables.set("messages", JsonValue::array(std::move(list)));
  variables.set("add_generation_prompt", JsonValue::boolean(options.add_generation_prompt));
  return render_with(model, std::move(variables), options.now);
}

Result<std::string> render_chat_json(const Model& model, std::string_view variables_json, std::string_view now) {
  MAINSPRING_TRY(JsonValue variables, JsonValue::parse(variables_json));
  if (!variables.is_object()) return invalid("chat: the variables are not a JSON object");
  return render_with(model, std::move(variables), now);
}

Result<std::vector<int32_t>> tokenize_chat(const Model& model, std::span<const ChatMessage> messages, const ChatOptions& options) {
  MAINSPRING_TRY(const std::string text, render_chat(model, messages, options));
  MAINSPRING_TRY(std::vector<int32_t> ids, tokenize(model, text, {.add_special = false, .parse_special = true}));
  MAINSPRING_TRY(const TokenInfo info, token_info(model));
  if (info.add_bos && info.bos >= 0 && (ids.empty() || ids.front() != info.bos)) ids.insert(ids.begin(), info.bos);
  return ids;
}

Result<std::string> render_template(std::string_view source, std::string_view variables_json, std::string_view now) {
  MAINSPRING_TRY(const ChatTemplate chat, ChatTemplate::parse(source));
  MAINSPRING_TRY(const JsonValue variables, JsonValue::parse(variables_json));
  MAINSPRING_TRY(const RenderOptions render, render_options(now));
  return chat.render(variables, render);
}

}  // namespace mainspring::inline v0
