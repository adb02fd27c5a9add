// run: one run of an ONNX graph, files in and out. bench of a graph: load and latency.
#include "graph.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "mainspring/tensor_file.h"
#include "sequences.h"

namespace cli {
namespace {

struct Options {
  Common common;
  GraphInputs inputs;
  std::string folder, format = "npy";
  bool exact = false;
};

std::pair<std::string, std::string> name_and_value(const std::string& text, const char* option) {
  const size_t at = text.rfind('=');
  if (at == std::string::npos) throw Stop{kUsage, std::string(option) + " " + text + ": expected NAME=VALUE"};
  return {text.substr(0, at), text.substr(at + 1)};
}

const ms::PortInfo& port_of(const ms::Model& model, const std::string& name) {
  std::string all;
  for (const ms::PortInfo& p : model.inputs()) {
    if (p.name == name) return p;
    all += (all.empty() ? "" : ", ") + p.name;
  }
  throw Stop{kUsage, "the graph has no input '" + name + "', it has " + (all.empty() ? "none" : all)};
}

ms::Datum read_datum(const std::string& file, const ms::PortInfo& port) {
  const std::string bytes = read_file(file);
  const std::span<const std::byte> span(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  const bool npy = bytes.size() >= 6 && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0;
  auto datum = npy ? [&]() -> ms::Result<ms::Datum> {
    auto t = ms::read_npy(span);
    if (!t) return std::move(t).error();
    return ms::Datum(*std::move(t));
  }() : ms::read_pb(span, port);
  if (!datum) fail(file + ": " + datum.error().message);
  return *std::move(datum);
}

ms::Shape parse_shape(const std::string& text) {
  ms::Shape shape;
  for (size_t at = 0; at < text.size();) {
    size_t used = 0;
    long long n = -1;
    try {
      n = std::stoll(text.substr(at), &used);
    } catch (const std::exception&) {
    }
    if (n < 0 || used == 0 || (at + used < text.size() && text[at + used] != 'x')) throw Stop{kUsage, "--shape " + text + ": expected extents like 1x3x224x224"};
    shape.push_back(n);
    at += used + 1;
  }
  return shape;
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) fail(path + ": cannot be written");
}

std::string text_of(const ms::Shape& shape) {
  std::string text;
  for (const int64_t d : shape.dims()) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

void run(const Options& o) {
  const ms::Model model = o.common.open();
  if (!model.is_graph()) throw Stop{kUsage, o.common.model + " is a language model: use generate or logits"};
  const auto inputs = o.inputs.read(model, false);
  ms::Session session = must(ms::Session::create(model, {.threads = o.common.threads, .exact = o.exact}));
  const auto begin = Clock::now();
  const ms::RunResult result = must(session.run(inputs, {}, {.cancel = &interrupted()}));
  const double ms = seconds_since(begin) * 1e3;
  if (!o.folder.empty() && mkdir(o.folder.c_str(), 0777) != 0 && errno != EEXIST) fail(o.folder + ": the folder cannot be made");
  Json outputs = Json::array();
  for (size_t i = 0; i < result.values.size(); ++i) {
    const ms::Datum& d = result.values[i];
    const ms::PortInfo& port = model.outputs()[i];
    Json entry = {{"name", result.names[i]}};
    if (d.is_tensor()) {
      entry["dtype"] = ms::name_of(d.tensor.dtype());
      entry["shape"] = std::vector<int64_t>(d.tensor.shape().dims().begin(), d.tensor.shape().dims().end());
    } else {
      entry["items"] = d.items.size();
    }
    if (!o.folder.empty()) {
      const std::string path = o.folder + "/" + std::to_string(i) + "." + o.format;
      if (o.format == "npy" && !d.is_tensor()) fail("output '" + result.names[i] + "' is no tensor: use --format pb");
      write_file(path, o.format == "npy" ? must(ms::write_npy(d.tensor)) : must(ms::write_pb(d, port)));
      entry["file"] = path;
    }
    outputs.push_back(std::move(entry));
  }
  if (o.common.json) return print({{"run_ms", ms}, {"outputs", outputs}});
  for (const Json& e : outputs) {
    std::string shape;
    if (e.contains("shape"))
      for (const Json& d : e["shape"]) shape += (shape.empty() ? "" : "x") + d.dump();
    std::printf("%-24s %-8s %-18s %s\n", e["name"].get<std::string>().c_str(), e.value("dtype", "sequence").c_str(), shape.c_str(), e.value("file", "").c_str());
  }
}

}  // namespace

void GraphInputs::add(CLI::App& verb) {
  verb.add_option("--input", files, "of an ONNX graph: NAME=FILE, a .npy or a .pb (TensorProto, SequenceProto, OptionalProto)");
  verb.add_option("--shape", shapes, "of an ONNX graph: NAME=1x3x224x224, an input of zeros");
}

std::vector<ms::NamedTensor> GraphInputs::read(const ms::Model& model, bool zeros) const {
  std::vector<ms::Datum> data(model.inputs().size());
  const auto index = [&](const ms::PortInfo& p) { return static_cast<size_t>(&p - model.inputs().data()); };
  for (const std::string& f : files) {
    const auto [name, path] = name_and_value(f, "--input");
    const ms::PortInfo& port = port_of(model, name);
    data[index(port)] = read_datum(path, port);
  }
  for (const std::string& s : shapes) {
    const auto [name, text] = name_and_value(s, "--shape");
    const ms::PortInfo& port = port_of(model, name);
    const ms::Shape shape = parse_shape(text);
    const std::vector<std::byte> none(must(ms::Tensor::bytes_of(port.dtype, shape)));
    data[index(port)] = must(ms::Tensor::copy_bytes(port.dtype, shape, none.data(), none.size()));
  }
  std::vector<ms::NamedTensor> inputs;
  for (const ms::PortInfo& port : model.inputs()) {
    ms::Datum& d = data[index(port)];
    if (!d && zeros && port.ranked && !port.sequence) {
      ms::Shape shape;
      for (const int64_t n : port.extents) shape.push_back(std::max<int64_t>(n, 1));
      if (std::find(port.extents.begin(), port.extents.end(), -1) != port.extents.end())
        std::fprintf(stderr, "mainspring: input '%s' is taken as %s (--shape %s=… says otherwise)\n", port.name.c_str(), text_of(shape).c_str(), port.name.c_str());
      const std::vector<std::byte> none(must(ms::Tensor::bytes_of(port.dtype, shape)));
      d = must(ms::Tensor::copy_bytes(port.dtype, shape, none.data(), none.size()));
    }
    if (d) inputs.push_back({port.name, std::move(d)});
  }
  return inputs;
}

void bench_graph(const ms::Model& model, const Common& common, const GraphInputs& given, int repeat, double seconds_open, bool exact) {
  const auto inputs = given.read(model, true);
  const auto begin = Clock::now();
  ms::Session session = must(ms::Session::create(model, {.threads = common.threads, .exact = exact}));
  must(session.prepare(inputs));
  const double load = seconds_open + seconds_since(begin);
  must(session.run(inputs, {}, {.cancel = &interrupted()}));  // warm-up
  std::vector<double> latency;
  Progress progress("bench", "runs");
  for (int r = 0; r < repeat; ++r) {
    const auto start = Clock::now();
    must(session.run(inputs, {}, {.cancel = &interrupted()}));
    latency.push_back(seconds_since(start) * 1e3);
    progress.update(r + 1, repeat);
  }
  progress.clear();
  std::sort(latency.begin(), latency.end());
  const double p99 = latency[std::min(latency.size() - 1, latency.size() * 99 / 100)];
  const int64_t rss = peak_rss_bytes();
  if (common.json)
    return print({{"model", common.model},
                  {"threads", session.options().threads},
                  {"load_ms", load * 1e3},
                  {"latency_ms", {{"median", median(latency)}, {"p99", p99}, {"min", latency.front()}, {"max", latency.back()}}},
                  {"peak_rss_bytes", rss}});
  std::printf("load          %10.1f ms\nlatency       %10.3f ms (99 %%: %.3f, least %.3f)\npeak memory   %10.1f MB\nthreads       %10d\n", load * 1e3, median(latency), p99, latency.front(),
              static_cast<double>(rss) / 1e6, session.options().threads);
}

void add_run(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("run", "one run of an ONNX graph");
  o->common.add(*verb);
  o->inputs.add(*verb);
  verb->add_option("--output-dir", o->folder, "output i of the graph goes to DIR/i.npy or i.pb");
  verb->add_option("--format", o->format, "of the outputs")->capture_default_str()->check(CLI::IsMember({"npy", "pb"}));
  verb->add_flag("--exact", o->exact, "f32 arithmetic where the default would quantise");
  verb->callback([=] { run(*o); });
}

}  // namespace cli
