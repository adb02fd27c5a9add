// What the host lends to the library: threads, memory, files, a log. Everything has a default; nothing is global.
//
// Environment variables (debugging only, read once when a Context is made): MAINSPRING_CPU_ISA caps the kernels' instruction set
// ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni"), MAINSPRING_LOG sends log lines of default contexts to stderr ("debug", "info", "warning", "error"),
// MAINSPRING_PASSES switches passes off by name ("-fuse_norm,-cse").
//
// Memory policy: whatever the size of an input decides (weights, panels, arenas, KV, metadata tables) comes from the Allocator
// and failing it is Errc::out_of_memory; bookkeeping of a few kilobytes uses the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mainspring/export.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// The host's threads. `run` calls body(user, w) for every w in [0, workers), in any order, on any threads, in parallel or one after
/// another, and returns when all calls have returned. Bodies may start late: the library never waits for a body that has not begun.
/// Thread-safety: the library calls run() of one object from one thread at a time for each Session.
class MAINSPRING_API Parallel {
 public:
  virtual ~Parallel() = default;
  /// How many workers are useful (>= 1).
  virtual int workers() const = 0;
  virtual void run(int workers, void (*body)(void* user, int worker), void* user) = 0;
};

/// Large memory. Returns null when there is none: the library turns that into Errc::out_of_memory.
/// `alignment` is a power of two of at least 64. Thread-safe.
class MAINSPRING_API Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(size_t bytes, size_t alignment) = 0;
  virtual void release(void* memory, size_t bytes, size_t alignment) = 0;
};

/// Files by name, for hosts that keep models in archives of their own. Thread-safe.
class MAINSPRING_API Reader {
 public:
  virtual ~Reader() = default;
  /// Size of the file in bytes. Errors: not_found, io_error.
  virtual Result<uint64_t> size(std::string_view path) = 0;
  /// Fills `out` from `offset`; a short read is an error. Errors: not_found, io_error.
  virtual Result<void> read(std::string_view path, uint64_t offset, std::span<std::byte> out) = 0;
};

/// Where derived data is kept between starts: packed weights of a model and which kernels measured fastest, a few values each, each about as large as the model's file.
/// What is stored is checked when it comes back; a cache that loses or mixes up values costs time and nothing else. Thread-safe.
class MAINSPRING_API Cache {
 public:
  virtual ~Cache() = default;
  /// The bytes last stored under `key`, at an address aligned to 64, valid and unchanged while the Cache lives; empty where there are none.
  virtual std::span<const std::byte> load(std::string_view key) = 0;
  /// Keeps the parts one after the other, in place of what the key held; bytes given out before stay valid. `key` is at most 64 letters, digits, '-' and '.'.
  /// Errors are logged and otherwise ignored.
  virtual Result<void> store(std::string_view key, std::span<const std::span<const std::byte>> parts) = 0;
};

enum class Level : uint8_t { debug, info, warning, error };

/// Receives log lines. `line` has no newline and is valid during the call only. Called from any thread.
using LogSink = void (*)(void* user, Level level, std::string_view line);

struct ContextOptions {
  Parallel* parallel = nullptr;    ///< null: our own pool of `threads` threads, made at the first step that wants more than one, joined with the Context
  int threads = 0;                 ///< workers of our own pool; 0: one for each fast physical core the process may use
  std::string cpus{};              ///< the CPUs of our own pool, such as "0-3,8", each worth a worker; Model::open checks it. Empty: see Context
  Allocator* allocator = nullptr;  ///< null: the system's
  Reader* reader = nullptr;        ///< null: files are mapped from the file system
  LogSink log = nullptr;           ///< null: silence (unless MAINSPRING_LOG is set)
  void* log_user = nullptr;
  Level log_level = Level::info;
  std::string cpu_isa{};           ///< caps the instruction set like MAINSPRING_CPU_ISA; empty: what the processor has
  std::string cache_folder{};      ///< an existing folder for packed weights and measured kernels: the next start maps them, and processes share their pages. Empty: none
  uint64_t cache_folder_limit = uint64_t{32} << 30;  ///< bytes of our files there; beyond it the longest unused go. Files of others are not counted, nor touched
  Cache* cache = nullptr;          ///< the host's own, used in place of the folder
};

/// A handle to the host's resources; cheap to copy. Objects that the pointers name must outlive every Model and Session made with it.
///
/// Our own pool's threads are bound to CPUs where it matters which: on processors with slow cores, on those with several hardware threads a core, with several
/// memory nodes, or where `cpus` names some. Each is bound to all CPUs that are as good for it (one hardware thread of each core of the kind
/// that is used, within a node), not to one, so that a busy host or a second process only moves it. The process's affinity and its
/// group's quota are obeyed. Where the system refuses, nothing is bound, which Session::explain tells. The host's own threads are never
/// bound, but for the one that asks by bind_caller().
/// Thread-safety: immutable after construction.
class MAINSPRING_API Context {
 public:
  /// Never fails: makes no thread and takes no memory to speak of.
  explicit Context(const ContextOptions& options = {});
  const ContextOptions& options() const;
  /// Workers that a session made with this context will use by default.
  int workers() const;
  /// Binds the calling thread, which is worker 0 of the steps it runs, to the CPUs that the pool's threads are bound to together; nothing where they
  /// are not, or are the host's. False where the system refuses.
  bool bind_caller() const;

  struct Impl;  ///< internal
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace mainspring::inline v0
