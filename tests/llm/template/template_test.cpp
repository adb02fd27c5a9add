// What the golden snippets cannot tell: places of errors, limits against hostile templates, time, and use from many threads.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "llm/template/template.h"

namespace mainspring {
namespace {

struct Outcome {
  bool ok = false;
  std::string text;  // or the error's message
  Errc code = Errc::internal;
};

Outcome render(std::string_view source, std::string_view variables = "{}", RenderOptions options = {}) {
  Result<ChatTemplate> chat = ChatTemplate::parse(source);
  if (!chat) return {false, chat.error().message, chat.error().code};
  Result<JsonValue> values = JsonValue::parse(variables);
  if (!values) return {false, values.error().message, values.error().code};
  Result<std::string> text = chat->render(*values, options);
  if (!text) return {false, text.error().message, text.error().code};
  return {true, *text, Errc::internal};
}

std::string repeated(std::string_view text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

TEST(Template, RendersAConversation) {
  Outcome r = render("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
                     R"({"messages": [{"role": "user", "content": " Größe? 你好 \n"}], "add_generation_prompt": true})");
  ASSERT_TRUE(r.ok) << r.text;
  EXPECT_EQ(r.text, "<|user|>Größe? 你好\n<|assistant|>");
}

TEST(Template, ErrorsTellTheirPlace) {
  struct Case {
    const char* source;
    const char* message;
  };
  const Case cases[] = {
      {"a\n  {{ x y }}", "template: line 2, column 8: expected '}}', got 'y'"},
      {"é{{ 1|nope }}", "template: line 1, column 7: no filter named 'nope'"},
      {"{{ 1 is nope }}", "template: line 1, column 6: no test named 'nope'"},
      {"\n\n{% foo %}", "template: line 3, column 4: unknown tag 'foo'"},
      {"{{ x.y }}", "template: line 1, column 5: 'x' is undefined"},
      {"{{ {}.a.b }}", "template: line 1, column 8: 'dict object' has no attribute 'a'"},
      {"{{ [1].append(2) }}", "the sandbox refuses methods that change their object"},
      {"{% if true %}\n{{ raise_exception('no system role') }}{% endif %}", "template: line 2, column 19: the template refuses: no system role"},
      {"{% macro m() %}{{ 1 + 'a' }}{% endmacro %}{{ m() }}", "line 1, column 21: unsupported operand type(s) for +: 'int' and 'str'"},
      {"{% for x in [1] %}", "line 1, column 17: this tag is not closed: unexpected end of template, expected 'endfor' or 'else'"},
      {"{{ 'abc", "line 1, column 4: a string is not closed"},
      {"{{ [1, 2) }}", "line 1, column 9: unexpected ')', expected ']'"},
      {"{% break %}", "line 1, column 4: 'break' outside a loop"},
  };
  for (const Case& c : cases) {
    Outcome r = render(c.source);
    EXPECT_FALSE(r.ok) << c.source;
    EXPECT_NE(r.text.find(c.message), std::string::npos) << c.source << "\n" << r.text;
    EXPECT_EQ(r.code, Errc::invalid_argument) << c.source;
  }
}

TEST(Template, WhatNeedsASecondTemplateIsUnsupported) {
  for (const char* source : {"{% extends 'a' %}", "{% include 'a' %}", "{% import 'a' as b %}", "{% from 'a' import b %}", "{% autoescape true %}{% endautoescape %}",
                             "{{ [1]|random }}", "{{ lipsum() }}", "{{ 'a'.encode() }}"}) {
    Outcome r = render(source);
    EXPECT_FALSE(r.ok) << source;
    EXPECT_EQ(r.code, Errc::unsupported) << source << "\n" << r.text;
  }
}

TEST(Template, HostileTemplatesRunOutOfResources) {
  const char* sources[] = {
      "{{ range(10**9) }}",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{{ 'a' * 10**10 }}",
      "{{ [1] * 10**10 }}",
      "{{ 10 ** (10 ** 10) }}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{% call m2() %}{{ caller }}{% endcall %}{% endmacro %}{% macro m2() %}{{ m() }}{{ caller() }}{% endmacro %}{{ m() }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = ns.x|map('string') %}{% endfor %}{{ ns.x|list }}",
      "{{ 'a'.center(10**12) }}",
      "{{ '%.*f' % (10**9, 1.0) }}",
      "{{ 'a\n'|indent(10**12, true) }}",
      "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}",
      "{{ [1]|slice(10**12)|list }}",
      "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}",
      "{% set a = 'a' * 1000000 %}{% set b = 'a' * 60 ~ 'b' %}{% for i in range(9999) %}{% if b in a %}{% endif %}{% endfor %}",
      "{% set a = 2**60000 %}{% for i in range(9999) %}{% set b = a // (2**30000 + 1) %}{% endfor %}",
  };
  for (const char* source : sources) {
    RenderOptions options;
    options.limits.max_steps = 1'000'000;
    options.limits.max_memory_bytes = size_t{64} << 20;
    options.limits.max_output_bytes = size_t{16} << 20;
    Outcome r = render(source, "{}", options);
    EXPECT_FALSE(r.ok) << source;
    EXPECT_EQ(r.code, Errc::resource_exhausted) << source << "\n" << r.text;
  }
}

TEST(Template, DeepNestingIsRefusedWhenParsed) {
  const std::string sources[] = {
      "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
      "{{ " + repeated("not ", 100000) + "1 }}",
      "{{ " + repeated("- ", 100000) + "1 }}",
      "{{ 1" + repeated(" + 1", 100000) + " }}",
      "{{ a" + repeated(".b", 100000) + " }}",
      "{{ a" + repeated("|e", 100000) + " }}",
      "{{ a" + repeated("()", 100000) + " }}",
      "{{ " + repeated("1 if 0 else ", 100000) + "1 }}",
      repeated("{% if a %}", 5000) + repeated("{% endif %}", 5000),
      repeated("{% for a in b %}", 5000) + repeated("{% endfor %}", 5000),
  };
  for (const std::string& source : sources) {
    Outcome r = render(source);
    EXPECT_FALSE(r.ok) << source.substr(0, 40);
    EXPECT_NE(r.text.find("nested deeper"), std::string::npos) << r.text;
  }
}

TEST(Template, ManyNamesAndBranchesParseQuickly) {
  std::string source = "{% if a %}";
  for (int i = 0; i < 20000; ++i) source += "{% elif b %}{% set x" + std::to_string(i) + " = 1 %}";
  Outcome r = render(source + "{% endif %}ok");
  EXPECT_EQ(r.text, "ok");
  source.clear();
  for (int i = 0; i < 70000; ++i) source += "{% set x" + std::to_string(i) + " = 1 %}";
  EXPECT_EQ(render(source).code, Errc::resource_exhausted);
}

TEST(Template, ReferenceCyclesAreHarmless) {
  Outcome r = render("{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns }}{{ ns.me == [ns] }}");
  ASSERT_TRUE(r.ok) << r.text;
  EXPECT_EQ(r.text, "<Namespace {'me': [<Namespace {...}>]}>True");
}

TEST(Template, AppendingStaysLinear) {
  // Quadratic copying would take 10 GB of memory here; the limit is 256 MiB.
  Outcome r = render("{% set ns = namespace(s='') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ 'xy' %}{% endfor %}{{ ns.s|length }}");
  ASSERT_TRUE(r.ok) << r.text;
  EXPECT_EQ(r.text, "200000");
}

TEST(Template, AppendingInPlaceKeepsTheShorterText) {
  Outcome r = render("{% set a = 'x' ~ 1 %}{% set b = a ~ 'b' %}{% set c = a ~ 'c' %}{{ a }} {{ b }} {{ c }}");
  EXPECT_EQ(r.text, "x1 x1b x1c");
}

TEST(Template, VariablesMustBeAnObject) {
  EXPECT_EQ(render("a", "[]").code, Errc::invalid_argument);
  EXPECT_EQ(ChatTemplate().render(JsonValue::object()).error().code, Errc::invalid_argument);
}

TEST(Template, RefusesTextThatIsNoUtf8) {
  EXPECT_FALSE(ChatTemplate::parse("a\xFFz"));
  EXPECT_FALSE(ChatTemplate::parse("{{ '\\ud800' }}"));
}

TEST(Template, TimeIsTheCallers) {
  RenderOptions options;
  options.now = DateTime::from_iso("2024-02-29T23:05:09.120000").value();
  Outcome r = render("{{ strftime_now('%d %b %Y|%j|%I:%M %p|%f|%-d|%A|%U|%V|%y%%') }}", "{}", options);
  EXPECT_EQ(r.text, "29 Feb 2024|060|11:05 PM|120000|29|Thursday|08|09|24%");
  options.now = DateTime::from_unix(1'768'480'200);
  EXPECT_EQ(render("{{ strftime_now('%F %T') }}", "{}", options).text, "2026-01-15 12:30:00");
  options.now = DateTime::from_unix(-1, 3600);
  EXPECT_EQ(render("{{ strftime_now('%F %T') }}", "{}", options).text, "1970-01-01 00:59:59");
  EXPECT_TRUE(render("{{ strftime_now('%Y') }}").ok);
}

TEST(Template, IsoTimesAreChecked) {
  EXPECT_TRUE(DateTime::from_iso("2026-01-15"));
  EXPECT_TRUE(DateTime::from_iso("2026-01-15 12:30"));
  for (const char* text : {"", "2026", "2026-13-01", "2026-02-30", "2023-02-29", "2026-01-15T25:00", "2026-01-15T12:30:61", "2026-01-15X12:30", "2026-01-15T12:30:00Z", "-026-01-01"})
    EXPECT_FALSE(DateTime::from_iso(text)) << text;
}

TEST(Template, OneTemplateServesManyThreads) {
  Result<ChatTemplate> chat = ChatTemplate::parse("{% macro m(x) %}{{ x ~ 'é' }}{% endmacro %}{% for i in range(200) %}{{ m(i)|upper }}{% endfor %}{{ name }}");
  ASSERT_TRUE(chat);
  Result<JsonValue> variables = JsonValue::parse(R"({"name": "n"})");
  const std::string expected = chat->render(*variables).value();
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) same[static_cast<size_t>(t)] += chat->render(*variables).value() == expected;
    });
  for (std::thread& t : threads) t.join();
  for (int n : same) EXPECT_EQ(n, 20);
}

TEST(TemplateJson, KeepsWhatPythonKeeps) {
  Result<JsonValue> v = JsonValue::parse(R"({"b": 1, "a": 1.0, "big": 123456789012345678901234567890, "n": -9223372036854775808,
    "m": 9223372036854775808, "b": [null, true, "x\u00e9\ud83d\ude00"], "e": 1e2, "z": -0})");
  ASSERT_TRUE(v) << v.error().message;
  ASSERT_EQ(v->members().size(), 7u);
  EXPECT_EQ(v->members()[0].first, "b");
  EXPECT_TRUE(v->members()[0].second.is_array());
  EXPECT_EQ(v->find("b")->items()[2].text(), "xé😀");
  EXPECT_EQ(v->find("a")->kind(), JsonValue::Kind::real);
  EXPECT_EQ(v->find("e")->kind(), JsonValue::Kind::real);
  EXPECT_EQ(v->find("big")->kind(), JsonValue::Kind::big_integer);
  EXPECT_EQ(v->find("big")->text(), "123456789012345678901234567890");
  EXPECT_EQ(v->find("n")->as_integer(), INT64_MIN);
  EXPECT_EQ(v->find("m")->text(), "9223372036854775808");
  EXPECT_EQ(v->find("z")->as_integer(), 0);
  EXPECT_EQ(v->find("nope"), nullptr);
}

