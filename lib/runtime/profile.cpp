// A profile's memory, and how a session's lanes of tiles become the host's Profile.
#include <algorithm>

#include "core/checked.h"
#include "core/error.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMaxTiles = int64_t{1} << 24;
constexpr int64_t kMaxPasses = 1 << 14;

/// By operands, as Step::bytes says.
int64_t operand_bytes(const Plan& plan, size_t node, const StepEnv& env) {
  size_t bytes = static_cast<size_t>(plan.nodes[node].bytes_read);
  const auto add = [&](ValueId id) {
    if (id == kNone) return;
    const Value& v = plan.graph.values[static_cast<size_t>(id)];
    if (v.kind == Kind::weight) bytes += plan.nodes[node].bytes_read > 0 ? 0 : v.bytes.size();
    else if (v.kind != Kind::state) bytes += bytes_of(v, v.dims.empty() ? 1 : env.extent(v.dims[0]));
    else if (v.state_kind == StateKind::recurrent) bytes += bytes_of(v, static_cast<int64_t>(env.info.segments.size()));
  };
  const Node& n = plan.graph.nodes[node];
  for (const ValueId v : n.in) add(v);
  for (const ValueId v : n.out) add(v);
  return static_cast<int64_t>(bytes);
}

/// To `bytes`, by node.
void count_bytes(const Plan& plan, const StepEnv& env, int64_t* bytes) {
  constexpr int64_t kUntold = -1;
  for (size_t i = 0; i < plan.nodes.size(); ++i) bytes[i] = plan.nodes[i].n_steps > 0 ? kUntold : 0;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    int64_t& sum = bytes[plan.step_node[i]];
    if (step.bytes != nullptr) sum = std::max<int64_t>(sum, 0) + step.bytes(step.params, env);
  }
  for (size_t i = 0; i < plan.nodes.size(); ++i)
    if (bytes[i] == kUntold) bytes[i] = operand_bytes(plan, i, env);
}

}  // namespace

Result<void> Session::start_profile(int64_t tiles) {
  Impl& s = *impl_;
  if (s.runner != nullptr) return unsupported("session: profiles are for language models so far, this one is a graph");
  if (s.phase != Impl::Phase::idle) return invalid("session: a step is in progress, resume or cancel it first");
  if (tiles < 1 || tiles > kMaxTiles) return invalid("session: a profile of {} tiles, expected 1 to {}", tiles, kMaxTiles);
  const auto workers = static_cast<size_t>(s.options.threads), nodes = s.plan->nodes.size();
  // A pass has a tile of nearly every node: more passes than that would find no room for their tiles.
  s.most_passes = static_cast<int32_t>(std::min(kMaxPasses, ceil_div(s.options.threads * tiles, static_cast<int64_t>(nodes))));
  const auto n = static_cast<size_t>(s.most_passes);
  const size_t lanes = workers * sizeof(TileRecorder::Lane), passes = round_up(n * sizeof(Profile::Pass), 64), by_node = round_up(n * nodes * sizeof(int64_t), 64);
  const size_t all = lanes + passes + by_node + workers * static_cast<size_t>(tiles) * sizeof(TileRecorder::Tile);
  MAINSPRING_TRY(s.profile_memory, Buffer::create(s.model.context(), all, "profile"));
  std::byte* p = s.profile_memory.data();
  s.recorder = {};
  s.recorder.lanes = reinterpret_cast<TileRecorder::Lane*>(p);
  for (size_t w = 0; w < workers; ++w) s.recorder.lanes[w] = {};
  s.profile_passes = reinterpret_cast<Profile::Pass*>(p + lanes);
  s.profile_bytes = reinterpret_cast<int64_t*>(p + lanes + passes);
  s.recorder.tiles = reinterpret_cast<TileRecorder::Tile*>(p + lanes + passes + by_node);
  s.recorder.room = tiles;
  s.recorder.pass = -1;
  s.env.recorder = &s.recorder;
  return {};
}

/// A pass beyond the last one that is kept is not noted, but counted in the first lane.
void Session::Impl::note_pass() {
  if (profile_memory.size() == 0) return;
  if (recorder.pass + 1 == most_passes) {
    env.recorder = nullptr;
    ++recorder.lanes[0].dropped;
    return;
  }
  profile_passes[++recorder.pass] = {symbols[LlmSymbols::n_tokens], symbols[LlmSymbols::n_outputs]};
  count_bytes(*plan, env, profile_bytes + static_cast<size_t>(recorder.pass) * plan->nodes.size());
}

Result<Profile> Session::stop_profile() {
  Impl& s = *impl_;
  if (s.phase != Impl::Phase::idle) return invalid("session: a step is in progress, resume or cancel it first");
  Profile profile;
  if (s.profile_memory.size() == 0) return profile;
  profile.passes.assign(s.profile_passes, s.profile_passes + s.recorder.pass + 1);
  profile.bytes.assign(s.profile_bytes, s.profile_bytes + profile.passes.size() * s.plan->nodes.size());
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
