// Small models of many architectures against the reference implementation's logits, on the scalar references.
#include "support/zoo.h"

#include <gtest/gtest.h>

#include "support/reference_runner.h"

namespace mainspring::inline v0::test {
namespace {

TEST(ArchZoo, LogitsEqualTheReferenceImplementation) {
  for (const ZooModel& m : zoo()) {
    const ArchModel model = arch_model(m);
    auto graph = model.build();
    ASSERT_TRUE(graph) << m.name << ": " << graph.error().message;
    ReferenceRunner runner(*graph);
    // In two steps: caches and memories must carry over.
    std::vector<float> got = runner.run(std::span(m.tokens).first(4));
    const std::vector<float> rest = runner.run(std::span(m.tokens).subspan(4));
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_LT(zoo_error(m, got), 1e-6) << m.name;
  }
}

}  // namespace
}  // namespace mainspring::inline v0::test
