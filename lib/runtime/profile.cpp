// A profile's memory, and how a session's lanes of tiles become the host's Profile.
#include "core/checked.h"
#include "core/error.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMaxTiles = int64_t{1} << 24;
constexpr int32_t kMaxPasses = 1 << 14;

}  // namespace

Result<void> Session::start_profile(int64_t tiles) {
  Impl& s = *impl_;
  if (s.phase != Impl::Phase::idle) return invalid("session: a step is in progress, resume or cancel it first");
  if (tiles < 1 || tiles > kMaxTiles) return invalid("session: a profile of {} tiles, expected 1 to {}", tiles, kMaxTiles);
  const auto workers = static_cast<size_t>(s.options.threads);
  const size_t lanes = workers * sizeof(TileRecorder::Lane), passes = round_up(kMaxPasses * sizeof(Profile::Pass), 64);
  const size_t bytes = lanes + passes + workers * static_cast<size_t>(tiles) * sizeof(TileRecorder::Tile);
  MAINSPRING_TRY(s.profile_memory, Buffer::create(s.model.context(), bytes, "profile"));
  std::byte* p = s.profile_memory.data();
  s.recorder = {};
  s.recorder.lanes = reinterpret_cast<TileRecorder::Lane*>(p);
  for (size_t w = 0; w < workers; ++w) s.recorder.lanes[w] = {};
  s.profile_passes = reinterpret_cast<Profile::Pass*>(p + lanes);
  s.recorder.tiles = reinterpret_cast<TileRecorder::Tile*>(p + lanes + passes);
  s.recorder.room = tiles;
  s.recorder.pass = -1;
  s.env.recorder = &s.recorder;
  return {};
}

/// A pass beyond the last one that is kept is not noted, but counted in the first lane.
void Session::Impl::note_pass() {
  if (profile_memory.size() == 0) return;
  if (recorder.pass + 1 == kMaxPasses) {
    env.recorder = nullptr;
    ++recorder.lanes[0].dropped;
    return;
  }
  profile_passes[++recorder.pass] = {symbols[LlmSymbols::n_tokens], symbols[LlmSymbols::n_outputs]};
}

Result<Profile> Session::stop_profile() {
  Impl& s = *impl_;
  if (s.phase != Impl::Phase::idle) return invalid("session: a step is in progress, resume or cancel it first");
  Profile profile;
  if (s.profile_memory.size() == 0) return profile;
  profile.passes.assign(s.profile_passes, s.profile_passes + s.recorder.pass + 1);
  for (int w = 0; w < s.options.threads; ++w) {
    const TileRecorder::Lane& lane = s.recorder.lanes[w];
    profile.dropped += lane.dropped;
    for (int64_t i = 0; i < lane.noted; ++i) {
      const TileRecorder::Tile& t = s.recorder.tiles[w * s.recorder.room + i];
      profile.tiles.push_back({t.pass, s.plan->step_node[static_cast<size_t>(t.step)], t.step, t.tile, w, t.begin_ns, t.end_ns});
    }
  }
  s.env.recorder = nullptr;
  s.recorder = {};
  s.profile_memory = Buffer();
  return profile;
}

}  // namespace mainspring::inline v0
