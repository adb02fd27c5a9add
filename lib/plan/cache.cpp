// The file: head (kHeadBytes), index (key, an item for each matrix, the choices), panels, each at a multiple of 64. Little-endian like the machines that map it.
//
// What is checked: head and index have a checksum of all their bytes. A checksum of all panels would read the file once more before the first
// token, and a line of every page takes a fifth of a second start; so of each panel's bytes one cache line of every 64 KiB is, which is also as much as the
// system maps at one fault. The file is on the disk before it has its name, so what this must find is a disk or a copy that lost a stretch.
// Someone who changes panels on purpose could as well change the model; files of other users are not taken.
#include "plan/cache.h"

#include <bit>
#include <cstring>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/folder.h"
#include "core/log.h"
#include "kernel_stamp.h"
#include "mainspring/version.h"

namespace mainspring::inline v0 {
namespace {

static_assert(std::endian::native == std::endian::little, "panels are in the machine's order");

constexpr std::string_view kMagic = "MSPLAN03";  // the last digits: version of this layout
constexpr std::string_view kOurs = kMagic.substr(0, 6), kSuffix = ".panels";
constexpr size_t kHeadBytes = 64, kAlign = 64, kPage = 4096, kStride = 65536, kLine = 64;
constexpr uint64_t kMostItems = 1 << 20, kMostTimes = 1 << 10;

/// Not against malice: finds accidents. Words are mixed by an odd multiplier and a rotation.
uint64_t hash(std::span<const std::byte> bytes, uint64_t h = 0x9e3779b97f4a7c15u) {
  const auto mix = [&](uint64_t w) { h = std::rotl((h ^ w) * 0xd6e8feb86659fd93u, 29); };
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) mix(load_le<uint64_t>(bytes.data() + i));
  for (; i < bytes.size(); ++i) mix(static_cast<uint64_t>(bytes[i]));
  mix(bytes.size());
  return h ^ h >> 32;
}

uint64_t hash(std::string_view text) { return hash(std::as_bytes(std::span(text))); }

/// A line of each stride, and the last one.
uint64_t sample(std::span<const std::byte> bytes) {
  uint64_t h = bytes.size();
  for (size_t at = 0; at < bytes.size(); at += kStride) h = hash(bytes.subspan(at, std::min(kLine, bytes.size() - at)), h);
  return hash(bytes.last(std::min(kLine, bytes.size())), h);
}

void append(std::string& out, uint64_t v) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(v >> 8 * i));
}
void append(std::string& out, std::string_view text) {
  append(out, text.size());
  out += text;
}

bool take_text(ByteReader& in, std::string_view& out) {
  uint64_t n = 0;
  std::span<const std::byte> bytes;
  if (!in.try_read(n) || !in.try_take(n, bytes)) return false;
  out = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return true;
}

std::string written(const MeasuredChoices::Answers& answers) {
  std::string out;
  append(out, answers.size());
  for (const auto& [key, ns] : answers) {
    append(out, key);
    append(out, ns.size());
    for (const int64_t t : ns) append(out, static_cast<uint64_t>(t));
  }
  return out;
}

bool take_answers(ByteReader& in, MeasuredChoices::Answers& answers) {
  uint64_t count = 0;
  if (!in.try_read(count) || count > kMostItems) return false;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view key;
    uint64_t n = 0;
    if (!take_text(in, key) || !in.try_read(n) || n > kMostTimes) return false;
    std::vector<int64_t>& ns = answers[std::string(key)];
    for (uint64_t k = 0; k < n; ++k) {
      int64_t t = 0;
      if (!in.try_read(t) || t < 1) return false;
      ns.push_back(t);
    }
  }
  return true;
}

}  // namespace

/// The model's part of the key must not cost a reading of the file: a mapped file's inode, size and times change whenever it is written or replaced.
/// Bytes that come from the host have no such stamp; all of them are read, at the speed of memory.
std::unique_ptr<PlanCache> PlanCache::open(const Context& context, std::span<const std::shared_ptr<ByteSource>> sources, const ProviderInfo& provider) {
  if (context.options().cache == nullptr && context.options().cache_folder.empty()) return nullptr;
  std::unique_ptr<PlanCache> cache(new PlanCache(context, provider.machine));
  std::string model, paths;
  for (const auto& source : sources) {
    cache->sources_.push_back(source->bytes());
    model += source->is_mapped() ? source->stamp() : fmt::format("{:016x}", hash(source->bytes()));
    model += ' ';
    paths += source->path() + '\n';
  }
  cache->key_ = fmt::format("mainspring {} | {} | {} | {}", MAINSPRING_VERSION, MAINSPRING_KERNEL_STAMP, provider.device, model);
  cache->file_name_ = fmt::format("{:016x}{}", hash(fmt::format("{}{}", paths, provider.device)), kSuffix);
  cache->load();
  return cache;
}

std::string PlanCache::name_of(std::span<const std::byte> weight, std::string_view layout) const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    const auto begin = reinterpret_cast<uintptr_t>(sources_[i].data()), at = reinterpret_cast<uintptr_t>(weight.data());
    if (at < begin || at - begin > sources_[i].size() || weight.size() > sources_[i].size() - (at - begin)) continue;
    return fmt::format("{}.{}.{} {}", i, at - begin, weight.size(), layout);
  }
  return {};
}

