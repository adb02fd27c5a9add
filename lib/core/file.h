// A file's bytes. In: a path, a borrowed span, or the host's Reader. Out: one immutable span that lives as long as the object.
// The only place that knows about file mapping. Knows nothing about formats.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/buffer.h"
#include "mainspring/context.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// Immutable after creation; every member may be called from any thread.
///
/// A mapped file must not shrink while it is open: the system answers a read behind the new end with SIGBUS, and the
/// library installs no signal handler. Replace model files by rename, not in place.
class ByteSource {
 public:
  /// The file at `path`: through the context's Reader where the host gave one, otherwise mapped from the file system.
  /// Errors: not_found, io_error, invalid_argument (a directory, a device, a NUL in the path), corrupt_data (empty), out_of_memory.
  static Result<std::shared_ptr<ByteSource>> open(const Context& context, std::string_view path);
  /// Maps the file read-only; no byte is read before it is touched. Errors: as open, without out_of_memory.
  static Result<std::shared_ptr<ByteSource>> map(std::string_view path);
  /// As map, but `invalid_argument` for a file that belongs to another user or that others may write.
  static Result<std::shared_ptr<ByteSource>> map_own(std::string_view path);
  /// Reads the entire file through `reader` into memory of the context's allocator. Errors: the reader's, corrupt_data (empty), out_of_memory.
  static Result<std::shared_ptr<ByteSource>> read(const Context& context, Reader& reader, std::string_view path);
  /// The caller's bytes, which must outlive the object. `name` stands for the path in messages. Cannot fail.
  static std::shared_ptr<ByteSource> borrow(std::span<const std::byte> bytes, std::string_view name = "memory");

  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource();

  std::span<const std::byte> bytes() const& { return bytes_; }
  std::span<const std::byte> bytes() const&& = delete;
  const std::string& path() const& { return path_; }
  /// Whether the bytes are a mapping of a file (drop and prefetch have an effect).
  bool is_mapped() const { return kind_ == Kind::mapped; }
  /// Of a mapped file: a text that changes when the file is replaced or written (inode, size, times). Empty for other kinds.
  const std::string& stamp() const& { return stamp_; }

  /// Tells the system that `range`, a part of bytes(), will hardly be read again: pages wholly inside a mapped range leave the
  /// process's memory (reading them later brings them back from the file). Nothing for other kinds, or a range from elsewhere.
  void drop(std::span<const std::byte> range) const;
  /// Tells the system that `range` will be read soon, in order. A hint; nothing for other kinds.
  void prefetch(std::span<const std::byte> range) const;

 private:
  enum class Kind : uint8_t { borrowed, owned, mapped };
  ByteSource(Kind kind, std::string path, std::span<const std::byte> bytes) : kind_(kind), path_(std::move(path)), bytes_(bytes) {}
  static Result<std::shared_ptr<ByteSource>> map_checked(std::string_view path, bool own);
  void advise(std::span<const std::byte> range, bool inside, int advice) const;

  Kind kind_;
  std::string path_, stamp_;
  std::span<const std::byte> bytes_;
  Buffer owned_;
};

/// The path of a file that another one, `path`, names by `relative` and that must lie in the same folder or below: no absolute path, no "..", and no
/// symbolic link that leads out. A file that isn't there passes: opening it will say so. Errors: corrupt_data (it would leave the folder), invalid_argument.
Result<std::string> path_beside(std::string_view path, std::string_view relative);

/// Writes the parts to `path`.tmp, through to the disk, and renames it: a reader sees the old file or the new one, after a power cut too. One writer at a time: a second one fails.
/// The file is its owner's alone. Errors: io_error, not_found (the folder), invalid_argument (the path).
Result<void> replace_file(std::string_view path, std::span<const std::span<const std::byte>> parts);

}  // namespace mainspring::inline v0
