// A fuzzer of our own for the full suite: the targets of the libFuzzer lane, with no more than gcc. See usage() below.
//
// A child fuzzes, its parent watches: the input being tried lies in memory that both share, so that whatever ends the child (a signal, a
// sanitizer, the memory limit, an overflown stack) leaves the input in a file; a child that spends more than 10 s of processor time, or a minute
// of any time, on one input is ended. Inputs are mutations of a pool: the seeds, and every input that reached something new (coverage.h).
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/fuzz/coverage.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

constexpr size_t kMaxSize = 128 << 10;  // the largest seed, a model that runs, has 64 KiB and a little
constexpr size_t kMaxPool = 4096;
constexpr double kWallFactor = 6;  // of processor time: a machine that is busy elsewhere is no hang, a wait for ever is

struct Options {
  std::filesystem::path self, found = ".";
  uint64_t seed = 0;
  double seconds = 60, hang = 10;
  uint64_t runs = ~uint64_t{0}, memory = 1536;
  std::vector<std::string> words;
  std::vector<std::filesystem::path> inputs;
  bool only_files = true;
};

int usage() {
  std::fputs(
      "usage: fuzz_TARGET [OPTION…] FOLDER…   mutates the files in the folders until the time is over\n"
      "       fuzz_TARGET [OPTION…] FILE…     runs the files, each once\n"
      "  --seconds N   60\n"
      "  --runs N      no limit\n"
      "  --seed N      from the clock; the same seed, files and number of runs give the same inputs again\n"
      "  --words FILE  lines \"…\" with \\\\, \\\" and \\xHH, as libFuzzer's dictionaries: put into inputs as they stand\n"
      "  --found DIR   where the input that failed is written (.)\n"
      "  --hang N      seconds of processor time that one input may take (10)\n"
      "  --memory N    MiB of address space (without sanitizers) and of resident memory (1536)\n"
      "Ends with 0 when nothing failed, 1 when an input failed, 2 for a mistake in the call.\n",
      stderr);
  return 2;
}

/// What the child tells the parent.
struct Shared {
  std::atomic<uint64_t> begun;  ///< inputs begun
  std::atomic<bool> done;       ///< the child came to its end; what fails now fails in the exit (leaks)
  std::atomic<size_t> size;
  uint8_t data[kMaxSize];
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) std::fprintf(stderr, "cannot read %s\n", path.c_str()), std::exit(2);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> read_words(const std::filesystem::path& path) {
  std::vector<std::string> words;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] != '"') continue;
    std::string word;
    for (size_t i = 1; i < line.size() && line[i] != '"'; ++i) {
      if (line[i] != '\\' || i + 1 == line.size()) word += line[i];
      else if (line[++i] != 'x') word += line[i];
      else word += static_cast<char>(std::strtol(line.substr(i + 1, 2).c_str(), nullptr, 16)), i += 2;
    }
    words.push_back(word);
  }
  if (words.empty()) std::fprintf(stderr, "no words in %s\n", path.c_str()), std::exit(2);
  return words;
}

std::optional<Options> parse(int argc, char** argv) {
  Options o;
  o.self = argv[0];
  o.seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) ^ static_cast<uint64_t>(getpid()) << 40;
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    if (!a.starts_with("--")) {
      o.inputs.emplace_back(a);
      o.only_files = o.only_files && !std::filesystem::is_directory(a);
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const char* value = argv[++i];
    char* end = const_cast<char*>("");
    if (a == "--seconds") o.seconds = std::strtod(value, &end);
    else if (a == "--hang") o.hang = std::strtod(value, &end);
    else if (a == "--runs") o.runs = std::strtoull(value, &end, 0);
    else if (a == "--seed") o.seed = std::strtoull(value, &end, 0);
    else if (a == "--memory") o.memory = std::strtoull(value, &end, 0);
    else if (a == "--words") o.words = read_words(value);
    else if (a == "--found") o.found = value;
    else return std::nullopt;
    if (*end) return std::nullopt;
  }
  if (o.inputs.empty()) return std::nullopt;
  return o;
}

