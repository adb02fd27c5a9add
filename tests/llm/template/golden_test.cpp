// Snippets of every feature against what Jinja2 rendered (tests/golden/template_cases.py).
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "core/json.h"
#include "llm/template/template.h"

namespace mainspring {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(TemplateGolden, RendersWhatJinjaRenders) {
  Result<JsonValue> golden = JsonValue::parse(read_file(std::string(MAINSPRING_GOLDEN_DIR) + "/template_cases.json"));
  ASSERT_TRUE(golden) << golden.error().message;
  RenderOptions options;
  options.now = DateTime::from_iso(golden->find("now")->text()).value();
  const JsonValue& variables = *golden->find("variables");
  size_t rendered = 0;
  for (const JsonValue& one : golden->find("cases")->items()) {
    const std::string& source = one.items()[0].text();
    const JsonValue& expected = one.items()[1];
    Result<ChatTemplate> chat = ChatTemplate::parse(source);
    Result<std::string> text = chat ? chat->render(variables, options) : Result<std::string>(chat.error());
    if (expected.is_null()) {
      EXPECT_FALSE(text) << source << "\nrenders: " << (text ? *text : "");
      if (text) continue;
      EXPECT_NE(text.error().message.find("line "), std::string::npos) << source << "\n" << text.error().message;
      continue;
    }
    ASSERT_TRUE(text) << source << "\n" << text.error().message;
    EXPECT_EQ(*text, expected.text()) << source;
    ++rendered;
  }
  EXPECT_GT(rendered, 1000u);
}

}  // namespace
}  // namespace mainspring
