// A host program: opens a model, steps, generates, and is refused what cannot be. Its own build: embed/{subdirectory,installed}.
#include <mainspring/mainspring.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace ms = mainspring;

namespace {

int fail(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  return 1;
}

ms::Result<std::string> answer(const ms::Model& model) {
  MAINSPRING_TRY(ms::Session session, ms::Session::create(model, {.max_context = 32}));
  ms::GenerateOptions options;
  options.max_tokens = 8;
  options.sampling.temperature = 0;
  std::string text;
  MAINSPRING_TRY_VOID(ms::generate(session, "spring", options, [&text](std::string_view piece, int32_t) {
    text += piece;
    return true;
  }));
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage", "host MODEL.gguf");
  if (const auto none = ms::Model::open("/no/such/file.gguf"); none || none.error().code != ms::Errc::not_found) return fail("a missing file", "expected not_found");
  auto model = ms::Model::open(argv[1]);
  if (!model) return fail("open", model.error().message);

  const auto ids = ms::tokenize(*model, "spring");
  if (!ids) return fail("tokenize", ids.error().message);
  auto session = ms::Session::create(*model, {.max_context = 32});
  if (!session) return fail("create", session.error().message);
  const auto step = session->step(*ids);
  if (!step) return fail("step", step.error().message);
  if (step->rows != 1 || step->vocabulary != model->vocabulary_size()) return fail("step", "logits have the wrong extents");
  for (const float x : step->row(0))
    if (!std::isfinite(x)) return fail("step", "a logit is not finite");
  const std::vector<int32_t> outside{static_cast<int32_t>(model->vocabulary_size())};
  if (const auto refused = session->step(outside); refused || refused.error().code != ms::Errc::invalid_argument) return fail("an id outside the vocabulary", "expected invalid_argument");

  const auto first = answer(*model), second = answer(*model);
  if (!first) return fail("generate", first.error().message);
  if (!second || *first != *second) return fail("generate", "two greedy answers differ");
  std::printf("mainspring %s: %zu bytes of answer\n", MAINSPRING_VERSION, first->size());
  return first->empty();
}
