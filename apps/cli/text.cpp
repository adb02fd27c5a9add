// tokenize, detokenize, template: need the vocabulary or nothing of a model.
#include <cstdio>
#include <memory>

#include "common.h"

namespace cli {
namespace {

struct Options {
  Common common;
  std::string text, file, ids, source, input, now;
  bool no_special = false;
};

void tokenize(const Options& o) {
  const ms::Model model = o.common.open(true);
  const std::string text = o.file.empty() ? o.text : read_file(o.file);
  const auto ids = must(ms::tokenize(model, text, {.add_special = !o.no_special, .parse_special = !o.no_special}));
  if (o.common.json) return print({{"tokens", ids}});
  for (size_t i = 0; i < ids.size(); ++i) std::printf("%s%d", i ? "," : "", ids[i]);
  std::puts("");
}

void detokenize(const Options& o) {
  const ms::Model model = o.common.open(true);
  const std::string text = must(ms::detokenize(model, parse_ids(o.ids), !o.no_special));
  if (o.common.json) return print({{"text", text}});
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::puts("");
}

void render(const Options& o) {
  std::string variables = o.input.empty() ? "{}" : read_file(o.input);
  std::string text;
  if (!o.source.empty()) {
    text = must(ms::render_template(read_file(o.source), variables, o.now));
  } else {
    const ms::Model model = o.common.open(true);
    text = must(ms::render_chat_json(model, variables, o.now));
  }
  if (o.common.json) return print({{"text", text}});
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

void add_text(CLI::App& app) {
  auto t = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("tokenize", "token ids of a text");
  t->common.add(*verb);
  auto* text = verb->add_option("TEXT", t->text, "the text");
  auto* file = verb->add_option("--file", t->file, "the text from a file")->excludes(text);
  verb->add_flag("--no-special", t->no_special, "neither add nor recognise special tokens");
  verb->callback([=] {
    if (text->count() + file->count() == 0) throw Stop{kUsage, "tokenize needs TEXT or --file"};
    tokenize(*t);
  });

  auto d = std::make_shared<Options>();
  verb = app.add_subcommand("detokenize", "text of token ids");
  d->common.add(*verb);
  verb->add_option("IDS", d->ids, "token ids: 1,2,3")->required();
  verb->add_flag("--no-special", d->no_special, "leave special tokens out of the text");
  verb->callback([=] { detokenize(*d); });

  auto r = std::make_shared<Options>();
  verb = app.add_subcommand("template", "renders a chat template, exact bytes");
  r->common.add(*verb, false);
  auto* model = verb->add_option("MODEL", r->common.model, "a GGUF file with a chat template");
  auto* source = verb->add_option("--template", r->source, "a Jinja file instead of the model's")->excludes(model);
  verb->add_option("--input", r->input, "JSON file of the variables: messages, tools, add_generation_prompt, …");
  verb->add_option("--now", r->now, "what strftime_now tells: 2026-01-15T12:30:00");
  verb->callback([=] {
    if (model->count() + source->count() == 0) throw Stop{kUsage, "template needs MODEL or --template"};
    render(*r);
  });
}

}  // namespace cli
