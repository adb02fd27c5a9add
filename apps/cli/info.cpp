// info: what is in a file and what a session of it will take. explain: node → kernel → bytes → why.
#include <cstdio>
#include <map>
#include <memory>

#include "common.h"
#include "graph.h"
#include "profile.h"

namespace cli {
namespace {

struct Options {
  Common common;
  int64_t context = 0;
  int sequences = 1;
  Numbers numbers;
  bool tensors = false;
  ProfileOptions profile;
  GraphInputs inputs;
};

ms::SessionOptions session_options(const Options& o) { return o.numbers.of({.max_context = o.context, .max_sequences = o.sequences}); }

/// A metadata value; arrays longer than `limit` by their length.
Json value_of(const ms::MetaValue& v, uint64_t limit) {
  using Type = ms::MetaValue::Type;
  if (v.type == Type::string) return std::string(v.text);
  if (v.type == Type::boolean) return v.bits != 0;
  if (v.type == Type::u64) return v.bits;
  if (v.is_integer()) return *v.as_int();
  if (v.is_float()) return *v.as_float();
  if (v.count > limit) return {{"array_of", v.count}};
  Json list = Json::array();
  for (uint64_t i = 0; i < v.count; ++i) list.push_back(value_of(v.at(i), limit));
  return list;
}

Json memory_json(const ms::MemoryUse& m) {
  return {{"weights_file", m.weights_file}, {"panels", m.panels}, {"kv", m.kv}, {"recurrent", m.recurrent}, {"arena", m.arena}, {"logits", m.logits}, {"total", m.total()}};
}

/// The model; where its architecture is not supported, its metadata alone and the reason.
ms::Model open_any(const Common& common, std::string& refusal) {
  const ms::Context context = common.context();
  auto whole = ms::Model::open(common.model, {.context = &context});
  if (whole) return *std::move(whole);
  if (whole.error().code != ms::Errc::unsupported) fail(whole.error());
  refusal = whole.error().message;
  return common.open(true);
}

struct Format {
  int64_t tensors = 0, elements = 0;
  size_t bytes = 0;
};

void info(const Options& o) {
  std::string refusal;
  const ms::Model model = open_any(o.common, refusal);
  std::map<std::string, Format> formats;
  size_t bytes = 0;
  int64_t parameters = 0;
  for (const ms::WeightInfo& w : model.weights()) {
    Format& f = formats[ms::name_of(w.dtype)];
    ++f.tensors;
    f.elements += w.shape.elements();
    f.bytes += w.bytes;
    bytes += w.bytes;
    parameters += w.shape.elements();
  }
  Json memory;
  if (refusal.empty() && !model.weights().empty() && !model.is_graph()) {
    auto use = ms::Session::plan_memory(model, session_options(o));
    if (use) memory = memory_json(*use);
    else refusal = use.error().message;
  }
  if (o.common.json) {
    Json meta = Json::object(), tensors = Json::array(), kinds = Json::object();
    for (const auto& e : model.metadata().entries()) meta[std::string(e.key)] = value_of(e.value, 64);
    for (const ms::WeightInfo& w : model.weights()) {
      Json shape = Json::array();
      for (const int64_t d : w.shape.dims()) shape.push_back(d);
      tensors.push_back({{"name", w.name}, {"dtype", ms::name_of(w.dtype)}, {"shape", shape}, {"bytes", w.bytes}});
    }
    for (const auto& [name, f] : formats) kinds[name] = {{"tensors", f.tensors}, {"elements", f.elements}, {"bytes", f.bytes}};
    Json ports = Json::object();
    for (const auto& [title, list] : {std::pair{"inputs", model.inputs()}, std::pair{"outputs", model.outputs()}})
      for (const ms::PortInfo& p : list) ports[title].push_back({{"name", p.name}, {"dtype", ms::name_of(p.dtype)}, {"sequence", p.sequence}, {"optional", p.optional}, {"shape", p.ranked ? Json(p.dims) : Json()}});
    if (model.is_graph())
      return print({{"inputs", ports["inputs"]}, {"outputs", ports["outputs"]}, {"parameters", parameters}, {"weight_bytes", bytes}, {"formats", kinds}, {"metadata", meta}, {"tensors", tensors}});
    return print({{"architecture", model.architecture()},
                  {"supported", refusal.empty()},
                  {"refusal", refusal.empty() ? Json() : Json(refusal)},
                  {"parameters", parameters},
                  {"weight_bytes", bytes},
                  {"vocabulary_size", model.vocabulary_size()},
                  {"context_length", model.context_length()},
                  {"memory", memory},
                  {"formats", kinds},
                  {"metadata", meta},
                  {"tensors", tensors}});
  }
  if (model.is_graph()) {
    for (const auto& [title, list] : {std::pair{"input", model.inputs()}, std::pair{"output", model.outputs()}})
      for (const ms::PortInfo& p : list) {
        std::string shape;
        for (const std::string& d : p.dims) shape += (shape.empty() ? "" : " x ") + d;
        std::printf("%-13s %-24s %-8s [%s]%s\n", title, p.name.c_str(), ms::name_of(p.dtype), p.ranked ? shape.c_str() : "any", p.sequence ? " (sequence)" : "");
      }
  } else {
    std::printf("architecture  %.*s%s\n", static_cast<int>(model.architecture().size()), model.architecture().data(), refusal.empty() ? "" : " (not supported)");
  }
  if (!refusal.empty()) std::printf("refused       %s\n", refusal.c_str());
  std::printf("parameters    %lld\nweights       %.1f MB in %zu tensors\n", static_cast<long long>(parameters), static_cast<double>(bytes) / 1e6, model.weights().size());
  for (const auto& [name, f] : formats) std::printf("  %-8s    %6lld tensors %10.1f MB\n", name.c_str(), static_cast<long long>(f.tensors), static_cast<double>(f.bytes) / 1e6);
  if (!memory.is_null()) {
    std::printf("a session takes (--context %lld, --sequences %d)\n", static_cast<long long>(o.context), o.sequences);
    for (const auto& [name, value] : memory.items()) std::printf("  %-12s %12.1f MB\n", name.c_str(), value.get<double>() / 1e6);
  }
  std::puts("metadata");
  for (const auto& e : model.metadata().entries()) {
    std::string text = value_of(e.value, 8).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 100) text = text.substr(0, 97) + "...";
    std::printf("  %.*s = %s\n", static_cast<int>(e.key.size()), e.key.data(), text.c_str());
  }
  if (!o.tensors) return;
  std::puts("tensors");
  for (const ms::WeightInfo& w : model.weights()) {
    std::string shape;
    for (const int64_t d : w.shape.dims()) shape += (shape.empty() ? "" : "x") + std::to_string(d);
    std::printf("  %-40.*s %-8s %-18s %12zu bytes\n", static_cast<int>(w.name.size()), w.name.data(), ms::name_of(w.dtype), shape.c_str(), w.bytes);
  }
}

void explain(const Options& o) {
  const ms::Model model = o.common.open();
  if (model.is_graph() && !o.profile.file.empty()) throw Stop{kUsage, "--profile is for language models; bench tells a graph's latency"};
  if (!o.profile.file.empty()) return profile(model, o.profile, o.numbers, o.common.json);
  ms::Session session = must(ms::Session::create(model, session_options(o)));
  if (model.is_graph()) must(session.prepare(o.inputs.read(model, true)));
  const std::string text = session.explain(o.common.json);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (o.common.json) std::puts("");
}

void add_session(CLI::App& verb, Options& o) {
  verb.add_option("--context", o.context, "positions of the session (0: the model's own, at most 4096)")->check(CLI::Range(int64_t{0}, kMostPositions));
  verb.add_option("--sequences", o.sequences, "sequences of the session")->capture_default_str()->check(CLI::Range(1, 4096));
  o.numbers.add(verb);
}

}  // namespace

void add_info(CLI::App& app) {
  auto i = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("info", "metadata, tensors, formats, and the memory a session will need");
  i->common.add(*verb);
  add_session(*verb, *i);
  verb->add_flag("--tensors", i->tensors, "list the tensors too (with --json they always are)");
  verb->callback([=] { info(*i); });

  auto e = std::make_shared<Options>();
  verb = app.add_subcommand("explain", "node, kernel, bytes, and why");
  e->common.add(*verb);
  add_session(*verb, *e);
  e->profile.add(*verb);
  e->inputs.add(*verb);
  verb->callback([=] { explain(*e); });
}

}  // namespace cli