void PlanCache::load() {
  if (Cache* host = context_.options().cache) {
    const auto bytes = host->load(file_name_);
    if (bytes.empty() || reinterpret_cast<uintptr_t>(bytes.data()) % kAlign != 0) return;
    file_ = ByteSource::borrow(bytes, "cache");
  } else {
    auto file = ByteSource::map_own(context_.options().cache_folder + "/" + file_name_);
    if (!file) {
      if (file.error().code != Errc::not_found) log(context_, Level::warning, "plan cache: {}", file.error().message);
      return;
    }
    file_ = *std::move(file);
    mark_used(file_->path());
  }
  if (read_index(file_->bytes())) {
    file_->prefetch(file_->bytes());
    return;
  }
  log(context_, Level::info, "plan cache: {} is of another model or build, or damaged; it will be replaced", file_->path());
  items_.clear();
  file_.reset();
}

bool PlanCache::read_index(std::span<const std::byte> file) {
  ByteReader in(file);
  std::span<const std::byte> magic;
  uint64_t total = 0, index = 0, items = 0, check = 0;
  if (!in.try_take(kMagic.size(), magic) || std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) return false;
  if (!in.try_read(total) || !in.try_read(index) || !in.try_read(items) || !in.try_read(check)) return false;
  if (file.size() < kHeadBytes || total != file.size() || index > file.size() - kHeadBytes || items > kMostItems) return false;
  if (check != hash(file.subspan(kHeadBytes, static_cast<size_t>(index)), total ^ items)) return false;
  in = ByteReader(file.subspan(kHeadBytes, static_cast<size_t>(index)));
  std::string_view key, name;
  if (!take_text(in, key) || key != key_) return false;
  for (uint64_t i = 0; i < items; ++i) {
    uint64_t offset = 0, bytes = 0;
    Item item;
    if (!take_text(in, name) || !in.try_read(offset) || !in.try_read(bytes) || !in.try_read(item.check)) return false;
    if (offset % kAlign != 0 || offset > file.size() || bytes > file.size() - offset) return false;
    item.bytes = file.subspan(static_cast<size_t>(offset), static_cast<size_t>(bytes));
    items_.insert_or_assign(std::string(name), item);
  }
  MeasuredChoices::Answers answers;
  if (!take_answers(in, answers)) return false;
  choices_.add(std::move(answers));
  return true;
}

PlanCache::Kept PlanCache::find(const std::string& name, size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto it = items_.find(name);
  if (it == items_.end() || it->second.bytes.size() != bytes) return {};
  Item& item = it->second;
  if (item.state == Item::State::unseen) {
    item.state = sample(item.bytes) == item.check ? Item::State::good : Item::State::bad;
    if (item.state == Item::State::bad) log(context_, Level::warning, "plan cache: {} is damaged at '{}'; it will be replaced", file_->path(), name);
  }
  if (item.state == Item::State::bad) return {};
  return {file_, item.bytes.data()};
}

void PlanCache::store(std::vector<Entry> entries) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::span<const std::byte>> all;  // ours win
  for (const auto& [name, item] : items_)
    if (item.state != Item::State::bad) all[name] = item.bytes;
  for (const Entry& e : entries) all[e.name] = e.bytes;
  const MeasuredChoices::Answers answers = choices_.answers();
  const std::string choices = written(answers);
  size_t index_bytes = 8 + key_.size() + choices.size();
  for (const auto& [name, bytes] : all) index_bytes += 8 + name.size() + 24;
  std::string index;
  append(index, key_);
  uint64_t at = round_up(kHeadBytes + index_bytes, kPage);
  for (const auto& [name, bytes] : all) {
    const auto known = items_.find(name);
    const bool old = known != items_.end() && known->second.bytes.data() == bytes.data();  // not looked at again: damage stays damage
    append(index, name);
    append(index, at);
    append(index, bytes.size());
    append(index, old ? known->second.check : sample(bytes));
    at = round_up(at + bytes.size(), kAlign);
  }
  index += choices;
  std::string head(kMagic);
  for (const uint64_t v : {at, uint64_t{index.size()}, uint64_t{all.size()}, hash(std::as_bytes(std::span(index)), at ^ all.size())}) append(head, v);
  head.resize(kHeadBytes);
  const std::string zeros(kPage, '\0');
  const auto bytes_of = [](std::string_view s) { return std::as_bytes(std::span(s)); };
  std::vector<std::span<const std::byte>> parts = {bytes_of(head), bytes_of(index)};
  const size_t filled = kHeadBytes + index.size();
  parts.push_back(bytes_of(zeros).first(round_up(filled, kPage) - filled));
  for (const auto& [name, bytes] : all) {
    parts.push_back(bytes);
    parts.push_back(bytes_of(zeros).first(round_up(bytes.size(), kAlign) - bytes.size()));
  }
  const ContextOptions& options = context_.options();
  if (options.cache == nullptr && at > options.cache_folder_limit) {
    log(context_, Level::warning, "plan cache: {} bytes are not kept, the folder may have {}", at, options.cache_folder_limit);
    return;
  }
  const auto written = options.cache != nullptr ? options.cache->store(file_name_, parts) : replace_file(options.cache_folder + "/" + file_name_, parts);
  if (!written) {
    log(context_, Level::warning, "plan cache: {}", written.error().message);
    return;
  }
  if (options.cache == nullptr) {
    const auto old = files_to_remove(own_files(options.cache_folder, kSuffix, kOurs), options.cache_folder_limit, file_name_);
    if (const int removed = remove_files(options.cache_folder, old); removed > 0)
      log(context_, Level::info, "plan cache: {} files that were not used for long are removed", removed);
  }
  log(context_, Level::info, "plan cache: {} matrices, {} choices, {} bytes kept", all.size(), answers.size(), at);
  items_.clear();  // another plan of this model adds to what was written now
  file_.reset();
  load();
}

}  // namespace mainspring::inline v0
