// Hostile templates and variables. In: the template, a zero byte, the variables as JSON (an object of our own where there is none).
#include "tests/fuzz/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t at = all.find('\0');
  const std::string source(all.substr(0, at));
  const std::string variables(at == all.npos ? R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}],"add_generation_prompt":true,"n":3})" : all.substr(at + 1));
  (void)mainspring::render_template(source, variables, "2026-01-15T12:30:00").has_value();
  return 0;
}