TEST(TemplateJson, BigIntegersInStringsAndKeysAreText) {
  Result<JsonValue> v = JsonValue::parse(R"({"12345678901234567890123": "a\"12345678901234567890123", "x": [1, 12345678901234567890123, 2]})");
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->members()[0].second.text(), "a\"12345678901234567890123");
  EXPECT_EQ(v->find("x")->items()[1].text(), "12345678901234567890123");
  EXPECT_EQ(v->find("x")->items()[2].as_integer(), 2);
}

TEST(TemplateJson, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":}", "01", "1 2", "nul", "\"\xFF\"", "-", "1.", "[1 12345678901234567890123]", "12345678901234567890123x", "\"\\ud800\"", "'a'", "-01234567890123456789012"})
    EXPECT_FALSE(JsonValue::parse(text)) << text;
  EXPECT_EQ(JsonValue::parse(repeated("[", 300) + repeated("]", 300)).error().code, Errc::resource_exhausted);
  EXPECT_TRUE(JsonValue::parse(repeated("[", 200) + repeated("]", 200)));
}

TEST(TemplateJson, EscapesStrings) {
  EXPECT_EQ(json_string("a\"b\\c\n\t\r\x01é\x7f/"), "\"a\\\"b\\\\c\\n\\t\\r\\u0001é\\u007f/\"");
  EXPECT_EQ(json_string("\xC3x\xED\xA0\x80"), "\"\uFFFDx\uFFFD\uFFFD\uFFFD\"");
}

TEST(TemplateJson, SetReplacesOrAppends) {
  JsonValue v;
  v.set("a", JsonValue::integer(1));
  v.set("b", JsonValue::string("x"));
  v.set("a", JsonValue::boolean(true));
  ASSERT_EQ(v.members().size(), 2u);
  EXPECT_TRUE(v.find("a")->as_bool());
}

}  // namespace
}  // namespace mainspring