uint64_t fnv(std::string_view bytes, uint64_t h = 14695981039346656037u) {
  for (const char c : bytes) h = (h ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return h;
}

// ---- the child ----------------------------------------------------------------------------------------------------------------

/// True when the input reached something new.
bool try_one(Shared& shared, const std::string& input) {
  const size_t size = std::min(input.size(), kMaxSize);
  std::memcpy(shared.data, input.data(), size);
  shared.size = size;
  ++shared.begun;
  // In memory of its own size: a sanitizer sees where it ends.
  const std::vector<uint8_t> exact(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
  (void)fuzz::saw_something_new();
  (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return fuzz::saw_something_new();
}

int fuzz_them(const Options& o, Shared& shared) {
  if (!kSanitized) {
    const rlimit limit{o.memory << 20, o.memory << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
  }
  std::vector<std::string> pool;
  for (const auto& path : o.inputs) {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::is_directory(path)) files.push_back(path);
    else
      for (const auto& file : std::filesystem::directory_iterator(path))
        if (file.is_regular_file() && file.path().filename() != ".keep") files.push_back(file.path());
    std::sort(files.begin(), files.end());  // as listed by the file system they would come in any order
    for (const auto& file : files) pool.push_back(read_file(file));
  }
  if (pool.empty()) return std::fputs("no inputs to start from\n", stderr), 2;
  for (const std::string& input : pool) (void)try_one(shared, input);
  if (o.only_files) return 0;

  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  fuzz::Random random(o.seed);
  fuzz::Mutator mutator(random, o.words, kMaxSize);
  const size_t seeds = pool.size(), seeds_reach = fuzz::steps_seen();
  uint64_t runs = 0, hash = fnv("");
  for (; runs < o.runs && elapsed() < o.seconds; ++runs) {
    // Half of the time a seed: most of the pool is on its way into an error. Of the others the smaller of two: small inputs are quick.
    size_t from = random.below(random.below(2) ? seeds : pool.size());
    if (const size_t also = random.below(pool.size()); from >= seeds && pool[also].size() < pool[from].size()) from = also;
    const std::string input = mutator.mutate(pool[from], pool[random.below(pool.size())]);
    hash = fnv(input, hash);
    if (!try_one(shared, input)) continue;
    if (pool.size() >= kMaxPool) pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(seeds + random.below(pool.size() - seeds)));
    pool.push_back(input);
  }
  std::printf("%llu runs in %.1f s (%.0f a second); %zu seeds reach %zu steps, a pool of %zu reaches %zu; hash of the inputs %016llx\n", static_cast<unsigned long long>(runs), elapsed(),
              static_cast<double>(runs) / std::max(elapsed(), 1e-9), seeds, seeds_reach, pool.size(), fuzz::steps_seen(), static_cast<unsigned long long>(hash));
  // A run that tried next to nothing shows nothing.
  if (o.runs > 100 && o.seconds >= 5 && runs < 100) return std::fputs("fewer than 100 runs\n", stderr), 1;
  return 0;
}

// ---- the parent ---------------------------------------------------------------------------------------------------------------

/// Starts the program again without random addresses, where the system lets it: seeds of hash tables come from addresses, and what an input
/// reaches, and so which inputs follow, from those.
void settle_addresses(char** argv) {
  const int now = personality(0xffffffff);
  if (now != -1 && !(now & ADDR_NO_RANDOMIZE) && personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) != -1) execv("/proc/self/exe", argv);
}

double cpu_seconds(pid_t child) {
  clockid_t clock{};
  timespec t{};
  if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

uint64_t resident_mib(pid_t child) {
  std::ifstream in("/proc/" + std::to_string(child) + "/statm");
  uint64_t pages = 0;
  in >> pages >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) >> 20;
}

/// Waits for the child's end; returns what was wrong, empty for nothing.
std::string watch(const Options& o, const Shared& shared, pid_t child) {
  uint64_t input = 0;
  double cpu = 0;
  auto wall = std::chrono::steady_clock::now();
  std::string why;
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      if (!why.empty()) return why;
      if (WIFSIGNALED(status)) return std::string("signal ") + strsignal(WTERMSIG(status));
      if (WEXITSTATUS(status) != 0 || !shared.done) return "exit status " + std::to_string(WEXITSTATUS(status));
      return "";
    }
    const auto now = std::chrono::steady_clock::now();
    if (shared.begun != input || shared.done) input = shared.begun, cpu = cpu_seconds(child), wall = now;
    if (cpu_seconds(child) - cpu > o.hang || std::chrono::duration<double>(now - wall).count() > kWallFactor * o.hang) why = "a hang";
    if (resident_mib(child) > o.memory) why = "more than " + std::to_string(o.memory) + " MiB";
    if (!why.empty()) kill(child, SIGKILL);
    usleep(20000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  settle_addresses(argv);
  const std::optional<Options> o = parse(argc, argv);
  if (!o) return usage();
  if (!o->only_files) std::printf("%s --seed %llu\n", o->self.c_str(), static_cast<unsigned long long>(o->seed));
  std::fflush(stdout);
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::perror("mmap"), 2;
  Shared& shared = *new (memory) Shared{};
  const pid_t child = fork();
  if (child < 0) return std::perror("fork"), 2;
  if (child == 0) {
    const int status = fuzz_them(*o, shared);
    shared.done = true;
    return status;  // through the exit: leaks are looked for there
  }
  const std::string why = watch(*o, shared, child);
  if (why.empty()) return 0;
  if (shared.begun == 0) return std::fprintf(stderr, "failed before the first input: %s\n", why.c_str()), 2;
  if (shared.done) return std::fprintf(stderr, "failed after the last input: %s\n", why.c_str()), 1;
  const std::string_view input(reinterpret_cast<const char*>(shared.data), shared.size);
  char name[32];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(fnv(input)));
  const std::filesystem::path file = o->found / (o->self.filename().string() + "-" + name);
  std::error_code ignored;
  std::filesystem::create_directories(o->found, ignored);
  std::ofstream(file, std::ios::binary).write(input.data(), static_cast<std::streamsize>(input.size()));
  std::fprintf(stderr, "input %llu of %zu bytes: %s\nkept; to repeat: %s %s\n", static_cast<unsigned long long>(shared.begun.load()), input.size(), why.c_str(), o->self.c_str(), file.c_str());
  return 1;
}
