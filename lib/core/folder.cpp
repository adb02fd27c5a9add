#include "core/folder.h"

#include <algorithm>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kTemporary = ".tmp";
constexpr size_t kDigits = 16;

bool ours(std::string_view name, std::string_view suffix) {
  if (name.ends_with(kTemporary)) name.remove_suffix(kTemporary.size());
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix)) return false;
  return name.substr(0, kDigits).find_first_not_of("0123456789abcdef") == name.npos;
}

}  // namespace

std::vector<FolderFile> files_to_remove(std::vector<FolderFile> files, uint64_t limit, std::string_view keep) {
  std::sort(files.begin(), files.end(), [](const FolderFile& a, const FolderFile& b) { return a.used_ns != b.used_ns ? a.used_ns < b.used_ns : a.name < b.name; });
  uint64_t total = 0;
  for (const FolderFile& f : files) total += f.bytes;
  std::vector<FolderFile> out;
  for (FolderFile& f : files) {
    if (total <= limit) break;
    if (f.name == keep) continue;
    total -= f.bytes;
    out.push_back(std::move(f));
  }
  return out;
}

std::vector<FolderFile> own_files(const std::string& folder, std::string_view suffix, std::string_view magic) {
  std::vector<FolderFile> out;
  DIR* listing = ::opendir(folder.c_str());
  if (listing == nullptr) return out;
  while (const dirent* entry = ::readdir(listing)) {
    if (!ours(entry->d_name, suffix)) continue;
    const int fd = ::openat(::dirfd(listing), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    struct stat info {};
    char begin[16] = {};
    const bool mine = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid() && magic.size() <= sizeof begin &&
                      ::pread(fd, begin, magic.size(), 0) == static_cast<ssize_t>(magic.size()) && std::memcmp(begin, magic.data(), magic.size()) == 0;
    ::close(fd);
    if (mine) out.push_back({entry->d_name, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec * int64_t{1000000000} + info.st_mtim.tv_nsec});
  }
  ::closedir(listing);
  return out;
}

int remove_files(const std::string& folder, const std::vector<FolderFile>& files) {
  int removed = 0;
  for (const FolderFile& f : files) {
    const std::string path = folder + "/" + f.name;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0) ++removed;  // readers that map it keep their pages
    ::close(fd);
  }
  return removed;
}

void mark_used(const std::string& path) { (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW); }

}  // namespace mainspring::inline v0
