// Small models of many architectures against the reference implementation's logits. Weights are generated (tests/golden/arch_zoo.py).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "arch/arch.h"
#include "support/arch_model.h"
#include "support/reference_runner.h"

namespace mainspring::inline v0 {
namespace {

struct ZooTensor {
  const char* name;
  std::vector<int64_t> extents;
  uint64_t key0, key1;
};
struct ZooModel {
  const char* name;
  const char* arch;
  std::vector<std::pair<const char*, std::vector<double>>> keys;
  std::vector<ZooTensor> tensors;
  std::vector<int32_t> tokens;
  std::vector<double> logits;  // of rows 0, 5, 8, every 16th
};
constexpr size_t kRows[] = {0, 5, 8};

std::vector<ZooModel> zoo() {
  return {
#include "golden/arch_zoo.inc"
  };
}

/// Philox4x64 of ten rounds (Salmon et al. 2011), block `counter`.
void philox(const ZooTensor& t, uint64_t counter, uint64_t (&out)[4]) {
  uint64_t k0 = t.key0, k1 = t.key1, c[4] = {counter, 0, 0, 0};
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B97F4A7C15, k1 += 0xBB67AE8584CAA73B) {
    __extension__ using Wide = unsigned __int128;
    const Wide a = Wide{0xD2E7470EE14C6C93} * c[0], b = Wide{0xCA5A826395121157} * c[2];
    const uint64_t next[4] = {static_cast<uint64_t>(b >> 64) ^ c[1] ^ k0, static_cast<uint64_t>(b), static_cast<uint64_t>(a >> 64) ^ c[3] ^ k1,
                              static_cast<uint64_t>(a)};
    std::memcpy(c, next, sizeof c);
  }
  std::memcpy(out, c, sizeof c);
}

std::vector<float> weights(const ZooTensor& t) {
  const std::string_view name = t.name;
  size_t n = 1;
  for (int64_t d : t.extents) n *= static_cast<size_t>(d);
  std::vector<float> w(n);
  uint64_t block[4] = {};
  for (size_t i = 0; i < n; ++i) {
    if (i % 4 == 0) philox(t, i / 4 + 1, block);
    const float u = static_cast<float>(block[i % 4] >> 40) / static_cast<float>(1 << 23) - 1.0f;
    if (name.find("ssm_a") != name.npos)
      w[i] = -std::fabs(u) - 0.01f;
    else if (name.find("rope_f") != name.npos)
      w[i] = 1 + std::fabs(u) * 3;
    else if (name.find("norm") != name.npos && name.ends_with(".weight"))
      w[i] = 1 + u * 0.2f;
    else
      w[i] = u * (t.extents.size() > 1 ? 0.12f : 0.1f);
  }
  return w;
}

TEST(ArchZoo, LogitsEqualTheReferenceImplementation) {
  for (const ZooModel& m : zoo()) {
    test::ArchModel model(m.arch);
    for (const auto& [key, numbers] : m.keys) {
      const bool flag = std::string_view(key).starts_with("attention.") &&
                        (std::string_view(key).ends_with("_pattern") || std::string_view(key).ends_with("recurrent_layers"));
      if (numbers.size() > 1 || flag)
        model.list(key, numbers);
      else
        model.number(key, numbers[0]);
    }
    for (const ZooTensor& t : m.tensors) model.tensor(t.name, t.extents, weights(t));
    auto graph = model.build();
    ASSERT_TRUE(graph) << m.name << ": " << graph.error().message;
    test::ReferenceRunner runner(*graph);
    // In two steps: caches and memories must carry over.
    std::vector<float> got = runner.run(std::span(m.tokens).first(4));
    const std::vector<float> rest = runner.run(std::span(m.tokens).subspan(4));
    got.insert(got.end(), rest.begin(), rest.end());
    const size_t vocabulary = got.size() / m.tokens.size();
    double error = 0, power = 0;
    size_t i = 0;
    for (size_t row : kRows)
      for (size_t column = 0; column < vocabulary; column += 16, ++i) {
        const double x = static_cast<double>(got[row * vocabulary + column]);
        error += (x - m.logits[i]) * (x - m.logits[i]);
        power += m.logits[i] * m.logits[i];
      }
    ASSERT_EQ(i, m.logits.size());
    EXPECT_LT(error, 1e-6 * power) << m.name;
  }
}

}  // namespace
}  // namespace mainspring::inline v0
