// generate: one completion. chat: a conversation on the terminal.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "sampling.h"

namespace cli {
namespace {

struct Options {
  Common common;
  Sampling sampling;
  std::string prompt, prompt_file, system;
  int64_t max_tokens = 256, context = 0;
  Numbers numbers;
  bool chat = false, ignore_end = false;
};

/// Positions for the prompt and what is generated, at most what the model was made for.
int64_t context_for(const ms::Model& model, const Options& o, int64_t prompt_tokens) {
  if (o.context > 0) return o.context;
  const int64_t wanted = prompt_tokens + o.max_tokens, own = model.context_length();
  return std::max<int64_t>(1, own > 0 ? std::min(wanted, own) : wanted);
}

std::vector<int32_t> prompt_of(const ms::Model& model, const Options& o) {
  if (!o.chat) return must(ms::tokenize(model, o.prompt));
  std::vector<ms::ChatMessage> messages;
  if (!o.system.empty()) messages.push_back({"system", o.system});
  messages.push_back({"user", o.prompt});
  return must(ms::tokenize_chat(model, messages));
}

void write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void generate(Options& o) {
  const auto& cancel = interrupted();
  if (!o.prompt_file.empty()) o.prompt = read_file(o.prompt_file);
  const ms::Model model = o.common.open();
  const std::vector<int32_t> prompt = prompt_of(model, o);
  ms::GenerateOptions options;
  options.sampling = o.sampling.complete(model);
  ms::Session session = must(ms::Session::create(model, o.numbers.of({.max_context = context_for(model, o, static_cast<int64_t>(prompt.size()))})));
  Progress progress("prompt", "tokens");
  options.max_tokens = o.max_tokens;
  options.ignore_end = o.ignore_end;
  options.cancel = &cancel;
  options.prompt_progress = Progress::step;
  options.progress_user = &progress;
  const auto result = must(ms::generate(session, prompt, options, [&](std::string_view text, int32_t) {
    progress.clear();
    if (!o.common.json) write(text);
    return true;
  }));
  progress.clear();
  const auto n_decoded = static_cast<double>(std::max<size_t>(result.tokens.size(), 1) - 1);
  if (o.common.json)
    print({{"prompt_tokens", prompt},
           {"tokens", result.tokens},
           {"text", result.text},
           {"finish", name_of(result.finish)},
           {"timings",
            {{"prompt_seconds", result.prompt_seconds},
             {"decode_seconds", result.decode_seconds},
             {"prompt_tokens_per_s", static_cast<double>(prompt.size()) / std::max(result.prompt_seconds, 1e-9)},
             {"decode_tokens_per_s", n_decoded / std::max(result.decode_seconds, 1e-9)}}}});
  else
    std::puts("");
  if (result.finish == ms::Finish::cancelled) fail("interrupted after " + std::to_string(result.tokens.size()) + " tokens");
}

/// A conversation whose sequence holds `fed`: each turn appends what is new.
class Chat {
 public:
  explicit Chat(const Options& o) : options_(o), model_(o.common.open()), session_(must(ms::Session::create(model_, o.numbers.of({.max_context = o.context})))) { reset(); }

  void reset() {
    messages_.clear();
    if (!options_.system.empty()) messages_.push_back({"system", options_.system});
  }

