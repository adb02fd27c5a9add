// Packed weights and measured choices that outlive the process. In: the context's Cache or folder, the model's sources, the device. Out: panels by name,
// mapped; answers to what a provider asks while it binds.
// A value that does not fit in every respect (the model file, the device, the sources of this build's kernels) counts as missing: it is packed anew and
// stored over. Must not know kernels.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/file.h"
#include "mainspring/context.h"
#include "mainspring/ext/provider.h"
#include "plan/choices.h"

namespace mainspring::inline v0 {

/// Of one Model. Thread-safe.
class PlanCache {
 public:
  struct Entry {
    std::string name;
    std::span<const std::byte> bytes;
  };
  struct Kept {
    std::shared_ptr<const void> owner;
    const std::byte* data = nullptr;
  };

  /// Null where the context has no cache.
  static std::unique_ptr<PlanCache> open(const Context& context, std::span<const std::shared_ptr<ByteSource>> sources, const ProviderInfo& provider);

  /// A name for panels of these source bytes; empty where they lie in no file.
  std::string name_of(std::span<const std::byte> weight, std::string_view layout) const;
  /// Aligned to 64. Null where the name is unknown, of another size, or its bytes fail their check.
  Kept find(const std::string& name, size_t bytes);
  MeasuredChoices& choices() { return choices_; }
  /// Writes these, what was there before, and the choices. Failing is logged, no more.
  void store(std::vector<Entry> entries);

 private:
  struct Item {
    std::span<const std::byte> bytes;
    uint64_t check = 0;
    enum class State : uint8_t { unseen, good, bad } state = State::unseen;
  };
  PlanCache(const Context& context, const std::string& machine) : context_(context), choices_(context, machine, now_ns) {}
  void load();
  bool read_index(std::span<const std::byte> file);

  Context context_;
  MeasuredChoices choices_;
  std::vector<std::span<const std::byte>> sources_;
  std::string key_, file_name_;  // the key says all that the panels depend on; the name is the same for a model file that was replaced
  std::mutex mutex_;
  std::shared_ptr<ByteSource> file_;
  std::map<std::string, Item> items_;
};

}  // namespace mainspring::inline v0
