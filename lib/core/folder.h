// A folder that holds files of ours beside those of others, kept below a size. In: which names are ours, a limit. Out: the longest unused are gone.
// Knows nothing of what is in the files but their first bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/result.h"

namespace mainspring::inline v0 {

struct FolderFile {
  std::string name;
  uint64_t bytes = 0;
  int64_t used_ns = 0;  ///< when it was last written or marked, since 1970
};

/// Files to remove so that the rest is at most `limit` bytes: the longest unused first, never `keep`.
std::vector<FolderFile> files_to_remove(std::vector<FolderFile> files, uint64_t limit, std::string_view keep);

/// The regular files of this user that are named 16 hexadecimal digits and `suffix` (or that and ".tmp": what a writer left that was killed) and begin
/// with `magic`. A folder that can't be read has none.
std::vector<FolderFile> own_files(const std::string& folder, std::string_view suffix, std::string_view magic);

/// Removes files of own_files(); one that somebody writes now (see replace_file) stays. Returns how many went.
int remove_files(const std::string& folder, const std::vector<FolderFile>& files);

/// Says that a file of ours is in use; failing costs its place in the order, no more.
void mark_used(const std::string& path);

}  // namespace mainspring::inline v0
