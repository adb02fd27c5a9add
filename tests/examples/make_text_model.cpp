// Writes text_model() as a file, for tests of what is around a model.
#include <cstdio>

#include "support/arch_model.h"

int main(int argc, char** argv) {
  using namespace mainspring::test;
  if (argc != 2) return std::fputs("usage: make_text_model FILE.gguf\n", stderr), 2;
  const std::string bytes = text_model().file(mainspring::DType::q8_0);
  std::FILE* file = std::fopen(argv[1], "wb");
  const bool ok = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return (file == nullptr || std::fclose(file) == 0) && ok ? 0 : 1;
}
