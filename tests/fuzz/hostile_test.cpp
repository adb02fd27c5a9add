// What the fuzz targets do, in every build and by a fixed plan: valid files cut, flipped and blown up; what once broke a target.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include "tests/fuzz/limits.h"
#include "tests/fuzz/seeds.h"

#define LLVMFuzzerTestOneInput fuzz_gguf
#include "tests/fuzz/fuzz_gguf.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_onnx
#include "tests/fuzz/fuzz_onnx.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_tokenizer
#include "tests/fuzz/fuzz_tokenizer.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_template
#include "tests/fuzz/fuzz_template.cpp"
#undef LLVMFuzzerTestOneInput

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
// No input of these tests is larger than a megabyte: bookkeeping that asks for 64 MiB at once believes a lie.
void* operator new(std::size_t n) {
  if (n > (std::size_t{64} << 20)) std::abort();
  if (void* p = std::malloc(n ? n : 1)) return p;
  std::abort();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

struct Plan {
  uint64_t state = 88172645463325252u;
  size_t below(size_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<size_t>(state % n);
  }
};

template <class F>
void mutate(const std::string& seed, int n, F&& use) {
  Plan plan;
  for (int i = 0; i < n; ++i) {
    std::string bytes = seed;
    switch (plan.below(4)) {
      case 0: bytes.resize(plan.below(bytes.size())); break;
      case 1:
        for (size_t k = 0; k <= plan.below(4); ++k) bytes[plan.below(bytes.size())] ^= static_cast<char>(1u << plan.below(8));
        break;
      case 2: {  // a count, a length or an extent that claims the world
        const uint64_t huge[] = {~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 40, uint64_t{1} << 31, 0xffffffffu, 0};
        const size_t size = plan.below(2) ? 8 : 4, at = plan.below(bytes.size() - size);
        std::memcpy(bytes.data() + at, &huge[plan.below(6)], size);
        break;
      }
      default: bytes.erase(plan.below(bytes.size()), 1 + plan.below(9)); break;
    }
    use(bytes);
  }
}

void run(int (*target)(const uint8_t*, size_t), const std::string& bytes) { target(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()); }

TEST(Hostile, ModelsThatLie) {
  for (const std::string& seed : fuzz::gguf_seeds()) {
    run(fuzz_gguf, seed);
    mutate(seed, 1500, [](const std::string& bytes) { run(fuzz_gguf, bytes); });
  }
}

TEST(Hostile, GraphsThatLie) {
  for (const std::string& seed : fuzz::onnx_seeds()) {
    run(fuzz_onnx, seed);
    mutate(seed, 3000, [](const std::string& bytes) { run(fuzz_onnx, bytes); });
  }
}

TEST(Hostile, AModelThatRunsStillRunsOrIsRefused) {
  const std::string seed = mainspring::test::text_model(1).file();
  ASSERT_TRUE(fuzz::open_and_use(std::as_bytes(std::span(seed))));
  const size_t header = 8000;  // keys and infos stand before
  ASSERT_GT(seed.size(), header);
  int ran = 0;
  mutate(seed.substr(0, header), 1500, [&](std::string bytes) {
    bytes += seed.substr(header);
    ran += fuzz::open_and_use(std::as_bytes(std::span(bytes)));
  });
  EXPECT_GT(ran, 0);
}

TEST(Hostile, VocabulariesAndTexts) {
  for (const std::string& seed : fuzz::tokenizer_seeds()) {
    run(fuzz_tokenizer, seed);
    mutate(seed, 1500, [](const std::string& bytes) { run(fuzz_tokenizer, bytes); });
  }
}

TEST(Hostile, Templates) {
  for (const std::string& seed : fuzz::template_seeds()) {
    run(fuzz_template, seed);
    mutate(seed, 800, [](const std::string& bytes) { run(fuzz_template, bytes); });
  }
}

TEST(Hostile, AbsurdTemplatesEnd) {
  const std::string deep = std::string(20000, '('), lists = std::string(20000, '[');
  for (const std::string& source : {"{{ " + deep + " }}", "{{ " + lists + " }}", std::string("{% for a in range(10**9) %}x{% endfor %}"), std::string("{{ 'x' * 10**12 }}"), std::string("{{ 10 ** 1000000000 }}"),
                                    std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), std::string("{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"),
                                    std::string("{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}")}) {
    const auto r = mainspring::render_template(source, "{}");
    ASSERT_FALSE(r) << source.substr(0, 60);
    EXPECT_LT(r.error().message.size(), 2000u);
  }
}

TEST(Hostile, WhatOnceBrokeATarget) {
  const std::filesystem::path folder = MAINSPRING_SOURCE_DIR "/tests/fuzz/crashes";
  for (const auto& [name, target] : {std::pair{"gguf", &fuzz_gguf}, {"onnx", fuzz_onnx}, {"tokenizer", fuzz_tokenizer}, {"template", fuzz_template}})
    for (const auto& file : std::filesystem::directory_iterator(folder / name)) {
      std::ifstream in(file.path(), std::ios::binary);
      run(target, {std::istreambuf_iterator<char>(in), {}});
    }
}

}  // namespace
