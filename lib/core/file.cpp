#include "core/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/context_impl.h"
#include "core/error.h"

namespace mainspring::inline v0 {
namespace {

std::string errno_text(int code) {
  char text[128] = "";
#if defined(__GLIBC__)
  return strerror_r(code, text, sizeof text);  // GNU's: the answer need not be in `text`
#else
  if (strerror_r(code, text, sizeof text) != 0) return fmt::format("error {}", code);
  return text;
#endif
}

Error failure(std::string_view what, const std::string& path, int code) {
  if (code == ENOENT || code == ENOTDIR) return not_found("cannot {} '{}': {}", what, path, errno_text(code));
  return io_error("cannot {} '{}': {}", what, path, errno_text(code));
}

Result<void> check_path(std::string_view path) {
  if (path.empty()) return invalid("a file's path is empty");
  if (path.find('\0') != path.npos) return invalid("a file's path holds a NUL byte: '{}'", path.substr(0, path.find('\0')));
  return {};
}

class Descriptor {
 public:
  // O_NONBLOCK: opening a pipe must not hang before we have seen that it's none of our business.
  explicit Descriptor(const char* path, int flags = O_RDONLY) {
    do fd_ = ::open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
    while (fd_ < 0 && errno == EINTR);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

Result<struct stat> examine(int fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return failure("examine", path, errno);
  if (S_ISDIR(info.st_mode)) return invalid("'{}' is a directory, expected a file", path);
  if (!S_ISREG(info.st_mode)) return invalid("'{}' is a device or a pipe, expected a regular file", path);
  if (info.st_size <= 0) return corrupt("'{}' is empty", path);
  if (static_cast<uint64_t>(info.st_size) > SIZE_MAX) return unsupported("'{}' has {} bytes, more than this machine can address", path, static_cast<int64_t>(info.st_size));
  return info;
}

std::shared_ptr<ByteSource> share(ByteSource* source) { return std::shared_ptr<ByteSource>(source); }

}  // namespace

Result<std::shared_ptr<ByteSource>> ByteSource::open(const Context& context, std::string_view path) {
  if (Reader* reader = context.options().reader) return read(context, *reader, path);
  return map(path);
}

Result<std::shared_ptr<ByteSource>> ByteSource::map(std::string_view path) { return map_checked(path, false); }
Result<std::shared_ptr<ByteSource>> ByteSource::map_own(std::string_view path) { return map_checked(path, true); }

Result<std::shared_ptr<ByteSource>> ByteSource::map_checked(std::string_view path, bool own) {
  MAINSPRING_TRY_VOID(check_path(path));
  std::string name(path);
  const Descriptor file(name.c_str());
  if (file.get() < 0) return failure("open", name, errno);
  MAINSPRING_TRY(const struct stat info, examine(file.get(), name));
  const auto size = static_cast<size_t>(info.st_size);
  if (own && (info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)) return invalid("'{}' belongs to others or may be written by them", name);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return failure("map", name, errno);
  auto source = share(new ByteSource(Kind::mapped, std::move(name), {static_cast<const std::byte*>(data), size}));
  source->stamp_ = fmt::format("{}.{}.{}.{}.{}.{}", info.st_ino, size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
  return source;
}

Result<std::shared_ptr<ByteSource>> ByteSource::read(const Context& context, Reader& reader, std::string_view path) {
  MAINSPRING_TRY(const uint64_t size, reader.size(path));
  if (size == 0) return corrupt("'{}' is empty", path);
  if (size > SIZE_MAX / 2) return unsupported("'{}' has {} bytes, more than this machine can address", path, size);
  MAINSPRING_TRY(Buffer buffer, Buffer::create(context, static_cast<size_t>(size), path));
  MAINSPRING_TRY_VOID(reader.read(path, 0, buffer.bytes()));
  auto source = share(new ByteSource(Kind::owned, std::string(path), std::as_const(buffer).bytes()));
  source->owned_ = std::move(buffer);
  return source;
}

std::shared_ptr<ByteSource> ByteSource::borrow(std::span<const std::byte> bytes, std::string_view name) {
  return share(new ByteSource(Kind::borrowed, std::string(name), bytes));
}

ByteSource::~ByteSource() {
  if (kind_ == Kind::mapped) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

// Page-aligned advice about a part of the mapping: the pages inside the range, or all it touches.
void ByteSource::advise(std::span<const std::byte> range, bool inside, int advice) const {
  if (kind_ != Kind::mapped || range.empty()) return;
  const auto base = reinterpret_cast<uintptr_t>(bytes_.data());
  const auto first = reinterpret_cast<uintptr_t>(range.data());
  if (first < base || first - base > bytes_.size() || range.size() > bytes_.size() - (first - base)) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t last = first + range.size();
  const bool to_the_end = last == base + bytes_.size();  // the file's last page is ours entirely
  const uintptr_t begin = inside ? (first + page - 1) / page * page : first / page * page;
  const uintptr_t end = inside && !to_the_end ? last / page * page : (last + page - 1) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, advice);  // a hint: failure costs only memory
}

Result<void> replace_file(std::string_view path, std::span<const std::span<const std::byte>> parts) {
  MAINSPRING_TRY_VOID(check_path(path));
  const std::string name(path), temporary = name + ".tmp";
  // One name for all writers, so that what a killed one left is used again and not added to; the lock says whether somebody is at it.
  const Descriptor file(temporary.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW);
  if (file.get() < 0) return failure("write", temporary, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return io_error("'{}' is being written by another", temporary);
  struct stat ours {}, named {};  // the last writer may have renamed it between our open and our lock
  if (fstat(file.get(), &ours) != 0 || lstat(temporary.c_str(), &named) != 0 || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev || !S_ISREG(ours.st_mode) ||
      ours.st_nlink != 1 || ours.st_uid != geteuid())
    return io_error("'{}' is not ours to write", temporary);
  const auto write_all = [&] {
    if (ftruncate(file.get(), 0) != 0 || fchmod(file.get(), 0600) != 0) return false;
    for (std::span<const std::byte> left : parts)
      while (!left.empty()) {
        const ssize_t n = ::write(file.get(), left.data(), left.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        left = left.subspan(static_cast<size_t>(n));
      }
    // Before the rename, so that no power cut leaves the name on a file without its bytes.
    return ::fdatasync(file.get()) == 0 && ::rename(temporary.c_str(), name.c_str()) == 0;
  };
  if (write_all()) return {};
  const int code = errno;
  ::unlink(temporary.c_str());
  return failure("write", name, code);
}

Result<std::string> path_beside(std::string_view path, std::string_view relative) {
  MAINSPRING_TRY_VOID(check_path(path));
  MAINSPRING_TRY_VOID(check_path(relative));
  if (relative.front() == '/') return corrupt("'{}' is an absolute path, expected one inside the folder of '{}'", relative, path);
  for (size_t begin = 0; begin <= relative.size();) {
    const size_t end = std::min(relative.find('/', begin), relative.size());
    if (relative.substr(begin, end - begin) == "..") return corrupt("'{}' leaves the folder of '{}'", relative, path);
    begin = end + 1;
  }
  const size_t slash = path.rfind('/');
  const std::string folder(slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  std::string joined = folder + '/' + std::string(relative);
  const auto real = [](const std::string& p) {
    char* text = ::realpath(p.c_str(), nullptr);
    std::string out(text ? text : "");
    std::free(text);
    return out;
  };
  const std::string target = real(joined);
  if (target.empty()) return joined;  // not there, or the host's Reader knows it
  std::string root = real(folder);
  if (root.empty() || root.back() != '/') root += '/';
  if (!target.starts_with(root)) return corrupt("'{}' leads out of the folder of '{}'", relative, path);
  return target;
}

void ByteSource::drop(std::span<const std::byte> range) const { advise(range, true, MADV_DONTNEED); }
void ByteSource::prefetch(std::span<const std::byte> range) const { advise(range, false, MADV_WILLNEED); }

}  // namespace mainspring::inline v0
