// What the text layer keeps for a Model: its tokenizer and chat template, made at the first use. In: a Model. Out: shared, immutable objects.
#pragma once

#include <memory>

#include "llm/template/template.h"
#include "llm/tokenizer/tokenizer.h"
#include "mainspring/model.h"

namespace mainspring::inline v0 {

/// The model's tokenizer; from any thread. Lives as long as the Model. Errors: those of TokenizerImpl::create, with the model's path before them.
Result<const TokenizerImpl*> tokenizer_of(const Model& model);
/// The model's chat template (tokenizer.chat_template). Errors: not_found, those of ChatTemplate::parse.
Result<const ChatTemplate*> chat_template_of(const Model& model);

}  // namespace mainspring::inline v0
