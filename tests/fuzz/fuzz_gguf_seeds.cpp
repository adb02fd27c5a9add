// Writes seeds for fuzz_gguf into the folder given: a file with everything, an old version, a split model in three parts.
#include <cstdio>

#include <fmt/format.h>

#include "tests/import/gguf_bytes.h"

namespace {

void save(const std::string& folder, const char* name, const std::string& bytes) {
  const std::string path = folder + "/" + name;
  if (std::FILE* file = std::fopen(path.c_str(), "wb")) {
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  using namespace gguf_test;
  save(argv[1], "sample", sample().bytes());
  FileBuilder two = sample();
  two.version = 2;
  save(argv[1], "version2", two.bytes());
  FileBuilder aligned;
  aligned.alignment = 64;
  aligned.u32("general.alignment", 64).tensor("a", {32}, 8, 34, 1).tensor("b", {256, 2}, 12, 288, 2).tensor("c", {2, 2, 2, 2}, 30, 32, 3);
  save(argv[1], "aligned", aligned.bytes());
  Bytes parts;
  for (int i = 0; i < 3; ++i) {
    FileBuilder f;
    f.u16("split.no", static_cast<uint16_t>(i)).u16("split.count", 3).i32("split.tensors.count", 3).tensor(fmt::format("t{}", i), {4}, 0, 16, 1);
    const std::string bytes = f.bytes();
    parts.put(static_cast<uint16_t>(bytes.size())).data += bytes;
  }
  save(argv[1], "split", parts.data);
}
