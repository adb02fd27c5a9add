// The `mainspring` command: the library's first host application. Public headers only.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "mainspring/mainspring.h"

namespace ms = mainspring;

namespace {

constexpr const char* kUsage =
    "usage: mainspring generate MODEL --prompt P [--max-tokens N] [--greedy] [--exact] [--seed S] [--threads N]\n"
    "       mainspring tokenize MODEL TEXT\n"
    "       mainspring explain MODEL\n";

int failed(const ms::Error& e) {
  std::fprintf(stderr, "mainspring: %s\n", e.message.c_str());
  return e.code == ms::Errc::unsupported ? 3 : 1;
}
int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

struct Options {
  std::string prompt;
  long max_tokens = 256;
  unsigned long long seed = 0;
  int threads = 0;
  bool greedy = false, exact = false;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 3; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> const char* { return i + 1 < argc ? argv[++i] : nullptr; };
    const char* v = nullptr;
    if (a == "--greedy") o.greedy = true;
    else if (a == "--exact") o.exact = true;
    else if (a == "--prompt" && (v = value())) o.prompt = v;
    else if (a == "--max-tokens" && (v = value())) o.max_tokens = std::atol(v);
    else if (a == "--seed" && (v = value())) o.seed = std::strtoull(v, nullptr, 10);
    else if (a == "--threads" && (v = value())) o.threads = std::atoi(v);
    else return false;
  }
  return true;
}

int generate(const char* path, const Options& o) {
  const ms::Context context({.threads = o.threads});
  auto model = ms::Model::open(path, {.context = &context});
  if (!model) return failed(model.error());
  auto session = ms::Session::create(*model, {.exact = o.exact});
  if (!session) return failed(session.error());
  ms::GenerateOptions g;
  g.max_tokens = o.max_tokens;
  g.sampling.greedy = o.greedy;
  g.sampling.seed = o.seed;
  auto r = ms::generate(*session, o.prompt, g, [](std::string_view text, int32_t) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    return true;
  });
  if (!r) return failed(r.error());
  std::puts("");
  return 0;
}

int tokens(const char* path, const char* text) {
  auto model = ms::Model::open(path, {.vocabulary_only = true});
  if (!model) return failed(model.error());
  auto ids = ms::tokenize(*model, text);
  if (!ids) return failed(ids.error());
  for (size_t i = 0; i < ids->size(); ++i) std::printf("%s%d", i ? "," : "", (*ids)[i]);
  std::puts("");
  return 0;
}

int explain(const char* path) {
  auto model = ms::Model::open(path);
  if (!model) return failed(model.error());
  auto session = ms::Session::create(*model);
  if (!session) return failed(session.error());
  std::fputs(session->explain().c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "--help") == 0) return std::fputs(kUsage, stdout), 0;
  if (argc < 3) return usage();
  const std::string verb = argv[1];
  Options o;
  if (verb == "generate") return parse(argc, argv, o) && !o.prompt.empty() ? generate(argv[2], o) : usage();
  if (verb == "tokenize") return argc == 4 ? tokens(argv[2], argv[3]) : usage();
  if (verb == "explain") return argc == 3 ? explain(argv[2]) : usage();
  return usage();
}
