// Writes the seeds of each target into FOLDER/{gguf,onnx,tokenizer,template}/.
#include <cstdio>
#include <filesystem>

#include "tests/fuzz/seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: write_seeds FOLDER\n", stderr), 2;
  for (const auto& [target, seeds] : {std::pair{"gguf", fuzz::gguf_seeds()}, {"onnx", fuzz::onnx_seeds()}, {"tokenizer", fuzz::tokenizer_seeds()}, {"template", fuzz::template_seeds()}}) {
    const auto folder = std::filesystem::path(argv[1]) / target;
    std::filesystem::create_directories(folder);
    for (size_t i = 0; i < seeds.size(); ++i) {
      std::FILE* file = std::fopen((folder / ("seed" + std::to_string(i))).c_str(), "wb");
      if (file == nullptr || std::fwrite(seeds[i].data(), 1, seeds[i].size(), file) != seeds[i].size() || std::fclose(file) != 0) return 1;
    }
  }
}
