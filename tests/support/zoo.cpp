#include "support/zoo.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace mainspring::inline v0::test {
namespace {

constexpr size_t kRows[] = {0, 5, 8};

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

}  // namespace

const std::vector<ZooModel>& zoo() {
  static const std::vector<ZooModel> models = {
#include "golden/arch_zoo.inc"
  };
  return models;
}

const ZooModel& zoo_model(std::string_view name) {
  for (const ZooModel& m : zoo())
    if (name == m.name) return m;
  std::abort();
}

ArchModel arch_model(const ZooModel& m) {
  ArchModel model(m.arch);
  for (const auto& [key, numbers] : m.keys) {
    const std::string_view k = key;
    const bool per_layer = k.starts_with("attention.") && (k.ends_with("_pattern") || k.ends_with("recurrent_layers"));
    if (numbers.size() > 1 || per_layer)
      model.list(key, numbers);
    else
      model.number(key, numbers[0]);
  }
  for (const ZooTensor& t : m.tensors) model.tensor(t.name, t.extents, weights(t));
  return model;
}

double zoo_error(const ZooModel& m, const std::vector<float>& got) {
  const size_t vocabulary = got.size() / m.tokens.size();
  double error = 0, power = 0;
  size_t i = 0;
  for (size_t row : kRows)
    for (size_t column = 0; column < vocabulary; column += 16, ++i) {
      const double x = static_cast<double>(got[row * vocabulary + column]);
      error += (x - m.logits.at(i)) * (x - m.logits.at(i));
      power += m.logits.at(i) * m.logits.at(i);
    }
  return i == m.logits.size() ? error / power : INFINITY;
}

}  // namespace mainspring::inline v0::test