  void answer(std::string line) {
    messages_.push_back({"user", std::move(line)});
    const std::vector<int32_t> all = must(ms::tokenize_chat(model_, messages_));
    size_t same = static_cast<size_t>(std::mismatch(all.begin(), all.end(), fed_.begin(), fed_.end()).first - all.begin());
    same = std::min(same, all.size() - 1);  // at least one token gives logits
    if (model_.is_recurrent() && same < fed_.size()) same = 0;
    fed_.resize(same);
    must(session_.truncate(0, static_cast<int64_t>(same)));
    Progress progress("prompt", "tokens");
    ms::GenerateOptions g;
    g.max_tokens = options_.max_tokens;
    g.sampling = options_.sampling.complete(model_);
    g.cancel = &interrupted();
    g.prompt_progress = Progress::step;
    g.progress_user = &progress;
    auto result = ms::generate(session_, std::span(all).subspan(same), g, [&](std::string_view text, int32_t) {
      progress.clear();
      if (!options_.common.json) write(text);
      return true;
    });
    if (!result) {
      messages_.pop_back();
      fed_.clear();
      must(session_.truncate(0, 0));
      fail(result.error());
    }
    fed_ = all;
    fed_.insert(fed_.end(), result->tokens.begin(), result->tokens.end());
    const auto held = static_cast<size_t>(session_.position());
    if (fed_.size() > held) fed_.resize(held);  // the last token was drawn but not fed; a cancelled prompt was not fed whole
    if (result->finish == ms::Finish::cancelled && model_.is_recurrent()) fed_.clear(), must(session_.truncate(0, 0));
    messages_.push_back({"assistant", result->text});
    if (options_.common.json) print({{"text", result->text}, {"tokens", result->tokens}, {"finish", name_of(result->finish)}});
    else std::puts(result->finish == ms::Finish::cancelled ? " [interrupted]" : result->finish == ms::Finish::context_full ? " [context full]" : "");
    clear_interrupt();
  }

 private:
  Options options_;
  ms::Model model_;
  ms::Session session_;
  std::vector<ms::ChatMessage> messages_;
  std::vector<int32_t> fed_;
};

void chat(const Options& o) {
  const bool terminal = isatty(STDIN_FILENO) == 1 && !o.common.json;
  Chat conversation(o);
  if (terminal) std::puts("/reset starts again, /exit or Ctrl-D ends, Ctrl-C stops an answer");
  const auto ask = [terminal](std::string& line) {
    if (terminal) std::fputs("> ", stdout), std::fflush(stdout);
    return static_cast<bool>(std::getline(std::cin, line));
  };
  for (std::string line; ask(line);) {
    if (line == "/exit") break;
    if (line == "/reset") {
      conversation.reset();
      continue;
    }
    if (line.empty()) continue;
    (void)interrupted();  // from here on Ctrl-C stops the answer instead of the process
    try {
      conversation.answer(line);
    } catch (const Stop& stop) {
      if (!terminal) throw;
      std::fprintf(stderr, "mainspring: %s\n", stop.message.c_str());
    }
  }
}

void add_shared(CLI::App& verb, Options& o) {
  o.common.add(verb);
  verb.add_option("--max-tokens", o.max_tokens, "tokens to generate at most")->capture_default_str()->check(CLI::Range(int64_t{0}, kMostPositions));
  verb.add_option("--context", o.context, "positions of the session (default: what the prompt and --max-tokens need)")->check(CLI::Range(int64_t{1}, kMostPositions));
  verb.add_option("--system", o.system, "system message");
  o.numbers.add(verb);
  o.sampling.add(verb);
}

}  // namespace

void add_generate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("generate", "streams the completion of a prompt");
  add_shared(*verb, *o);
  auto* text = verb->add_option("--prompt", o->prompt, "the prompt, raw unless --chat");
  auto* file = verb->add_option("--prompt-file", o->prompt_file, "the prompt from a file")->excludes(text);
  verb->add_flag("--chat", o->chat, "through the model's chat template");
  verb->add_flag("--ignore-end", o->ignore_end, "go on after an end token");
  verb->callback([=] {
    if (text->count() + file->count() == 0) throw Stop{kUsage, "generate needs --prompt or --prompt-file"};
    generate(*o);
  });
}

void add_chat(CLI::App& app) {
  auto o = std::make_shared<Options>();
  o->max_tokens = 1024;
  CLI::App* verb = app.add_subcommand("chat", "a conversation through the model's chat template");
  add_shared(*verb, *o);
  verb->callback([=] { chat(*o); });
}

}  // namespace cli
