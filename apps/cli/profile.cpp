// explain --profile: one prompt and some tokens after a warm-up, each tile noted: a trace for Perfetto (or chrome://tracing), and a summary.
#include "profile.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "sequences.h"

namespace cli {
namespace {

using mainspring::roof::Roof;

/// A node of explain(), as far as the profile needs it.
struct Work {
  std::string name, op, kernel;
  double ops_per_row = 0;
  bool for_outputs = false;
  double ops(const ms::Profile::Pass& pass) const { return ops_per_row * static_cast<double>(for_outputs ? pass.output_rows : pass.rows); }
};

struct Phase {
  std::string name;
  ms::Profile profile;
  /// What a node had to read and write in a pass.
  double bytes(size_t pass, size_t node) const { return static_cast<double>(profile.bytes[pass * (profile.bytes.size() / profile.passes.size()) + node]); }
  double roof_seconds(const Work& w, size_t pass, size_t node, const Roof& roof) const {
    return std::max(bytes(pass, node) / roof.read_bytes_per_s, w.ops(profile.passes[pass]) / roof.int8_ops_per_s);
  }
};

/// From the first tile's begin to the last one's end.
struct Span {
  int64_t begin = INT64_MAX, end = 0;
  void add(int64_t b, int64_t e) { begin = std::min(begin, b), end = std::max(end, e); }
  double seconds() const { return end > begin ? static_cast<double>(end - begin) * 1e-9 : 0; }
};

std::vector<Work> work_of(const ms::Session& session) {
  std::vector<Work> all;
  for (const Json& n : Json::parse(session.explain(true)))
    all.push_back({n["node"], n["op"], n["kernel"], n["ops_per_row"].get<double>(), n["rows"] == "n_outputs"});
  return all;
}

/// How long each node took in each pass, and the span of each pass. Tiles that run at the same moment share it evenly: the times of nodes that
/// stand beside each other add up to what the clock showed.
struct Times {
  std::map<std::pair<int32_t, int32_t>, double> nodes;
  std::vector<Span> passes;
  explicit Times(const ms::Profile& p) : passes(p.passes.size()) {
    struct Edge { int64_t at; const ms::Profile::Tile* tile; bool begins; };
    std::vector<Edge> edges;
    for (const auto& t : p.tiles) {
      passes[static_cast<size_t>(t.pass)].add(t.begin_ns, t.end_ns);
      edges.push_back({t.begin_ns, &t, true});
      edges.push_back({t.end_ns, &t, false});
    }
    std::stable_sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
    std::vector<const ms::Profile::Tile*> running;
    int64_t last = 0;
    for (const Edge& e : edges) {
      for (const auto* t : running) nodes[{t->pass, t->node}] += static_cast<double>(e.at - last) * 1e-9 / static_cast<double>(running.size());
      last = e.at;
      if (e.begins) running.push_back(e.tile);
      else running.erase(std::find(running.begin(), running.end(), e.tile));
    }
  }
};

// ---- the trace -------------------------------------------------------------------------------------------------------------

/// Tiles of one worker that follow each other in one step are one slice; what lies between slices of a pass is waiting.
void write_slices(std::ofstream& out, const Phase& phase, const std::vector<Work>& work, const Roof& roof, int workers, int64_t origin) {
  const Times times(phase.profile);
  const auto& tiles = phase.profile.tiles;
  const auto us = [&](int64_t ns) { return static_cast<double>(ns - origin) * 1e-3; };
  const auto slice = [&](const std::string& name, const char* category, int worker, int64_t begin, int64_t end, Json args) {
    const Json event{{"name", name}, {"cat", category}, {"ph", "X"}, {"pid", 1}, {"tid", worker}, {"ts", us(begin)}, {"dur", static_cast<double>(end - begin) * 1e-3}, {"args", std::move(args)}};
    out << ",\n" << event.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  const auto waiting = [&](int worker, int64_t begin, int64_t end) {
    if (end - begin >= 1000) slice("idle", "idle", worker, begin, end, Json::object());
  };
  std::set<std::pair<int32_t, int>> took_part;  // pass, worker
  for (size_t i = 0; i < tiles.size();) {
    const auto& first = tiles[i];
    const Span& pass = times.passes[static_cast<size_t>(first.pass)];
    took_part.insert({first.pass, first.worker});
    const bool opens = i == 0 || tiles[i - 1].worker != first.worker || tiles[i - 1].pass != first.pass;
    waiting(first.worker, opens ? pass.begin : tiles[i - 1].end_ns, first.begin_ns);
    size_t next = i;
    while (next < tiles.size() && tiles[next].worker == first.worker && tiles[next].pass == first.pass && tiles[next].step == first.step) ++next;
    const auto in_pass = static_cast<size_t>(first.pass), node = static_cast<size_t>(first.node);
    const Work& w = work[node];
    const double bytes = phase.bytes(in_pass, node);
    const double seconds = times.nodes.at({first.pass, first.node});
    slice(w.name, phase.name.c_str(), first.worker, first.begin_ns, tiles[next - 1].end_ns,
          {{"op", w.op},
           {"kernel", w.kernel},
           {"step", first.step},
           {"tiles", next - i},
           {"bytes", bytes},
           {"GB/s", seconds > 0 ? bytes / seconds * 1e-9 : 0},
           {"GOP/s", seconds > 0 ? w.ops(phase.profile.passes[in_pass]) / seconds * 1e-9 : 0},
           {"share_of_roof", seconds > 0 ? phase.roof_seconds(w, in_pass, node, roof) / seconds : 0}});
    const bool closes = next == tiles.size() || tiles[next].worker != first.worker || tiles[next].pass != first.pass;
    if (closes) waiting(first.worker, tiles[next - 1].end_ns, pass.end);
    i = next;
  }
  for (size_t pass = 0; pass < times.passes.size(); ++pass)
    for (int w = 0; w < workers; ++w)
      if (!took_part.contains({static_cast<int32_t>(pass), w})) waiting(w, times.passes[pass].begin, times.passes[pass].end);
}

void write_trace(const std::string& path, const std::vector<Phase>& phases, const std::vector<Work>& work, const Roof& roof, int workers) {
  std::ofstream out(path, std::ios::binary);
  if (!out) fail(path + ": cannot be written");
  int64_t origin = INT64_MAX;
  for (const Phase& p : phases)
    for (const auto& t : p.profile.tiles) origin = std::min(origin, t.begin_ns);
  out << R"({"displayTimeUnit":"ns","traceEvents":[{"name":"process_name","ph":"M","pid":1,"args":{"name":"mainspring"}})";
  for (int w = 0; w < workers; ++w) out << ",\n" << R"({"name":"thread_name","ph":"M","pid":1,"tid":)" << w << R"(,"args":{"name":"worker )" << w << "\"}}";
  for (const Phase& p : phases) write_slices(out, p, work, roof, workers, origin);
  out << "]}\n";
  if (!out.flush()) fail(path + ": cannot be written whole");
}

// ---- the summary -----------------------------------------------------------------------------------------------------------

struct Line {
  double seconds = 0, bytes = 0, ops = 0, roof_seconds = 0;
  int64_t nodes = 0;
};

Json summary(const Phase& phase, const std::vector<Work>& work, const Roof& roof, int workers) {
  const Times times(phase.profile);
  std::map<std::string, Line> lines;
  double all = 0;
  for (const Span& s : times.passes) all += s.seconds();
  for (const auto& [at, seconds] : times.nodes) {
    const auto pass = static_cast<size_t>(at.first), node = static_cast<size_t>(at.second);
    const Work& w = work[node];
    Line& line = lines[w.op];
    line.seconds += seconds;
    line.bytes += phase.bytes(pass, node);
    line.ops += w.ops(phase.profile.passes[pass]);
    line.roof_seconds += phase.roof_seconds(w, pass, node, roof);
    ++line.nodes;
  }
  std::vector<double> busy(static_cast<size_t>(workers));
  for (const auto& t : phase.profile.tiles) busy[static_cast<size_t>(t.worker)] += static_cast<double>(t.end_ns - t.begin_ns) * 1e-9;
  Json ops = Json::array(), idle = Json::array();
  std::vector<std::pair<std::string, Line>> sorted(lines.begin(), lines.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  for (const auto& [op, l] : sorted)
    ops.push_back({{"op", op},
                   {"runs", l.nodes},
                   {"ms", l.seconds * 1e3},
                   {"share", all > 0 ? l.seconds / all : 0},
                   {"bytes", l.bytes},
                   {"ops", l.ops},
                   {"share_of_roof", l.seconds > 0 ? l.roof_seconds / l.seconds : 0}});
  for (const double b : busy) idle.push_back(all > 0 ? std::max(0.0, 1 - b / all) : 0);
  return {{"phase", phase.name}, {"passes", phase.profile.passes.size()}, {"ms", all * 1e3}, {"dropped", phase.profile.dropped}, {"ops", ops}, {"idle", idle}};
}

void print_summary(const Json& s) {
  std::printf("%s: %zu passes, %.2f ms\n  %-20s %7s %10s %7s %10s %9s %9s %7s\n", s["phase"].get<std::string>().c_str(), s["passes"].get<size_t>(), s["ms"].get<double>(), "op", "runs", "ms", "time", "MB",
              "GB/s", "GOP/s", "roof");
  for (const Json& o : s["ops"]) {
    const double seconds = o["ms"].get<double>() / 1e3, bytes = o["bytes"], ops = o["ops"];
    std::printf("  %-20s %7lld %10.3f %6.1f%% %10.2f %9.1f %9.1f %6.1f%%\n", o["op"].get<std::string>().c_str(), static_cast<long long>(o["runs"].get<int64_t>()), seconds * 1e3,
                o["share"].get<double>() * 100, bytes / 1e6, seconds > 0 ? bytes / seconds / 1e9 : 0, seconds > 0 ? ops / seconds / 1e9 : 0, o["share_of_roof"].get<double>() * 100);
  }
  std::printf("  idle");
  for (size_t w = 0; w < s["idle"].size(); ++w) std::printf("%s worker %zu %.1f %%", w ? "," : "", w, s["idle"][w].get<double>() * 100);
  std::printf("\n");
  if (s["dropped"].get<int64_t>() > 0) std::printf("  %lld tiles were not noted\n", static_cast<long long>(s["dropped"].get<int64_t>()));
}

}  // namespace

void ProfileOptions::add(CLI::App& verb) {
  CLI::Option* file_option = verb.add_option("--profile", file,
                                             "run it, and write a trace of every step to this file (opens in Perfetto). Bytes are what a step must read and write; its share "
                                             "of roof is the time that memory or the int8 peak would take: beyond 100% where bytes come from a cache");
  const auto number = [&](const char* name, int64_t& value, const char* what) {
    verb.add_option(name, value, what)->capture_default_str()->check(CLI::Range(int64_t{0}, kMostPositions))->needs(file_option);
  };
  number("--prompt", prompt, "tokens of the profiled prefill");
  number("--generate", generate, "profiled decode steps");
  number("--depth", depth, "tokens already in the context, not profiled");
  verb.add_option("--parallel", parallel, "sequences at once")->capture_default_str()->check(CLI::Range(1, 4096))->needs(file_option);
}

void profile(const ms::Model& model, const ProfileOptions& o, const Numbers& numbers, bool json) {
  ms::Session session = must(ms::Session::create(model, numbers.of({.max_context = o.depth + o.prompt + o.generate + 1, .max_sequences = o.parallel})));
  Sequences sequences(session, o.parallel, std::max({o.prompt, o.depth, int64_t{1}}));
  sequences.feed(std::max<int64_t>(o.prompt, 1), ms::Logits::last);  // warm-up
  sequences.clear();
  sequences.feed(o.depth, ms::Logits::none);
  std::vector<Phase> phases;
  const auto phase = [&](const char* name, int64_t steps, int64_t tokens) {
    if (steps == 0 || tokens == 0) return;
    must(session.start_profile());
    for (int64_t i = 0; i < steps; ++i) sequences.feed(tokens, ms::Logits::last);
    phases.push_back({name, must(session.stop_profile())});
  };
  phase("prefill", 1, o.prompt);
  phase("decode", o.generate, 1);
  const int workers = session.options().threads;
  const Roof roof = roof_of_kernels(workers);
  const std::vector<Work> work = work_of(session);
  write_trace(o.file, phases, work, roof, workers);
  Json all = Json::array();
  for (const Phase& p : phases) all.push_back(summary(p, work, roof, workers));
  if (json) return print({{"file", o.file}, {"threads", workers}, {"roof", {{"read_bytes_per_s", roof.read_bytes_per_s}, {"int8_ops_per_s", roof.int8_ops_per_s}}}, {"phases", all}});
  for (const Json& s : all) print_summary(s);
  std::printf("roof: %.1f GB/s, %.0f int8 GOP/s (%d threads)\n", roof.read_bytes_per_s / 1e9, roof.int8_ops_per_s / 1e9, workers);
}

}  // namespace cli
