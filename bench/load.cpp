// From nothing to the first token: open the file, make a session (packs the weights), one step of a prompt. Every repetition does all of it.
//   --cold: the file's pages are dropped from the page cache before each, so that it is read from the disk.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "bench/machine.h"
#include "bench/table.h"
#include "mainspring/mainspring.h"

namespace {

using namespace mainspring;
using bench::must;

void drop_from_page_cache(const std::string& path) {
  const int f = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (f < 0) bench::fail(path + ": cannot be opened");
  const bool dropped = posix_fadvise(f, 0, 0, POSIX_FADV_DONTNEED) == 0;
  close(f);
  if (!dropped) bench::fail(path + ": cannot be dropped from the page cache");
}

}  // namespace

int main(int count, char** values) {
  bench::Arguments a(count, values, "bench_load MODEL.gguf [--prompt 1] [--context 512] [--threads N] [--repeat 7] [--cold] [--cache DIR] [--json FILE]");
  const int prompt = std::max(a.number("--prompt", 1), 1), context = std::max(a.number("--context", 512), prompt), threads = a.number("--threads", bench::threads());
  const int repeat = std::max(a.number("--repeat", 7), 1);
  const bool cold = a.flag("--cold");
  const Context host({.threads = threads, .cache_folder = a.text("--cache")});
  const std::string json = a.text("--json");
  a.done();
  std::vector<bench::Timing> parts = {{"open", {}}, {"session", {}}, {"first step", {}}, {"all", {}}};
  for (int r = 0; r < repeat; ++r) {
    if (cold) drop_from_page_cache(a.operand());
    const auto begin = bench::Clock::now();
    const Model model = must(Model::open(a.operand(), {.context = &host}));
    const double opened = bench::seconds_since(begin);
    Session session = must(Session::create(model, {.max_context = context, .threads = threads}));
    const double created = bench::seconds_since(begin);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < prompt; ++i) ids.push_back(static_cast<int32_t>((i * 7919 + 17) % std::max<int64_t>(model.vocabulary_size(), 1)));
    must(session.step(ids));
    const double stepped = bench::seconds_since(begin);
    const double seconds[] = {opened, created - opened, stepped - created, stepped};
    for (size_t i = 0; i < parts.size(); ++i) parts[i].seconds.push_back(seconds[i]);
  }
  fmt::print("{}, commit {}\n{}, {} threads, prompt of {}, {} page cache\n{:>12} {:>12} {:>12}\n", bench::machine_line(), bench::commit(), a.operand(), threads, prompt, cold ? "cold" : "warm", "part",
             "median ms", "best ms");
  for (const bench::Timing& t : parts) fmt::print("{:>12} {:12.1f} {:12.1f}\n", t.name, bench::median(t.seconds) * 1e3, *std::min_element(t.seconds.begin(), t.seconds.end()) * 1e3);
  if (!json.empty()) bench::write_json(json, parts);
}
